//! What the schedule knows, and how it changes: one lock holds all of it, so that every count is of
//! one moment.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::fetch::{Fetched, SourceState};
use super::job::Taken;
use super::lanes::{Go, Held, Lanes, Next, Times};
use super::outbox::Outbox;
use super::outcome::Outcome;
use super::parked::Parked;
use super::polite::Pace;
use super::queue::Source;
use super::settled::Settled;
use super::stats::{Place, Stats};
use super::stop::Stop;
use super::unpulled::{Rest, Slot};
use crate::connection::Deadline;
use crate::error::Error;
use crate::message::{CancelToken, Watch};
use crate::session::Traffic;

/// What holds as long as the pool lives.
#[derive(Clone)]
pub(super) struct Rules {
    /// How many jobs may be under way and not read.
    pub(super) room: usize,
    /// The same, with those that wait for a worker and could start. Where the order of the input is
    /// kept, with all that were taken.
    pub(super) room_ahead: usize,
    /// How many jobs are looked at to find one for a worker.
    pub(super) look_ahead: usize,
    /// How many jobs wait here at most before no further one is taken.
    pub(super) waiting_capacity: usize,
    /// Outcomes are read in the order of the input.
    pub(super) ordered: bool,
    pub(super) deadline: Deadline,
    /// How many exceptions end the pool.
    pub(super) max_failed: u64,
}

/// The state under the schedule's lock.
pub(super) struct Ledger {
    rules: Rules,
    pub(super) source: SourceState,
    /// The place in the input of the next job that the source gives.
    pub(super) next_index: u64,
    /// Jobs that were not begun when the pool was told to take no more, or came after that.
    pub(super) late: VecDeque<(u64, Fetched)>,
    /// Where the source goes when the worker that has it comes back.
    pub(super) claimant: Option<Arc<Slot>>,
    pub(super) lanes: Lanes<Parked>,
    pace: Option<Pace>,
    pub(super) stop: Option<Stop>,
    /// There will be no further outcome, and whoever waits for one has been told.
    pub(super) ended: bool,
    /// Somebody waits for the end and does not read meanwhile.
    pub(super) is_draining: bool,
    pub(super) stats: Stats,
    pub(super) budget: Budget,
    /// Exceptions that count for [`Rules::max_failed`].
    failures: u64,
    pub(super) outbox: Outbox,
    /// Workers that wait for a job.
    pub(super) waiting: usize,
    /// How many of them have been told that there is something, and have not come yet.
    pub(super) called: usize,
    /// When the first of them will wake by itself.
    pub(super) alarm: Option<Instant>,
    pub(super) threads: usize,
    pub(super) max_threads: usize,
    /// Workers that could not be woken and were done without. They end by themselves, and until
    /// then are threads all the same: as many again as there may be workers, and no more.
    pub(super) given_up: usize,
}

/// What a job leaves that was not begun: it is dropped where no lock is held.
pub(super) type LetGo = (Option<Watch>, Option<Fetched>);

impl Ledger {
    pub(super) fn new(
        rules: Rules,
        source: SourceState,
        lanes: Lanes<Parked>,
        pace: Option<Pace>,
        budget: Budget,
    ) -> Self {
        let outbox = Outbox::new(rules.ordered);
        Self {
            rules,
            source,
            next_index: 0,
            late: VecDeque::new(),
            claimant: None,
            lanes,
            pace,
            stop: None,
            ended: false,
            is_draining: false,
            stats: Stats::default(),
            budget,
            failures: 0,
            outbox,
            waiting: 0,
            called: 0,
            alarm: None,
            threads: 0,
            max_threads: 0,
            given_up: 0,
        }
    }

    /// Takes in what the source gave.
    pub(super) fn take_in(&mut self, parked: Parked, now: Instant) {
        let job = &parked.job;
        let index = job.index;
        self.next_index = index.saturating_add(1);
        let token = job.request.own_cancel_token();
        // Nothing holds back what is answered without being sent.
        let is_over = job.fault.is_some() || token.is_some_and(CancelToken::is_cancelled);
        let lane = self.lanes.lane_for(job.target.as_ref().filter(|_| !is_over));
        self.lanes.put(lane, index, Times::default(), parked, now);
    }

