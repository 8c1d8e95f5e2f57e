//! The body of a request on its way out: opened, cut into pieces, and opened again if it must be.

use std::io::{self, Read};

use super::redirect::Step;
use crate::catch::catch;
use crate::connection::{Feed, Payload};
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Body, Opened, Request, is_gone};
use crate::wire::{BodyLength, Piece};

/// The body of one hop.
pub(super) struct Upload<'a> {
    body: &'a Body,
    content: Content<'a>,
}

enum Content<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Stream(Stream),
}

impl<'a> Upload<'a> {
    /// Opens the body, if it goes along with this hop.
    pub(super) fn open(request: &'a Request, step: &Step) -> Result<Self, Error> {
        let (body, _) = request.content();
        let content = match (step.with_body && body.is_some(), body.as_bytes()) {
            (false, _) => Content::Nothing,
            (true, Some(bytes)) => Content::Bytes(bytes),
            (true, None) => Content::Stream(Stream::new(open(body)?)),
        };
        Ok(Self { body, content })
    }

    /// What the head says about it.
    pub(super) fn length(&self) -> BodyLength {
        match &self.content {
            Content::Nothing => BodyLength::None,
            Content::Bytes(bytes) => {
                BodyLength::Known(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Content::Stream(stream) => match stream.length {
                Some(length) => BodyLength::Known(length),
                None => BodyLength::Chunked,
            },
        }
    }

    /// The bytes, if they are in memory and no more than this.
    pub(super) fn small(&self, most: usize) -> Option<&'a [u8]> {
        match self.content {
            Content::Nothing => Some(&[]),
            Content::Bytes(bytes) if bytes.len() <= most => Some(bytes),
            _ => None,
        }
    }

    /// What is sent behind the head.
    pub(super) fn payload(&mut self) -> Payload<'_> {
        match &mut self.content {
            Content::Nothing => Payload::Bytes(&[]),
            Content::Bytes(bytes) => Payload::Bytes(bytes),
            Content::Stream(stream) => Payload::Feed(stream),
        }
    }

    /// Makes it ready to be sent once more, under the same head. Whether it is: a reader that was
    /// read from is not, and neither is a file that has another length now.
    pub(super) fn rewind(&mut self) -> bool {
        let Content::Stream(stream) = &mut self.content else { return true };
        if !stream.touched {
            return true;
        }
        let length = stream.length;
        // The old one is let go of first.
        *stream = Stream::new(Opened::nothing());
        match open(self.body) {
            Ok(opened) if opened.length == length => {
                *stream = Stream::new(opened);
                true
            }
            _ => false,
        }
    }
}

/// Passes on where a redirect leads, unless the body has to go along and cannot.
pub(super) fn goes_along(
    next: Option<Step>,
    status: u16,
    request: &Request,
) -> Result<Option<Step>, Error> {
    let (body, _) = request.content();
    if next.as_ref().is_none_or(|next| !next.with_body) || body.can_be_sent() {
        return Ok(next);
    }
    let detail = format!(
        "the {status} asks for the request's body once more, and its reader can be read only once \
         (Body::reader_fn and Body::file can be sent again)"
    );
    Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Redirecting))
}

fn open(body: &Body) -> Result<Opened, Error> {
    let opened = match catch(|| body.open()) {
        Ok(opened) => opened.map_err(unread),
        Err(panicked) => {
            Err(Error::panicked("what makes the readers of the request's body panicked", &panicked))
        }
    };
    opened.map_err(|error| error.during(Phase::Setup))
}

/// What it means that the caller's reader or file has failed.
fn unread(error: io::Error) -> Error {
    if is_gone(&error) {
        return Error::new(ErrorKind::InvalidRequest, error.to_string());
    }
    Error::unread(error)
}

/// A body that is read as it is sent.
struct Stream {
    reader: Opened,
    length: Option<u64>,
    /// Of the length, what has not been sent.
    left: u64,
    /// Made when it is needed.
    piece: Option<Piece>,
    /// Whether the reader was asked for anything.
    touched: bool,
    ended: bool,
}

impl Stream {
    const fn new(reader: Opened) -> Self {
        let length = reader.length;
        let left = match length {
            Some(left) => left,
            None => u64::MAX,
        };
        Self { reader, length, left, piece: None, touched: false, ended: false }
    }
}

impl Feed for Stream {
    fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if self.ended || self.left == 0 {
            return Ok(None);
        }
        self.touched = true;
        let piece = self.piece.get_or_insert_with(|| Piece::new(PIECE_BYTES));
        let room = piece.room(self.left);
        let Some(count) = read(&mut self.reader, room)? else { return Ok(Some(&[])) };
        let bytes = match (self.length, count) {
            (None, 0) => {
                self.ended = true;
                piece.chunk(0)?
            }
            (None, _) => piece.chunk(count)?,
            // Cannot be: what is opened keeps to its length. It would be no whole body.
            (Some(_), 0) => return Err(unread(io::ErrorKind::UnexpectedEof.into())),
            (Some(_), _) => {
                self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                piece.plain(count)?
            }
        };
        Ok(Some(bytes))
    }
}

/// Reads some bytes; `None` is none yet.
fn read(reader: &mut Opened, room: &mut [u8]) -> Result<Option<usize>, Error> {
    let most = room.len();
    match catch(|| reader.read(room)) {
        Ok(Ok(count)) if count <= most => Ok(Some(count)),
        Ok(Ok(count)) => {
            let detail = format!("it says that it read {count} bytes into room for {most}");
            Err(unread(io::Error::new(io::ErrorKind::InvalidData, detail)))
        }
        // Asked again, but not without a look at the clock.
        Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Ok(Err(error)) => Err(unread(error)),
        Err(panicked) => {
            Err(Error::panicked("the reader of the request's body panicked", &panicked))
        }
    }
}

/// How much is read at a time, and the largest chunk.
const PIECE_BYTES: usize = 64 << 10;
