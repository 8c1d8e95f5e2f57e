//! Where a body goes, as whoever receives it sees it.

use std::time::Duration;

use super::patience::Patience;
use crate::error::Error;

/// Where a body goes.
pub(crate) trait Sink {
    /// Takes some bytes in front of these, which are body. Whether it is to be called again, with
    /// the rest, before the next ones: it does a little work at a time.
    fn data(&mut self, bytes: &mut &[u8]) -> Result<bool, Error>;

    /// Room of at most `wanted` bytes to read the body's next bytes into, past every buffer;
    /// `None` if the bytes must pass through [`data`](Self::data).
    fn space(&mut self, wanted: usize) -> Option<&mut [u8]> {
        let _ = wanted;
        None
    }

    /// Room for what is there by now, also of more bytes than may be waited for at once; `None` where
    /// there is no such room. What was read into it, be it nothing, must be told to
    /// [`filled`](Self::filled) next.
    fn space_at_once(&mut self, wanted: usize) -> Option<&mut [u8]> {
        let _ = wanted;
        None
    }

    /// Waits until there is memory for more, and says how long that took. Such a wait is ours and
    /// not the peer's: the request's clocks stand still for it.
    fn pause(&mut self, patience: &Patience<'_>) -> Result<Duration, Error> {
        let _ = patience;
        Ok(Duration::ZERO)
    }

    /// The first `count` bytes of the room that was given last are body now.
    fn filled(&mut self, count: usize) -> Result<(), Error> {
        let _ = count;
        Ok(())
    }
}
