//! A request as bytes. The only place that writes a line end.

use alloc::vec::Vec;

use super::error::WireError;
use crate::message::is_token;

/// A request without its fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) host: &'a str,
    pub(crate) body: BodyLength,
    /// Whether the peer is asked to say that it wants the body (RFC 9110 §10.1.1).
    pub(crate) expects_continue: bool,
    /// Whether the peer is asked to close after the response.
    pub(crate) close: bool,
    /// Fields that stand before the others.
    pub(crate) ahead: &'a Written,
}

/// Fields that were checked and written once, to go along with many requests.
#[derive(Debug)]
pub(crate) struct Written {
    bytes: Vec<u8>,
}

impl Written {
    /// No fields.
    pub(crate) const NONE: &'static Self = &Self { bytes: Vec::new() };

    /// These.
    pub(crate) fn of<'f>(
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, WireError> {
        let mut bytes = Vec::new();
        put_fields(&mut bytes, fields)?;
        bytes.shrink_to_fit();
        Ok(Self { bytes })
    }
}

/// What the head says about the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// Nothing.
    None,
    Known(u64),
    /// That it comes in chunks, behind one of which it ends.
    Chunked,
}

/// Writes the head of a request behind what `out` holds.
///
/// Everything is checked once more, here, whatever was checked before: what this function writes
/// is one head and not two (RFC 9112 §11.1). On an error `out` is as it was.
pub(crate) fn encode<'f>(
    out: &mut Vec<u8>,
    head: &RequestHead<'_>,
    fields: impl IntoIterator<Item = (&'f str, &'f str)>,
) -> Result<(), WireError> {
    let before = out.len();
    write(out, head, fields).inspect_err(|_| out.truncate(before))
}

fn write<'f>(
    out: &mut Vec<u8>,
    head: &RequestHead<'_>,
    fields: impl IntoIterator<Item = (&'f str, &'f str)>,
) -> Result<(), WireError> {
    if !is_token(head.method.as_bytes()) {
        return Err(WireError::BadMethod);
    }
    if !is_visible(head.target) {
        return Err(WireError::BadTarget);
    }
    if !is_visible(head.host) {
        return Err(WireError::BadHost);
    }
    for part in [head.method, " ", head.target, " HTTP/1.1\r\nHost: ", head.host, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(&head.ahead.bytes);
    put_fields(out, fields)?;
    match head.body {
        BodyLength::None => {}
        BodyLength::Known(length) => {
            put_field(out, "Content-Length", &alloc::format!("{length}"));
        }
        BodyLength::Chunked => put_field(out, "Transfer-Encoding", "chunked"),
    }
    if head.expects_continue {
        put_field(out, "Expect", "100-continue");
    }
    if head.close {
        put_field(out, "Connection", "close");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Whether this is a field that nobody else may set: it says who is meant, where the request ends,
/// when its body comes or whether the connection goes on, and two voices on that are how requests
/// get smuggled.
pub(crate) fn is_own_field(name: &str) -> bool {
    ["host", "content-length", "transfer-encoding", "connection", "expect"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

fn put_fields<'f>(
    out: &mut Vec<u8>,
    fields: impl IntoIterator<Item = (&'f str, &'f str)>,
) -> Result<(), WireError> {
    for (name, value) in fields {
        if is_own_field(name) {
            return Err(WireError::OwnField(name.into()));
        }
        if !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(WireError::BadField(name.escape_debug().collect()));
        }
        put_field(out, name, value);
    }
    Ok(())
}

fn put_field(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && all(text, |byte| byte.is_ascii_graphic())
}

fn is_field_value(text: &str) -> bool {
    all(text, |byte| (byte == b'\t') | ((byte >= b' ') & (byte != 0x7f)))
}

/// Looks at every byte, also behind a bad one: so many are looked at in one step.
fn all(text: &str, is_good: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |good, byte| good & is_good(byte))
}

/// A piece of a body, with room around it for the framing of a chunk (RFC 9112 §7.1): so that both
/// go out in one write, and the bytes are never moved.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Vec<u8>,
}

impl Piece {
    /// With room for so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        let around = BEFORE.saturating_add(LINE_END.len());
        Self { bytes: alloc::vec![0; most.saturating_add(around)] }
    }

    /// The room, or so much of it.
    pub(crate) fn room(&mut self, most: u64) -> &mut [u8] {
        let end = self.bytes.len().saturating_sub(LINE_END.len());
        let room = self.bytes.get_mut(BEFORE..end).unwrap_or_default();
        let most = usize::try_from(most).map_or(room.len(), |most| most.min(room.len()));
        room.get_mut(..most).unwrap_or_default()
    }

    /// The first bytes of the room, as they are.
    pub(crate) fn plain(&self, count: usize) -> Result<&[u8], WireError> {
        let end = BEFORE.saturating_add(count);
        self.bytes.get(BEFORE..end).ok_or(WireError::OutOfStep)
    }

    /// The first bytes of the room as a chunk. One of no bytes is the last one, and the end.
    pub(crate) fn chunk(&mut self, count: usize) -> Result<&[u8], WireError> {
        let size = alloc::format!("{count:x}\r\n");
        let begin = BEFORE.saturating_sub(size.len());
        let data_end = BEFORE.saturating_add(count);
        let end = data_end.saturating_add(LINE_END.len());
        for (range, line) in [(begin..BEFORE, size.as_bytes()), (data_end..end, LINE_END)] {
            self.bytes.get_mut(range).ok_or(WireError::OutOfStep)?.copy_from_slice(line);
        }
        self.bytes.get(begin..end).ok_or(WireError::OutOfStep)
    }
}

