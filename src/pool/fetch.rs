//! Asking the source, which is the caller's code: it may wait, or panic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job_queue::Delivery;
use super::queue::{Next, Source, drop_quietly};
use super::trust::Trust;
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
    /// As it said itself the last time.
    pub(super) never_waits: bool,
    pub(super) trust: Trust,
    targets: Targets,
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
/// of its own. The time when this is over is given back.
pub(super) fn ask(
    lent: Lendable,
    wait: Duration,
    most: usize,
    mut take: impl FnMut(Fetched),
) -> (SourceState, Instant) {
    let Lendable { mut source, mut targets, never_waits, .. } = lent;
    let mut wait = wait;
    let mut count: usize = 0;
    // What the way here took is not the source's.
    let began = (!never_waits).then(Instant::now);
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
    let left = most_left(&*source);
    // What it says of its length may take time, too.
    let over = Instant::now();
    let trust = match began {
        Some(began) => lent.trust.after(over.saturating_duration_since(began), count > 0),
        None => lent.trust,
    };
    (SourceState::here(source, left, trust, targets), over)
}

/// What an iterator says of its length is the caller's code. One that panics says nothing.
fn most_left(source: &dyn Source) -> Option<usize> {
    catch(|| source.most_left()).unwrap_or_default()
}

impl SourceState {
    /// A source that nobody has asked yet.
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        let left = most_left(&*source);
        Self::here(source, left, Trust::NONE, Targets::default())
    }

    fn here(source: Box<dyn Source>, left: Option<usize>, trust: Trust, targets: Targets) -> Self {
        // That of another pool may have come meanwhile, and hold a list: then it says so here.
        let never_waits = source.never_waits();
        let trust = match never_waits {
            true => Trust::FULL,
            false if source.gives_ahead() => trust,
            false => Trust::NONE,
        };
        Self::Here(Lendable { source, left, never_waits, trust, targets })
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::pool::intake;

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
                lent = ask(lendable, Duration::ZERO, 1, drop).0;
                matches!(&lent, SourceState::Here(lendable) if lendable.trust.is_earned())
            })
        };
        assert!(was_quick(true));
        assert!(!was_quick(false));
    }

    #[test]
    fn a_list_is_trusted_before_it_was_asked_and_an_iterator_is_not() {
        let is_trusted = |source| {
            let SourceState::Here(lendable) = SourceState::new(source) else { return None };
            Some((lendable.trust.is_earned(), lendable.trust.is_any()))
        };
        let (list, iterator) = (vec![Request::get("http://h/")], iter::from_fn(|| None::<Request>));
        assert_eq!(is_trusted(intake::source(list)), Some((true, true)));
        assert_eq!(is_trusted(intake::source(iterator)), Some((false, false)));
    }
}
