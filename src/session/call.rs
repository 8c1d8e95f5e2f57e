//! What a request is sent with, beside what it says itself.

use std::cell::Cell;
use std::time::Instant;

use super::Allowance;
use crate::connection::{Deadline, Patience};
use crate::message::{Request, Target};
use crate::observer::Watched;

/// What whoever sends a request knows of it.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Its place in the input, where there is one.
    pub(crate) index: Option<u64>,
    /// When its time began.
    pub(crate) began: Instant,
    /// Which try this is, from 1.
    pub(crate) number: u32,
    /// When all requests must be over.
    pub(crate) batch: Deadline,
    /// Who gives the memory for its body.
    pub(crate) allowance: Option<&'a dyn Allowance>,
    /// The request's URL, where it has been parsed already.
    pub(crate) target: Option<&'a Cell<Option<Target>>>,
}

impl Call<'_> {
    /// A request of its own, sent now.
    pub(crate) fn alone() -> Self {
        Self {
            index: None,
            began: Instant::now(),
            number: 1,
            batch: Deadline::never(),
            allowance: None,
            target: None,
        }
    }
}

/// A call on its way, over all its hops.
pub(super) struct Course<'a> {
    pub(super) request: &'a Request,
    pub(super) number: u32,
    pub(super) patience: Patience<'a>,
    pub(super) watched: Watched<'a>,
}

/// What a session did with connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// How many were opened.
    pub(crate) opened: u64,
    /// How many requests went over one that was open already.
    pub(crate) reused: u64,
}
