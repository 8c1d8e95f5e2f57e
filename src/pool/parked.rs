//! A job that waits, and what for.

use super::job::Job;
use super::stats::Place;
use crate::message::Watch;

/// A job that waits in the schedule.
pub(super) struct Parked {
    pub(super) job: Job,
    /// What it waits for: its first start, or another try.
    pub(super) place: Place,
    /// Who hears of it when its token is cancelled. Not to be dropped under the schedule's lock:
    /// a token is locked before the schedule, never after.
    pub(super) watch: Option<Watch>,
}