    /// The job that a worker should begin now, if there is one for it; it is in flight from here on.
    pub(super) fn start(&mut self, held: &mut Held, now: Instant) -> Option<Taken> {
        // The clock goes on in any case. What has its time now may need no alarm any more, but room.
        self.lanes.advance(now);
        if !self.has_room() {
            return None;
        }
        // In order only what can be read next gives memory back. After an early end it may have been
        // handed back, and then never comes.
        let only = self.outbox.next_index();
        let only = only.filter(|_| self.stop.is_none() && self.budget.is_spent());
        if only.is_some_and(|index| !self.lanes.is_next(index)) {
            return None;
        }
        let may_send = self.pace_wait(now).is_none();
        let window = if only.is_some() { 1 } else { self.rules.look_ahead };
        let Next { item: Parked { mut job, place, watch }, go, .. } =
            self.lanes.take(held, now, may_send, window)?;
        self.stats.shift(place, Place::InFlight);
        match go {
            Go::Start(ticket) => {
                if let Some(pace) = &mut self.pace {
                    pace.start(now, self.lanes.roll());
                }
                if place == Place::Delayed {
                    self.stats.retried = self.stats.retried.saturating_add(1);
                } else {
                    self.lanes.requested(ticket);
                }
                job.ticket = Some(ticket);
            }
            Go::Refuse { origin, failures, until } => {
                let left = until.saturating_duration_since(now);
                job.fault = Some(Error::circuit_open(&origin, failures, left));
            }
        }
        let start_another = self.stop.is_none() && self.has_more() && self.count_another();
        Some(Taken { job, at: now, start_another, watch })
    }

    /// Whether there is, or may be, another job.
    fn has_more(&self) -> bool {
        match &self.source {
            SourceState::Here(lendable) => lendable.left != Some(0) || !self.lanes.is_empty(),
            SourceState::Lent => true,
            SourceState::Closed => !self.lanes.is_empty(),
        }
    }

    /// Counts one worker more, if there is nobody free and there may be one more.
    pub(super) fn count_another(&mut self) -> bool {
        // Workers without a job wait here, ask the source, or have only just been started. Where
        // jobs wait that cannot start yet there is one worker more, as long as the source may hold
        // the other one up.
        let one_may_be_held_up = match self.source {
            SourceState::Here(_) => self.lanes.next_time().is_some(),
            SourceState::Lent => self.lanes.next_time().is_some() || self.lanes.ready() > 0,
            SourceState::Closed => false,
        };
        self.count_if_free_are_at_most(usize::from(one_may_be_held_up))
    }

    /// Whether a worker that asks the source would leave jobs behind that nobody else may come for:
    /// they could start, or can later, and the source might keep it.
    pub(super) fn may_strand(&self) -> bool {
        let SourceState::Here(lendable) = &self.source else { return false };
        let is_waited_for = self.lanes.ready() > 0 || self.lanes.next_time().is_some();
        self.waiting == 0 && is_waited_for && !lendable.never_waits
    }

    /// Counts one worker more, if there is nobody free but the one that asks.
    pub(super) fn count_another_for_what_is_here(&mut self) -> bool {
        self.count_if_free_are_at_most(1)
    }

    fn count_if_free_are_at_most(&mut self, free: usize) -> bool {
        let busy = usize::try_from(self.stats.in_flight).unwrap_or(usize::MAX);
        let all_busy = busy.saturating_add(free) >= self.threads;
        let most = self.max_threads.saturating_mul(2);
        let may =
            self.threads < self.max_threads && self.threads.saturating_add(self.given_up) < most;
        let counted = all_busy && may;
        self.threads = self.threads.saturating_add(usize::from(counted));
        counted
    }

    /// How long until the pool's own rate lets a request start; `None` if it may now.
    pub(super) fn pace_wait(&self, now: Instant) -> Option<Duration> {
        self.pace.as_ref()?.wait(now)
    }

    /// When a worker that finds nothing to do must look again; `None`: when it is told to.
    pub(super) fn next_time(&self, now: Instant) -> Option<Instant> {
        let paced = match self.pace_wait(now) {
            Some(wait) if self.lanes.ready() > 0 => now.checked_add(wait),
            _ => None,
        };
        paced.into_iter().chain(self.lanes.next_time()).min()
    }

