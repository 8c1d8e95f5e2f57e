//! What goes in and out of the lanes.

use std::time::{Duration, Instant, SystemTime};

use super::place::LaneId;
use crate::error::Error;
use crate::message::Response;
use crate::pool::polite::{Pass, Sign};

/// When a job that is put here may start, and must be over.
#[derive(Clone, Copy, Default)]
pub(in crate::pool) struct Times {
    /// Not before this.
    pub(in crate::pool) due: Option<Instant>,
    pub(in crate::pool) expiry: Option<Instant>,
}

/// A job that goes to a worker.
pub(in crate::pool) struct Next<T> {
    pub(in crate::pool) item: T,
    pub(in crate::pool) go: Go,
}

/// What is to become of it.
pub(in crate::pool) enum Go {
    /// It is sent.
    Start(Ticket),
    /// It is answered at once: the circuit of its origin is open.
    Refuse {
        origin: String,
        /// Failures one after the other that opened it.
        failures: u32,
        until: Instant,
    },
}

/// A try that is under way: to be given back when it has ended.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(in crate::pool) struct Ticket {
    pub(in crate::pool) lane: LaneId,
    pub(super) pass: Option<Pass>,
}

impl Ticket {
    /// What the end of the try says of its origin, as far as anybody wants to know.
    pub(in crate::pool) fn sign_of(self, result: &Result<Response, Error>) -> Sign {
        match self.pass {
            Some(_) => Sign::of(result, SystemTime::now(), LONGEST_PAUSE),
            None => Sign::Nothing,
        }
    }
}

/// The lanes to whose origins a worker holds connections.
#[derive(Debug, Default)]
pub(in crate::pool) struct Held {
    pub(super) lanes: Vec<LaneId>,
    /// The one that it goes to now: whether it will keep a connection is not known yet.
    pub(super) trial: Option<LaneId>,
}

impl Held {
    pub(in crate::pool) const fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether what it holds must be looked at again although no connection was opened or closed.
    pub(in crate::pool) const fn is_in_doubt(&self) -> bool {
        self.trial.is_some()
    }
}

/// How long a server's word alone holds up everything that goes to it.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
