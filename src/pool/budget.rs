//! The memory that bodies may take, in flight and buffered together. Pure: no lock, no clock.

use std::collections::BTreeSet;

/// Who has how much, and who may have more.
///
/// A body that finds the budget spent waits until the caller reads an outcome and so gives memory
/// back. That must not be a wait for ever: where there is nothing that the caller could read,
/// bodies that wait would wait for each other. Then one of them, the first in the order of the
/// input, may go beyond the budget until it is whole; it becomes an outcome, and that can be read.
///
/// What may come in one read that does not wait is set aside before it, and settled right after it.
/// It is nobody's meanwhile, but not used either: who would have to wait because of it alone is told
/// when it is settled.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: u64,
    aside: u64,
    /// The jobs whose bodies wait.
    waiting: BTreeSet<u64>,
    /// The job that may go beyond the limit.
    exempt: Option<u64>,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        // With nothing at all, nothing would ever be started.
        let limit = limit.max(1);
        Self { limit, used: 0, aside: 0, waiting: BTreeSet::new(), exempt: None }
    }

    /// From now on there is no limit.
    pub(super) const fn lift(&mut self) {
        self.limit = u64::MAX;
    }

    /// Whether no further job should be started.
    pub(super) const fn is_spent(&self) -> bool {
        self.used >= self.limit
    }

    /// Whether some body waits.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes so much for a job's body, if it may have it; if not, the job waits from now on.
    pub(super) fn take(&mut self, job: u64, bytes: u64, something_to_read: bool) -> bool {
        if !self.has_left(bytes) && self.exempt != Some(job) {
            self.waiting.insert(job);
            if self.used.saturating_add(bytes) <= self.limit {
                return false;
            }
            let is_first = self.waiting.first() == Some(&job);
            if something_to_read || self.exempt.is_some() || !is_first {
                return false;
            }
            self.exempt = Some(job);
        }
        self.waiting.remove(&job);
        self.used = self.used.saturating_add(bytes);
        true
    }

    /// Sets so much aside for what is there to be read. Not where anybody waits for memory.
    pub(super) fn set_aside(&mut self, bytes: u64) -> bool {
        let may = self.waiting.is_empty() && self.has_left(bytes);
        if may {
            self.aside = self.aside.saturating_add(bytes);
        }
        may
    }

    /// Of what was set aside so much was read, and the rest is not needed.
    pub(super) const fn settle(&mut self, aside: u64, bytes: u64) {
        self.aside = self.aside.saturating_sub(aside);
        self.used = self.used.saturating_add(bytes);
    }

    const fn has_left(&self, bytes: u64) -> bool {
        self.used.saturating_add(self.aside).saturating_add(bytes) <= self.limit
    }

    /// The job waits no longer.
    pub(super) fn give_up(&mut self, job: u64) {
        self.waiting.remove(&job);
    }

    /// The body is whole or gone; what was taken for it is given back.
    pub(super) fn give_back(&mut self, job: u64, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
        if self.exempt == Some(job) {
            self.exempt = None;
        }
    }

    /// An outcome with so many bytes waits to be read.
    pub(super) const fn keep(&mut self, bytes: u64) {
        self.used = self.used.saturating_add(bytes);
    }

    /// It was read.
    pub(super) const fn let_go(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_waits_for_what_can_be_read_and_goes_on_when_it_was() {
        let mut budget = Budget::new(100);
        budget.keep(90);
        assert!(budget.take(1, 10, true));
        assert!(!budget.take(1, 10, true));
        budget.let_go(90);
        assert!(budget.take(1, 10, false));
        assert!(!budget.has_waiting());
    }

    #[test]
    fn where_nothing_can_be_read_the_first_in_line_goes_on_and_no_other() {
        let mut budget = Budget::new(10);
        assert!(budget.take(2, 10, false));
        assert!(budget.take(2, 10, false), "alone, it is the first");
        assert!(!budget.take(1, 10, false), "but one at a time");
        budget.give_back(2, 20);
        budget.keep(20);
        assert!(!budget.take(1, 10, true), "the other one can be read now");
        budget.let_go(20);
        assert!(budget.take(1, 10, false));
    }

    #[test]
    fn what_is_set_aside_is_had_by_nobody_else_until_it_is_settled() {
        let mut budget = Budget::new(100);
        assert!(budget.set_aside(90));
        assert!(!budget.set_aside(11), "there is no more than that");
        assert!(!budget.is_spent(), "nothing has come");
        assert!(!budget.take(1, 20, false), "nobody goes beyond the budget for it");
        assert!(!budget.set_aside(1), "who waits is first");
        budget.settle(90, 80);
        assert!(budget.has_waiting(), "and is told");
        assert!(budget.take(1, 20, true));
        assert!(budget.is_spent());
    }

    #[test]
    fn no_budget_at_all_is_enough_for_one_body_after_the_other() {
        let mut budget = Budget::new(0);
        assert!(!budget.is_spent());
        assert!(budget.take(1, 100, false));
        budget.give_back(1, 100);
        budget.keep(100);
        assert!(budget.is_spent());
        budget.let_go(100);
        assert!(!budget.is_spent());
    }

    #[test]
    fn a_job_that_gave_up_stands_in_nobodys_way() {
        let mut budget = Budget::new(10);
        budget.keep(10);
        assert!(!budget.take(1, 1, true));
        assert!(!budget.take(2, 1, true));
        assert!(!budget.take(2, 1, false), "1 is before it");
        budget.give_up(1);
        assert!(budget.take(2, 1, false));
    }
}
