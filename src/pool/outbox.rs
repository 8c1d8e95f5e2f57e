//! Outcomes on their way to whoever reads them, and when that one is to be woken. Pure: no lock, no
//! clock.
//!
//! To wake somebody who sleeps takes a good part of what a small request takes. So a reader to whom
//! outcomes come faster than one by one lets them gather for a moment, by a clock of its own, unless
//! somebody waits for what it does with them: makes room, or gives the next job.

use std::collections::{BTreeMap, VecDeque};

use super::outcome::Outcome;

/// The outcomes that nobody has read.
pub(super) struct Outbox {
    queue: Queue,
    reader: Reader,
    /// How many were read since it was last waited for one.
    at_once: usize,
    /// Whoever is about to wait is to look first how long it may.
    is_nudged: bool,
    /// Nobody reads any more.
    is_closed: bool,
}

enum Queue {
    AsTheyCame(VecDeque<Outcome>),
    /// In the order of the input: what is there, and what is next.
    InOrder(BTreeMap<u64, Outcome>, u64),
}

/// What whoever reads is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Something else, or it was woken.
    Away,
    /// It waits for the next outcome.
    Waits,
    /// It lets some gather.
    Gathers,
}

impl Outbox {
    pub(super) const fn new(ordered: bool) -> Self {
        let queue = match ordered {
            true => Queue::InOrder(BTreeMap::new(), 0),
            false => Queue::AsTheyCame(VecDeque::new()),
        };
        Self { queue, reader: Reader::Away, at_once: 0, is_nudged: false, is_closed: false }
    }

    /// Takes an outcome in; gives it back if nobody will read it, to be dropped without a lock.
    pub(super) fn put(&mut self, outcome: Outcome) -> Option<Outcome> {
        if self.is_closed {
            return Some(outcome);
        }
        match &mut self.queue {
            Queue::AsTheyCame(queue) => queue.push_back(outcome),
            Queue::InOrder(there, _) => {
                there.insert(outcome.index(), outcome);
            }
        }
        None
    }

    /// How many there are, whether it is their turn or not.
    pub(super) fn len(&self) -> usize {
        match &self.queue {
            Queue::AsTheyCame(queue) => queue.len(),
            Queue::InOrder(there, _) => there.len(),
        }
    }

    /// Whether there is one whose turn it is.
    pub(super) fn has_next(&self) -> bool {
        match &self.queue {
            Queue::AsTheyCame(queue) => !queue.is_empty(),
            Queue::InOrder(there, next) => {
                there.first_key_value().is_some_and(|(at, _)| at == next)
            }
        }
    }

    /// Which is read next, where the order of the input is kept.
    pub(super) const fn next_index(&self) -> Option<u64> {
        match &self.queue {
            Queue::AsTheyCame(_) => None,
            Queue::InOrder(_, next) => Some(*next),
        }
    }

    /// Takes out the next one. At the end its turn is that of the first that is there: what was to come
    /// before it was handed back.
    pub(super) fn take(&mut self, is_end: bool) -> Option<Outcome> {
        let may = is_end || self.has_next();
        let outcome = match &mut self.queue {
            Queue::AsTheyCame(queue) => queue.pop_front()?,
            Queue::InOrder(there, next) => {
                let (index, outcome) = if may { there.pop_first()? } else { return None };
                *next = index.saturating_add(1);
                outcome
            }
        };
        self.at_once = self.at_once.saturating_add(1);
        Some(outcome)
    }

    /// Nobody reads any more: what is there, to be dropped without a lock.
    #[must_use]
    pub(super) fn close(&mut self) -> VecDeque<Outcome> {
        self.is_closed = true;
        match &mut self.queue {
            Queue::AsTheyCame(queue) => std::mem::take(queue),
            Queue::InOrder(there, _) => std::mem::take(there).into_values().collect(),
        }
    }

    /// It is waited for the next one; whether some are let gather. `None` if it is to be looked first how
    /// long it may be waited. `is_awaited`: somebody waits for what is done with them.
    pub(super) fn wait(&mut self, may_gather: bool, is_awaited: bool) -> Option<bool> {
        if std::mem::take(&mut self.is_nudged) {
            return None;
        }
        let came = std::mem::take(&mut self.at_once);
        let gathers = may_gather && !is_awaited && came >= 2;
        self.reader = if gathers { Reader::Gathers } else { Reader::Waits };
        Some(gathers)
    }

    /// It is waited no more.
    pub(super) const fn stop_waiting(&mut self) {
        self.reader = Reader::Away;
    }

    /// Whether whoever reads is to be woken; it then counts as woken. `room` is how many outcomes there
    /// may be.
    #[must_use]
    pub(super) fn calls_reader(&mut self, is_awaited: bool, room: usize) -> bool {
        let calls = match self.reader {
            Reader::Away => false,
            Reader::Waits => self.has_next(),
            // Nobody may have to wait for room while it wakes.
            Reader::Gathers => {
                self.has_next() && (is_awaited || self.len() >= ENOUGH.min(room / 2))
            }
        };
        if calls {
            self.reader = Reader::Away;
        }
        calls
    }

