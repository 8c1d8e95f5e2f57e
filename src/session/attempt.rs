//! One try at one exchange: on a kept connection if there is a good one, else on a new one.

use std::time::{Duration, Instant};

use super::Session;
use super::call::Course;
use super::redirect::Step;
use super::trail::Trail;
use super::upload::Upload;
use crate::connection::{Answer, Connection, Deadline, Failure, Outgoing, Payload, Proxy, Route};
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Clock, Request, redact};
use crate::wire::{BodyLength, Limits, RequestKind};

impl Session {
    /// Sends the request of one hop and reads the head of its answer.
    ///
    /// A kept connection may have been closed by the peer just as the request went out. If it was
    /// closed before a byte of an answer came, the request is sent once more on a new one, but
    /// only if sending it twice does no more than sending it once (RFC 9112 §9.3.1, RFC 9110
    /// §9.2.2): a POST may have been carried out. And only if its body can be sent again.
    pub(super) fn attempt(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        trail: &mut Trail,
        answer: &mut Answer,
    ) -> Result<Box<Connection>, Error> {
        let proxy = self.proxy_for(&step.target)?;
        let mut head = std::mem::take(&mut self.head);
        let result = self.attempt_with(&mut head, course, step, proxy.as_ref(), trail, answer);
        self.head = head;
        result
    }

    /// Not inlined, as others here: what lies on the stack under the wait for an answer stays in memory
    /// as long as its thread, and a pool has many that wait.
    #[inline(never)]
    fn attempt_with(
        &mut self,
        head: &mut Vec<u8>,
        course: &Course<'_>,
        step: &Step,
        proxy: Option<&Proxy>,
        trail: &mut Trail,
        answer: &mut Answer,
    ) -> Result<Box<Connection>, Error> {
        let request = course.request;
        let mut upload = Upload::open(request, step)?;
        let wait = self.wait_for_continue(request, &upload);
        let kind =
            if step.method.as_str() == "HEAD" { RequestKind::Head } else { RequestKind::Other };
        let mut letter = Letter { kind, head, upload: &mut upload, wait, proxy };
        self.write(&mut letter, course, step)?;
        course.watched.tell(|observer, job| {
            observer.attempt(job, &redact(step.target.as_str()), course.number);
        });
        let connection = self.exchange(&mut letter, course, step, trail, answer)?;
        // Somebody on the way cannot wait, and has done nothing (RFC 9110 §10.1.1).
        if answer.head.status == 417 && wait.is_some() && letter.upload.rewind() {
            // First: its server may serve one at a time.
            drop(connection);
            return self.ask_at_once(&mut letter, course, step, trail, answer);
        }
        Ok(connection)
    }

    /// Asks once more, and not for a 100.
    #[inline(never)]
    fn ask_at_once(
        &mut self,
        letter: &mut Letter<'_, '_>,
        course: &Course<'_>,
        step: &Step,
        trail: &mut Trail,
        answer: &mut Answer,
    ) -> Result<Box<Connection>, Error> {
        debug!("{:?} is asked once more, and not for a 100", step.target);
        let error = Error::new(ErrorKind::Status, "417: it was asked for a 100 first");
        trail.failed(error.during(Phase::Waiting), Some(417), step.target.as_str());
        letter.wait = None;
        self.write(letter, course, step)?;
        self.exchange(letter, course, step, trail, answer)
    }

    /// Writes the head anew. No two that go out are signed, or counted, as the same.
    fn write(
        &mut self,
        letter: &mut Letter<'_, '_>,
        course: &Course<'_>,
        step: &Step,
    ) -> Result<(), Error> {
        letter.head.clear();
        let body = (letter.upload.length(), letter.wait.is_some());
        self.encode(course, step, letter.proxy, body, letter.head)
    }

