//! A job that waits, and what for.

use super::job::Job;
use super::stats::Place;
use crate::message::Watch;

/// A job that waits in the schedule.
pub(super) struct Parked {
    /// Boxed: it goes through many hands, most of them under the schedule's lock.
    pub(super) job: Box<Job>,
    /// What it waits for: its first start, or another try.
    pub(super) place: Place,
    /// Who hears of it when its token is cancelled. Not to be dropped under the schedule's lock:
    /// a token is locked before the schedule, never after.
    pub(super) watch: Option<Watch>,
}

impl Parked {
    /// A job that has not been begun.
    pub(super) const fn queued(job: Box<Job>, watch: Option<Watch>) -> Self {
        Self { job, place: Place::Queued, watch }
    }
}
