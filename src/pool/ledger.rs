//! What the schedule knows, and how it changes: one lock holds all of it, so that every count is of
//! one moment.

use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::fetch::{Fetched, SourceState};
use super::job::Job;
use super::outcome::Outcome;
use super::parked::Parked;
use super::polite::Pace;
use super::stats::{Place, Stats};
use super::stop::Stop;
use super::unpulled::Slot;
use crate::connection::Deadline;
use crate::message::Watch;
use crate::session::Traffic;

/// What holds as long as the pool lives.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// How many jobs may be taken and not read, those that wait for another try apart.
    pub(super) room: usize,
    /// Outcomes are read in the order of the input; then all that are taken count as room.
    pub(super) ordered: bool,
    /// Whether a running job may come back to be parked.
    pub(super) may_park: bool,
    pub(super) deadline: Deadline,
    /// How many exceptions end the pool.
    pub(super) max_failed: u64,
}

/// The state under the schedule's lock.
pub(super) struct Ledger {
    pub(super) rules: Rules,
    pub(super) source: SourceState,
    /// A job that the source gave when it was not wanted any more.
    pub(super) late: Option<Fetched>,
    /// Where the source goes when the worker that has it comes back.
    pub(super) claimant: Option<Arc<Slot>>,
    pub(super) parked: BinaryHeap<Parked>,
    pub(super) pace: Option<Pace>,
    pub(super) stop: Option<Stop>,
    /// There will be no further outcome, and whoever waits for one has been told.
    pub(super) ended: bool,
    pub(super) stats: Stats,
    pub(super) budget: Budget,
    /// Exceptions that count for [`Rules::max_failed`].
    failures: u64,
    /// Outcomes that no view has taken out of the queue.
    unread: u64,
    /// The next outcome in the order of the input, and those behind it that are there already;
    /// only where that order is kept.
    next_out: u64,
    ahead: BTreeSet<u64>,
    /// A view waits, and was not told yet that a job has been parked whose time may end.
    pub(super) nudge: bool,
    /// Workers that wait for a job.
    pub(super) waiting: usize,
    pub(super) threads: usize,
    pub(super) max_threads: usize,
    /// Workers that could not be woken and were done without. They end by themselves, and until
    /// then are threads all the same: as many again as there may be workers, and no more.
    pub(super) given_up: usize,
}

/// A job, and whether one more worker should be started beside the one that runs it.
pub(super) struct Taken {
    pub(super) job: Job,
    pub(super) start_another: bool,
    /// To be dropped where no lock is held.
    pub(super) watch: Option<Watch>,
}

impl Ledger {
    pub(super) fn new(
        rules: Rules,
        source: SourceState,
        pace: Option<Pace>,
        budget: Budget,
    ) -> Self {
        Self {
            rules,
            source,
            late: None,
            claimant: None,
            parked: BinaryHeap::new(),
            pace,
            stop: None,
            ended: false,
            stats: Stats::default(),
            budget,
            failures: 0,
            unread: 0,
            next_out: 0,
            ahead: BTreeSet::new(),
            nudge: false,
            waiting: 0,
            threads: 0,
            max_threads: 0,
            given_up: 0,
        }
    }

    /// Makes a job of what the source gave.
    pub(super) fn number(&mut self, (request, fault): Fetched, now: Instant, to: Place) -> Job {
        let mut job = Job::new(self.stats.pulled, request, now);
        job.fault = fault;
        self.stats.pull(to);
        job
    }

