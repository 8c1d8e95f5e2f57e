//! Where a request's body comes from, as whoever sends it sees it.

use crate::error::Error;

/// A body that is made piece by piece, as it is sent.
pub(crate) trait Feed {
    /// The next bytes as they go out, framing and all; `None` behind the last ones. An empty piece
    /// says that there is nothing yet, and that it is to be called again.
    ///
    /// It may take as long as the caller's reader does.
    fn next(&mut self) -> Result<Option<&[u8]>, Error>;
}

/// What is sent behind a head.
pub(crate) enum Payload<'a> {
    Bytes(&'a [u8]),
    Feed(&'a mut dyn Feed),
}