    fn exchange(
        &mut self,
        letter: &mut Letter<'_, '_>,
        course: &Course<'_>,
        step: &Step,
        trail: &mut Trail,
        answer: &mut Answer,
    ) -> Result<Box<Connection>, Error> {
        let now = Instant::now();
        if let Some(mut connection) = self.kept(letter.proxy, step, now) {
            self.traffic.reused = self.traffic.reused.saturating_add(1);
            trail.goes_over(&connection, true);
            match letter.send(&mut connection, now, &self.config.limits, course, trail, answer) {
                Ok(()) if answer.head.status == 408 && letter.goes_again(step) => {
                    timed_out(step, trail);
                }
                Ok(()) => return Ok(connection),
                Err(failure) if failure.went_stale && letter.goes_again(step) => {
                    went_stale(failure, step, trail);
                }
                Err(failure) => return Err(failure.error),
            }
            // The server may have seen the first one.
            self.write(letter, course, step)?;
        }
        trail.begin();
        let mut connection = self.open(course, step, letter.proxy, trail)?;
        trail.goes_over(&connection, false);
        let now = Instant::now();
        match letter.send(&mut connection, now, &self.config.limits, course, trail, answer) {
            Ok(()) => Ok(connection),
            Err(failure) => Err(failure.error),
        }
    }

    /// The kept connection for this step, if there is a good one.
    fn kept(
        &mut self,
        proxy: Option<&Proxy>,
        step: &Step,
        now: Instant,
    ) -> Option<Box<Connection>> {
        let kept = self.idle.take(&step.target, proxy, now);
        #[cfg(feature = "tls-no-provider")]
        let kept = {
            self.tls.head_for(&step.target, step.with_credentials);
            kept.filter(|connection| connection.is_as(&self.tls, &step.target))
        };
        kept
    }

    /// How long it is waited for a word that the body is wanted; not at all for a body of nothing.
    fn wait_for_continue(&self, request: &Request, upload: &Upload<'_>) -> Option<Duration> {
        let wait = request.own_expect_continue().unwrap_or(self.config.expect_continue);
        wait.filter(|_| !matches!(upload.length(), BodyLength::None | BodyLength::Known(0)))
    }

    #[inline(never)]
    fn open(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        proxy: Option<&Proxy>,
        trail: &mut Trail,
    ) -> Result<Box<Connection>, Error> {
        let limit = Deadline::after(Instant::now(), self.config.connect_timeout, Clock::Connect);
        let connection = Connection::open(
            &Route { target: &step.target, proxy, limits: &self.config.limits },
            &self.dialing,
            #[cfg(feature = "tls-no-provider")]
            &self.tls,
            &course.patience.but(limit),
            course.watched,
            &mut trail.timings,
        )?;
        self.traffic.opened = self.traffic.opened.saturating_add(1);
        Ok(connection)
    }
}

/// A request on its way out.
struct Letter<'a, 'r> {
    kind: RequestKind,
    head: &'a mut Vec<u8>,
    upload: &'a mut Upload<'r>,
    /// How long the body waits for a word that it is wanted.
    wait: Option<Duration>,
    /// Through whom it goes.
    proxy: Option<&'a Proxy>,
}

impl Letter<'_, '_> {
    fn send(
        &mut self,
        connection: &mut Connection,
        since: Instant,
        limits: &Limits,
        course: &Course<'_>,
        trail: &mut Trail,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        let inline = self.upload.small(SMALL_BODY).filter(|_| self.wait.is_none());
        // One write, and so one packet, for both.
        self.head.extend_from_slice(inline.unwrap_or_default());
        let body = if inline.is_some() { Payload::Bytes(&[]) } else { self.upload.payload() };
        let outgoing = Outgoing { kind: self.kind, head: self.head, wait: self.wait, body, since };
        connection.send(outgoing, limits, &course.patience, &mut trail.timings, answer)
    }

    /// Whether sending the request twice does no more than sending it once, and it can be done.
    fn goes_again(&mut self, step: &Step) -> bool {
        step.method.is_idempotent() && self.upload.rewind()
    }
}

/// The end of an idle time, which crossed with the request (RFC 9110 §15.5.9).
#[inline(never)]
fn timed_out(step: &Step, trail: &mut Trail) {
    debug!("the kept connection for {:?} had timed out", step.target);
    let error = Error::new(ErrorKind::Closed, "408: the connection had timed out");
    trail.failed(error.during(Phase::Waiting), Some(408), step.target.as_str());
}

#[inline(never)]
fn went_stale(failure: Failure, step: &Step, trail: &mut Trail) {
    debug!("the kept connection for {:?} was stale", step.target);
    trail.failed(failure.error, None, step.target.as_str());
}

/// A body up to this size is copied behind its head to be sent with it.
const SMALL_BODY: usize = 16 << 10;