/// Sixteen digits and a line end: the longest size of a chunk.
const BEFORE: usize = 18;
const LINE_END: &[u8] = b"\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: RequestHead<'_> = RequestHead {
        method: "GET",
        target: "/a?b",
        host: "h:1",
        body: BodyLength::None,
        expects_continue: false,
        close: false,
        ahead: Written::NONE,
    };

    #[test]
    fn a_head_is_written_as_rfc_9112_has_it() {
        let mut out = Vec::new();
        encode(&mut out, &HEAD, [("A", "b"), ("C", "")]).unwrap();
        assert_eq!(out, b"GET /a?b HTTP/1.1\r\nHost: h:1\r\nA: b\r\nC: \r\n\r\n");
        out.clear();
        let head = RequestHead { body: BodyLength::Known(12), close: true, ..HEAD };
        encode(&mut out, &head, []).unwrap();
        assert!(out.ends_with(b"\r\nContent-Length: 12\r\nConnection: close\r\n\r\n"));
        out.clear();
        let head = RequestHead { body: BodyLength::Chunked, expects_continue: true, ..HEAD };
        encode(&mut out, &head, []).unwrap();
        assert!(out.ends_with(b"\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"));
    }

    #[test]
    fn what_was_written_once_stands_before_the_other_fields() {
        let ahead = &Written::of([("A", "b"), ("C", "d")]).unwrap();
        let mut out = Vec::new();
        encode(&mut out, &RequestHead { ahead, ..HEAD }, [("E", "f")]).unwrap();
        assert_eq!(out, b"GET /a?b HTTP/1.1\r\nHost: h:1\r\nA: b\r\nC: d\r\nE: f\r\n\r\n");
    }

    #[test]
    fn a_chunk_is_its_size_its_data_and_two_line_ends_and_the_last_one_has_no_data() {
        for count in [1, 9, 10, 15, 16, 255, 256, 4096, 65_535, 65_536] {
            let mut piece = Piece::new(65_536);
            piece.room(u64::MAX).fill(b'x');
            let expected = alloc::format!("{count:x}\r\n{}\r\n", "x".repeat(count));
            assert!(piece.chunk(count).unwrap() == expected.as_bytes(), "{count}");
            assert_eq!(piece.chunk(0).unwrap(), b"0\r\n\r\n");
        }
        let mut piece = Piece::new(4);
        assert_eq!((piece.room(3).len(), piece.room(9).len()), (3, 4));
        piece.room(4).copy_from_slice(b"abcd");
        assert_eq!(piece.plain(4).unwrap(), b"abcd");
        assert_eq!(piece.chunk(5), Err(WireError::OutOfStep));
    }

    #[test]
    fn no_byte_at_any_place_makes_a_second_line() {
        for byte in 0..=0xff_u8 {
            let text = alloc::format!("x{}y", char::from(byte));
            let heads = [
                RequestHead { method: &text, ..HEAD },
                RequestHead { target: &text, ..HEAD },
                RequestHead { host: &text, ..HEAD },
                HEAD,
                HEAD,
            ];
            for (place, head) in heads.iter().enumerate() {
                let field = match place {
                    3 => (text.as_str(), "v"),
                    4 => ("N", text.as_str()),
                    _ => ("N", "v"),
                };
                let ahead = Written::of([field]).map(|ahead| ahead.bytes);
                let mut out = b"before".to_vec();
                match encode(&mut out, head, [field]) {
                    Ok(()) => {
                        let lines = out.iter().filter(|&&b| b == b'\n' || b == b'\r').count();
                        assert_eq!(lines, 8, "byte {byte:#x} at place {place}");
                        assert!(out.ends_with(&[&ahead.unwrap()[..], b"\r\n"].concat()));
                    }
                    Err(error) => {
                        assert_eq!(error.class(), super::super::Class::BadRequest);
                        assert_eq!(out, b"before");
                        assert_eq!(ahead.is_err(), place > 2);
                    }
                }
            }
        }
    }

    #[test]
    fn fields_of_the_crate_are_refused_in_every_letter_case() {
        for name in ["host", "HOST", "Content-length", "transfer-Encoding", "CONNECTION", "expect"]
        {
            let refused = encode(&mut Vec::new(), &HEAD, [(name, "x")]);
            assert_eq!(refused, Err(WireError::OwnField(name.into())));
            let refused = Written::of([("A", "b"), (name, "x")]).map(drop);
            assert_eq!(refused, Err(WireError::OwnField(name.into())));
        }
    }
}
