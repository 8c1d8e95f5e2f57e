//! Why a pool takes no more jobs.

use crate::connection::Deadline;
use crate::error::{Error, ErrorKind};
use crate::message::Clock;

/// What a pool does about jobs that end as exceptions.
///
/// A job that its own [`CancelToken`](crate::CancelToken) ended does not count; a status of 400 or
/// above is an exception only with
/// [`http_status_as_error`](crate::SessionConfig::http_status_as_error).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It goes on.
    #[default]
    Continue,
    /// The first one ends the pool: as [`StopAfter(1)`](Self::StopAfter).
    Stop,
    /// When there are so many the pool ends, as by [`Pool::cancel`](crate::Pool::cancel). 0 is an
    /// error when the pool is built.
    StopAfter(u64),
}

impl OnError {
    /// How many there may be before the pool ends.
    pub(super) const fn limit(self) -> u64 {
        match self {
            Self::Continue => u64::MAX,
            Self::Stop => 1,
            Self::StopAfter(failures) => failures,
        }
    }
}

/// Why no more jobs are taken. A later one counts for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    /// Those that were taken go on.
    Closed,
    /// The pool's time is up.
    Deadline,
    /// Too many jobs have failed.
    Failures,
    /// The system has no thread for the jobs.
    NoThread,
    Cancelled,
}

impl Stop {
    /// What is said of a job that was waiting when this happened.
    pub(super) fn error(self, deadline: Deadline) -> Error {
        match self {
            Self::Deadline => Error::expired(Clock::Deadline, deadline.expired().to_string()),
            Self::NoThread => Error::new(ErrorKind::Io, "no thread can be started for it"),
            Self::Failures => {
                Error::new(ErrorKind::Cancelled, "other jobs had failed, and that ended the pool")
            }
            Self::Closed | Self::Cancelled => {
                Error::new(ErrorKind::Cancelled, "it was waiting for its turn")
            }
        }
    }
}
