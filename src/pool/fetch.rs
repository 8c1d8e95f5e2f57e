//! Asking the source, which is the caller's code: it may wait, or panic.

use std::time::Duration;

use super::queue::{Next, Source, drop_quietly};
use crate::catch::{Panicked, catch};
use crate::error::Error;
use crate::message::Request;

/// The source of the jobs, as the schedule has it.
pub(super) enum SourceState {
    /// The source, and how many jobs it says it has left at most.
    Here(Box<dyn Source>, Option<usize>),
    /// A worker is asking it.
    Lent,
    Closed,
}

/// A request that a source gave, and what is wrong with it already.
pub(super) type Fetched = (Request, Option<Error>);

/// Asks the source. A panic ends it, and becomes the outcome of a job of its own.
pub(super) fn ask(mut source: Box<dyn Source>, wait: Duration) -> (Option<Fetched>, SourceState) {
    match catch(|| source.next(wait)) {
        Ok(Next::Job(request)) => (Some((request, None)), SourceState::here(source)),
        Ok(Next::Panicked(payload)) => {
            let panicked = Panicked::of(payload);
            let error = Error::panicked("a job panicked on its way to a request", &panicked);
            (Some((Request::get(""), Some(error))), SourceState::here(source))
        }
        Ok(Next::Empty) => (None, SourceState::here(source)),
        Ok(Next::Closed) => {
            drop_quietly(Some(source));
            (None, SourceState::Closed)
        }
        Err(panicked) => {
            drop_quietly(Some(source));
            let error = Error::panicked("the job queue panicked and gives no more jobs", &panicked);
            (Some((Request::get(""), Some(error))), SourceState::Closed)
        }
    }
}

impl SourceState {
    pub(super) fn here(source: Box<dyn Source>) -> Self {
        // What an iterator says of its length is the caller's code, too. One that panics says
        // nothing.
        let left = catch(|| source.most_left()).unwrap_or_default();
        Self::Here(source, left)
    }
}
