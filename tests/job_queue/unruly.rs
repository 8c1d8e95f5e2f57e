//! An engine that misbehaves on purpose: a queue in memory, and a veil over it that forgets, errs
//! and panics where it is told to.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fetchpool::{
    Claim, Claimed, Depth, JobQueue, Lease, MemoryQueue, Nack, QueueError, Request, Settled,
    Submitted, Ticket,
};

/// What an engine does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vice {
    /// What is acknowledged comes again.
    Redelivers,
    /// Every lease is lost when it is to be extended.
    LosesLeases,
    /// Settling answers `Stale`, and does nothing.
    AlwaysStale,
    /// Settling answers `Done`, whatever the ticket.
    AlwaysDone,
    /// Settling fails.
    CannotSettle,
    /// Settling panics.
    PanicsSettling,
    /// Extending fails.
    CannotExtend,
    /// The first claims fail, and may work later.
    ClaimsFail(u32),
    /// The claim of this number, from 0, fails for good.
    ClaimBreaks(u32),
    /// The claim of this number, from 0, panics.
    ClaimPanics(u32),
    /// An empty queue says that it is closed.
    EmptyIsClosed,
    /// Claims wait on, whoever wants them back.
    WaitsOn,
    /// A release counts as a delivery.
    CountsReleases,
    /// What goes back with a delay comes at once.
    Hurries,
}

/// A queue with one vice, or none.
pub(crate) struct Unruly {
    inner: MemoryQueue,
    vice: Option<Vice>,
    claims: AtomicU32,
    /// What it was asked to do, in order.
    pub(crate) calls: Mutex<Vec<String>>,
}

impl Unruly {
    pub(crate) fn new(lease: Duration, vice: impl Into<Option<Vice>>) -> Self {
        Self {
            inner: MemoryQueue::with_lease(lease),
            vice: vice.into(),
            claims: AtomicU32::new(0),
            calls: Mutex::default(),
        }
    }

    fn has(&self, vice: Vice) -> bool {
        self.vice == Some(vice)
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    /// The answer to a settlement, if the vice has one.
    fn unsettled(&self) -> Option<Result<Settled, QueueError>> {
        match self.vice? {
            Vice::AlwaysStale => Some(Ok(Settled::Stale)),
            Vice::CannotSettle => Some(Err(QueueError::temporary("no connection"))),
            Vice::PanicsSettling => panic!("on purpose"),
            _ => None,
        }
    }

    fn settled(&self, settled: Settled) -> Settled {
        if self.has(Vice::AlwaysDone) { Settled::Done } else { settled }
    }
}

impl JobQueue for Unruly {
    fn claim(&self, want: &Claim<'_>) -> Result<Claimed, QueueError> {
        let number = self.claims.fetch_add(1, Ordering::SeqCst);
        match self.vice {
            Some(Vice::ClaimsFail(times)) if number < times => {
                return Err(QueueError::temporary("not yet"));
            }
            Some(Vice::ClaimBreaks(which)) if number >= which => {
                return Err(QueueError::permanent("the table is gone"));
            }
            Some(Vice::ClaimPanics(which)) if number == which => panic!("on purpose"),
            Some(Vice::WaitsOn) => return self.inner.claim(&Claim::new(want.wait())),
            _ => {}
        }
        let claimed = self.inner.claim(want)?;
        match claimed {
            Claimed::Job(job) => {
                self.note(format!("claim {}", job.own_key().unwrap_or_default()));
                Ok(Claimed::Job(job))
            }
            Claimed::Empty if self.has(Vice::EmptyIsClosed) => Ok(Claimed::Closed),
            other => Ok(other),
        }
    }

    fn ack(&self, ticket: &Ticket) -> Result<Settled, QueueError> {
        self.note("ack".into());
        if let Some(answer) = self.unsettled() {
            return answer;
        }
        if self.has(Vice::Redelivers) {
            return self.inner.nack(ticket, Nack::Retry { after: Duration::ZERO });
        }
        Ok(self.settled(self.inner.ack(ticket)?))
    }

    fn nack(&self, ticket: &Ticket, nack: Nack) -> Result<Settled, QueueError> {
        self.note(match &nack {
            Nack::Retry { .. } => "retry".into(),
            Nack::Release { .. } => "release".into(),
            Nack::Dead { reason } => format!("dead: {reason}"),
            other => format!("{other:?}"),
        });
        if let Some(answer) = self.unsettled() {
            return answer;
        }
        let nack = match nack {
            Nack::Retry { .. } if self.has(Vice::Hurries) => Nack::Retry { after: Duration::ZERO },
            Nack::Release { after } if self.has(Vice::CountsReleases) => Nack::Retry { after },
            other => other,
        };
        Ok(self.settled(self.inner.nack(ticket, nack)?))
    }

    fn extend(&self, ticket: &Ticket, by: Duration) -> Result<Lease, QueueError> {
        self.note("extend".into());
        match self.vice {
            Some(Vice::LosesLeases) => Ok(Lease::Lost),
            Some(Vice::CannotExtend) => Err(QueueError::temporary("no connection")),
            _ => self.inner.extend(ticket, by),
        }
    }

    fn submit(&self, request: Request, key: Option<&str>) -> Result<Submitted, QueueError> {
        self.inner.submit(request, key)
    }

    fn close(&self) {
        self.inner.close();
    }

    fn depth(&self) -> Option<Depth> {
        self.inner.depth()
    }
}
