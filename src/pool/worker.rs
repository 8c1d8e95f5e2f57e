//! What a worker thread does: next job, `session.run`, `claim.finish`, and again.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::claim::Claim;
use super::setup::{Setup, SetupFault};
use crate::catch::catch;
use crate::connection::{Deadline, Interrupt};
use crate::error::{Error, ErrorKind, attempts_of};
use crate::log::debug;
use crate::message::{Origin, Ration, Request, Response, Target, remember};
use crate::observer::{Observed, Observer};
use crate::session::{Again, Allowance, Call, Session};

/// A worker: its session, made by its hooks, and how another thread ends what it does.
pub(super) struct Worker<'a> {
    setup: &'a Setup,
    interrupt: Interrupt,
    session: Result<Box<Session>, SetupFault>,
}

/// Where a job waits for its next try.
#[derive(Clone, Copy)]
pub(super) enum Waits<'a> {
    /// With the worker, whose session sees to that, and to its own budget.
    Here,
    /// Where it takes no worker; if the budget of its origin has so much left, which this takes out.
    Parked(&'a dyn Fn(Ration) -> bool),
}

/// What a worker needs of a job beside the job itself, which stays in its seat.
struct Order {
    index: u64,
    request: Arc<Request>,
    began: Instant,
    queued: Duration,
    retries: u32,
    /// For whoever sends it first.
    target: Cell<Option<Target>>,
    fault: Option<Error>,
}

impl Order {
    const fn call<'a>(&'a self, batch: Deadline, allowance: Option<&'a dyn Allowance>) -> Call<'a> {
        Call {
            index: Some(self.index),
            began: self.began,
            number: self.retries.saturating_add(1),
            batch,
            allowance,
            target: Some(&self.target),
        }
    }
}

impl<'a> Worker<'a> {
    /// Runs the hooks.
    pub(super) fn new(setup: &'a Setup, interrupt: Interrupt) -> Self {
        let session = setup.session(&interrupt);
        Self { setup, interrupt, session }
    }

    /// Runs a job to its outcome, or parks it to be tried again.
    pub(super) fn serve(
        &mut self,
        claim: Claim<'_>,
        now: Instant,
        batch: Deadline,
        allowance: Option<&dyn Allowance>,
        waits: Waits<'_>,
    ) {
        // Looked at where it lies. What is done before the request and after it has functions of its
        // own that are not inlined: of the stack under a wait each page stays with its thread.
        let mut taken = self.begin(&claim, now);
        let Some(order) = &mut taken else { return };
        let fault = order.fault.take();
        let order = &*order;
        let told = match order.retries {
            0 => self.tell(order, |observer, job| observer.taken(job)),
            _ => Ok(()),
        };
        let result = match (told, fault) {
            (Err(error), _) | (Ok(()), Some(error)) => Err(error),
            (Ok(()), None) => self.run(order, &order.call(batch, allowance), waits),
        };
        self.end(claim, &mut taken, batch, result, waits);
    }

    /// The job begins; `None` if it was taken away.
    #[inline(never)]
    fn begin(&self, claim: &Claim<'_>, now: Instant) -> Option<Order> {
        claim.with_job(|job| {
            if let (Some(delivery), Ok(_)) = (&mut job.delivery, &self.session) {
                delivery.begin();
            }
            Order {
                index: job.index,
                request: Arc::clone(&job.request),
                began: *job.began.get_or_insert(now),
                queued: now.saturating_duration_since(job.taken),
                retries: job.retries,
                target: Cell::new(job.target.take()),
                fault: job.fault.take(),
            }
        })
    }