    /// The job that has waited long enough, if there is one; it is in flight from here on.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Taken> {
        if self.parked.peek().is_none_or(|parked| parked.due > now) {
            return None;
        }
        let parked = self.parked.pop()?;
        self.stats.shift(parked.place, Place::InFlight);
        if parked.place == Place::Delayed {
            self.stats.retried = self.stats.retried.saturating_add(1);
        }
        self.keep_pace(now);
        Some(self.claim(parked.job, parked.watch))
    }

    /// A job that is in flight goes to a worker.
    pub(super) fn claim(&mut self, job: Job, watch: Option<Watch>) -> Taken {
        let more = match &self.source {
            SourceState::Here(_, left) => *left != Some(0),
            SourceState::Lent => true,
            SourceState::Closed => false,
        };
        let start_another = more && self.stop.is_none() && self.count_another();
        Taken { job, start_another, watch }
    }

    /// Counts one worker more, if there is nobody free and there may be one more.
    pub(super) fn count_another(&mut self) -> bool {
        // Workers without a job wait here, ask the source, or have only just been started. Where
        // jobs wait to become due there is one worker more: the source may hold the other one up.
        let due_later = usize::from(!self.parked.is_empty());
        let busy = usize::try_from(self.stats.in_flight).unwrap_or(usize::MAX);
        let all_busy = busy.saturating_add(due_later) >= self.threads;
        let most = self.max_threads.saturating_mul(2);
        let may =
            self.threads < self.max_threads && self.threads.saturating_add(self.given_up) < most;
        let counted = all_busy && may;
        self.threads = self.threads.saturating_add(usize::from(counted));
        counted
    }

    pub(super) fn keep_pace(&mut self, now: Instant) {
        if let Some(pace) = &mut self.pace {
            pace.start(now, 0.0);
        }
    }

    pub(super) fn pace_wait(&self, now: Instant) -> Option<Duration> {
        self.pace.as_ref()?.wait(now)
    }

    /// Whether no further job may be taken before some outcome is read.
    pub(super) fn is_full(&self) -> bool {
        let Stats { queued, delayed, in_flight, .. } = self.stats;
        let mut held = self.unread.saturating_add(queued).saturating_add(in_flight);
        if self.rules.ordered {
            held = held.saturating_add(delayed);
        }
        usize::try_from(held).unwrap_or(usize::MAX) >= self.rules.room || self.budget.is_spent()
    }

    /// Counts what a session did with connections.
    pub(super) const fn count(&mut self, traffic: Traffic) {
        let stats = &mut self.stats;
        stats.connections_opened = stats.connections_opened.saturating_add(traffic.opened);
        stats.connections_reused = stats.connections_reused.saturating_add(traffic.reused);
    }

    /// An outcome takes the place of its job. Whether that was one exception too many.
    pub(super) fn settle(&mut self, from: Place, settled: &Settled) -> bool {
        self.stats.shift(from, Place::Buffered);
        self.unread = self.unread.saturating_add(1);
        self.budget.keep(settled.bytes);
        self.stats.bytes = self.stats.bytes.saturating_add(settled.received);
        if self.rules.ordered {
            self.ahead.insert(settled.index);
        }
        let count =
            if settled.is_response { &mut self.stats.responses } else { &mut self.stats.failed };
        *count = count.saturating_add(1);
        if settled.is_cancelled {
            self.stats.cancelled = self.stats.cancelled.saturating_add(1);
        } else if !settled.is_response {
            self.failures = self.failures.saturating_add(1);
        }
        let is_failure = !settled.is_response && !settled.is_cancelled;
        is_failure && self.failures >= self.rules.max_failed && self.stop.is_none()
    }

    /// A view has taken an outcome out of the queue.
    pub(super) fn take_out(&mut self, index: u64, bytes: u64) {
        self.unread = self.unread.saturating_sub(1);
        self.budget.let_go(bytes);
        if self.rules.ordered {
            self.ahead.remove(&index);
            self.next_out = index.saturating_add(1);
        }
    }

    /// Whether the caller could read an outcome, and so give memory back.
    pub(super) fn has_something_to_read(&self) -> bool {
        match self.rules.ordered {
            true => self.ahead.first() == Some(&self.next_out),
            false => self.unread > 0,
        }
    }

    /// Whether there is nothing left for a worker to do, and will not be.
    pub(super) fn has_no_work(&self) -> bool {
        let no_more = self.stop.is_some() || matches!(self.source, SourceState::Closed);
        let may_come_back =
            self.rules.may_park && self.stats.in_flight > 0 && self.stop <= Some(Stop::Closed);
        no_more && self.parked.is_empty() && !may_come_back
    }

    /// Whether there will be no further outcome. Also while a worker still waits in the source of
    /// a pool that takes no more jobs: what that brings is handed back.
    pub(super) fn is_done(&self) -> bool {
        let no_more = self.stop.is_some() || matches!(self.source, SourceState::Closed);
        no_more && self.stats.unfinished() == 0
    }

    /// Notes the end, the first time that it has come.
    pub(super) fn end_if_done(&mut self) -> bool {
        let ends = self.is_done() && !self.ended;
        self.ended |= ends;
        ends
    }

    /// When the next of those that wait must be over. There are few of them: 16 for each thread.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.parked.iter().filter_map(|parked| parked.job.deadline.at()).min()
    }

    /// Takes out those that must be over by now.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Parked> {
        let all = std::mem::take(&mut self.parked).into_vec();
        let is_over = |parked: &Parked| parked.job.deadline.left(now).is_err();
        let (over, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(is_over);
        self.parked = rest.into();
        over
    }

    /// Takes out the job of this index, if it waits here.
    pub(super) fn remove_parked(&mut self, index: u64) -> Option<Parked> {
        let mut all = std::mem::take(&mut self.parked).into_vec();
        let place = all.iter().position(|parked| parked.job.index == index);
        let found = place.map(|place| all.swap_remove(place));
        self.parked = all.into();
        found
    }
}

/// What of an outcome is counted.
pub(super) struct Settled {
    pub(super) index: u64,
    /// What it takes of memory.
    pub(super) bytes: u64,
    /// What came of its body.
    pub(super) received: u64,
    pub(super) is_response: bool,
    /// It is an exception that was asked for.
    pub(super) is_cancelled: bool,
}

impl Settled {
    pub(super) fn of(outcome: &Outcome) -> Self {
        Self {
            index: outcome.index(),
            bytes: outcome.body_bytes(),
            received: outcome.body_len(),
            is_response: outcome.is_response(),
            is_cancelled: match outcome {
                Outcome::Response(_) => false,
                Outcome::Exception(exception) => exception.is_cancelled(),
            },
        }
    }
}
