//! What of an outcome the ledger counts.

use super::outcome::Outcome;

/// What of an outcome is counted.
pub(super) struct Settled {
    /// What it takes of memory.
    pub(super) bytes: u64,
    /// What came of its body.
    pub(super) received: u64,
    pub(super) is_response: bool,
    /// It is an exception that was asked for.
    pub(super) is_cancelled: bool,
}

impl Settled {
    pub(super) fn of(outcome: &Outcome) -> Self {
        Self {
            bytes: outcome.body_bytes(),
            received: outcome.body_len(),
            is_response: outcome.is_response(),
            is_cancelled: match outcome {
                Outcome::Response(_) => false,
                Outcome::Exception(exception) => exception.is_cancelled(),
            },
        }
    }
}
