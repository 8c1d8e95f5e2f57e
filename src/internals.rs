//! What the fuzzers, the benches and the corpus test see of the crate's inside.
//!
//! Each function drives one floor and gives plain values back, so that a target needs no more
//! than bytes in and an assertion.

use crate::wire::{Buffer, Event, Exchange, Limits, RequestKind, Verdict};

/// What a response amounts to.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Story {
    /// The final status, once a whole head has come.
    pub status: Option<u16>,
    /// The body, chunk framing undone.
    pub body: Vec<u8>,
    /// `Ok(true)` if the connection may be used again, `Err` with the message if it is malformed.
    pub end: Result<bool, String>,
    /// Bytes that were not read.
    pub left: usize,
}

/// Reads a response that comes in these pieces, and then the peer closes.
#[must_use]
pub fn read_response(to_head: bool, pieces: &[&[u8]]) -> Story {
    let kind = if to_head { RequestKind::Head } else { RequestKind::Other };
    let mut exchange = Exchange::new(kind, &Limits::default());
    let mut buffer = Buffer::new();
    let mut story = Story { status: None, body: Vec::new(), end: Ok(false), left: 0 };
    let mut pieces = pieces.iter().filter(|piece| !piece.is_empty());
    let mut read = || {
        loop {
            match exchange.next_event(&mut buffer)? {
                Event::Interim(_) => {}
                Event::Head(head) => story.status = Some(head.status),
                Event::Data(count) => story.body.extend_from_slice(buffer.take(count)),
                Event::End => break,
                Event::NeedInput => match pieces.next() {
                    Some(piece) => put(&mut buffer, piece),
                    None => exchange.receive_close()?,
                },
            }
        }
        for piece in pieces.by_ref() {
            put(&mut buffer, piece);
        }
        Ok(exchange.verdict(&buffer) == Verdict::Reuse)
    };
    let end = read().map_err(|error: crate::wire::WireError| error.to_string());
    story.end = end;
    story.left = buffer.filled().len();
    story
}

fn put(buffer: &mut Buffer, bytes: &[u8]) {
    if let Some(room) = buffer.space(bytes.len()).get_mut(..bytes.len()) {
        room.copy_from_slice(bytes);
        buffer.advance(bytes.len());
    }
}
