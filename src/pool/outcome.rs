//! What a job comes to: one response or one exception, with the request it belongs to.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::job::Job;
use super::job_queue::Delivery;
use crate::error::{Error, after_attempts};
use crate::message::{Request, Response, Timings};

/// The one result of a job.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "a job has a response or it has none")]
pub enum Outcome {
    /// The server answered, with whatever status.
    Response(ThreadResponse),
    /// There is no answer.
    Exception(ThreadException),
}

impl Outcome {
    /// The outcome of a job. A worker that cannot be woken may still hold its request.
    pub(super) fn of(job: Box<Job>, result: Result<Response, Error>) -> Self {
        let Job { index, request, attempts, delivery, .. } = *job;
        let result = after_attempts(result, attempts);
        let Some(delivery) = delivery else { return Self::new(index, request, result) };
        let request = delivery.restore(Arc::unwrap_or_clone(request));
        let mut outcome = Self::new(index, request, result);
        *outcome.delivery_mut() = Some(delivery);
        outcome
    }

    pub(super) fn new(
        index: u64,
        request: impl Into<Arc<Request>>,
        result: Result<Response, Error>,
    ) -> Self {
        let request = request.into();
        match result {
            Ok(response) => {
                Self::Response(ThreadResponse { index, request, response, delivery: None })
            }
            Err(error) => {
                Self::Exception(ThreadException { index, request, error, delivery: None })
            }
        }
    }

    /// The job's place in the input, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        match self {
            Self::Response(response) => response.index,
            Self::Exception(exception) => exception.index,
        }
    }

    /// The request that this is the outcome of.
    pub fn request(&self) -> &Request {
        match self {
            Self::Response(response) => &response.request,
            Self::Exception(exception) => &exception.request,
        }
    }

    /// The value that [`Request::tag`] attached, if it is of this type.
    #[must_use]
    pub fn tag<T: Any>(&self) -> Option<&T> {
        self.request().tag_ref()
    }

    /// How long each phase took, whatever came of it.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        match self {
            Self::Response(response) => response.timings(),
            Self::Exception(exception) => exception.timings(),
        }
    }

    /// What it has to do with a [`JobQueue`](crate::JobQueue), if the job came from one.
    #[must_use]
    pub const fn delivery(&self) -> Option<&Delivery> {
        match self {
            Self::Response(response) => response.delivery(),
            Self::Exception(exception) => exception.delivery(),
        }
    }

    /// The same, taken out: to be settled when the outcome is gone.
    #[must_use]
    pub const fn take_delivery(&mut self) -> Option<Delivery> {
        self.delivery_mut().take()
    }

    const fn delivery_mut(&mut self) -> &mut Option<Delivery> {
        match self {
            Self::Response(response) => &mut response.delivery,
            Self::Exception(exception) => &mut exception.delivery,
        }
    }

    /// It is given to the caller, on the caller's own thread.
    pub(super) fn hand_out(&mut self) {
        if let Some(delivery) = self.delivery_mut() {
            delivery.hand_out();
        }
    }

    /// What the body of its response takes of memory, also if that became an error.
    pub(super) fn body_bytes(&self) -> u64 {
        let bytes = self.any_response().map_or(0, |response| response.bytes().len());
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// How many bytes of body came, wherever they went.
    pub(super) fn body_len(&self) -> u64 {
        self.any_response().map_or(0, Response::body_len)
    }

    fn any_response(&self) -> Option<&Response> {
        match self {
            Self::Response(response) => Some(&response.response),
            Self::Exception(exception) => exception.error.response(),
        }
    }

    /// Whether there is a response.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        matches!(self, Self::Response(_))
    }

    /// The response, or the error.
    ///
    /// # Errors
    ///
    /// The job's own error.
    pub fn result(self) -> Result<Response, Error> {
        match self {
            Self::Response(response) => Ok(response.response),
            Self::Exception(exception) => Err(exception.error),
        }
    }
}

/// A response, and the request it answers. Dereferences to the [`Response`].
#[must_use]
pub struct ThreadResponse {
    index: u64,
    request: Arc<Request>,
    response: Response,
    delivery: Option<Delivery>,
}

impl ThreadResponse {
    /// The job's place in the input, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The request that was answered.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The value that [`Request::tag`] attached, if it is of this type.
    #[must_use]
    pub fn tag<T: Any>(&self) -> Option<&T> {
        self.request.tag_ref()
    }

    /// What it has to do with a [`JobQueue`](crate::JobQueue), if the job came from one.
    #[must_use]
    pub const fn delivery(&self) -> Option<&Delivery> {
        self.delivery.as_ref()
    }

    /// The same, taken out: to be settled when the response is gone.
    #[must_use]
    pub const fn take_delivery(&mut self) -> Option<Delivery> {
        self.delivery.take()
    }

    /// The response alone.
    #[must_use]
    pub fn into_response(self) -> Response {
        self.response
    }

    /// Both.
    pub fn into_parts(self) -> (Request, Response) {
        (Arc::unwrap_or_clone(self.request), self.response)
    }
}

impl Deref for ThreadResponse {
    type Target = Response;

    fn deref(&self) -> &Response {
        &self.response
    }
}

impl fmt::Debug for ThreadResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadResponse")
            .field("index", &self.index)
            .field("request", &self.request)
            .field("response", &self.response)
            .finish()
    }
}

/// Why a job has no response, and the request it was. Dereferences to the [`Error`].
///
/// It turns back into its request, so that what failed can be tried once more:
/// [`Pool::from_exceptions`](crate::Pool::from_exceptions).
#[must_use]
pub struct ThreadException {
    index: u64,
    request: Arc<Request>,
    error: Error,
    delivery: Option<Delivery>,
}

impl ThreadException {
    /// The job's place in the input, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The request that failed.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The value that [`Request::tag`] attached, if it is of this type.
    #[must_use]
    pub fn tag<T: Any>(&self) -> Option<&T> {
        self.request.tag_ref()
    }

    /// What it has to do with a [`JobQueue`](crate::JobQueue), if the job came from one.
    #[must_use]
    pub const fn delivery(&self) -> Option<&Delivery> {
        self.delivery.as_ref()
    }

    /// The same, taken out: to be settled when the exception is gone.
    #[must_use]
    pub const fn take_delivery(&mut self) -> Option<Delivery> {
        self.delivery.take()
    }

    /// The error alone.
    #[doc(alias = "exception")]
    #[must_use]
    pub const fn error(&self) -> &Error {
        &self.error
    }

    /// Both.
    pub fn into_parts(self) -> (Request, Error) {
        (Arc::unwrap_or_clone(self.request), self.error)
    }
}

impl Deref for ThreadException {
    type Target = Error;

    fn deref(&self) -> &Error {
        &self.error
    }
}

impl fmt::Debug for ThreadException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadException")
            .field("index", &self.index)
            .field("request", &self.request)
            .field("error", &self.error)
            .finish()
    }
}

impl fmt::Display for ThreadException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for ThreadException {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl From<ThreadException> for Request {
    fn from(exception: ThreadException) -> Self {
        Arc::unwrap_or_clone(exception.request)
    }
}

impl From<&ThreadException> for Request {
    fn from(exception: &ThreadException) -> Self {
        exception.request().clone()
    }
}
