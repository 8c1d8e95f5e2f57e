//! From a request to its response, over every hop.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Session;
use super::body::Discard;
use super::call::{Call, Course};
use super::redirect::{Step, next_step};
#[cfg(feature = "cookies")]
use super::route::is_refusal;
use super::route::{refused, unless_refused};
use super::trail::Trail;
use super::upload::goes_along;
use crate::connection::{Answer, Connection, Deadline, Flow, Patience};
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Clock, Hop, Request, Response, ResponseParts, Target, Timings, redact};
use crate::observer::{Observed, Watched};
use crate::wire::Verdict;

impl Session {
    pub(super) fn follow(
        &mut self,
        request: &Request,
        call: &Call<'_>,
        trail: &mut Trail,
    ) -> Result<Response, Error> {
        if self.interrupt.is_raised() {
            return Err(Error::new(ErrorKind::Cancelled, "").during(Phase::Setup));
        }
        if let Some(fault) = request.fault() {
            // It may be text from a list of URLs.
            let fault: String = fault.chars().filter(|c| !c.is_control()).collect();
            return Err(Error::new(ErrorKind::InvalidRequest, fault).during(Phase::Setup));
        }
        if request.method().as_str() == "CONNECT" {
            let detail = "CONNECT asks for a tunnel, and is no request for a resource";
            return Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup));
        }
        let mut target = match call.target.and_then(Cell::take) {
            Some(target) => target,
            None => self.targets.parse(request.url())?,
        };
        let session_params = self.config.params.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        target.add_params(session_params.chain(request.added_params()));

        let interrupt = self.interrupt.clone();
        let observer = self.config.observer.clone();
        let observed = Observed::new(call.index, request);
        let config = &self.config;
        let flow = Flow::new(config.first_byte_timeout, config.stall_timeout, config.low_speed);
        let deadline = self.deadline_of(request, call.began);
        let patience = Patience { deadline, batch: call.batch, flow: &flow, interrupt: &interrupt };
        let course = Course {
            request,
            number: call.number,
            patience,
            watched: Watched::new(observer.as_deref(), observed),
        };
        let allowed = request.own_allow_redirects().unwrap_or(self.config.allow_redirects);
        let mut step = Step::first(request.method().clone(), target);
        loop {
            let started = Instant::now();
            let (mut connection, mut answer) = self
                .hop(&course, &step, trail)
                .map_err(
                    |error| if trail.history.is_empty() { error } else { error.after_sending() },
                )
                .map_err(|error| error.at(step.target.as_str()))?;
            #[cfg(feature = "cookies")]
            if let Some(jar) = &self.jar
                && !is_refusal(answer.head.status, connection.proxy(), &step.target)
            {
                jar.keep(&answer.head.headers, &step.target);
            }
            course.watched.tell(|observer, job| {
                observer.head(job, answer.head.status, &answer.head.headers);
            });
            let elapsed = started.elapsed();
            let next = if allowed { next_step(&step, &answer.head) } else { Ok(None) };
            let next = next.and_then(|next| goes_along(next, answer.head.status, request));
            let next = match next {
                Ok(Some(next)) if trail.history.len() < self.config.limits.redirects => next,
                Ok(None) => {
                    let peer = connection.peer();
                    // Not that to a proxy, which reads what is not secret to it.
                    let tls = connection.tls().filter(|_| step.target.is_https());
                    let proxy = connection.proxy().cloned();
                    let to = (request, step.target.as_str());
                    let (taken, result) = self.receive(
                        &mut connection,
                        &mut answer,
                        to,
                        call.allowance,
                        &patience,
                        &mut trail.timings,
                    );
                    if result.is_ok() {
                        self.settle(connection, &answer, &step.target);
                    }
                    let head = answer.head;
                    let refused = refused(head.status, proxy.as_ref(), &step.target);
                    let response = Response(Box::new(ResponseParts {
                        status: head.status,
                        version: head.version,
                        reason: head.reason,
                        headers: head.headers,
                        url: step.target.into_text(),
                        history: std::mem::take(&mut trail.history),
                        elapsed,
                        timings: trail.timings,
                        peer,
                        tls,
                        body: taken.bytes,
                        received: taken.received,
                        attempts: Vec::new(),
                    }));
                    return match result {
                        Ok(()) => unless_refused(response, proxy.as_ref(), refused.as_deref()),
                        Err(error) => Err(error.at(response.url()).with_response(response)),
                    };
                }
                refused => {
                    let error = refused.err().unwrap_or_else(|| self.too_many_redirects());
                    return Err(error.at(step.target.as_str()));
                }
            };
            debug!("{} leads from {:?} to {:?}", answer.head.status, step.target, next.target);
            course.watched.tell(|observer, job| {
                observer.redirect(job, answer.head.status, &redact(next.target.as_str()));
            });
            self.discard(connection, &mut answer, &step.target, &patience, &mut trail.timings);
            let (head, url) = (answer.head, step.target.as_str().to_owned());
            trail.history.push(Hop { status: head.status, url, headers: head.headers });
            step = next;
        }
    }

    /// Reads away the body of an answer that is not the last, never decoded, if that is cheaper than a
    /// new connection.
    pub(super) fn discard(
        &mut self,
        mut connection: Connection,
        answer: &mut Answer,
        target: &Target,
        patience: &Patience<'_>,
        timings: &mut Timings,
    ) {
        let limit = Deadline::after(Instant::now(), Some(DISCARD_TIME), Clock::Request);
        let patience = patience.but(limit);
        let read = answer.exchange.is_persistent()
            && answer.sent_whole
            && Discard::is_worth_it(answer.exchange.body_length())
            && connection
                .receive(&mut answer.exchange, &mut Discard::new(), &patience, timings)
                .is_ok();
        if read {
            self.settle(connection, answer, target);
        }
    }

    /// Ends an exchange: the connection is kept if nothing speaks against it.
    fn settle(&mut self, mut connection: Connection, answer: &Answer, target: &Target) {
        let verdict = connection.finish(answer);
        debug!("{} from {target:?}, connection: {verdict:?}", answer.head.status);
        // From here on a cancel cannot reach the socket; one that came before has shut it.
        self.interrupt.watch_nothing();
        let keep = self.config.keep_alive && !self.interrupt.is_raised();
        if verdict == Verdict::Reuse && answer.sent_whole && keep {
            self.idle.put(target, connection, Instant::now());
        }
    }

    fn too_many_redirects(&self) -> Error {
        let limit = self.config.limits.redirects;
        Error::new(
            ErrorKind::TooManyRedirects,
            format!("one more redirect than the limit redirects of {limit}"),
        )
        .during(Phase::Redirecting)
    }
}

/// How long the rest of a redirect's body is waited for: about what a new connection would take.
const DISCARD_TIME: Duration = Duration::from_millis(250);