    /// The job is parked to be tried again, or this is its outcome.
    #[inline(never)]
    fn end(
        &mut self,
        claim: Claim<'_>,
        taken: &mut Option<Order>,
        batch: Deadline,
        mut result: Result<Response, Error>,
        waits: Waits<'_>,
    ) {
        let Some(order) = taken.take() else { return };
        let traffic =
            self.session.as_mut().map(|session| session.take_traffic()).unwrap_or_default();
        let mut next = None;
        let call = order.call(batch, None);
        if let Some((again, deadline)) = self.again(&order, &call, &result, waits) {
            let (number, wait) = (call.number, again.wait);
            debug!("job {} is tried again in {wait:?}", order.index);
            let because = result.as_ref();
            match self.tell(&order, |observer, job| observer.retry(job, number, wait, because)) {
                Ok(()) => next = Some((again, deadline)),
                Err(error) => result = Err(error),
            }
        }
        let queued = order.queued;
        // Before the job is settled: what is settled from its seat need not be copied then.
        drop(order);
        match next {
            Some((Again { wait, due, .. }, deadline)) => {
                let sign = claim.sign_of(&result);
                let failed = result.as_ref().err();
                claim.with_job(|job| {
                    if let Some(delivery) = &mut job.delivery {
                        delivery.tried(failed);
                    }
                });
                let attempts = attempts_of(result, wait);
                claim.with_job(|job| {
                    job.retries = job.retries.saturating_add(1);
                    job.deadline = deadline;
                    remember(&mut job.attempts, attempts);
                });
                claim.park(due, sign, traffic);
            }
            None => {
                let result = match result {
                    Ok(mut response) => {
                        response.0.timings.queued = queued;
                        Ok(response)
                    }
                    Err(mut error) => {
                        error.set_queued(queued);
                        Err(error)
                    }
                };
                claim.finish(result, traffic);
            }
        }
    }

    /// The origins to which the session has connections, if that has changed since this was asked
    /// last, or must be known.
    pub(super) fn idle_origins(&mut self, must: bool) -> Option<Vec<Origin>> {
        match &mut self.session {
            Ok(session) => session.idle_origins(must),
            Err(_) => must.then(Vec::new),
        }
    }

    fn run(&mut self, order: &Order, call: &Call<'_>, waits: Waits<'_>) -> Result<Response, Error> {
        let request = &*order.request;
        if self.interrupt.is_raised_for_good() {
            return Err(Error::new(ErrorKind::Cancelled, "").at(request.url()));
        }
        let session = match &mut self.session {
            Ok(session) => session,
            Err(fault) => return Err(fault.error().at(request.url())),
        };
        if call.number == 1 {
            debug!("job {}: {:?} {}", order.index, request.method(), request.redacted_url());
        }
        let run = || match waits {
            Waits::Here => session.run_to_the_end(request, *call),
            Waits::Parked(_) => session.run(request, call),
        };
        catch(run).unwrap_or_else(|panicked| {
            // Half a session is none: the next job starts on a fresh one, with the same settings.
            session.start_over();
            Err(Error::panicked("the request panicked", &panicked).at(request.url()))
        })
    }

    /// Whether the job is to be parked for another try, and when it must be over.
    #[inline(never)]
    fn again(
        &self,
        order: &Order,
        call: &Call<'_>,
        result: &Result<Response, Error>,
        waits: Waits<'_>,
    ) -> Option<(Again, Deadline)> {
        let (Waits::Parked(may_retry), Ok(session)) = (waits, &self.session) else { return None };
        let again = session.again(&order.request, call, result.as_ref())?;
        if !again.ration.is_none_or(may_retry) {
            debug!("job {}: the budget for retries is spent", order.index);
            return None;
        }
        Some((again, session.deadline_of(&order.request, order.began)))
    }

    /// Tells the observer, if there is one. Its panic is the job's outcome.
    #[inline(never)]
    fn tell(
        &self,
        order: &Order,
        tell: impl FnOnce(&dyn Observer, &Observed<'_>),
    ) -> Result<(), Error> {
        let Some(observer) = &self.setup.config.observer else { return Ok(()) };
        let observed = Observed::new(Some(order.index), &order.request);
        catch(|| tell(&**observer, &observed)).map_err(|panicked| {
            Error::panicked("the observer panicked", &panicked).at(order.request.url())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionConfig;

    #[test]
    fn who_has_no_session_holds_no_connection() {
        let mut setup = Setup::default();
        setup.set_initializer(|_: &mut SessionConfig| Err::<(), _>("on purpose"));
        let mut worker = Worker::new(&setup, Interrupt::default());
        assert!(worker.idle_origins(false).is_none(), "nothing has changed");
        assert!(worker.idle_origins(true).is_some_and(|origins| origins.is_empty()));
    }
}
