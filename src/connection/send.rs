//! Sends a request, and hears the peer out meanwhile.

use std::io;
use std::time::{Duration, Instant};

use super::Connection;
use super::answer::{Answer, Failure, Outgoing};
use super::feed::{Feed, Payload};
use super::patience::{Patience, is_close};
use super::socket::Look;
use super::times::Times;
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::Timings;
use crate::wire::{Event, Exchange, Limits, ResponseHead, WireError};

impl Connection {
    /// Sends a request and reads the head of its response.
    ///
    /// The head is put into `answer`, and how far the exchange has come by then.
    ///
    /// A peer may answer before it has read the whole request, and close. So when writing fails,
    /// an answer that is already there is read before the failure is believed.
    pub(crate) fn send(
        &mut self,
        request: Outgoing<'_>,
        limits: &Limits,
        patience: &Patience<'_>,
        timings: &mut Timings,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        let reused = self.is_used;
        timings.reused = reused;
        patience.interrupt.watch_socket(self.stream.pipe());
        let mut times = Times::since(request.since, timings);
        patience.flow.begin();
        answer.exchange = Exchange::new(request.kind, limits);
        let exchange = &mut answer.exchange;
        if !reused {
            self.hear_out(patience).map_err(|error| Failure { error, went_stale: false })?;
        }
        let written = self.write(request, exchange, patience, &mut times);
        times.lap(|timings| &mut timings.sending);
        answer.at = times.last();
        let failed = match written {
            Ok(Written::Whole) => None,
            Ok(Written::Answered(head)) => {
                (answer.head, answer.sent_whole) = (head, false);
                return Ok(());
            }
            Err(Unwritten::Refused(error)) => return Err(Failure { error, went_stale: false }),
            Err(Unwritten::Closed(error)) => Some(error),
        };
        patience.flow.sent();
        let head = self.read_head(exchange, patience);
        times.lap(|timings| &mut timings.waiting);
        answer.at = times.last();
        let error = match (head, failed) {
            (Ok(head), failed) => {
                (answer.head, answer.sent_whole) = (head, failed.is_none());
                return Ok(());
            }
            (Err(error), None) => error.during(Phase::Waiting),
            // Why it has closed, if it said so by TLS.
            (Err(why), Some(_)) if why.kind() == ErrorKind::Tls => why.during(Phase::Waiting),
            (Err(_), Some(error)) => error,
        };
        let untouched = !exchange.has_received();
        let went_stale = reused && untouched && error.kind() == ErrorKind::Closed;
        Err(Failure { error, went_stale })
    }

    /// Refuses a peer that speaks before it was asked: what it says answers somebody else's
    /// request, or none. (A kept connection was looked at before it was chosen.)
    ///
    /// Not inlined, as `write` is not: what they need of the stack is not to lie under the wait for
    /// the answer, where each page is kept for as long as the thread.
    #[inline(never)]
    fn hear_out(&mut self, patience: &Patience<'_>) -> Result<(), Error> {
        match self.stream.look() {
            // That the peer has closed is found, and told, where the answer is waited for.
            Ok(Look::Quiet | Look::Closed) => Ok(()),
            Ok(Look::Bytes) => {
                self.fill_for_head(Phase::Sending, patience)?;
                let unasked = WireError::unasked(self.buffer.filled());
                Err(Error::from(unasked).during(Phase::Sending))
            }
            Ok(Look::Noise) => {
                let detail = "a flood of TLS records came before the request was sent";
                Err(Error::new(ErrorKind::Protocol, detail).during(Phase::Sending))
            }
            Err(error) => Err(patience.error(error, Phase::Sending, ErrorKind::Io, "")),
        }
    }

    /// Writes the request, unless the peer answers before the end of it.
    #[inline(never)]
    fn write(
        &mut self,
        request: Outgoing<'_>,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
        times: &mut Times<'_>,
    ) -> Result<Written, Unwritten> {
        let mut unwatched = 0;
        // A head can be long, too: its URL may have any length.
        let mut answer = self.write_piece(request.head, &mut unwatched, exchange, patience)?;
        if let (None, Some(wait)) = (&answer, request.wait) {
            times.lap(|timings| &mut timings.sending);
            let heard = self.await_continue(wait, exchange, patience);
            times.lap(|timings| &mut timings.waiting);
            answer = heard.map_err(Unwritten::of)?;
        }
        if answer.is_none() {
            answer = match request.body {
                Payload::Bytes(bytes) => {
                    self.write_piece(bytes, &mut unwatched, exchange, patience)?
                }
                Payload::Feed(feed) => self.write_feed(feed, &mut unwatched, exchange, patience)?,
            };
        }
        Ok(answer.map_or(Written::Whole, Written::Answered))
    }

