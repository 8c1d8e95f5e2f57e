//! One outcome for each job, by construction.
//!
//! # The argument
//!
//! A job that leaves the schedule is put into the [`Seat`] of the worker that runs it, and a
//! [`Claim`] on that seat is made. From here on the job, and with it the right to answer it, is in
//! exactly one place: behind the seat's lock. There are four ways for it to leave:
//!
//! - [`Claim::finish`] hands over the job's outcome;
//! - [`Claim::park`] gives the job back to the schedule, which will claim it again;
//! - [`Seat::abandon`] takes it away from a worker that cannot be woken, to be answered by the
//!   thread that cancels it;
//! - dropping the claim, which happens only when something unwinds or returns past it, hands over
//!   an outcome of kind `panic`.
//!
//! *None twice:* each of the four begins by taking the job out of the seat under the lock, and
//! goes on only if it got it. Whoever comes second finds nothing and does nothing. A worker that
//! was abandoned finds out when it finishes; its result is dropped, and it takes no further job,
//! since its seat is lost for good.
//!
//! *None lost:* the first two take the claim by value, so that a path through a worker can end
//! in one of them only once; a path that ends in neither drops the claim, and that answers. Whoever
//! got a job out of the seat passes it on in the same function, to the schedule, whose
//! `settle` cannot fail and does not wait, or as a closure that the cancelling thread runs before
//! its call returns. Two pieces of the caller's code are run on that way, the observer's `outcome`
//! and a logger; both by [`catch`](crate::catch), which lets nothing out.
//!
//! # Outside the seat
//!
//! Before it is claimed, and while it waits for another try, a job is in the schedule's lanes, and
//! behind the schedule's lock. There are four ways out: it may start, and is claimed; its token is
//! cancelled, or its time is over, and it is answered; the pool ends, and it is answered if it was
//! begun before; and if it was not, it is handed back. Each begins by taking it out of the lanes under
//! the lock. A job that is to be parked in a pool that has ended is given back, and
//! answered by whoever wanted to park it. A token that is cancelled while its job is on the way from
//! one place to the other is looked at again when it has arrived.
//!
//! An outcome counts as *buffered* from the moment that its job counts as *in flight* no more, under
//! one lock; a view takes it out of the channel into which it is put right after that, and the
//! channel has no end before as many have come out as were put in.
//!
//! What this relies on: nothing here is forgotten (`mem::forget` is denied in this crate), and the
//! process does not abort. What it does not rely on: that the code of a worker is right, that
//! hooks do not panic, that anybody reads.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::job::Job;
use super::polite::Sign;
use crate::error::{Error, ErrorKind};
use crate::message::Response;
use crate::session::Traffic;

/// Where jobs go when they leave a worker.
pub(super) trait Desk {
    /// Hands over the outcome of a job.
    fn deliver(&self, job: Box<Job>, result: Result<Response, Error>, traffic: Traffic);

    /// Keeps a job until it is due; how its try ended is told to its origin's lane.
    fn park(&self, job: Box<Job>, due: Instant, sign: Sign, traffic: Traffic);
}

/// Where a worker has the job that it runs.
#[derive(Default)]
pub(super) struct Seat(Mutex<Held>);

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    Job(Box<Job>),
    /// The worker was given up. It gets no further job.
    Lost,
}

impl Seat {
    /// Takes the job away from the worker, and gives the worker up.
    pub(super) fn abandon(&self) -> Option<Box<Job>> {
        let mut held = self.lock();
        match std::mem::replace(&mut *held, Held::Lost) {
            Held::Job(job) => Some(job),
            Held::Nothing | Held::Lost => None,
        }
    }

    /// Whether the worker was given up.
    pub(super) fn is_lost(&self) -> bool {
        matches!(*self.lock(), Held::Lost)
    }

