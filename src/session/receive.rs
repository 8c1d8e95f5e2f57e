//! Takes the body of a final answer to where its request wants it.

use std::path::Path;
use std::sync::Arc;

use super::Session;
use super::body::{Allowance, Collect, Most, Outlet, Output, Through, seconds_now};
use super::coding::Decoder;
use crate::catch::catch;
use crate::connection::{Answer, Connection, Patience};
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{
    Buffers, Collected, Destination, Download, Note, Received, Request, ResponseHead, Timings,
    Validator, place, random, rest_of_whole,
};
use crate::wire;

/// What there is of a body, whole or not.
#[derive(Default)]
pub(super) struct Taken {
    /// What went to memory.
    pub(super) bytes: Collected,
    pub(super) received: Received,
}

/// Where a body goes, once its head is known.
enum Way {
    Memory,
    Out(Outlet),
}

impl Session {
    /// Receives the body of an answer. What there is of it is also there if it breaks off.
    pub(super) fn receive(
        &mut self,
        connection: &mut Connection,
        answer: &mut Answer,
        (request, url): (&Request, &str),
        allowance: Option<&dyn Allowance>,
        patience: &Patience<'_>,
        timings: &mut Timings,
    ) -> (Taken, Result<(), Error>) {
        let mut taken = Taken::default();
        let result = match self.way(answer, request, url) {
            Ok(Way::Memory) => {
                self.collect(connection, answer, allowance, patience, timings, &mut taken)
            }
            Ok(Way::Out(outlet)) => {
                self.hand_on(outlet, connection, answer, patience, timings, &mut taken)
            }
            Err(error) => Err(error),
        };
        taken.received.partial = result.is_err();
        (taken, result)
    }

    fn collect(
        &mut self,
        connection: &mut Connection,
        answer: &mut Answer,
        allowance: Option<&dyn Allowance>,
        patience: &Patience<'_>,
        timings: &mut Timings,
        taken: &mut Taken,
    ) -> Result<(), Error> {
        let decoder = self.decoder(answer, &self.config.limits)?;
        let length = answer.exchange.body_length();
        if self.config.buffers.is_none() && !answer.exchange.is_done() {
            // Where it is shared there are some.
            Arc::make_mut(&mut self.config).buffers = Some(Buffers::new());
        }
        let buffers = self.config.buffers.as_ref().filter(|_| !answer.exchange.is_done());
        let limits = &self.config.limits;
        let mut sink = Collect::new(decoder, length, limits, allowance, buffers)?;
        let result =
            connection.receive(answer, &mut sink, patience, timings).and_then(|()| sink.end());
        taken.bytes = sink.collected();
        taken.received.len = u64::try_from(taken.bytes.len()).unwrap_or(u64::MAX);
        result
    }

    fn hand_on(
        &mut self,
        outlet: Outlet,
        connection: &mut Connection,
        answer: &mut Answer,
        patience: &Patience<'_>,
        timings: &mut Timings,
        taken: &mut Taken,
    ) -> Result<(), Error> {
        let mut buffer = std::mem::take(&mut self.piece);
        let result = self.through(outlet, &mut buffer, answer).and_then(|mut sink| {
            let received = connection.receive(answer, &mut sink, patience, timings);
            taken.received.len = sink.made();
            taken.received.handed_over = sink.outlet().was_handed_over();
            taken.received.resumed_from = sink.outlet().resumed_from();
            match received {
                Ok(()) => sink.finish(),
                Err(error) => {
                    sink.give_up(&error);
                    Err(error)
                }
            }
        });
        self.piece = buffer;
        taken.received.saved_to = result?;
        Ok(())
    }

