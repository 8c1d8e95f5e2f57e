//! What the fuzzers, the benches and the corpus test see of the crate's inside.
//!
//! Each item drives one floor and gives plain values back, so that a property needs no more than
//! bytes in and an assertion. The properties are in `fuzz/src`.

use std::net::IpAddr;
use std::time::Duration;

use crate::message::{Host, Origin, Target, Targets};
pub use crate::pool::internals::{Crawl, Crowd};
use crate::wire::{self, BodyLength, Buffer, Class, Event, Exchange, RequestKind, WireError};
use crate::{ErrorKind, Limits};

/// What a response amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Story {
    /// How many interim (1xx) responses came first.
    pub interim: usize,
    /// The final status, once a whole head has come.
    pub status: Option<u16>,
    /// The fields of that head.
    pub fields: Vec<(String, String)>,
    /// The body, chunk framing undone.
    pub body: Vec<u8>,
    /// `Ok(true)` if the connection may be used again, or the class of what is wrong.
    pub end: Result<bool, &'static str>,
    /// Bytes that were not read; 0 where something is wrong.
    pub left: usize,
}

/// Reads a response that comes in these pieces, and then the peer closes.
#[must_use]
pub fn read_response(to_head: bool, pieces: &[&[u8]]) -> Story {
    Incoming::default().read(to_head, &Limits::default(), pieces.iter().copied(), false)
}

/// The receiving side of one connection.
#[derive(Debug, Default)]
pub struct Incoming {
    buffer: Buffer,
    fault: String,
}

impl Incoming {
    /// Reads one response, and what else is in the pieces. With `direct`, bytes of the body are
    /// read past the buffer wherever a connection may do that.
    pub fn read<'p>(
        &mut self,
        to_head: bool,
        limits: &Limits,
        pieces: impl IntoIterator<Item = &'p [u8]>,
        direct: bool,
    ) -> Story {
        let buffer = &mut self.buffer;
        let mut exchange = Exchange::new(kind(to_head), limits);
        let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        let (mut interim, mut status, mut body) = (0, None, Vec::new());
        let mut fields = Vec::new();
        let mut run = || -> Result<bool, WireError> {
            loop {
                match exchange.next_event(buffer)? {
                    Event::Interim(_) => interim += 1,
                    Event::Head(head) => {
                        status = Some(head.status);
                        fields = head.headers.iter().map(owned).collect();
                    }
                    Event::Data(count) => body.extend_from_slice(buffer.take(count)),
                    Event::End => break,
                    Event::NeedInput => {
                        let Some(piece) = pieces.next() else {
                            exchange.receive_close()?;
                            continue;
                        };
                        let straight = usize::try_from(exchange.direct()).unwrap_or(usize::MAX);
                        let straight = if direct && buffer.is_empty() { straight } else { 0 };
                        let (past, rest) = piece.split_at(straight.min(piece.len()));
                        if !past.is_empty() {
                            body.extend_from_slice(past);
                            exchange.receive_direct(past.len() as u64)?;
                        }
                        put(buffer, rest);
                    }
                }
            }
            pieces.by_ref().for_each(|piece| put(buffer, piece));
            Ok(exchange.verdict(buffer) == wire::Verdict::Reuse)
        };
        let end = run();
        self.fault = end.as_ref().err().map(|error| format!("{error:?}")).unwrap_or_default();
        let end = end.map_err(|error| match error.class() {
            Class::Malformed => "malformed",
            Class::LimitReached => "limit reached",
            Class::Truncated => "truncated",
            Class::BadRequest => "bad request",
        });
        let left = if end.is_ok() { self.buffer.filled().len() } else { 0 };
        Story { interim, status, fields, body, end, left }
    }

    /// The name of the fault that the last response had; empty if it had none.
    #[must_use]
    pub fn fault(&self) -> &str {
        self.fault.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
    }
}

/// The first head of a response.
#[derive(Debug)]
#[non_exhaustive]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The fields, unless it is that of an interim response, which are passed over.
    pub fields: Option<Vec<(String, String)>>,
}

