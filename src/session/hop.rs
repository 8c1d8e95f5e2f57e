//! One hop; and the same once more, where its server wants to know first who asks.

use super::Session;
#[cfg(feature = "digest")]
use super::auth::{Proof, choose};
use super::call::Course;
#[cfg(feature = "digest")]
use super::fields::asked;
use super::redirect::Step;
use super::trail::Trail;
use crate::connection::{Answer, Connection};
use crate::error::Error;
#[cfg(feature = "digest")]
use crate::log::debug;

impl Session {
    /// Sends the request of one hop and reads the head of its answer. A challenge is answered,
    /// with a digest, where that can be done; how often, [`Spaces::meet`] decides.
    ///
    /// [`Spaces::meet`]: super::auth::Spaces::meet
    #[cfg(feature = "digest")]
    pub(super) fn hop(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        trail: &mut Trail,
        answer: &mut Answer,
    ) -> Result<Box<Connection>, Error> {
        let mut answered = 0_u32;
        loop {
            let connection = self.attempt(course, step, trail, answer)?;
            if !self.is_to_prove(course, step, answer, answered)? {
                return Ok(connection);
            }
            answered = answered.saturating_add(1);
            debug!("{:?} is asked again, with an answer to its challenge", step.target);
            course.watched.tell(|observer, job| {
                observer.head(job, answer.head.status, &answer.head.headers);
            });
            // The server may know by one of them whom it has asked.
            #[cfg(feature = "cookies")]
            if let Some(jar) = &self.jar {
                jar.keep(&answer.head.headers, &step.target);
            }
            let patience = &course.patience;
            self.discard(connection, answer, &step.target, patience, &mut trail.timings);
        }
    }

    /// The same, without a feature that answers challenges.
    #[cfg(not(feature = "digest"))]
    pub(super) fn hop(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        trail: &mut Trail,
        answer: &mut Answer,
    ) -> Result<Box<Connection>, Error> {
        self.attempt(course, step, trail, answer)
    }

    /// Whether the request is to be sent again, with credentials that the session has for where it
    /// went: never to where a redirect has led, if that is another origin.
    #[cfg(feature = "digest")]
    fn is_to_prove(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        answer: &Answer,
        answered: u32,
    ) -> Result<bool, Error> {
        let request = course.request;
        if !step.with_credentials || !request.sends_default("authorization") {
            return Ok(false);
        }
        let (auth, netrc) = (self.config.auth.as_ref(), self.config.netrc.as_ref());
        let Some(Proof::Digest(login)) = choose(&step.target, auth, netrc)? else {
            return Ok(false);
        };
        if answer.head.status != 401 {
            self.spaces.learn(&step.target, &answer.head.headers);
            return Ok(false);
        }
        if step.with_body && !request.content().0.can_be_sent() {
            return Ok(false);
        }
        Ok(self.spaces.meet(login, &asked(request, step), &answer.head.headers, answered))
    }
}