    fn through<'a>(
        &self,
        outlet: Outlet,
        buffer: &'a mut Vec<u8>,
        answer: &Answer,
    ) -> Result<Through<'a>, Error> {
        let most = Most::elsewhere(&self.config.limits);
        // What is between two codings has the limit of the body that they are about.
        let limits = wire::Limits { body_bytes: most.bytes, ..self.config.limits };
        let decoder = match outlet {
            Outlet::Nowhere => Ok(None),
            _ => self.decoder(answer, &limits),
        };
        match decoder {
            Ok(decoder) => {
                Through::new(outlet, buffer, decoder, answer.exchange.body_length(), most)
            }
            Err(error) => {
                outlet.give_up(&error);
                Err(error)
            }
        }
    }

    fn decoder(&self, answer: &Answer, limits: &wire::Limits) -> Result<Option<Decoder>, Error> {
        match self.config.decompress && !answer.exchange.is_done() {
            true => Decoder::for_head(&answer.head, limits),
            false => Ok(None),
        }
    }

    /// Where the body of this answer goes.
    fn way(&self, answer: &Answer, request: &Request, url: &str) -> Result<Way, Error> {
        let status = answer.head.status;
        // To HEAD, or of a status that has none: no length is announced, not even that of 0.
        if answer.exchange.is_done() && answer.exchange.body_length().is_none() {
            return Ok(Way::Memory);
        }
        let destination = request.destination();
        let Destination::ByHead(choose) = destination else {
            return match destination {
                Destination::Discard => Ok(Way::Out(Outlet::Nowhere)),
                // What is no success is not what was to be kept.
                Destination::Download(part) => Self::part_way(part, answer, place(url)),
                _ if !(200..300).contains(&status) => Ok(Way::Memory),
                chosen => Self::out(chosen),
            };
        };
        let head = ResponseHead {
            status,
            headers: &answer.head.headers,
            url,
            length: answer.exchange.body_length(),
        };
        let chosen = catch(|| choose(&head)).map_err(|panicked| {
            let what = "the function that decides where the body goes panicked";
            Error::panicked(what, &panicked).during(Phase::Receiving)
        })?;
        Self::out(&chosen.0)
    }

    fn out(destination: &Destination) -> Result<Way, Error> {
        Ok(Way::Out(match destination {
            Destination::Memory => return Ok(Way::Memory),
            Destination::Discard => Outlet::Nowhere,
            Destination::Writer(slot) => Outlet::writer(slot).ok_or_else(writer_is_used)?,
            Destination::Chunks(function) => Outlet::chunks(Arc::clone(function)),
            Destination::File(path) => Outlet::File(Output::create(path)?),
            Destination::Resumable(_) | Destination::Download(_) | Destination::ByHead(_) => {
                let detail = "a resumable file is chosen by Request::receive, before the request \
                              is sent; and a function chooses no function";
                return Err(invalid(detail));
            }
        }))
    }

    /// Where the body goes of an answer to a request for a file, or for the rest of one.
    fn part_way(part: &Download, answer: &Answer, place: &str) -> Result<Way, Error> {
        let (target, head) = (&part.target, &answer.head);
        let is_coded = head.headers.get_all("content-encoding").any(|value| {
            !value.trim().is_empty() && !value.trim().eq_ignore_ascii_case("identity")
        });
        let output = match (head.status, &part.found) {
            (206, Some(found)) => {
                let rest = rest_of_whole(&head.headers).filter(|&(first, whole)| {
                    let length = answer.exchange.body_length();
                    first == found.from
                        && found.note.whole.is_none_or(|known| known == whole)
                        && length.is_none_or(|length| length == whole.saturating_sub(first))
                        && found.note.validator.fits(&head.headers)
                        && found.note.place == place
                        && !is_coded
                });
                let output = rest.and_then(|(_, whole)| Output::go_on(target, found, whole));
                output.ok_or_else(|| refused(part, "another part of the file than the rest"))?
            }
            (206, None) => {
                let detail = "a part (206) came, and no part was asked for";
                return Err(Error::new(ErrorKind::Protocol, detail).during(Phase::Receiving));
            }
            (416, Some(_)) => return Err(refused(part, "no rest of the file (416)")),
            (200, _) => {
                if let Some(left) = &part.left {
                    Output::remove(target, left);
                }
                let validator = Validator::of(&head.headers, seconds_now());
                match validator.filter(|_| !is_coded) {
                    Some(validator) => {
                        let whole = answer.exchange.body_length();
                        let (id, url) = (random::bits(), part.url.clone());
                        let place = place.to_owned();
                        Output::begin(target, Note { id, url, place, validator, whole })?
                    }
                    None => Output::create(target)?,
                }
            }
            (201..300, _) => Output::create(target)?,
            _ => return Ok(Way::Memory),
        };
        Ok(Way::Out(Outlet::File(output)))
    }

    /// Refuses what cannot be received, before anything is sent. Not inlined: what it needs of the stack
    /// is not to lie under the wait for the answer.
    #[inline(never)]
    pub(super) fn check_destination(request: &Request) -> Result<(), Error> {
        let fault = match request.destination() {
            Destination::Writer(slot) if slot.is_taken() => return Err(writer_is_used()),
            Destination::File(path) | Destination::Resumable(path) => path,
            _ => return Ok(()),
        };
        check_path(fault)
    }
}

/// Refuses what is no path of a file, whatever the disk has.
fn check_path(path: &Path) -> Result<(), Error> {
    match path.file_name() {
        Some(_) => Ok(()),
        None => Err(invalid(format!("{} is not the path of a file", path.display()))),
    }
}

/// The server has not sent what there is to be gone on with.
fn refused(part: &Download, what: &str) -> Error {
    part.refuse();
    let detail = format!("the server sent {what}");
    Error::new(ErrorKind::Protocol, detail).during(Phase::Receiving)
}

fn writer_is_used() -> Error {
    invalid("the writer that receives the body was used for an earlier one")
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup)
}
