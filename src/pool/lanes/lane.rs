//! One origin: its jobs, its gate, and who holds connections to it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::place::Place;
use crate::message::Origin;
use crate::pool::polite::{Gate, GateState, Pass, Sign};
use crate::session::RetryBudget;

/// The jobs of one origin.
pub(super) struct Lane {
    /// `None` is the lane of the jobs whose URL is none.
    pub(super) origin: Option<Origin>,
    /// What holds its jobs back; most have nothing.
    gate: Option<Box<Gate>>,
    /// What retries of this origin are counted against.
    pub(super) budget: RetryBudget,
    /// Those that are due, by their place in the input, and when they came.
    pub(super) jobs: BTreeMap<u64, Came>,
    /// All that wait, also those that are not due.
    pub(super) pending: usize,
    in_flight: usize,
    /// How many workers hold a connection to it.
    pub(super) holders: usize,
    /// How many jobs had been started when it was first looked at, since it last opened.
    pub(super) seen: Option<u64>,
    /// Where it is listed, and with how many jobs that counts.
    pub(super) place: Place,
    pub(super) counted: usize,
    /// Until when it has something to remember, if that is all that it is kept for.
    pub(super) resting: Option<Instant>,
    used: Option<Instant>,
}

/// When a job came, told by what had happened until then.
#[derive(Clone, Copy)]
pub(super) struct Came {
    /// How many jobs had been started.
    pub(super) starts: u64,
    /// How many will have gone when it is its turn: those that had, and those that were here before it.
    pub(super) turn: u64,
}

impl Came {
    /// The earlier one of each.
    pub(super) fn or_earlier(self, other: Self) -> Self {
        Self { starts: self.starts.min(other.starts), turn: self.turn.min(other.turn) }
    }
}

impl Lane {
    pub(super) fn new(origin: Option<Origin>, gate: Option<Gate>) -> Self {
        Self {
            origin,
            gate: gate.map(Box::new),
            budget: RetryBudget::default(),
            jobs: BTreeMap::new(),
            pending: 0,
            in_flight: 0,
            holders: 0,
            seen: None,
            place: Place::Nowhere,
            counted: 0,
            resting: None,
            used: None,
        }
    }

    /// The oldest job that is due.
    pub(super) fn first(&self) -> Option<u64> {
        self.jobs.first_key_value().map(|(index, _)| *index)
    }

    /// How many jobs had been started when its oldest one could have been, as far as anybody looked.
    pub(super) fn since(&mut self, starts: u64) -> u64 {
        let seen = *self.seen.get_or_insert(starts);
        self.jobs.first_key_value().map_or(seen, |(_, came)| seen.max(came.starts))
    }

    /// How many younger jobs may have been started before its oldest one, at most: of all that could go
    /// and have gone since that came, those that were not here before it. `before` is how many of these
    /// may still be here: the jobs of all lanes that are listed before this one.
    ///
    /// Of a retry that went before jobs which had waited longer it may be less; but of these the oldest
    /// that too many have overtaken has nothing before it that is not overtaken as much.
    pub(super) fn overtaken(&self, gone: u64, before: usize) -> u64 {
        let Some((_, came)) = self.jobs.first_key_value() else { return 0 };
        let before = u64::try_from(before).unwrap_or(u64::MAX);
        gone.saturating_add(before).saturating_sub(came.turn)
    }

    pub(super) fn state(&mut self, now: Instant) -> GateState {
        self.gate.as_mut().map_or(GateState::Open, |gate| gate.state(now))
    }

    pub(super) fn start(&mut self, now: Instant, random: f64) -> Option<Pass> {
        self.in_flight = self.in_flight.saturating_add(1);
        self.used = Some(now);
        self.gate.as_mut().map(|gate| gate.start(now, random))
    }

    pub(super) fn end(&mut self, pass: Option<Pass>, sign: Sign, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.used = Some(now);
        if let (Some(gate), Some(pass)) = (&mut self.gate, pass) {
            gate.end(now, pass, sign);
        }
    }

    /// Until when it has something to remember; `None` while it has something to do. That may be past.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Instant> {
        if self.pending > 0 || self.in_flight > 0 || self.holders > 0 {
            return None;
        }
        let gate = self.gate.as_ref().map_or(Some(now), |gate| gate.forget_at(now))?;
        let spent = !self.budget.is_neutral();
        let budget = self.used.filter(|_| spent).and_then(|used| used.checked_add(BUDGET_MEMORY));
        Some(gate.max(budget.unwrap_or(now)))
    }
}

/// How long a budget that was drawn on is remembered when nothing is asked of its origin.
const BUDGET_MEMORY: Duration = Duration::from_secs(60);
