//! A job that waits for its time.

use std::time::Instant;

use super::job::Job;
use super::stats::Place;
use crate::message::Watch;

/// A job that waits for its time. The heap has the latest on top by nature, so the order is
/// turned round.
pub(super) struct Parked {
    pub(super) due: Instant,
    pub(super) job: Job,
    /// What it waits for: its first start, or another try.
    pub(super) place: Place,
    /// Who hears of it when its token is cancelled. Not to be dropped under the schedule's lock:
    /// a token is locked before the schedule, never after.
    pub(super) watch: Option<Watch>,
}

impl Ord for Parked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due).then_with(|| other.job.index.cmp(&self.job.index))
    }
}

impl PartialOrd for Parked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Parked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Parked {}
