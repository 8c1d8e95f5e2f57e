//! One request and its response.

use super::buffer::Buffer;
use super::chunked::{Chunked, Step};
use super::error::{Missing, WireError};
use super::framing::{self, Framing, RequestKind};
use super::head::{self, ResponseHead};
use super::limits::Limits;

/// The life of one response, from the first byte to the verdict on its connection.
#[derive(Debug)]
pub(crate) struct Exchange {
    request: RequestKind,
    limits: Limits,
    stage: Stage,
    body: Body,
    interim: usize,
    received_any: bool,
    /// The length that the head announced.
    length: Option<u64>,
    /// Why the connection must be closed, as far as the head tells.
    close: Option<CloseReason>,
}

/// What the bytes so far amount to.
#[derive(Debug)]
pub(crate) enum Event {
    /// Nothing yet: more bytes are needed.
    NeedInput,
    /// An interim (1xx) response, passed over.
    Interim(u16),
    Head(ResponseHead),
    /// So many bytes in front of the buffer are body, at least one. They must be taken out before
    /// the next call.
    Data(usize),
    End,
}

/// Whether a connection may serve another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Reuse,
    Close(CloseReason),
}

/// Why a connection may not serve another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The peer said so, or speaks HTTP/1.0 and did not say otherwise.
    NotPersistent,
    /// The body ends with the connection.
    UntilClose,
    /// The framing is one that RFC 9112 calls faulty.
    DoubtfulFraming,
    /// The response has not been read to its end.
    Unfinished,
    /// Bytes came behind the response.
    ExtraBytes,
}

/// How far the response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Done,
}

/// What has been seen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Interim,
    Final { has_body: bool },
    Data,
    LastByte,
    PeerClosed(Missing),
}

impl Stage {
    /// The life of a response. A pair that is not listed breaks the protocol.
    const fn after(self, seen: Seen) -> Result<Self, WireError> {
        Ok(match (self, seen) {
            (Self::Head, Seen::Interim) => Self::Head,
            (Self::Head, Seen::Final { has_body: true }) => Self::Body,
            (Self::Head, Seen::Final { has_body: false }) => Self::Done,
            (Self::Body, Seen::Data) => Self::Body,
            (Self::Body, Seen::LastByte) => Self::Done,
            (Self::Done, Seen::PeerClosed(_)) => Self::Done,
            (Self::Head | Self::Body, Seen::PeerClosed(missing)) => {
                return Err(WireError::Truncated(missing));
            }
            _ => return Err(WireError::OutOfStep),
        })
    }
}

/// What is left of the body.
#[derive(Debug)]
enum Body {
    None,
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Exchange {
    pub(crate) const fn new(request: RequestKind, limits: &Limits) -> Self {
        Self {
            request,
            limits: *limits,
            stage: Stage::Head,
            body: Body::None,
            interim: 0,
            received_any: false,
            length: None,
            close: None,
        }
    }

    /// Looks at the bytes that have come. Heads and chunk framing are taken out of the buffer
    /// here, data is for the caller to take.
    pub(crate) fn next_event(&mut self, buffer: &mut Buffer) -> Result<Event, WireError> {
        self.received_any |= !buffer.is_empty();
        match self.stage {
            Stage::Head => self.next_head(buffer),
            Stage::Body => self.next_data(buffer),
            Stage::Done => Ok(Event::End),
        }
    }

    // Not inlined: whoever reads a body needs no room on the stack for the parser of heads.
    #[inline(never)]
    fn next_head(&mut self, buffer: &mut Buffer) -> Result<Event, WireError> {
        let Some((head, lenient)) = head::take(buffer, &self.limits)? else {
            return Ok(Event::NeedInput);
        };
        let decision = framing::decide(self.request, &head)?;
        let framing = decision.framing;
        if lenient || decision.is_doubtful {
            self.close = Some(CloseReason::DoubtfulFraming);
        }
        if !decision.is_persistent {
            self.close = self.close.or(Some(CloseReason::NotPersistent));
        }
        match head.status {
            101 => return Err(WireError::UnexpectedSwitch),
            100..200 => {
                let limit = self.limits.interim_responses;
                self.interim = self.interim.saturating_add(1);
                if self.interim > limit {
                    return Err(WireError::TooManyInterim { limit });
                }
                self.stage = self.stage.after(Seen::Interim)?;
                return Ok(Event::Interim(head.status));
            }
            _ => {}
        }
        if framing == Framing::UntilClose {
            self.close = Some(CloseReason::UntilClose);
        }
        self.body = match framing {
            Framing::None | Framing::Length(0) => Body::None,
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Chunked::new(&self.limits)),
            Framing::UntilClose => Body::UntilClose,
        };
        if let Framing::Length(length) = framing {
            self.length = Some(length);
        }
        let has_body = !matches!(self.body, Body::None);
        self.stage = self.stage.after(Seen::Final { has_body })?;
        Ok(Event::Head(head))
    }

