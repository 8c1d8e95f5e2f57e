//! What the benches see of this floor: its lanes, driven without a worker.

use std::fmt;
use std::time::{Duration, Instant};

use super::lanes::{Go, Held, Lanes, Times, WINDOW};
use super::polite::{Hosts, Politeness, Sign};
use crate::message::Target;

/// What the origins of a [`Crawl`] do while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crowd {
    /// Each has a job that waits for its rate.
    Waiting,
    /// Each has a job that may start.
    Open,
    /// None has a job but the one whose turn it is: the others are remembered for a second.
    Idle,
}

/// One worker and very many origins, each of which may be asked once a second, by a clock that goes on
/// with each job.
pub struct Crawl {
    lanes: Lanes<usize>,
    targets: Vec<Target>,
    held: Held,
    crowd: Crowd,
    now: Instant,
    step: Duration,
    jobs: u64,
    origin: usize,
}

impl Crawl {
    /// Those whose URLs are parsed.
    #[must_use]
    pub fn new(origins: usize, crowd: Crowd) -> Self {
        let mut hosts = Hosts::default();
        hosts.set_every(Politeness::new().rate(1.0));
        let urls = (0..origins).map(|origin| format!("http://host-{origin}.example/"));
        let targets = urls.filter_map(|url| Target::parse(&url).ok()).collect();
        let turn = Duration::from_secs(1) / u32::try_from(origins.max(1)).unwrap_or(u32::MAX);
        let step = match crowd {
            Crowd::Waiting => turn.saturating_add(Duration::from_nanos(1)),
            Crowd::Open => Duration::from_secs(1),
            // By its next turn an origin has been forgotten.
            Crowd::Idle => turn.saturating_add(turn / 50),
        };
        let lanes = Lanes::new(WINDOW, hosts, Some(1));
        let (held, now) = (Held::default(), Instant::now());
        let mut crawl = Self { lanes, targets, held, crowd, now, step, jobs: 0, origin: 0 };
        if crowd != Crowd::Idle {
            (1..origins).for_each(|origin| crawl.put(origin));
        }
        crawl
    }

    /// A job is put in, one is taken, and it ends; whether there was one to take.
    pub fn turn(&mut self) -> bool {
        self.put(self.origin);
        self.now = self.now.checked_add(self.step).unwrap_or(self.now);
        let Some(next) = self.lanes.take(&mut self.held, self.now, true, WINDOW) else {
            return false;
        };
        let Go::Start(ticket) = next.go else { return false };
        self.lanes.end(ticket, Sign::Good, self.now);
        self.lanes.hold(&mut self.held, [], self.now);
        let following = next.item.saturating_add(1);
        self.origin = match self.crowd {
            Crowd::Idle if following < self.targets.len() => following,
            Crowd::Idle => 0,
            _ => next.item,
        };
        true
    }

    /// How many origins have a lane.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.count()
    }

    fn put(&mut self, origin: usize) {
        let lane = self.lanes.lane_for(self.targets.get(origin));
        self.lanes.put(lane, self.jobs, Times::default(), origin, self.now);
        self.jobs = self.jobs.saturating_add(1);
    }
}

impl fmt::Debug for Crawl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crawl").field("lanes", &self.lanes()).finish_non_exhaustive()
    }
}
