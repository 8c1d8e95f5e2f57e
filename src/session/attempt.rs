//! One try at one exchange: on a kept connection if there is a good one, else on a new one.

use std::time::Instant;

use super::Session;
use super::call::Course;
use super::redirect::Step;
use super::trail::Trail;
use crate::connection::{Answer, Connection, Deadline, Outgoing};
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Clock, redact};
use crate::wire::RequestKind;

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
        trail: &mut Trail,
    ) -> Result<(Connection, Answer), Error> {
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        let request = course.request;
        let result = self.encode(request, step, &mut head).and_then(|()| {
            course.watched.tell(|observer, job| {
                observer.attempt(job, &redact(step.target.as_str()), course.number);
            });
            let body = if step.with_body { request.content().0.as_bytes() } else { &[] };
            self.exchange(&mut head, body, course, step, trail)
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
        trail: &mut Trail,
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
        let kept = self.idle.take(&step.target, Instant::now());
        #[cfg(feature = "tls-no-provider")]
        let kept = {
            self.tls.head_for(&step.target, step.with_credentials);
            kept.filter(|connection| connection.is_as(&self.tls, &step.target))
        };
        if let Some(mut connection) = kept {
            self.traffic.reused = self.traffic.reused.saturating_add(1);
            trail.goes_over(&connection, true);
            match connection.send(outgoing, &limits, patience, &mut trail.timings) {
                // The end of an idle time, which crossed with the request (RFC 9110 §15.5.9).
                Ok(answer) if answer.head.status == 408 && step.method.is_idempotent() => {
                    debug!("the kept connection for {:?} had timed out", step.target);
                    let error = Error::new(ErrorKind::Closed, "408: the connection had timed out");
                    trail.failed(error.during(Phase::Waiting), step.target.as_str());
                }
                Ok(answer) => return Ok((connection, answer)),
                Err(failure) if failure.went_stale && step.method.is_idempotent() => {
                    debug!("the kept connection for {:?} was stale", step.target);
                    trail.failed(failure.error, step.target.as_str());
                }
                Err(failure) => return Err(failure.error),
            }
        }
        trail.begin();
        let mut connection = self.open(course, step, trail)?;
        trail.goes_over(&connection, false);
        match connection.send(outgoing, &limits, patience, &mut trail.timings) {
            Ok(answer) => Ok((connection, answer)),
            Err(failure) => Err(failure.error),
        }
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
