//! Lets the body of a redirect go by.

use crate::connection::Sink;
use crate::error::{Error, ErrorKind};

/// Lets a body go by, so that its connection can be used again; but no more of it than opening
/// a new connection would cost.
pub(in crate::session) struct Discard {
    left: usize,
}

impl Discard {
    pub(in crate::session) const fn new() -> Self {
        Self { left: DISCARDED_BYTES }
    }

    /// Whether a body of this announced length is worth reading for the sake of its connection.
    pub(in crate::session) fn is_worth_it(length: Option<u64>) -> bool {
        length.is_none_or(|length| usize::try_from(length).is_ok_and(|n| n <= DISCARDED_BYTES))
    }
}

impl Sink for Discard {
    fn data(&mut self, bytes: &mut &[u8]) -> Result<bool, Error> {
        match self.left.checked_sub(bytes.len()) {
            Some(left) => {
                self.left = left;
                *bytes = &[];
                Ok(false)
            }
            None => Err(Error::new(ErrorKind::TooLarge, "the body of a redirect is not read on")),
        }
    }
}

/// About what a connection carries in the round trips that opening a new one takes.
const DISCARDED_BYTES: usize = 64 << 10;
