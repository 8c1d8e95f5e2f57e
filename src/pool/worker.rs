//! What a worker thread does: next job, `session.run`, `claim.finish`, and again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::claim::Claim;
use super::retry::RetryPolicy;
use super::setup::{Setup, SetupFault};
use crate::connection::Interrupt;
use crate::error::{Error, ErrorKind};
use crate::log::debug;
use crate::message::Response;
use crate::session::Session;

/// A worker: its session, made by its hooks, and how another thread ends what it does.
pub(super) struct Worker<'a> {
    setup: &'a Setup,
    retry: Option<&'a RetryPolicy>,
    interrupt: Interrupt,
    session: Result<Session, SetupFault>,
}

impl<'a> Worker<'a> {
    /// Runs the hooks.
    pub(super) fn new(
        setup: &'a Setup,
        retry: Option<&'a RetryPolicy>,
        interrupt: Interrupt,
    ) -> Self {
        let session = setup.session(&interrupt);
        Self { setup, retry, interrupt, session }
    }

    /// Runs a job to its outcome, or parks it to be tried again.
    pub(super) fn serve(&mut self, mut claim: Claim<'_>) {
        let result = self.run(&mut claim);
        match self.retry_at(&mut claim, &result) {
            Some(due) => claim.park(due),
            None => claim.finish(result),
        }
    }

    fn run(&mut self, claim: &mut Claim<'_>) -> Result<Response, Error> {
        let Some(job) = claim.job() else {
            return Err(Error::new(ErrorKind::Panic, "a claim without a job"));
        };
        if let Some(fault) = job.fault.take() {
            return Err(fault);
        }
        if self.interrupt.is_raised() {
            return Err(Error::new(ErrorKind::Cancelled, "").at(job.request.url()));
        }
        let session = match &mut self.session {
            Ok(session) => session,
            Err(fault) => return Err(fault.error().at(job.request.url())),
        };
        let now = Instant::now();
        let queued = now.saturating_duration_since(job.taken);
        let began = *job.began.get_or_insert(now);
        let request = &job.request;
        match catch_unwind(AssertUnwindSafe(|| session.run(request, began))) {
            Ok(result) => result.map(|mut response| {
                response.timings.queued = queued;
                response
            }),
            Err(payload) => {
                // Half a session is none: the next job starts on a fresh one.
                let error = Error::panicked("the request panicked", &*payload).at(request.url());
                self.session = self.setup.session(&self.interrupt);
                Err(error)
            }
        }
    }

    /// When the job is to be tried again, if it is.
    fn retry_at(&self, claim: &mut Claim<'_>, result: &Result<Response, Error>) -> Option<Instant> {
        let (job, session) = (claim.job()?, self.session.as_ref().ok()?);
        let wait = self.retry?.wait(job.retries, &job.request, result, random())?;
        let due = Instant::now().checked_add(wait)?;
        // A try that cannot begin before the time is up is none.
        let timeout = session.timeout_of(&job.request);
        let end = timeout.and_then(|timeout| job.began?.checked_add(timeout));
        if end.is_some_and(|end| due >= end) {
            return None;
        }
        job.retries = job.retries.saturating_add(1);
        debug!("job {} is tried again in {wait:?}", job.index);
        Some(due)
    }
}

/// A number from 0 to 1, as random as the seed of a hash map.
fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}
