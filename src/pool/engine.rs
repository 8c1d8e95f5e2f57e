//! An engine as the source of a pool's jobs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job_queue::{Claimed, Clerk, Delivery, JobQueue, QueueError, QueueOptions};
use super::queue::{Next, Source};
use crate::catch::catch;
use crate::error::{Error, ErrorKind};
use crate::observer::Observer;

/// A pool's part in an engine. When the last one that has it lets go, the clerk's thread ends, as
/// soon as every delivery is settled.
pub(super) struct Office(Arc<Clerk>);

impl Office {
    pub(super) fn open(
        engine: Box<dyn JobQueue>,
        options: QueueOptions,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Arc<Self>, Error> {
        if options.is_impossible() {
            let detail = "max_deliveries must be at least 1, not 0";
            return Err(Error::new(ErrorKind::InvalidRequest, detail));
        }
        let clerk = Arc::new(Clerk::new(engine, options, observer));
        clerk.start().map_err(|error| {
            Error::new(ErrorKind::Io, "no thread can be started").because(error)
        })?;
        Ok(Arc::new(Self(clerk)))
    }

    /// The pool takes no more jobs.
    pub(super) fn close(&self) {
        self.0.set_over();
    }

    /// Waits until everything that is to be settled is, but no longer than this.
    pub(super) fn wait_settled(&self, limit: Option<Duration>) {
        self.0.wait_settled(limit);
    }

    /// Errors of the engine, and settlements that came too late.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.0.counts()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// An engine as a source. One worker at a time asks it, when it is free for the job.
pub(super) struct Engine {
    office: Arc<Office>,
    /// Claims that have failed in a row, and when to ask again after them.
    failures: u32,
    again: Option<Instant>,
}

impl Engine {
    pub(super) fn at(office: &Arc<Office>) -> Box<dyn Source> {
        Box::new(Self { office: Arc::clone(office), failures: 0, again: None })
    }
}

impl Source for Engine {
    fn next(&mut self, wait: Duration) -> Next {
        let clerk = &self.office.0;
        if clerk.is_over() {
            // What was not taken is still in the engine: nothing is to be handed back.
            return Next::Closed;
        }
        let start = Instant::now();
        if let Some(again) = self.again.filter(|again| *again > start) {
            clerk.pause(wait.min(again.saturating_duration_since(start)));
            return Next::Empty;
        }
        let claimed = match catch(|| clerk.claim(wait)) {
            Ok(claimed) => claimed,
            Err(panicked) => {
                let error = QueueError::permanent(panicked.message("the queue panicked"));
                clerk.count_error("claim", &error);
                let what = "the job queue panicked and gives no more jobs";
                return Next::Failed(Error::panicked(what, &panicked));
            }
        };
        match claimed {
            Ok(Claimed::Job(job)) => {
                self.failures = 0;
                let (request, fault, delivery) = Delivery::take_on(clerk, *job);
                Next::Leased(Arc::new(request), fault, delivery)
            }
            Ok(Claimed::Closed) => Next::Closed,
            Ok(Claimed::Empty) => {
                self.failures = 0;
                let now = Instant::now();
                if clerk.was_idle_for_long(now) {
                    return Next::Closed;
                }
                // An engine that does not wait is not asked all the time.
                clerk.pause(wait.saturating_sub(now.saturating_duration_since(start)));
                Next::Empty
            }
            Err(error) if error.is_temporary() => {
                clerk.count_error("claim", &error);
                let factor = 2_u32.saturating_pow(self.failures);
                self.failures = self.failures.saturating_add(1);
                let pause = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
                self.again = start.checked_add(pause);
                Next::Empty
            }
            Err(error) => {
                clerk.count_error("claim", &error);
                let detail = "the job queue failed and gives no more jobs";
                Next::Failed(Error::new(ErrorKind::Io, detail).because(error))
            }
        }
    }

    fn most_left(&self) -> Option<usize> {
        None
    }

    fn never_waits(&self) -> bool {
        false
    }

    fn gives_ahead(&self) -> bool {
        false
    }

    fn longest_wait(&self) -> Duration {
        CLAIM
    }
}

/// How long a claim waits at most. A pool that ends does not wait for it.
const CLAIM: Duration = Duration::from_millis(250);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