    fn next_data(&mut self, buffer: &mut Buffer) -> Result<Event, WireError> {
        let here = buffer.filled().len();
        if here == 0 {
            return Ok(Event::NeedInput);
        }
        let event = match &mut self.body {
            Body::UntilClose => Event::Data(here),
            Body::Length(left) => {
                let count = usize::try_from(*left).map_or(here, |left| left.min(here));
                *left = left.saturating_sub(u64::try_from(count).unwrap_or(*left));
                Event::Data(count)
            }
            Body::Chunked(chunked) => {
                let (used, step) = chunked.step(buffer.filled())?;
                buffer.take(used);
                match step {
                    Step::Data(count) => Event::Data(count),
                    Step::NeedInput => Event::NeedInput,
                    Step::End => Event::End,
                }
            }
            Body::None => Event::End,
        };
        let seen = match (&event, &self.body) {
            (Event::NeedInput, _) => return Ok(event),
            (Event::End, _) | (_, Body::Length(0)) => Seen::LastByte,
            _ => Seen::Data,
        };
        self.stage = self.stage.after(seen)?;
        Ok(event)
    }

    /// How many of the next bytes can only be body, so that they may be read past the buffer
    /// while that is empty.
    pub(crate) const fn direct(&self) -> u64 {
        match (self.stage, &self.body) {
            (Stage::Body, Body::Length(left)) => *left,
            (Stage::Body, Body::Chunked(chunked)) => chunked.left(),
            (Stage::Body, Body::UntilClose) => u64::MAX,
            _ => 0,
        }
    }

    /// So many bytes of the body were read past the buffer.
    pub(crate) fn receive_direct(&mut self, count: u64) -> Result<(), WireError> {
        if count > self.direct() {
            return Err(WireError::OutOfStep);
        }
        let mut seen = Seen::Data;
        match &mut self.body {
            Body::Length(left) => {
                *left = left.saturating_sub(count);
                if *left == 0 {
                    seen = Seen::LastByte;
                }
            }
            Body::Chunked(chunked) => chunked.moved(count),
            Body::UntilClose | Body::None => {}
        }
        self.stage = self.stage.after(seen)?;
        Ok(())
    }

    /// The peer has closed. An error unless the response is complete by that.
    pub(crate) fn receive_close(&mut self) -> Result<(), WireError> {
        let seen = match (self.stage, &self.body) {
            (Stage::Body, Body::UntilClose) => Seen::LastByte,
            (Stage::Body, Body::Length(left)) => Seen::PeerClosed(Missing::Body(*left)),
            (Stage::Body, Body::Chunked(chunked)) => Seen::PeerClosed(chunked.missing()),
            _ if self.received_any => Seen::PeerClosed(Missing::RestOfHead),
            _ => Seen::PeerClosed(Missing::Response),
        };
        self.stage = self.stage.after(seen)?;
        Ok(())
    }

    /// Whether any byte of a response has come.
    pub(crate) const fn has_received(&self) -> bool {
        self.received_any
    }

    /// Whether the connection outlives the response, as far as its head tells.
    pub(crate) const fn is_persistent(&self) -> bool {
        self.close.is_none()
    }

    /// Whether the response is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// The length of the body, if the head announced one.
    pub(crate) const fn body_length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the connection may serve another request; `buffer` holds what came behind.
    pub(crate) fn verdict(&self, buffer: &Buffer) -> Verdict {
        match self.close {
            _ if self.stage != Stage::Done => Verdict::Close(CloseReason::Unfinished),
            _ if !buffer.is_empty() => Verdict::Close(CloseReason::ExtraBytes),
            Some(reason) => Verdict::Close(reason),
            None => Verdict::Reuse,
        }
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
