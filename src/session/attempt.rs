//! One try at one exchange: on a kept connection if there is a good one, else on a new one.

use std::time::{Duration, Instant};

use super::Session;
use super::call::Course;
use super::redirect::Step;
use super::trail::Trail;
use super::upload::Upload;
use crate::connection::{Answer, Connection, Deadline, Outgoing, Payload};
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Clock, Request, Timings, redact};
use crate::wire::{BodyLength, RequestKind};

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
    ) -> Result<(Connection, Answer), Error> {
        let mut head = std::mem::take(&mut self.head);
        let result = self.attempt_with(&mut head, course, step, trail);
        self.head = head;
        result
    }

    fn attempt_with(
        &mut self,
        head: &mut Vec<u8>,
        course: &Course<'_>,
        step: &Step,
        trail: &mut Trail,
    ) -> Result<(Connection, Answer), Error> {
        let request = course.request;
        let mut upload = Upload::open(request, step)?;
        let wait = self.wait_for_continue(request, &upload);
        head.clear();
        self.encode(request, step, (upload.length(), wait.is_some()), head)?;
        course.watched.tell(|observer, job| {
            observer.attempt(job, &redact(step.target.as_str()), course.number);
        });
        let (connection, answer) = self.exchange(head, (&mut upload, wait), course, step, trail)?;
        // Somebody on the way cannot wait, and has done nothing (RFC 9110 §10.1.1).
        if answer.head.status == 417 && wait.is_some() && upload.rewind() {
            debug!("{:?} is asked once more, and not for a 100", step.target);
            let error = Error::new(ErrorKind::Status, "417: it was asked for a 100 first");
            trail.failed(error.during(Phase::Waiting), step.target.as_str());
            drop(connection);
            head.clear();
            self.encode(request, step, (upload.length(), false), head)?;
            return self.exchange(head, (&mut upload, None), course, step, trail);
        }
        Ok((connection, answer))
    }

    fn exchange(
        &mut self,
        head: &mut Vec<u8>,
        (upload, wait): (&mut Upload<'_>, Option<Duration>),
        course: &Course<'_>,
        step: &Step,
        trail: &mut Trail,
    ) -> Result<(Connection, Answer), Error> {
        let inline = upload.small(SMALL_BODY).filter(|_| wait.is_none());
        // One write, and so one packet, for both.
        head.extend_from_slice(inline.unwrap_or_default());
        let kind =
            if step.method.as_str() == "HEAD" { RequestKind::Head } else { RequestKind::Other };
        let head = head.as_slice();
        let limits = self.config.limits;
        let send = |connection: &mut Connection, upload: &mut Upload<'_>, timings: &mut Timings| {
            let body = if inline.is_some() { Payload::Bytes(&[]) } else { upload.payload() };
            connection.send(Outgoing { kind, head, wait, body }, &limits, &course.patience, timings)
        };
        let kept = self.idle.take(&step.target, Instant::now());
        #[cfg(feature = "tls-no-provider")]
        let kept = {
            self.tls.head_for(&step.target, step.with_credentials);
            kept.filter(|connection| connection.is_as(&self.tls, &step.target))
        };
        if let Some(mut connection) = kept {
            self.traffic.reused = self.traffic.reused.saturating_add(1);
            trail.goes_over(&connection, true);
            let again = |upload: &mut Upload<'_>| step.method.is_idempotent() && upload.rewind();
            match send(&mut connection, upload, &mut trail.timings) {
                // The end of an idle time, which crossed with the request (RFC 9110 §15.5.9).
                Ok(answer) if answer.head.status == 408 && again(upload) => {
                    debug!("the kept connection for {:?} had timed out", step.target);
                    let error = Error::new(ErrorKind::Closed, "408: the connection had timed out");
                    trail.failed(error.during(Phase::Waiting), step.target.as_str());
                }
                Ok(answer) => return Ok((connection, answer)),
                Err(failure) if failure.went_stale && again(upload) => {
                    debug!("the kept connection for {:?} was stale", step.target);
                    trail.failed(failure.error, step.target.as_str());
                }
                Err(failure) => return Err(failure.error),
            }
        }
        trail.begin();
        let mut connection = self.open(course, step, trail)?;
        trail.goes_over(&connection, false);
        match send(&mut connection, upload, &mut trail.timings) {
            Ok(answer) => Ok((connection, answer)),
            Err(failure) => Err(failure.error),
        }
    }

    /// How long it is waited for a word that the body is wanted; not at all for a body of nothing.
    fn wait_for_continue(&self, request: &Request, upload: &Upload<'_>) -> Option<Duration> {
        let wait = request.own_expect_continue().unwrap_or(self.config.expect_continue);
        wait.filter(|_| !matches!(upload.length(), BodyLength::None | BodyLength::Known(0)))
    }

    fn open(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        trail: &mut Trail,
    ) -> Result<Connection, Error> {
        let limit = Deadline::after(Instant::now(), self.config.connect_timeout, Clock::Connect);
        let connection = Connection::open(
            &step.target,
            &self.dialing,
            #[cfg(feature = "tls-no-provider")]
            &mut self.tls,
            &course.patience.but(limit),
            course.watched,
            &mut trail.timings,
        )?;
        self.traffic.opened = self.traffic.opened.saturating_add(1);
        Ok(connection)
    }
}

/// A body up to this size is copied behind its head to be sent with it.
const SMALL_BODY: usize = 16 << 10;
