//! What a job from an engine carries along, from its claim to its outcome.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::claim::ClaimedJob;
use super::clerk::{Clerk, Loss};
use super::fault::QueueError;
use super::options::AckOn;
use super::types::{Nack, Settled, Ticket};
use super::verdict::{Facts, Verdict, may_have_reached, unseen, verdict};
use crate::error::{Error, ErrorKind};
use crate::message::{Afterwards, CancelToken, OnCancel, Request, Response, Watch};

/// What a queue engine has to do with an outcome: which delivery of the job it is, and whether the
/// engine was told. [`Outcome::delivery`](crate::Outcome::delivery) has it.
///
/// With [`AckOn::Consumer`] it is what settles the job; dropped unsettled, it
/// is left to its lease, and the job comes again. [`Outcome::take_delivery`] takes it out, to be kept
/// longer than the outcome.
///
/// [`Outcome::take_delivery`]: crate::Outcome::take_delivery
///
/// # Examples
///
/// ```
/// use fetchpool::{AckOn, JobQueue, MemoryQueue, Pool, QueueOptions, Request, Settled};
///
/// let queue = MemoryQueue::new();
/// queue.submit(Request::get("no URL"), Some("first"))?;
/// queue.close();
///
/// let options = QueueOptions::new().ack_on(AckOn::Consumer);
/// let pool = Pool::builder().queue(queue, options).build()?;
/// for outcome in pool.outcomes() {
///     let Some(delivery) = outcome.delivery() else { continue };
///     assert_eq!((delivery.key(), delivery.number()), (Some("first"), 1));
///     assert_eq!(delivery.dead_letter("it will never be one")?, Settled::Done);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Delivery(Box<Inner>);

struct Inner {
    clerk: Arc<Clerk>,
    /// What the clerk calls it.
    id: u64,
    ticket: Ticket,
    key: Option<String>,
    facts: Facts,
    /// The job has no outcome yet.
    running: bool,
    /// The outcome was given to the caller.
    handed_out: bool,
    /// What is to be said when it is given to the caller.
    planned: Option<Verdict>,
    fate: Mutex<Fate>,
    loss: Arc<Loss>,
    /// The request's own token, in whose place there is another while it runs.
    token: Option<CancelToken>,
    watch: Option<Watch>,
}

#[derive(Clone, Copy)]
enum Fate {
    Open,
    /// Somebody is about to settle it, or has left that to the clerk.
    UnderWay,
    Settled(Settled),
}

impl Delivery {
    /// Takes on a job that an engine gave: the request as it will be sent, and what is wrong with
    /// it already.
    pub(in crate::pool) fn take_on(
        clerk: &Arc<Clerk>,
        job: ClaimedJob,
    ) -> (Request, Option<Error>, Self) {
        let ClaimedJob { mut request, ticket, key, number, lease } = job;
        let options = &clerk.options;
        if let Some(key) = key.as_deref().filter(|_| options.sends_key)
            && !request.headers().contains(IDEMPOTENCY_KEY)
        {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let repeatable =
            request.method().is_idempotent() || request.headers().contains(IDEMPOTENCY_KEY);
        let fault = (number > options.max_deliveries).then(|| {
            let detail = format!("it was delivered {number} times: too often to be sent once more");
            Error::new(ErrorKind::Cancelled, detail).at(request.url())
        });
        let loss = Arc::new(Loss::default());
        let token = request.own_cancel_token().cloned();
        let watch = token
            .as_ref()
            .map(|token| token.watch(Arc::new(PassedOn(loss.token.clone())) as Arc<dyn OnCancel>));
        request = request.cancel_token(&loss.token);
        let id = clerk.open(ticket.clone(), lease, Arc::clone(&loss));
        let facts = Facts {
            number,
            begun: false,
            tried: false,
            reached: false,
            repeatable,
            over: false,
            asked: None,
        };
        let inner = Inner {
            clerk: Arc::clone(clerk),
            id,
            ticket,
            key,
            facts,
            running: true,
            handed_out: false,
            planned: None,
            fate: Mutex::new(Fate::Open),
            loss,
            token,
            watch,
        };
        (request, fault, Self(Box::new(inner)))
    }

    /// What names the job over all of its deliveries, if the engine gave it a name.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Which delivery of the job this is, from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.0.facts.number
    }

    /// The engine's name for this delivery.
    #[must_use]
    pub const fn ticket(&self) -> &Ticket {
        &self.0.ticket
    }

    /// What came of settling it; `None` as long as that is not known: it has not been tried, is
    /// under way, or has failed. [`Stale`](Settled::Stale): somebody else may have done the job, too.
    #[must_use]
    pub fn settled(&self) -> Option<Settled> {
        match *self.fate() {
            Fate::Settled(settled) => Some(settled),
            Fate::Open | Fate::UnderWay if self.0.loss.is_lost() => Some(Settled::Stale),
            Fate::Open | Fate::UnderWay => None,
        }
    }

    /// Tells the engine that the job is done; waits for its answer. What is settled already stays so:
    /// [`AlreadySettled`](Settled::AlreadySettled). That is the answer, too, where the pool settles
    /// by itself (unless with [`AckOn::Consumer`]), even if it has done so in vain.
    ///
    /// # Errors
    ///
    /// What the engine says; it can be tried again as long as the lease lasts, which is extended
    /// until then.
    pub fn ack(&self) -> Result<Settled, QueueError> {
        self.settle_now(&Verdict::Ack)
    }

