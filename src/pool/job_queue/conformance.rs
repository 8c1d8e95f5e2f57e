//! The contract of [`JobQueue`] as tests, for whoever writes an engine (feature `conformance`).
//!
//! [`JobQueue`]: crate::JobQueue

mod bench;
mod rules;

use std::fmt;
use std::time::Duration;

use self::bench::Bench;
use self::rules::RULES;
use super::contract::JobQueue;
use super::fault::QueueError;
use super::types::Submitted;
use crate::catch::catch;
use crate::message::Request;

/// The tests of one engine.
///
/// Each rule gets an engine of its own, empty and open, from the function that [`new`](Self::new) is
/// given; it says how long a lease is to be. Nothing is waited for longer than it must, but leases
/// must run out: with the default of 200 ms all rules together take some seconds.
///
/// # Examples
///
/// In a test of the engine's own:
///
/// ```
/// use fetchpool::MemoryQueue;
/// use fetchpool::conformance::Suite;
/// use std::time::Duration;
///
/// Suite::new(MemoryQueue::with_lease).lease(Duration::from_millis(300)).run();
/// ```
#[must_use]
pub struct Suite<'a> {
    make: Box<dyn Fn(Duration) -> Box<dyn JobQueue> + 'a>,
    submit: Option<Box<Submit<'a>>>,
    lease: Duration,
    without: Vec<String>,
}

type Submit<'a> =
    dyn Fn(&dyn JobQueue, Request, Option<&str>) -> Result<Submitted, QueueError> + Sync + 'a;

/// A rule that an engine breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    rule: &'static str,
    text: &'static str,
    found: String,
}

impl Broken {
    /// The rule's name.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        self.rule
    }

    /// What was found.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.rule, self.text, self.found)
    }
}

impl<'a> Suite<'a> {
    /// Tests the engines that this makes: each empty, open, and with leases as long as it is told.
    pub fn new<Q: JobQueue + 'static>(make: impl Fn(Duration) -> Q + 'a) -> Self {
        let make = move |lease| Box::new(make(lease)) as Box<dyn JobQueue>;
        Self { make: Box::new(make), submit: None, lease: LEASE, without: Vec::new() }
    }

    /// How jobs come into the queue, where the engine's own [`JobQueue::submit`] is unsupported.
    pub fn submit(
        mut self,
        submit: impl Fn(&dyn JobQueue, Request, Option<&str>) -> Result<Submitted, QueueError>
        + Sync
        + 'a,
    ) -> Self {
        self.submit = Some(Box::new(submit));
        self
    }

    /// How long a lease lasts. Default: 200 ms. For an engine whose clock counts seconds, two of
    /// them; for one at the other end of a slow line, more than ten round trips.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Leaves out a rule, by its name: one that the engine is known not to keep, and its users can
    /// do without.
    pub fn without(mut self, rule: impl Into<String>) -> Self {
        self.without.push(rule.into());
        self
    }

    /// The names of the rules, and what each says.
    pub fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
        RULES.iter().map(|rule| (rule.name, rule.text))
    }

    /// Tests all rules, and gives those that are broken.
    #[must_use]
    pub fn broken(&self) -> Vec<Broken> {
        let asked = RULES.iter().filter(|rule| !self.without.iter().any(|name| name == rule.name));
        let broken = asked.filter_map(|rule| {
            // A panic of the engine breaks whatever rule it comes up in.
            let found = catch(|| {
                let queue = (self.make)(self.lease);
                (rule.check)(&Bench::new(&*queue, self.submit.as_deref(), self.lease))
            });
            let found = match found {
                Ok(Ok(())) => return None,
                Ok(Err(found)) => found,
                Err(panicked) => panicked.message("it panicked"),
            };
            Some(Broken { rule: rule.name, text: rule.text, found })
        });
        broken.collect()
    }

    /// Tests all rules.
    ///
    /// # Panics
    ///
    /// If one is broken: says which, and what was found.
    pub fn run(&self) {
        let broken: Vec<String> = self.broken().iter().map(ToString::to_string).collect();
        let all = RULES.len().saturating_sub(self.without.len());
        assert!(
            broken.is_empty(),
            "{} of {all} rules for a JobQueue are broken:\n- {}",
            broken.len(),
            broken.join("\n- ")
        );
    }
}

impl fmt::Debug for Suite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("lease", &self.lease).finish_non_exhaustive()
    }
}

const LEASE: Duration = Duration::from_millis(200);
