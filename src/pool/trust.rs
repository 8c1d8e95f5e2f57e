//! Whether an iterator may be asked for jobs that are not needed yet. Pure.
//!
//! It may wait for something, and then keeps the worker that asks, while there are jobs in hand. One that
//! has been quick for a while is taken to be as good as a list. The system holds up threads, too, some
//! of them for milliseconds, where more of them are at work than there are cores: an answer that was
//! late now and then says nothing about the iterator. And one that takes its time again and again is
//! waited for by somebody in any case.

use std::time::Duration;

/// What is thought of a source by its last answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trust(u32);

impl Trust {
    /// What nothing is known of.
    pub(super) const NONE: Self = Self(0);
    /// What never waits.
    pub(super) const FULL: Self = Self(u32::MAX);

    /// Whether it may be asked ahead whatever else there is to do.
    pub(super) const fn is_earned(self) -> bool {
        self.0 >= EARNED
    }

    /// Whether there is any: then it may be asked where somebody is free for what is in hand.
    pub(super) const fn is_any(self) -> bool {
        self.0 > 0
    }

    /// After one more answer, that took so long, and was a job or not.
    pub(super) fn after(self, took: Duration, is_job: bool) -> Self {
        Self(match self.0.saturating_add(1) {
            more if took < QUICK && is_job => match more {
                // It has it at once for a while.
                EARNED => MOST,
                more => more.min(MOST),
            },
            _ if took < SLOW => match self.0.saturating_sub(EARNED) {
                ..EARNED => 0,
                less => less,
            },
            _ => 0,
        })
    }
}

/// An iterator that takes longer than this for a job may wait for something.
const QUICK: Duration = Duration::from_micros(50);
/// And one that takes longer than this does. Between the two it may be the system: of many threads at
/// work one is held up for some ms now and then.
const SLOW: Duration = Duration::from_millis(100);
/// After so many quick answers an iterator is taken to hold what it gives already; and so many of them
/// make up for one that was not.
const EARNED: u32 = 16;
/// More do not count: from there so many slow ones in a row lead back as quick ones led here.
const MOST: u32 = EARNED * EARNED;

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_micros(49);
    const HELD_UP: Duration = Duration::from_millis(99);

    fn after(trust: Trust, answers: u32, took: Duration) -> Trust {
        (0..answers).fold(trust, |trust, _| trust.after(took, true))
    }

    #[test]
    fn it_is_earned_by_sixteen_quick_answers_and_not_by_fifteen() {
        assert!(!after(Trust::NONE, 15, AT_ONCE).is_earned());
        assert!(after(Trust::NONE, 16, AT_ONCE).is_earned());
        assert!(!after(Trust::NONE, 1_000, QUICK).is_any());
    }

    #[test]
    fn a_slow_answer_behind_sixteen_quick_ones_costs_nothing_from_the_first_on() {
        let mut trust = after(Trust::NONE, 16, AT_ONCE);
        for _ in 0..1_000 {
            trust = trust.after(HELD_UP, true);
            assert!(trust.is_earned());
            trust = after(trust, 16, AT_ONCE);
        }
    }

    #[test]
    fn sixteen_slow_answers_in_a_row_lose_it_and_fifteen_do_not() {
        for quick in [16, 100, 10_000] {
            let trust = after(Trust::NONE, quick, AT_ONCE);
            assert!(after(trust, 15, HELD_UP).is_earned());
            assert!(!after(trust, 16, HELD_UP).is_any());
        }
    }

    #[test]
    fn one_that_is_slow_more_often_loses_it_for_good() {
        for quick in 1..15 {
            let mut trust = after(Trust::NONE, 10_000, AT_ONCE);
            for _ in 0..EARNED * EARNED {
                trust = after(trust.after(HELD_UP, true), quick, AT_ONCE);
            }
            assert!(!trust.is_earned(), "{quick}");
        }
    }

    #[test]
    fn what_waits_for_a_tenth_of_a_second_is_not_trusted_at_all() {
        let trust = after(Trust::NONE, 10_000, AT_ONCE);
        assert_eq!(trust.after(SLOW, true), Trust::NONE);
    }

    #[test]
    fn an_answer_that_is_no_job_earns_nothing() {
        let mut trust = Trust::NONE;
        for _ in 0..100 {
            trust = trust.after(AT_ONCE, false);
        }
        assert_eq!(trust, Trust::NONE);
    }
}
