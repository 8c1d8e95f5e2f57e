//! Asking the source, which is the caller's code: it may wait, or panic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job_queue::Delivery;
use super::queue::{Next, Source, drop_quietly};
use crate::catch::{Panicked, catch};
use crate::error::Error;
use crate::message::{Request, Target, Targets};

/// The source of the jobs, as the schedule has it.
pub(super) enum SourceState {
    Here(Lendable),
    /// A worker is asking it.
    Lent,
    Closed,
}

/// A source that can be asked.
pub(super) struct Lendable {
    pub(super) source: Box<dyn Source>,
    /// How many jobs it says it has left at most.
    pub(super) left: Option<usize>,
    /// For how many answers it has been quick by now, or nearly so.
    pub(super) quick: u32,
    targets: Targets,
}

impl Lendable {
    /// Whether it may be asked for jobs that are not needed yet: it never waits, or has not for so long
    /// that it is taken to be as good as a list. Should it wait all the same, it keeps a worker, and
    /// jobs that are in hand wait for the others.
    pub(super) const fn is_quick(&self) -> bool {
        self.quick >= TRUSTED
    }

    /// Whether it was quick the last time. It may be asked so where somebody is free for what is in
    /// hand.
    pub(super) const fn was_quick(&self) -> bool {
        self.quick > 0
    }
}

/// A request that a source gave.
pub(super) struct Fetched {
    pub(super) request: Arc<Request>,
    /// What is wrong with it already.
    pub(super) fault: Option<Error>,
    /// Its URL, parsed; none where that cannot be.
    pub(super) target: Option<Target>,
    /// Of an engine: what it is to be told.
    pub(super) delivery: Option<Delivery>,
}

impl Fetched {
    fn of(request: Arc<Request>, targets: &mut Targets) -> Self {
        let target = targets.parse(request.url()).ok();
        Self { request, fault: None, target, delivery: None }
    }

    fn faulty(fault: Error) -> Self {
        Self {
            request: Arc::new(Request::get("")),
            fault: Some(fault),
            target: None,
            delivery: None,
        }
    }
}

/// Asks the source for a job and waits for it, but no longer than `wait`; if it never keeps anybody
/// waiting, for more of them, that are there already. A panic ends it, and becomes the outcome of a job
/// of its own. It is `now`; the time when this is over is given back.
pub(super) fn ask(
    lent: Lendable,
    wait: Duration,
    most: usize,
    now: Instant,
    mut take: impl FnMut(Fetched),
) -> (SourceState, Instant) {
    let Lendable { mut source, mut targets, .. } = lent;
    let never_waits = source.never_waits();
    let mut wait = wait;
    let mut count: usize = 0;
    loop {
        match catch(|| source.next(wait.min(source.longest_wait()))) {
            Ok(Next::Job(request)) => take(Fetched::of(request, &mut targets)),
            Ok(Next::Leased(request, fault, delivery)) => {
                let delivery = Some(delivery);
                take(Fetched { fault, delivery, ..Fetched::of(request, &mut targets) });
            }
            Ok(Next::Panicked(payload)) => {
                let panicked = Panicked::of(payload);
                let what = "a job panicked on its way to a request";
                take(Fetched::faulty(Error::panicked(what, &panicked)));
            }
            Ok(Next::Empty) => break,
            Ok(Next::Closed) => {
                drop_quietly(Some(source));
                return (SourceState::Closed, Instant::now());
            }
            Ok(Next::Failed(error)) => {
                drop_quietly(Some(source));
                take(Fetched::faulty(error));
                return (SourceState::Closed, Instant::now());
            }
            Err(panicked) => {
                drop_quietly(Some(source));
                let what = "the job queue panicked and gives no more jobs";
                take(Fetched::faulty(Error::panicked(what, &panicked)));
                return (SourceState::Closed, Instant::now());
            }
        }
        count = count.saturating_add(1);
        if !never_waits || count >= most {
            break;
        }
        wait = Duration::ZERO;
    }
    let over = Instant::now();
    let took = over.saturating_duration_since(now);
    let quick = match lent.quick {
        _ if !source.gives_ahead() => 0,
        _ if never_waits => u32::MAX,
        quick if took < QUICK && count > 0 => quick.saturating_add(1).min(MOST_TRUSTED),
        // A thread may be held up by the system, too.
        quick if took < SLOW => quick / 2,
        _ => 0,
    };
    (SourceState::here(source, quick, targets), over)
}

impl SourceState {
    /// A source that nobody has asked yet.
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        let quick = if source.never_waits() { u32::MAX } else { 0 };
        Self::here(source, quick, Targets::default())
    }

    fn here(source: Box<dyn Source>, quick: u32, targets: Targets) -> Self {
        // What an iterator says of its length is the caller's code, too. One that panics says
        // nothing.
        let left = catch(|| source.most_left()).unwrap_or_default();
        Self::Here(Lendable { source, left, quick, targets })
    }
}

/// An iterator that takes longer than this for a job may wait for something.
const QUICK: Duration = Duration::from_micros(50);
/// And one that takes longer than this does. Between the two it may be the system: of many threads at
/// work one is held up for some ms now and then.
const SLOW: Duration = Duration::from_millis(100);
/// After so many quick answers an iterator is taken to hold what it gives already.
const TRUSTED: u32 = 16;
/// More do not count: from there five slow ones in a row lead back.
const MOST_TRUSTED: u32 = 16 * TRUSTED;

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers at once, and says whether it may be asked ahead.
    struct Prompt(bool);

    impl Source for Prompt {
        fn next(&mut self, _: Duration) -> Next {
            Next::Job(Arc::new(Request::get("http://h/")))
        }

        fn most_left(&self) -> Option<usize> {
            None
        }

        fn never_waits(&self) -> bool {
            false
        }

        fn gives_ahead(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn a_source_that_gives_nothing_ahead_is_not_quick_however_fast_it_answers() {
        let was_quick = |ahead| {
            let mut lent = SourceState::new(Box::new(Prompt(ahead)));
            // A machine that is busy may be slow now and then.
            (0..10_000).any(|_| {
                let SourceState::Here(lendable) = std::mem::replace(&mut lent, SourceState::Lent)
                else {
                    return false;
                };
                lent = ask(lendable, Duration::ZERO, 1, Instant::now(), drop).0;
                matches!(&lent, SourceState::Here(lendable) if lendable.is_quick())
            })
        };
        assert!(was_quick(true));
        assert!(!was_quick(false));
    }
}