    /// Whether a job may be begun.
    pub(super) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// How many jobs may be begun: their outcomes must not wait for anybody who reads.
    fn room(&self) -> usize {
        if self.is_draining {
            return usize::MAX;
        }
        if self.rules.ordered {
            // Room was made when they were taken. Memory is given back only if what can be read next
            // is begun.
            let is_stuck = self.budget.is_spent() && self.outbox.has_next();
            return if is_stuck { 0 } else { usize::MAX };
        }
        if self.budget.is_spent() {
            return 0;
        }
        self.rules.room.saturating_sub(self.under_way())
    }

    /// How many further jobs may be taken from the source, if there are so many workers for them.
    pub(super) fn room_ahead(&self) -> usize {
        if self.stop.is_some() || self.budget.is_spent() {
            return 0;
        }
        let under_way = self.under_way();
        let ahead = if self.rules.ordered { self.lanes.len() } else { self.lanes.ready() };
        let room = self.rules.room_ahead.saturating_sub(under_way.saturating_add(ahead));
        room.min(self.rules.waiting_capacity.saturating_sub(self.lanes.len()))
    }

    /// Whether a worker with these rivals should let other threads run before it opens one more connection
    /// to an origin: all workers are busy, and those that have one may have their answers. Who has none at
    /// all does not: it may be that servers keep none.
    pub(super) fn gives_way(&self, held: &Held, rivals: Option<usize>) -> bool {
        rivals.is_some() && self.waiting == 0 && !held.is_empty() && self.has_room()
    }

    /// How many jobs are to be taken before one is chosen for a worker with these rivals; 0 where there
    /// are enough to choose from, or the source might keep a worker waiting for them.
    pub(super) fn wants_ahead(&self, rivals: Option<usize>) -> usize {
        // No more than there is room for beside what runs: or each outcome that is read would make room
        // for one job, to be asked for alone.
        let look_ahead = self.rules.look_ahead.min(self.rules.room_ahead / 2);
        let is_somebody_free = self.waiting > self.called;
        let is_quick = match &self.source {
            SourceState::Here(lendable) => {
                lendable.trust.is_earned() || (is_somebody_free && lendable.trust.is_any())
            }
            SourceState::Lent | SourceState::Closed => false,
        };
        // There is nothing to choose where one worker does everything.
        if !is_quick || look_ahead < 2 || self.max_threads < 2 {
            return 0;
        }
        let (ready, room) = (self.lanes.ready(), self.room_ahead());
        // Not one by one: each asking costs the lock twice. And there is a window for the others
        // meanwhile.
        if ready < look_ahead.saturating_add(look_ahead / 4) {
            return look_ahead.saturating_add(look_ahead / 2).saturating_sub(ready).min(room);
        }
        let more = self.lanes.wants_more(rivals);
        if more > room { 0 } else { more }
    }

    /// Whether one more of those that wait is to be told of something to do. It then counts as called.
    #[must_use]
    pub(super) fn calls_another(&mut self) -> bool {
        self.calls_one(matches!(self.source, SourceState::Here(_)))
    }

    /// The same before asking a source that may wait: of what is here, or has its time meanwhile.
    #[must_use]
    pub(super) fn calls_another_before_asking(&mut self) -> bool {
        matches!(&self.source, SourceState::Here(lendable) if !lendable.never_waits)
            && self.calls_one(false)
    }

    fn calls_one(&mut self, may_ask: bool) -> bool {
        let is_early = |at| self.alarm.is_none_or(|alarm| at < alarm);
        let calls = self.waiting > self.called
            && (self.lanes.ready().min(self.room()) > self.called
                || (self.called == 0
                    && ((may_ask && self.room_ahead() > 0)
                        || self.lanes.next_time().is_some_and(is_early))));
        self.called = self.called.saturating_add(usize::from(calls));
        calls
    }

    /// The counts of this moment.
    pub(super) fn stats(&self) -> Stats {
        let waiting = u64::try_from(self.lanes.len()).unwrap_or(u64::MAX);
        Stats { queued: waiting.saturating_sub(self.stats.delayed), ..self.stats }
    }

    /// Takes out the jobs that no worker has begun, to be handed back; what is to be dropped without
    /// the lock is given.
    pub(super) fn put_back(&mut self, now: Instant) -> Vec<LetGo> {
        let queued = self.lanes.drain_where(|parked| parked.place == Place::Queued, now);
        let mut let_go = Vec::with_capacity(queued.len());
        for (index, Parked { job, watch, .. }) in queued {
            let_go.push(self.came_late(index, job.into_fetched(), watch));
        }
        let_go
    }