    /// Gives the job back, to be delivered anew, not before `after`. Otherwise as [`ack`](Self::ack).
    ///
    /// # Errors
    ///
    /// As of `ack`.
    pub fn give_back(&self, after: Duration) -> Result<Settled, QueueError> {
        self.settle_now(&Verdict::Nack(Nack::Retry { after }))
    }

    /// Has the job kept aside, and not delivered any more. Otherwise as [`ack`](Self::ack).
    ///
    /// # Errors
    ///
    /// As of `ack`.
    pub fn dead_letter(&self, reason: impl Into<String>) -> Result<Settled, QueueError> {
        self.settle_now(&Verdict::Nack(Nack::Dead { reason: reason.into() }))
    }

    fn settle_now(&self, verdict: &Verdict) -> Result<Settled, QueueError> {
        {
            let mut fate = self.fate();
            if !matches!(*fate, Fate::Open) {
                return Ok(Settled::AlreadySettled);
            }
            *fate = Fate::UnderWay;
        }
        let answer = self.0.clerk.ask(self.0.id, &self.0.ticket, verdict);
        *self.fate() = match &answer {
            Ok(settled) => {
                self.0.clerk.close(self.0.id);
                Fate::Settled(*settled)
            }
            Err(_) => Fate::Open,
        };
        answer
    }

    fn fate(&self) -> MutexGuard<'_, Fate> {
        // Poison is ignored: each change is one assignment.
        self.0.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the pool does with it.
impl Delivery {
    /// A worker with a session has begun the job.
    pub(in crate::pool) const fn begin(&mut self) {
        self.0.facts.begun = true;
    }

    /// A try of the job came to this, and there will be another.
    pub(in crate::pool) fn tried(&mut self, because: Option<&Error>) {
        self.0.facts.tried = true;
        self.0.facts.reached |= because.is_none_or(may_have_reached);
    }

    /// Says of a job that was cancelled since its lease was lost that it was that.
    pub(in crate::pool) fn explain(
        &self,
        result: Result<Response, Error>,
    ) -> Result<Response, Error> {
        match result {
            Err(error) if error.is_cancelled() && self.0.loss.is_lost() => {
                Err(error
                    .with_detail("the lease of its job was lost, and somebody else may have it"))
            }
            other => other,
        }
    }

    /// The job has its outcome. `over`: since the pool has ended before its time. `here`: the engine
    /// may be waited for.
    pub(in crate::pool) fn finish(&mut self, failed: Option<&Error>, over: bool, here: bool) {
        let inner = &mut *self.0;
        inner.watch = None;
        inner.facts.reached |= failed.is_none_or(may_have_reached);
        inner.facts.over = over;
        let answer = failed.and_then(Error::response);
        inner.facts.asked = answer.and_then(|response| response.retry_after(SystemTime::now()));
        inner.stop_running();
        if inner.loss.is_lost() {
            *self.fate() = Fate::Settled(Settled::Stale);
            return;
        }
        let said = verdict(&inner.clerk.options, inner.facts, failed);
        match inner.clerk.options.ack_on {
            AckOn::Completed if here => {
                let settled = inner.clerk.settle(inner.id, &inner.ticket, &said);
                *self.fate() = settled.map_or(Fate::UnderWay, Fate::Settled);
            }
            AckOn::Completed => {
                inner.clerk.settle_later(inner.id, said);
                *self.fate() = Fate::UnderWay;
            }
            AckOn::Delivered | AckOn::Consumer => inner.planned = Some(said),
        }
    }

    /// The outcome is given to the caller, on his thread.
    pub(in crate::pool) fn hand_out(&mut self) {
        let inner = &mut *self.0;
        inner.handed_out = true;
        if inner.loss.is_lost() {
            // Nothing is said of what is not ours.
            return;
        }
        if inner.clerk.options.ack_on == AckOn::Delivered
            && let Some(said) = inner.planned.take()
        {
            let settled = inner.clerk.settle(inner.id, &inner.ticket, &said);
            *self.fate() = settled.map_or(Fate::UnderWay, Fate::Settled);
        }
    }

    /// The request as the engine gave it, but for its key: with its own token.
    pub(in crate::pool) fn restore(&self, request: Request) -> Request {
        match &self.0.token {
            Some(token) => request.cancel_token(token),
            None => request.without_cancel_token(),
        }
    }
}

impl Inner {
    fn stop_running(&mut self) {
        if std::mem::take(&mut self.running) {
            self.clerk.ran();
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let open = matches!(*self.fate(), Fate::Open);
        let inner = &mut *self.0;
        inner.stop_running();
        if !open {
            return;
        }
        if inner.handed_out {
            return inner.clerk.close(inner.id);
        }
        // Nobody has seen it. That it was to be acknowledged is then not true any more.
        let said = match inner.planned.take() {
            Some(Verdict::Nack(nack)) => nack,
            Some(Verdict::Ack) | None => unseen(&inner.clerk.options, inner.facts),
        };
        inner.clerk.settle_later(inner.id, Verdict::Nack(said));
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("key", &self.key())
            .field("number", &self.number())
            .field("ticket", &self.0.ticket)
            .field("settled", &self.settled())
            .finish_non_exhaustive()
    }
}

/// Passes a cancel on, from the request's own token to the one in its place.
struct PassedOn(CancelToken);

impl OnCancel for PassedOn {
    fn cancelled(&self) -> Option<Afterwards> {
        let token = self.0.clone();
        Some(Box::new(move || token.cancel()))
    }
}

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
