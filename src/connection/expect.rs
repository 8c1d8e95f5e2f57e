//! Waits for a peer to say that it wants the body of a request (RFC 9110 §10.1.1).

use std::time::{Duration, Instant};

use super::Connection;
use super::deadline::Deadline;
use super::flow::Flow;
use super::patience::Patience;
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::Clock;
use crate::wire::{Event, Exchange, ResponseHead};

impl Connection {
    /// Waits for 100 (Continue), at most so long: a peer may know nothing of it. A final response
    /// that comes instead says that the body is not wanted.
    ///
    /// The wait is a courtesy of ours: within the request's time, but no stall of the peer's.
    pub(super) fn await_continue(
        &mut self,
        wait: Duration,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<Option<ResponseHead>, Error> {
        let began = Instant::now();
        let flow = Flow::new(None, None, None);
        let limit = Deadline::after(began, Some(wait), Clock::Request);
        let brief = Patience { flow: &flow, ..patience.but(limit) };
        let heard = self.hear_of_it(exchange, &brief);
        patience.flow.pause(began.elapsed());
        match heard {
            Err(error) if error.is_timeout() => {
                // Unless it was the request's own time, or the pool's, that ran out.
                patience.check(Phase::Waiting)?;
                debug!("no word from {:?} about the body within {wait:?}", self.peer);
                Ok(None)
            }
            other => other.map_err(|error| error.during(Phase::Waiting)),
        }
    }

    fn hear_of_it(
        &mut self,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<Option<ResponseHead>, Error> {
        loop {
            match exchange.next_event(&mut self.buffer)? {
                Event::Head(head) => return Ok(Some(head)),
                Event::Interim(100) => return Ok(None),
                Event::Interim(status) => debug!("interim response {status} from {:?}", self.peer),
                Event::NeedInput => {
                    if self.fill_for_head(Phase::Waiting, patience)? == 0 {
                        exchange.receive_close()?;
                    }
                }
                // The table of the exchange has no body before its head.
                Event::Data(_) | Event::End => {
                    return Err(Error::new(ErrorKind::Protocol, "a body came before its head"));
                }
            }
        }
    }
}