    /// Keeps a job to be handed back; one of an engine goes back by itself, when it is let go.
    pub(super) fn came_late(
        &mut self,
        index: u64,
        fetched: Fetched,
        watch: Option<Watch>,
    ) -> LetGo {
        if fetched.delivery.is_some() {
            return (watch, Some(fetched));
        }
        self.late.push_back((index, fetched));
        (watch, None)
    }

    /// All that is left to be handed back.
    pub(super) fn rest(&mut self, source: Option<Box<dyn Source>>) -> Rest {
        let late = std::mem::take(&mut self.late);
        Rest { late, source, next: self.next_index, last: 0 }
    }

    /// Counts what a session did with connections.
    pub(super) const fn count(&mut self, traffic: Traffic) {
        let stats = &mut self.stats;
        stats.connections_opened = stats.connections_opened.saturating_add(traffic.opened);
        stats.connections_reused = stats.connections_reused.saturating_add(traffic.reused);
    }

    /// Jobs that take room: begun, and not read.
    fn under_way(&self) -> usize {
        self.outbox.len().saturating_add(as_size(self.stats.in_flight))
    }

    /// An outcome takes the place of its job; it comes back if nobody will read it. Whether that was one
    /// exception too many.
    pub(super) fn settle(
        &mut self,
        from: Place,
        settled: &Settled,
        outcome: Outcome,
    ) -> (Option<Outcome>, bool) {
        self.stats.shift(from, Place::Buffered);
        self.budget.keep(settled.bytes);
        self.stats.bytes = self.stats.bytes.saturating_add(settled.received);
        let count =
            if settled.is_response { &mut self.stats.responses } else { &mut self.stats.failed };
        *count = count.saturating_add(1);
        if settled.is_cancelled {
            self.stats.cancelled = self.stats.cancelled.saturating_add(1);
        } else if !settled.is_response {
            self.failures = self.failures.saturating_add(1);
        }
        let is_failure = !settled.is_response && !settled.is_cancelled;
        let too_many = is_failure && self.failures >= self.rules.max_failed && self.stop.is_none();
        (self.outbox.put(outcome), too_many)
    }

    /// The outcome whose turn it is is read: for the caller, if it is `wanted`, or to be set aside.
    pub(super) fn read(&mut self, wanted: impl FnOnce(&Outcome) -> bool) -> Option<Outcome> {
        let outcome = self.outbox.take(self.ended)?;
        self.budget.let_go(outcome.body_bytes());
        if wanted(&outcome) {
            self.stats.shift(Place::Buffered, Place::Delivered);
        }
        Some(outcome)
    }

    /// Whether whoever reads is to be woken; it then counts as woken.
    #[must_use]
    pub(super) fn calls_reader(&mut self) -> bool {
        let is_awaited = self.is_reader_awaited();
        self.outbox.calls_reader(is_awaited, self.rules.room)
    }

    /// Whether somebody has nothing to do, and may wait for what the caller does with an outcome: gives
    /// room or memory, or the next job.
    pub(super) fn is_reader_awaited(&self) -> bool {
        let is_asking = matches!(self.source, SourceState::Lent);
        self.waiting > self.called
            || (is_asking && self.stats.in_flight == 0)
            || self.budget.has_waiting()
    }

    /// Whether there is nothing left for a worker that is free, and will not be. What is in flight may
    /// come back to be tried again: but then the worker that brings it is free for it, and whoever
    /// waited beside that one would only have to be woken at the end, with all others at once.
    pub(super) fn has_no_work(&self) -> bool {
        let no_more = self.stop.is_some() || matches!(self.source, SourceState::Closed);
        no_more && self.lanes.is_empty()
    }

    /// Whether there will be no further outcome. Also while a worker still waits in the source of
    /// a pool that takes no more jobs: what that brings is handed back.
    pub(super) fn is_done(&self) -> bool {
        let no_more = self.stop.is_some() || matches!(self.source, SourceState::Closed);
        no_more && self.lanes.is_empty() && self.stats.unfinished() == 0
    }

    /// Notes the end, the first time that it has come.
    pub(super) fn end_if_done(&mut self) -> bool {
        let ends = self.is_done() && !self.ended;
        self.ended |= ends;
        ends
    }
}

fn as_size(jobs: u64) -> usize {
    usize::try_from(jobs).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
