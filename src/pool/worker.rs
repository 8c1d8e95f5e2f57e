//! What a worker thread does: next job, `session.run`, `claim.finish`, and again.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::claim::Claim;
use super::retry::RetryPolicy;
use super::setup::{Setup, SetupFault};
use crate::catch::catch;
use crate::connection::{Deadline, Interrupt};
use crate::error::{Error, ErrorKind};
use crate::log::debug;
use crate::message::{Clock, Origin, Request, Response, Target, random};
use crate::observer::{Observed, Observer};
use crate::session::{Allowance, Call, Session};

/// A worker: its session, made by its hooks, and how another thread ends what it does.
pub(super) struct Worker<'a> {
    setup: &'a Setup,
    retry: Option<&'a RetryPolicy>,
    interrupt: Interrupt,
    session: Result<Session, SetupFault>,
}

/// What a worker needs of a job beside the job itself, which stays in its seat.
struct Order {
    index: u64,
    request: Arc<Request>,
    began: Instant,
    queued: Duration,
    retries: u32,
    target: Option<Target>,
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
    pub(super) fn serve(
        &mut self,
        claim: Claim<'_>,
        batch: Deadline,
        allowance: Option<&dyn Allowance>,
    ) {
        let now = Instant::now();
        let taken = claim.with_job(|job| {
            let order = Order {
                index: job.index,
                request: Arc::clone(&job.request),
                began: *job.began.get_or_insert(now),
                queued: now.saturating_duration_since(job.taken),
                retries: job.retries,
                target: job.target.take(),
            };
            (order, job.fault.take())
        });
        let Some((mut order, fault)) = taken else { return };
        let told = match order.retries {
            0 => self.tell(&order, |observer, job| observer.taken(job)),
            _ => Ok(()),
        };
        let mut result = match (told, fault) {
            (Err(error), _) | (Ok(()), Some(error)) => Err(error),
            (Ok(()), None) => self.run(&mut order, batch, allowance),
        };
        let traffic = self.session.as_mut().map(Session::take_traffic).unwrap_or_default();
        let mut due = None;
        let deadline = self.deadline(&order);
        if let Some((wait, at)) = self.wait_before_retry(&order, batch, &result)
            && self.retry.is_some_and(|policy| claim.may_retry(policy))
        {
            debug!("job {} is tried again in {wait:?}", order.index);
            let number = order.retries.saturating_add(1);
            let because = result.as_ref();
            match self.tell(&order, |observer, job| observer.retry(job, number, wait, because)) {
                Ok(()) => due = Some(at),
                Err(error) => result = Err(error),
            }
        }
        let queued = order.queued;
        // Before the job is settled: what is settled from its seat need not be copied then.
        drop(order);
        match due {
            Some(due) => {
                let sign = claim.sign_of(&result);
                let because = match result {
                    Ok(response) => response.error_for_status().err(),
                    Err(error) => Some(error),
                };
                let attempts = because.map(Error::into_attempts).unwrap_or_default();
                claim.with_job(|job| {
                    job.retries = job.retries.saturating_add(1);
                    job.deadline = deadline;
                    job.tried(attempts);
                });
                claim.park(due, sign, traffic);
            }
            None => {
                let result = match result {
                    Ok(mut response) => {
                        response.timings.queued = queued;
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
        let session = self.session.as_mut().ok()?;
        session.idle_origins(must)
    }

    fn run(
        &mut self,
        order: &mut Order,
        batch: Deadline,
        allowance: Option<&dyn Allowance>,
    ) -> Result<Response, Error> {
        let request = &*order.request;
        if self.interrupt.is_raised_for_good() {
            return Err(Error::new(ErrorKind::Cancelled, "").at(request.url()));
        }
        let session = match &mut self.session {
            Ok(session) => session,
            Err(fault) => return Err(fault.error().at(request.url())),
        };
        let number = order.retries.saturating_add(1);
        if number == 1 {
            debug!("job {}: {:?} {}", order.index, request.method(), request.redacted_url());
        }
        let target = Cell::new(order.target.take());
        let (index, began) = (Some(order.index), order.began);
        let call = Call { index, began, number, batch, allowance, target };
        catch(|| session.run(request, &call)).unwrap_or_else(|panicked| {
            // Half a session is none: the next job starts on a fresh one, with the same settings.
            session.start_over();
            Err(Error::panicked("the request panicked", &panicked).at(request.url()))
        })
    }

    /// Whether the job is to be tried again: after how long, and when that is.
    fn wait_before_retry(
        &self,
        order: &Order,
        batch: Deadline,
        result: &Result<Response, Error>,
    ) -> Option<(Duration, Instant)> {
        let wait =
            self.retry?.wait(order.retries, &order.request, result, random(), SystemTime::now())?;
        let due = Instant::now().checked_add(wait)?;
        // A try that cannot begin before the time is up is none.
        let too_late = self.deadline(order).left(due).is_err() || batch.left(due).is_err();
        (!too_late).then_some((wait, due))
    }

    /// When the job must be over.
    fn deadline(&self, order: &Order) -> Deadline {
        let session = self.session.as_ref().ok();
        let timeout = session.and_then(|session| session.timeout_of(&order.request));
        Deadline::after(order.began, timeout, Clock::Request)
    }

    /// Tells the observer, if there is one. Its panic is the job's outcome.
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

/// A number from 0 to 1, as random as the seed of a hash map.
fn random() -> f64 {
    let bits = u32::try_from(random::bits() >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}
