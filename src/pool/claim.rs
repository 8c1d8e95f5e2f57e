//! One outcome for each job, by construction.
//!
//! A job that leaves the schedule does so inside a [`Claim`], and a claim has three ways to end:
//!
//! - [`finish`](Claim::finish) hands over the job's outcome;
//! - [`park`](Claim::park) gives the job back to the schedule, which will claim it again;
//! - being dropped, which happens only when something unwinds or returns past it, hands over an
//!   outcome of kind `panic`.
//!
//! The first two take the claim by value, so that they cannot both happen, nor one of them twice;
//! and both take the job out, so that the drop that follows finds none. So no path through a
//! worker can lose a job or answer it twice, whatever code is written there: this file is all
//! that has to be right. What it relies on: nothing here is forgotten (`mem::forget` is denied in
//! this crate), and the process does not abort.

use std::time::Instant;

use super::job::Job;
use super::outcome::Outcome;
use crate::error::{Error, ErrorKind};
use crate::message::Response;

/// Where jobs go when they leave a worker.
pub(super) trait Desk {
    /// Hands an outcome over. May wait until there is room for it.
    fn deliver(&self, outcome: Outcome);

    /// Keeps a job until it is due.
    fn park(&self, job: Job, due: Instant);

    /// A claim has ended, one way or the other.
    fn released(&self);
}

/// A job that was taken and has no outcome yet.
pub(super) struct Claim<'a> {
    job: Option<Job>,
    desk: &'a dyn Desk,
}

impl<'a> Claim<'a> {
    pub(super) fn new(job: Job, desk: &'a dyn Desk) -> Self {
        Self { job: Some(job), desk }
    }

    /// The job. Always there: what takes it out takes the claim along.
    pub(super) const fn job(&mut self) -> Option<&mut Job> {
        self.job.as_mut()
    }

    /// The job's outcome is this.
    pub(super) fn finish(mut self, result: Result<Response, Error>) {
        self.settle(result);
    }

    /// The job is to be tried again when it is due.
    pub(super) fn park(mut self, due: Instant) {
        if let Some(job) = self.job.take() {
            self.desk.park(job, due);
        }
    }

    fn settle(&mut self, result: Result<Response, Error>) {
        if let Some(job) = self.job.take() {
            self.desk.deliver(Outcome::new(job.index, job.request, result));
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.job.is_some() {
            self.settle(Err(Error::new(ErrorKind::Panic, "the worker panicked")));
        }
        self.desk.released();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;

    use super::*;
    use crate::message::Request;

    #[derive(Default)]
    struct Ledger(Mutex<Vec<String>>);

    impl Desk for Ledger {
        fn deliver(&self, outcome: Outcome) {
            let error = outcome.result().unwrap_err();
            self.0.lock().unwrap().push(error.kind().to_string());
        }

        fn park(&self, _: Job, _: Instant) {
            self.0.lock().unwrap().push("parked".into());
        }

        fn released(&self) {
            self.0.lock().unwrap().push("released".into());
        }
    }

    fn ledger_of(end: impl FnOnce(Claim<'_>)) -> Vec<String> {
        let ledger = Ledger::default();
        let job = Job::new(0, Request::get("http://h/"), Instant::now());
        let _ = catch_unwind(AssertUnwindSafe(|| end(Claim::new(job, &ledger))));
        ledger.0.into_inner().unwrap()
    }

    #[test]
    fn every_way_to_end_a_claim_accounts_for_the_job_once() {
        let finish = |claim: Claim<'_>| claim.finish(Err(Error::new(ErrorKind::Io, "")));
        assert_eq!(ledger_of(finish), ["io", "released"]);
        assert_eq!(ledger_of(|claim| claim.park(Instant::now())), ["parked", "released"]);
        assert_eq!(ledger_of(|claim| drop(claim)), ["panic", "released"]);
        assert_eq!(ledger_of(|_claim| panic!("on purpose")), ["panic", "released"]);
    }
}
