//! Which lane, and where it stands.

use std::time::Instant;

/// A lane's number: its place among the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::pool) struct LaneId(pub(super) usize);

/// Where a lane is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has no job that is due, or must wait until one in flight has ended.
    Nowhere,
    /// By its oldest job.
    Open(u64),
    /// It opens then.
    Later(Instant),
    /// Its jobs are not sent. By the oldest.
    Refused(u64),
}