    fn take(&self) -> Option<Box<Job>> {
        let mut held = self.lock();
        match std::mem::take(&mut *held) {
            Held::Job(job) => Some(job),
            Held::Nothing => None,
            Held::Lost => {
                *held = Held::Lost;
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Poison is ignored: each change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that was taken and has no outcome yet.
pub(super) struct Claim<'a> {
    seat: &'a Seat,
    desk: &'a dyn Desk,
}

impl<'a> Claim<'a> {
    pub(super) fn new(job: Box<Job>, seat: &'a Seat, desk: &'a dyn Desk) -> Self {
        let mut held = seat.lock();
        let lost = matches!(*held, Held::Lost);
        if !lost {
            *held = Held::Job(job);
            return Self { seat, desk };
        }
        drop(held);
        // Cannot be: a worker that was given up asks for no job. It would be answered all the same.
        desk.deliver(job, Err(panicked()), Traffic::default());
        Self { seat, desk }
    }

    /// Looks at the job, or changes it. `None` if it was taken away.
    pub(super) fn with_job<T>(&self, look: impl FnOnce(&mut Job) -> T) -> Option<T> {
        match &mut *self.seat.lock() {
            Held::Job(job) => Some(look(job)),
            Held::Nothing | Held::Lost => None,
        }
    }

    /// The job's outcome is this.
    pub(super) fn finish(self, result: Result<Response, Error>, traffic: Traffic) {
        if let Some(job) = self.seat.take() {
            self.desk.deliver(job, result, traffic);
        }
    }

    /// The job is to be tried again when it is due.
    pub(super) fn park(self, due: Instant, sign: Sign, traffic: Traffic) {
        if let Some(job) = self.seat.take() {
            self.desk.park(job, due, sign, traffic);
        }
    }

    /// What the end of the job's try says of its origin.
    pub(super) fn sign_of(&self, result: &Result<Response, Error>) -> Sign {
        let ticket = self.with_job(|job| job.ticket).flatten();
        ticket.map_or(Sign::Nothing, |ticket| ticket.sign_of(result))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // After the two above the seat is empty and this does nothing.
        if let Some(job) = self.seat.take() {
            self.desk.deliver(job, Err(panicked()), Traffic::default());
        }
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Panic, "the worker panicked")
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::message::Request;

    #[derive(Default)]
    struct Book(Mutex<Vec<String>>);

    impl Desk for Book {
        fn deliver(&self, _: Box<Job>, result: Result<Response, Error>, _: Traffic) {
            self.0.lock().unwrap().push(result.unwrap_err().kind().to_string());
        }

        fn park(&self, _: Box<Job>, _: Instant, _: Sign, _: Traffic) {
            self.0.lock().unwrap().push("parked".into());
        }
    }

    fn booked(end: impl FnOnce(Claim<'_>, &Seat)) -> Vec<String> {
        let (book, seat) = (Book::default(), Seat::default());
        let job = Box::new(Job::new(0, Request::get("http://h/"), Instant::now()));
        let _ = catch_unwind(AssertUnwindSafe(|| end(Claim::new(job, &seat, &book), &seat)));
        book.0.into_inner().unwrap()
    }

    fn io() -> Result<Response, Error> {
        Err(Error::new(ErrorKind::Io, ""))
    }

    #[test]
    fn every_way_to_end_a_claim_accounts_for_the_job_once() {
        assert_eq!(booked(|claim, _| claim.finish(io(), Traffic::default())), ["io"]);
        assert_eq!(
            booked(|claim, _| claim.park(Instant::now(), Sign::Nothing, Traffic::default())),
            ["parked"]
        );
        assert_eq!(booked(|claim, _| drop(claim)), ["panic"]);
        assert_eq!(booked(|_claim, _| panic!("on purpose")), ["panic"]);
    }

    #[test]
    fn a_job_that_was_taken_away_is_not_answered_a_second_time() {
        let taken_away = |seat: &Seat| assert!(seat.abandon().is_some() && seat.is_lost());
        for end in [
            (|claim: Claim<'_>| claim.finish(io(), Traffic::default())) as fn(Claim<'_>),
            |claim| claim.park(Instant::now(), Sign::Nothing, Traffic::default()),
            |claim| drop(claim),
            |_claim| panic!("on purpose"),
        ] {
            let booked = booked(|claim, seat| {
                taken_away(seat);
                end(claim);
                assert!(seat.is_lost() && seat.abandon().is_none());
            });
            assert!(booked.is_empty(), "{booked:?}");
        }
    }
}
