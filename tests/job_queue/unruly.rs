//! An engine that misbehaves on purpose: a queue in memory, and a veil over it that forgets, errs
//! and panics where it is told to.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use fetchpool::{
    Claim, Claimed, ClaimedJob, DeadLetter, Depth, JobQueue, Lease, MemoryQueue, Nack, QueueError,
    Request, Settled, Submitted, Ticket,
};

/// What an engine does wrong.
#[cfg_attr(
    not(feature = "conformance"),
    expect(dead_code, reason = "many are for the contract's tests alone")
)]
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
    /// The first settlements fail.
    SettlesLate(u32),
    /// Settling panics.
    PanicsSettling,
    /// Extending fails.
    CannotExtend,
    /// The first extensions fail.
    ExtendsLate(u32),
    /// The first claims fail, and may work later.
    ClaimsFail(u32),
    /// The claim of this number, from 0, fails for good.
    ClaimBreaks(u32),
    /// The claim of this number, from 0, panics.
    ClaimPanics(u32),
    /// An empty queue says that it is closed.
    EmptyIsClosed,
    /// Claims sleep on, whatever happens meanwhile.
    SleepsOn,
    /// A job is given once more by the next claim.
    GivesTwice,
    /// A closed queue takes jobs in.
    TakesMore,
    /// Leases do not end.
    KeepsForEver,
    /// Every ticket can be extended.
    ExtendsAll,
    /// Dead letters come again.
    Revives,
    /// A duplicate is told and taken all the same.
    TakesDuplicates,
    /// A claim does not wait for a job.
    NeverWaits,
    /// A release counts as a delivery.
    CountsReleases,
    /// What goes back with a delay comes at once.
    Hurries,
}

/// A queue with one vice, or none.
pub(crate) struct Unruly {
    inner: MemoryQueue,
    vice: Option<Vice>,
    /// What the next claim gives once more.
    given: Mutex<Option<(Request, Ticket)>>,
    closed: AtomicBool,
    claims: AtomicU32,
    settlements: AtomicU32,
    extensions: AtomicU32,
    /// What it was asked to do, in order.
    calls: Mutex<Vec<String>>,
    called: Condvar,
}

impl Unruly {
    pub(crate) fn new(lease: Duration, vice: impl Into<Option<Vice>>) -> Self {
        let vice = vice.into();
        Self {
            inner: MemoryQueue::with_lease(match vice {
                Some(Vice::KeepsForEver) => Duration::MAX,
                _ => lease,
            }),
            vice,
            given: Mutex::default(),
            closed: AtomicBool::new(false),
            claims: AtomicU32::new(0),
            settlements: AtomicU32::new(0),
            extensions: AtomicU32::new(0),
            calls: Mutex::default(),
            called: Condvar::new(),
        }
    }

    /// Whether it was asked to do this, and how often.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|noted| noted.starts_with(call)).count()
    }

    /// Waits until it has been asked to do this so often.
    #[track_caller]
    pub(crate) fn wait_for(&self, call: &str, times: usize) {
        let counted = |calls: &mut Vec<String>| {
            calls.iter().filter(|noted| noted.starts_with(call)).count() < times
        };
        let calls = self.calls.lock().unwrap();
        let (calls, waited) = self.called.wait_timeout_while(calls, PATIENCE, counted).unwrap();
        assert!(!waited.timed_out(), "{times} times {call:?} in {calls:?}");
    }

    /// How often it was asked for a job.
    pub(crate) fn claims(&self) -> u32 {
        self.claims.load(Ordering::SeqCst)
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.inner.take_dead_letters()
    }

    fn has(&self, vice: Vice) -> bool {
        self.vice == Some(vice)
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
        self.called.notify_all();
    }

    /// The answer to a settlement, if the vice has one.
    fn unsettled(&self) -> Option<Result<Settled, QueueError>> {
        match self.vice? {
            Vice::AlwaysStale => Some(Ok(Settled::Stale)),
            Vice::CannotSettle => Some(Err(QueueError::temporary("no connection"))),
            Vice::SettlesLate(times) if self.settlements.fetch_add(1, Ordering::SeqCst) < times => {
                Some(Err(QueueError::temporary("not yet")))
            }
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
            Some(Vice::NeverWaits) => return self.inner.claim(&Claim::new(Duration::ZERO)),
            Some(Vice::SleepsOn) => {
                std::thread::sleep(want.wait());
                return self.inner.claim(&Claim::new(Duration::ZERO));
            }
            Some(Vice::GivesTwice) => {
                if let Some((request, ticket)) = self.given.lock().unwrap().take() {
                    return Ok(ClaimedJob::new(request, ticket).into());
                }
            }
            _ => {}
        }
        let claimed = self.inner.claim(want)?;
        match claimed {
            Claimed::Job(job) => {
                self.note(format!("claim {}", job.own_key().unwrap_or_default()));
                if self.has(Vice::GivesTwice) {
                    let again = (job.request().clone(), job.ticket().clone());
                    *self.given.lock().unwrap() = Some(again);
                }
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
            Nack::Dead { .. } if self.has(Vice::Revives) => Nack::Retry { after: Duration::ZERO },
            Nack::Release { after } if self.has(Vice::CountsReleases) => Nack::Retry { after },
            other => other,
        };
        Ok(self.settled(self.inner.nack(ticket, nack)?))
    }

    fn extend(&self, ticket: &Ticket, by: Duration) -> Result<Lease, QueueError> {
        self.note("extend".into());
        match self.vice {
            Some(Vice::LosesLeases) => Ok(Lease::Lost),
            Some(Vice::ExtendsAll) => Ok(Lease::Held(by)),
            Some(Vice::ExtendsLate(times))
                if self.extensions.fetch_add(1, Ordering::SeqCst) < times =>
            {
                Err(QueueError::temporary("not yet"))
            }
            Some(Vice::CannotExtend) => Err(QueueError::temporary("no connection")),
            _ => self.inner.extend(ticket, by),
        }
    }

    fn submit(&self, request: Request, key: Option<&str>) -> Result<Submitted, QueueError> {
        match self.vice {
            Some(Vice::TakesMore) if self.closed.load(Ordering::SeqCst) => Ok(Submitted::New),
            Some(Vice::TakesDuplicates) => {
                let submitted = self.inner.submit(request.clone(), key)?;
                if submitted == Submitted::Duplicate {
                    self.inner.submit(request, None)?;
                }
                Ok(submitted)
            }
            _ => self.inner.submit(request, key),
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.inner.close();
    }

    fn depth(&self) -> Option<Depth> {
        self.inner.depth()
    }
}

/// How long a test waits for what must come, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);
