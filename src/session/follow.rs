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
        let target = self.first_target(request, call)?;
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
        let mut step = Step::first(request.method().clone(), target);
        let mut started = Instant::now();
        let mut answer = Answer::awaited(&self.config.limits, started);
        loop {
            let connection = match self.hop(&course, &step, trail, &mut answer) {
                Ok(connection) => connection,
                Err(error) if trail.history.is_empty() => {
                    return Err(error.at(step.target.as_str()));
                }
                Err(error) => return Err(error.after_sending().at(step.target.as_str())),
            };
            let elapsed = answer.at.saturating_duration_since(started);
            let left = self.go_on(connection, &mut answer, &mut step, &course, trail)?;
            if let Some(connection) = left {
                let last = (connection, &mut answer);
                return self.conclude(last, elapsed, step, call, &course, trail);
            }
            started = Instant::now();
        }
    }

    // What is done once, before the wait for an answer or after it, has functions of its own that are
    // not inlined: a page of stack that was touched once stays with its thread, and what waits is
    // what a pool has many of.

    /// Where the request goes first, if it can be sent.
    #[inline(never)]
    fn first_target(&mut self, request: &Request, call: &Call<'_>) -> Result<Target, Error> {
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
        Ok(target)
    }

    /// Leaves a hop behind, if its answer leads on; gives its connection back if it does not.
    #[inline(never)]
    fn go_on(
        &mut self,
        connection: Box<Connection>,
        answer: &mut Answer,
        step: &mut Step,
        course: &Course<'_>,
        trail: &mut Trail,
    ) -> Result<Option<Box<Connection>>, Error> {
        let hops = trail.history.len();
        let Some(next) = self.next_hop(course, step, (&connection, answer), hops)? else {
            return Ok(Some(connection));
        };
        self.move_on((connection, answer), step, &next, course, trail);
        *step = next;
        Ok(None)
    }

    /// Hears what the head says; where it leads, if anywhere.
    #[inline(never)]
    fn next_hop(
        &self,
        course: &Course<'_>,
        step: &Step,
        (connection, answer): (&Connection, &Answer),
        hops: usize,
    ) -> Result<Option<Step>, Error> {
        #[cfg(feature = "cookies")]
        if let Some(jar) = &self.jar
            && !is_refusal(answer.head.status, connection.proxy(), &step.target)
        {
            jar.keep(&answer.head.headers, &step.target);
        }
        #[cfg(not(feature = "cookies"))]
        let _ = connection;
        course.watched.tell(|observer, job| {
            observer.head(job, answer.head.status, &answer.head.headers);
        });
        let request = course.request;
        if !request.own_allow_redirects().unwrap_or(self.config.allow_redirects) {
            return Ok(None);
        }
        let next = next_step(step, &answer.head)
            .and_then(|next| goes_along(next, answer.head.status, request));
        match next {
            Ok(Some(_)) if hops >= self.config.limits.redirects => Err(self.too_many_redirects()),
            next => next,
        }
        .map_err(|error| error.at(step.target.as_str()))
    }

    /// Receives the body of the last answer, and makes it the response.
    #[inline(never)]
    fn conclude(
        &mut self,
        (mut connection, answer): (Box<Connection>, &mut Answer),
        elapsed: Duration,
        step: Step,
        call: &Call<'_>,
        course: &Course<'_>,
        trail: &mut Trail,
    ) -> Result<Response, Error> {
        let peer = connection.peer();
        // Not that to a proxy, which reads what is not secret to it.
        let tls = connection.tls().filter(|_| step.target.is_https());
        let proxy = connection.proxy().cloned();
        let (taken, result) = self.receive(
            &mut connection,
            answer,
            (course.request, step.target.as_str()),
            call.allowance,
            &course.patience,
            &mut trail.timings,
        );
        if result.is_ok() {
            self.settle(connection, answer, &step.target);
        }
        let head = &mut answer.head;
        let refused = refused(head.status, proxy.as_ref(), &step.target);
        let response = Response(Box::new(ResponseParts {
            status: head.status,
            version: head.version,
            reason: std::mem::take(&mut head.reason),
            headers: std::mem::take(&mut head.headers),
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
        match result {
            Ok(()) => unless_refused(response, proxy.as_ref(), refused.as_deref()),
            Err(error) => Err(error.at(response.url()).with_response(response)),
        }
    }

    /// Leaves a hop behind for the next one.
    #[inline(never)]
    fn move_on(
        &mut self,
        (connection, answer): (Box<Connection>, &mut Answer),
        last: &Step,
        next: &Step,
        course: &Course<'_>,
        trail: &mut Trail,
    ) {
        debug!("{} leads from {:?} to {:?}", answer.head.status, last.target, next.target);
        course.watched.tell(|observer, job| {
            observer.redirect(job, answer.head.status, &redact(next.target.as_str()));
        });
        let patience = &course.patience;
        self.discard(connection, answer, &last.target, patience, &mut trail.timings);
        let (status, url) = (answer.head.status, last.target.as_str().to_owned());
        let headers = std::mem::take(&mut answer.head.headers);
        trail.history.push(Hop { status, url, headers });
    }

    /// Reads away the body of an answer that is not the last, never decoded, if that is cheaper than a
    /// new connection.
    pub(super) fn discard(
        &mut self,
        mut connection: Box<Connection>,
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
            && connection.receive(answer, &mut Discard::new(), &patience, timings).is_ok();
        if read {
            self.settle(connection, answer, target);
        }
    }

    /// Ends an exchange: the connection is kept if nothing speaks against it.
    fn settle(&mut self, mut connection: Box<Connection>, answer: &Answer, target: &Target) {
        let verdict = connection.finish(answer);
        debug!("{} from {target:?}, connection: {verdict:?}", answer.head.status);
        // From here on a cancel cannot reach the socket; one that came before has shut it.
        self.interrupt.watch_nothing();
        let keep = self.config.keep_alive && !self.interrupt.is_raised();
        if verdict == Verdict::Reuse && answer.sent_whole && keep {
            self.idle.put(target, connection, answer.at);
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
