//! One try at one exchange: on a kept connection if there is a good one, else on a new one.

use std::time::Instant;

use super::Session;
use super::call::Course;
use super::redirect::Step;
use crate::connection::{Answer, Connection, Deadline, Outgoing};
use crate::error::{Error, Phase};
use crate::log::debug;
use crate::message::{Clock, Request, Timings, redact};
use crate::wire::{self, BodyLength, RequestHead, RequestKind};

impl Session {
    /// Sends the request of one hop and reads the head of its answer.
    ///
    /// A kept connection may have been closed by the peer just as the request went out. If it was
    /// closed before a byte of an answer came, the request is sent once more on a new one, but
    /// only if sending it twice does no more than sending it once (RFC 9112 §9.3.1, RFC 9110
    /// §9.2.2): a POST may have been carried out.
    pub(super) fn attempt(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        timings: &mut Timings,
    ) -> Result<(Connection, Answer), Error> {
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        let request = course.request;
        let result = self.encode(request, step, &mut head).and_then(|()| {
            course.watched.tell(|observer, job| {
                observer.attempt(job, &redact(step.target.as_str()), course.number);
            });
            let body = if step.with_body { request.content().0.as_bytes() } else { &[] };
            self.exchange(&mut head, body, course, step, timings)
        });
        self.head = head;
        result
    }

    fn exchange(
        &mut self,
        head: &mut Vec<u8>,
        mut body: &[u8],
        course: &Course<'_>,
        step: &Step,
        timings: &mut Timings,
    ) -> Result<(Connection, Answer), Error> {
        if body.len() <= SMALL_BODY {
            // One write, and so one packet, for both.
            head.extend_from_slice(body);
            body = &[];
        }
        let kind =
            if step.method.as_str() == "HEAD" { RequestKind::Head } else { RequestKind::Other };
        let outgoing = Outgoing { kind, head, body };
        let limits = self.config.limits;
        let patience = &course.patience;
        if let Some(mut connection) = self.idle.take(&step.target, Instant::now()) {
            self.traffic.reused = self.traffic.reused.saturating_add(1);
            match connection.send(outgoing, &limits, patience, timings) {
                // The end of an idle time, which crossed with the request (RFC 9110 §15.5.9).
                Ok(answer) if answer.head.status == 408 && step.method.is_idempotent() => {
                    debug!("the kept connection for {:?} had timed out", step.target);
                }
                Ok(answer) => return Ok((connection, answer)),
                Err(failure) if failure.went_stale && step.method.is_idempotent() => {
                    debug!("the kept connection for {:?} was stale", step.target);
                }
                Err(failure) => return Err(failure.error),
            }
        }
        let mut connection = self.open(course, step, timings)?;
        match connection.send(outgoing, &limits, patience, timings) {
            Ok(answer) => Ok((connection, answer)),
            Err(failure) => Err(failure.error),
        }
    }

    fn open(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        timings: &mut Timings,
    ) -> Result<Connection, Error> {
        let limit = Deadline::after(Instant::now(), self.config.connect_timeout, Clock::Connect);
        let connection = Connection::open(
            &step.target,
            &self.dialing,
            #[cfg(feature = "tls-no-provider")]
            &mut self.tls,
            &course.patience.but(limit),
            course.watched,
            timings,
        )?;
        self.traffic.opened = self.traffic.opened.saturating_add(1);
        Ok(connection)
    }

    /// Writes the head: the session's fields unless the request has its own, then the request's.
    fn encode(&self, request: &Request, step: &Step, out: &mut Vec<u8>) -> Result<(), Error> {
        let config = &self.config;
        let goes_along = |name: &str| {
            (step.with_credentials || !crate::message::is_secret(name))
                && (step.with_body || !describes_body(name))
        };
        let auth = self.authorization(request, step)?;
        let defaults = config.headers.iter().filter(|(name, _)| {
            goes_along(name)
                && (step.with_credentials || is_neutral(name))
                && request.sends_default(name)
                && !(auth.is_some() && name.eq_ignore_ascii_case("authorization"))
        });
        let own = request.headers().iter().filter(|(name, _)| goes_along(name));
        let (body, content_type) = request.content();
        let content_type = content_type.filter(|_| step.with_body);
        let has = |name: &str| request.headers().contains(name) || config.headers.contains(name);
        let added = [
            (
                "Accept-Encoding",
                self.accept_encoding.filter(|_| {
                    request.sends_default("accept-encoding") && !has("accept-encoding")
                }),
            ),
            ("Authorization", auth.as_deref()),
            ("Content-Type", content_type.filter(|_| !request.headers().contains("content-type"))),
        ];
        let added = added.into_iter().filter_map(|(name, value)| Some((name, value?)));
        // A body's own type is more than the session's default for all bodies.
        let typed = content_type.is_some();
        let defaults =
            defaults.filter(|(name, _)| !(typed && name.eq_ignore_ascii_case("content-type")));
        let length = match step.with_body && body.is_some() {
            true => BodyLength::Known(body.len()),
            false if step.method.expects_body() => BodyLength::Known(0),
            false => BodyLength::None,
        };
        let head = RequestHead {
            method: step.method.as_str(),
            target: step.target.path_and_query(),
            host: step.target.authority(),
            body: length,
            close: !config.keep_alive,
        };
        wire::encode(out, &head, defaults.chain(added).chain(own))
            .map_err(|error| Error::from(error).during(Phase::Setup))
    }

    /// The credentials that go along with this hop: the URL's own, or the session's.
    fn authorization(&self, request: &Request, step: &Step) -> Result<Option<String>, Error> {
        if !step.with_credentials || !request.sends_default("authorization") {
            return Ok(None);
        }
        if let Some(userinfo) = step.target.userinfo() {
            return super::auth::from_userinfo(userinfo).map(Some);
        }
        match &self.config.auth {
            Some(auth) => Ok(auth.for_target(&step.target)?.map(str::to_owned)),
            None => Ok(None),
        }
    }
}

/// Fields that a session may send to any origin. All others it sets were meant for the origins of
/// the jobs, and one of them may be a key by a name of its own.
fn is_neutral(name: &str) -> bool {
    ["user-agent", "accept", "accept-language", "accept-encoding", "cache-control", "pragma"]
        .iter()
        .any(|neutral| name.eq_ignore_ascii_case(neutral))
}

/// Fields that make no sense without the body they describe (RFC 9110 §15.4).
fn describes_body(name: &str) -> bool {
    name.len() > 8
        && name.as_bytes().get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
}

/// A body up to this size is copied behind its head to be sent with it.
const SMALL_BODY: usize = 16 << 10;