/// Reads the first head in the bytes, if it is whole, and says how many bytes were taken for it.
///
/// # Errors
///
/// The message for one that is malformed.
pub fn read_head(bytes: &[u8]) -> (Result<Option<Head>, String>, usize) {
    let mut buffer = Buffer::new();
    put(&mut buffer, bytes);
    let event = Exchange::new(RequestKind::Head, &Limits::default()).next_event(&mut buffer);
    let head = event.map_err(|error| error.to_string()).map(|event| match event {
        Event::Head(head) => {
            let fields = Some(head.headers.iter().map(owned).collect());
            Some(Head { status: head.status, fields })
        }
        Event::Interim(status) => Some(Head { status, fields: None }),
        Event::NeedInput | Event::Data(_) | Event::End => None,
    });
    (head, bytes.len().saturating_sub(buffer.filled().len()))
}

/// A receive buffer and a body that keep their memory from one response to the next, as those of
/// a connection do. For the benches.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Buffer,
    body: Vec<u8>,
}

impl Reader {
    /// Reads a response in pieces of at most so many bytes. Gives the number of its fields and
    /// the length of its body, or `None` if it is wrong or not whole.
    pub fn read(&mut self, to_head: bool, response: &[u8], piece: usize) -> Option<(usize, usize)> {
        let mut exchange = Exchange::new(kind(to_head), &Limits::default());
        let mut pieces = response.chunks(piece.max(1));
        let mut fields = 0;
        self.body.clear();
        loop {
            match exchange.next_event(&mut self.buffer).ok()? {
                Event::Interim(_) => {}
                Event::Head(head) => fields = head.headers.len(),
                Event::Data(count) => self.body.extend_from_slice(self.buffer.take(count)),
                Event::End => return Some((fields, self.body.len())),
                Event::NeedInput => put(&mut self.buffer, pieces.next()?),
            }
        }
    }
}

/// The head of a request, if all of it may be sent.
#[must_use]
pub fn encode_head(
    parts: [&str; 3],
    content_length: Option<usize>,
    close: bool,
    fields: &[(&str, &str)],
) -> Option<Vec<u8>> {
    let mut writer = Writer::default();
    writer.write(parts, content_length, close, fields)?;
    Some(writer.out)
}

/// The room for a request's head, which keeps its memory from one to the next, as that of a
/// connection does. For the benches.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Writes a head, if all of it may be sent.
    pub fn write(
        &mut self,
        [method, target, host]: [&str; 3],
        content_length: Option<usize>,
        close: bool,
        fields: &[(&str, &str)],
    ) -> Option<&[u8]> {
        let body =
            content_length.map_or(BodyLength::None, |length| BodyLength::Known(length as u64));
        let ahead = wire::Written::NONE;
        let head =
            wire::RequestHead { method, target, host, body, expects_continue: false, close, ahead };
        self.out.clear();
        wire::encode(&mut self.out, &head, fields.iter().copied()).ok()?;
        Some(&self.out)
    }
}

/// The bytes as the body of a request in chunks of at most this size.
#[must_use]
pub fn encode_chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut piece = wire::Piece::new(size);
    let mut out = Vec::new();
    for data in body.chunks(size.max(1)).chain([&[][..]]) {
        piece.room(data.len() as u64).copy_from_slice(data);
        out.extend_from_slice(piece.chunk(data.len()).unwrap_or_default());
    }
    out
}

/// A URL as the crate has parsed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedUrl(Target);