    /// How long may be waited has changed. Whether whoever reads is to be woken for it.
    #[must_use]
    pub(super) fn nudge(&mut self) -> bool {
        let calls = std::mem::replace(&mut self.reader, Reader::Away) != Reader::Away;
        self.is_nudged = !calls;
        calls
    }
}

/// More than that need not gather.
const ENOUGH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::message::Request;

    fn outcome(index: u64) -> Outcome {
        Outcome::new(index, Request::get("http://h/"), Err(Error::new(ErrorKind::Io, "")))
    }

    fn filled(ordered: bool, indices: impl IntoIterator<Item = u64>) -> Outbox {
        let mut outbox = Outbox::new(ordered);
        indices.into_iter().for_each(|index| assert!(outbox.put(outcome(index)).is_none()));
        outbox
    }

    fn taken(outbox: &mut Outbox, is_end: bool) -> Vec<u64> {
        std::iter::from_fn(|| outbox.take(is_end)).map(|outcome| outcome.index()).collect()
    }

    /// One that let two be read since it was last waited.
    fn busy(ordered: bool) -> Outbox {
        let mut outbox = filled(ordered, [0, 1]);
        assert_eq!(taken(&mut outbox, false), [0, 1]);
        outbox
    }

    #[test]
    fn outcomes_come_as_they_came_or_in_order_and_at_the_end_nothing_is_waited_for() {
        assert_eq!(taken(&mut filled(false, [2, 0, 4]), false), [2, 0, 4]);
        let mut outbox = filled(true, [2, 0, 4]);
        assert_eq!(taken(&mut outbox, false), [0]);
        assert_eq!((outbox.len(), outbox.has_next(), outbox.next_index()), (2, false, Some(1)));
        assert_eq!(taken(&mut outbox, true), [2, 4]);
    }

    #[test]
    fn who_waits_is_woken_once_for_the_outcome_whose_turn_it_is() {
        for (ordered, other) in [(true, Some(3)), (true, None), (false, None)] {
            let mut outbox = Outbox::new(ordered);
            outbox.put(outcome(0));
            assert!(!outbox.calls_reader(true, 8), "nobody waits yet");
            assert_eq!(taken(&mut outbox, false), [0]);
            assert_eq!(outbox.wait(true, false), Some(false));
            if let Some(index) = other {
                outbox.put(outcome(index));
                assert!(!outbox.calls_reader(true, 8), "{index} is not what is waited for");
            }
            outbox.put(outcome(1));
            assert!(outbox.calls_reader(false, 8));
            assert!(!outbox.calls_reader(false, 8), "it is on its way");
        }
    }

    #[test]
    fn outcomes_gather_until_there_are_enough_or_somebody_waits_for_the_reader() {
        for (room, enough) in [(8, 4), (1000, 64)] {
            let mut outbox = busy(false);
            assert_eq!(outbox.wait(true, false), Some(true));
            assert!(!outbox.calls_reader(true, room), "there is nothing to be read");
            for index in 1..enough {
                outbox.put(outcome(index));
                assert!(!outbox.calls_reader(false, room), "{index} of {enough}");
            }
            outbox.put(outcome(enough));
            assert!(outbox.calls_reader(false, room));
        }
        let mut outbox = busy(false);
        assert_eq!(outbox.wait(true, false), Some(true));
        outbox.put(outcome(2));
        assert!(outbox.calls_reader(true, 1000));
    }

    #[test]
    fn outcomes_that_come_one_by_one_or_are_waited_for_do_not_gather() {
        let mut outbox = filled(false, [0]);
        assert_eq!(taken(&mut outbox, false), [0]);
        assert_eq!(outbox.wait(true, false), Some(false), "one is not many");
        assert_eq!(busy(false).wait(true, true), Some(false), "somebody waits");
        assert_eq!(busy(true).wait(false, false), Some(false), "there is no time for it");
        let mut outbox = busy(false);
        assert_eq!(outbox.wait(true, false), Some(true));
        outbox.stop_waiting();
        assert_eq!(outbox.wait(true, false), Some(false), "none came meanwhile");
    }

    #[test]
    fn a_nudge_is_not_lost_on_who_is_about_to_wait() {
        let mut outbox = Outbox::new(false);
        assert!(!outbox.nudge());
        assert_eq!(outbox.wait(true, false), None);
        assert_eq!(outbox.wait(true, false), Some(false));
        assert!(outbox.nudge(), "it waits");
        assert_eq!(outbox.wait(true, false), Some(false), "and has been told");
    }

    #[test]
    fn what_nobody_will_read_comes_back() {
        let mut outbox = filled(true, [1, 0]);
        assert_eq!(outbox.close().len(), 2);
        assert!(outbox.put(outcome(2)).is_some());
        assert_eq!(outbox.len(), 0);
    }
}