    /// Writes a body as it is made.
    fn write_feed(
        &mut self,
        feed: &mut dyn Feed,
        unwatched: &mut usize,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<Option<ResponseHead>, Unwritten> {
        loop {
            let began = Instant::now();
            let next = patience.flow.work(|| feed.next());
            // The time that it took is the request's; and whoever cancelled meanwhile is obeyed.
            patience.check(Phase::Sending).map_err(Unwritten::Refused)?;
            let next = next.map_err(|error| Unwritten::Refused(error.during(Phase::Sending)))?;
            let Some(piece) = next else { return Ok(None) };
            if began.elapsed() >= STALL {
                // The peer may have answered while nothing was there to be sent.
                *unwatched = LOOK_BYTES;
            }
            if let Some(head) = self.write_piece(piece, unwatched, exchange, patience)? {
                return Ok(Some(head));
            }
        }
    }

    /// Writes some bytes, unless the peer answers before the end of them.
    ///
    /// A peer that will not have a large body may answer at once. It may then read no more and keep
    /// the connection open: whoever only writes waits for ever. Or it may read on, and be sent all
    /// of it for nothing. So it is looked whether there is something to read when writing comes to
    /// a stop, and now and then. An interim response is not an answer.
    ///
    /// `unwatched` is how much was written since it was looked last.
    fn write_piece(
        &mut self,
        mut rest: &[u8],
        unwatched: &mut usize,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<Option<ResponseHead>, Unwritten> {
        let failed = |error: io::Error| {
            let closed = is_close(&error);
            let detail = "the request was not sent";
            let error = patience.error(error, Phase::Sending, ErrorKind::Io, detail);
            if closed { Unwritten::Closed(error) } else { Unwritten::Refused(error) }
        };
        let mut pending = false;
        while pending || !rest.is_empty() {
            if *unwatched >= LOOK_BYTES {
                *unwatched = 0;
                if let Some(head) = self.read_early(exchange, patience)? {
                    return Ok(Some(head));
                }
            }
            let piece = rest.get(..PIECE_BYTES).unwrap_or(rest);
            let progress = self.stream.write_for(STALL, piece, patience).map_err(failed)?;
            *unwatched = match progress.stalled {
                true => LOOK_BYTES,
                false => unwatched.saturating_add(progress.taken),
            };
            rest = rest.get(progress.taken..).unwrap_or_default();
            pending = progress.pending;
        }
        Ok(None)
    }

    /// Reads what has come while the request was still being written, if anything has.
    fn read_early(
        &mut self,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<Option<ResponseHead>, Unwritten> {
        let refused = |error: Error| Unwritten::Refused(error.during(Phase::Sending));
        let filled = match self.stream.look() {
            // Who waited for data behind the noise could wait for the answer, and send no more.
            Ok(Look::Quiet | Look::Noise) => return Ok(None),
            Ok(Look::Bytes | Look::Closed) => self.fill_for_head(Phase::Sending, patience),
            Err(error) => Err(patience.error(error, Phase::Sending, ErrorKind::Io, "")),
        };
        match filled {
            // No answer can come any more, whatever else is sent.
            Ok(0) => exchange
                .receive_close()
                .map_err(|error| Unwritten::Closed(Error::from(error).during(Phase::Sending)))?,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Closed => {
                return Err(Unwritten::Closed(error));
            }
            Err(error) => return Err(refused(error)),
        }
        self.next_head(exchange).map_err(refused)
    }

    fn read_head(
        &mut self,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<ResponseHead, Error> {
        loop {
            if let Some(head) = self.next_head(exchange)? {
                return Ok(head);
            }
            if self.fill_for_head(Phase::Waiting, patience)? == 0 {
                exchange.receive_close()?;
            }
        }
    }

    /// The head, if it has come; interim responses are passed over.
    fn next_head(&mut self, exchange: &mut Exchange) -> Result<Option<ResponseHead>, Error> {
        loop {
            match exchange.next_event(&mut self.buffer)? {
                Event::Head(head) => return Ok(Some(head)),
                Event::Interim(status) => debug!("interim response {status} from {:?}", self.peer),
                Event::NeedInput => return Ok(None),
                // The table of the exchange has no body before its head.
                Event::Data(_) | Event::End => {
                    return Err(Error::new(ErrorKind::Protocol, "a body came before its head"));
                }
            }
        }
    }
}

/// How the writing of a request ended.
enum Written {
    Whole,
    /// The answer came before the end of it.
    Answered(ResponseHead),
}

/// Why a request was not written.
enum Unwritten {
    /// The peer has closed; it may have said why.
    Closed(Error),
    /// There is no more to come.
    Refused(Error),
}

impl Unwritten {
    fn of(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Closed => Self::Closed(error),
            _ => Self::Refused(error),
        }
    }
}

/// How much of a request is written at a time, and after how much, or how long a stop, it is looked
/// whether the peer has answered.
const PIECE_BYTES: usize = 64 << 10;
const LOOK_BYTES: usize = 1 << 20;
const STALL: Duration = Duration::from_millis(50);