impl ParsedUrl {
    /// Parses an absolute URL; `None` if it is refused.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Target::parse(text).ok().map(Self)
    }

    /// The same, behind another one.
    #[must_use]
    pub fn parse_behind(first: &str, text: &str) -> Option<Self> {
        let mut targets = Targets::default();
        let _ = targets.parse(first);
        targets.parse(text).ok().map(Self)
    }

    /// Where a `Location` leads from here; `None` if it is refused.
    #[must_use]
    pub fn join(&self, location: &str) -> Option<Self> {
        self.0.join(location).ok().map(Self)
    }

    /// Whether credentials for this URL may go to the other, by both ways to ask.
    #[must_use]
    pub fn is_same_origin(&self, other: &Self) -> (bool, bool) {
        (self.0.same_origin(&other.0), self.0.origin().contains(&other.0))
    }

    /// Whether the origin, printed and parsed, is itself.
    #[must_use]
    pub fn origin_is_stable(&self) -> bool {
        let origin = self.0.origin();
        Origin::parse(&origin.to_string()).is_ok_and(|again| again == origin)
    }

    /// Scheme is https, host, port.
    #[must_use]
    pub fn origin(&self) -> (bool, String, u16) {
        (self.0.is_https(), self.0.host_str().to_owned(), self.0.port())
    }

    /// What is connected to, or else looked up.
    #[must_use]
    pub fn host(&self) -> (Option<IpAddr>, &str) {
        match self.0.host() {
            Host::Ip(ip) => (Some(ip), self.0.host_str()),
            Host::Name(name) => (None, name),
        }
    }

    /// User and password.
    #[must_use]
    pub fn userinfo(&self) -> Option<(&[u8], &[u8])> {
        self.0.userinfo()
    }

    /// The `Host` field, the request target and the whole, as they are printed.
    #[must_use]
    pub fn printed(&self) -> [&str; 3] {
        [self.0.authority(), self.0.path_and_query(), self.0.as_str()]
    }
}

/// A chain of redirects from a URL over each `Location`, past those that are refused: where each
/// step leads, and whether credentials go along. `None` if the URL is refused.
#[must_use]
pub fn redirects(first: &str, locations: &[&str]) -> Option<Vec<(ParsedUrl, bool)>> {
    let steps = crate::session::internals::redirects(Target::parse(first).ok()?, locations);
    Some(steps.into_iter().map(|(target, credentials)| (ParsedUrl(target), credentials)).collect())
}

/// Decodes a body of this `Content-Encoding` that comes in these pieces to at most `cap` bytes, and
/// past the first mebibyte at most `ratio` for each byte; nothing, if that is no coding that is
/// undone.
///
/// # Errors
///
/// The kind of error that the session gives.
pub fn decode(coding: &str, pieces: &[&[u8]], cap: u64, ratio: u32) -> Result<Vec<u8>, ErrorKind> {
    let limits = Limits { body_bytes: cap, decompression_ratio: ratio, ..Limits::default() };
    crate::session::internals::decode(coding, pieces, &limits).map_err(|error| error.kind())
}

/// A jar whose clock is an argument: milliseconds since 1970. Without the feature `cookies` it takes
/// and gives nothing.
#[derive(Debug, Default)]
pub struct Jar(crate::session::internals::Jar);

impl Jar {
    /// Puts a `Set-Cookie` of this URL in, if that is to be.
    pub fn set(&self, line: &str, url: &str, now: i64) -> bool {
        Target::parse(url).is_ok_and(|from| self.0.set(line, &from, now))
    }

    /// The `Cookie` field for this URL, behind cookies of the caller's own.
    #[must_use]
    pub fn field(&self, url: &str, own: &str, now: i64) -> Option<String> {
        Target::parse(url).ok().and_then(|target| self.0.field(&target, own, now))
    }

    /// Whether the jar's text makes a jar with the same text.
    #[must_use]
    pub fn text_reads_back(&self, now: i64) -> bool {
        self.0.text_reads_back(now)
    }
}

/// A challenge: its scheme, and its parameters as names and values.
pub type Challenged = (String, Vec<(String, String)>);

/// The challenges of a `WWW-Authenticate`, quoting undone, up to the first fault.
#[must_use]
pub fn challenges(value: &str) -> Vec<Challenged> {
    crate::session::internals::challenged(value)
}

/// The wait that a `Retry-After` asks for, of a response with this `Date` that comes at `now`, in
/// seconds since 1970.
#[must_use]
pub fn retry_after(value: &str, date: Option<&str>, now: i64) -> Option<Duration> {
    crate::message::retry_after(value, date, now)
}

/// An HTTP date as seconds since 1970.
#[must_use]
pub fn parse_date(text: &str, now: i64) -> Option<i64> {
    crate::message::parse_date(text, now)
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

const fn kind(to_head: bool) -> RequestKind {
    if to_head { RequestKind::Head } else { RequestKind::Other }
}

fn put(buffer: &mut Buffer, bytes: &[u8]) {
    if let Some(room) = buffer.space(bytes.len()).get_mut(..bytes.len()) {
        room.copy_from_slice(bytes);
        buffer.advance(bytes.len());
    }
}
