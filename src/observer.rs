//! FLOOR 3: who wants to know what a request is at, while it is.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::Error;
use crate::message::{Headers, Request, Response};

/// Is told what jobs are at, as it happens, on the thread where it happens.
///
/// Every method does nothing by default. They are called between the steps of a request, whose
/// time goes on: keep them short. One that panics ends its job with kind
/// [`Panic`](crate::ErrorKind::Panic), and the worker goes on; if that is
/// [`outcome`](Self::outcome), the error keeps the response.
///
/// URLs are given without user information. A [`Request`] shows no secrets when it is printed, but
/// its methods give them: think before logging header values.
///
/// # Examples
///
/// ```
/// use fetchpool::{Error, Observed, Observer, Pool, Response};
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::sync::Arc;
///
/// #[derive(Default)]
/// struct Failures(AtomicU32);
///
/// impl Observer for Failures {
///     fn outcome(&self, _: &Observed<'_>, result: Result<&Response, &Error>) {
///         if result.is_err() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let failures = Arc::new(Failures::default());
/// let _ = Pool::builder().observer(Arc::clone(&failures)).map(["no URL", "nor this"]);
/// assert_eq!(failures.0.load(Ordering::Relaxed), 2);
/// ```
pub trait Observer: Send + Sync {
    /// A worker took the job, for the first time.
    fn taken(&self, job: &Observed<'_>) {
        let _ = job;
    }

    /// A request is about to be sent: the first, one after a redirect, or one tried again.
    /// `number` counts the tries of the job, from 1.
    fn attempt(&self, job: &Observed<'_>, url: &str, number: u32) {
        let _ = (job, url, number);
    }

    /// A host was looked up. There are no addresses if that failed. An answer that was remembered, or
    /// laid down, is no look-up.
    fn dns(&self, job: &Observed<'_>, host: &str, addresses: &[SocketAddr], took: Duration) {
        let _ = (job, host, addresses, took);
    }

    /// A TCP connection was opened. Of a race between several addresses it is the one that won.
    fn connected(&self, job: &Observed<'_>, peer: SocketAddr, took: Duration) {
        let _ = (job, peer, took);
    }

    /// A TLS handshake was completed, and the certificate found good.
    fn tls(&self, job: &Observed<'_>, host: &str, took: Duration) {
        let _ = (job, host, took);
    }

    /// The head of a response came.
    fn head(&self, job: &Observed<'_>, status: u16, headers: &Headers) {
        let _ = (job, status, headers);
    }

    /// A redirect is followed.
    fn redirect(&self, job: &Observed<'_>, status: u16, to: &str) {
        let _ = (job, status, to);
    }

    /// The job will be tried again, for the `number`-th time, after `wait`, because of what came
    /// of it now.
    fn retry(
        &self,
        job: &Observed<'_>,
        number: u32,
        wait: Duration,
        because: Result<&Response, &Error>,
    ) {
        let _ = (job, number, wait, because);
    }

    /// Something went wrong with a [`JobQueue`](crate::JobQueue) that no outcome tells: it could not
    /// be asked, or a lease was lost.
    fn queue_trouble(&self, what: &str) {
        let _ = what;
    }

    /// The job is over. Called once for each job that a pool has taken, before the caller can read
    /// its outcome.
    fn outcome(&self, job: &Observed<'_>, result: Result<&Response, &Error>) {
        let _ = (job, result);
    }
}

impl<T: Observer + ?Sized> Observer for std::sync::Arc<T> {
    fn taken(&self, job: &Observed<'_>) {
        (**self).taken(job);
    }

    fn attempt(&self, job: &Observed<'_>, url: &str, number: u32) {
        (**self).attempt(job, url, number);
    }

    fn dns(&self, job: &Observed<'_>, host: &str, addresses: &[SocketAddr], took: Duration) {
        (**self).dns(job, host, addresses, took);
    }

    fn connected(&self, job: &Observed<'_>, peer: SocketAddr, took: Duration) {
        (**self).connected(job, peer, took);
    }

    fn tls(&self, job: &Observed<'_>, host: &str, took: Duration) {
        (**self).tls(job, host, took);
    }

    fn head(&self, job: &Observed<'_>, status: u16, headers: &Headers) {
        (**self).head(job, status, headers);
    }

    fn redirect(&self, job: &Observed<'_>, status: u16, to: &str) {
        (**self).redirect(job, status, to);
    }

    fn retry(
        &self,
        job: &Observed<'_>,
        number: u32,
        wait: Duration,
        because: Result<&Response, &Error>,
    ) {
        (**self).retry(job, number, wait, because);
    }

    fn queue_trouble(&self, what: &str) {
        (**self).queue_trouble(what);
    }

    fn outcome(&self, job: &Observed<'_>, result: Result<&Response, &Error>) {
        (**self).outcome(job, result);
    }
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// The job that an [`Observer`] is told about.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    index: Option<u64>,
    request: &'a Request,
}

impl<'a> Observed<'a> {
    pub(crate) const fn new(index: Option<u64>, request: &'a Request) -> Self {
        Self { index, request }
    }

    /// The job's place in the input of its pool, from 0; `None` without a pool.
    #[must_use]
    pub const fn index(&self) -> Option<u64> {
        self.index
    }

    /// The request.
    pub const fn request(&self) -> &'a Request {
        self.request
    }
}

/// A job, and who wants to know about it, if anybody does.
#[derive(Clone, Copy)]
pub(crate) struct Watched<'a> {
    observer: Option<&'a dyn Observer>,
    job: Observed<'a>,
}

impl<'a> Watched<'a> {
    pub(crate) const fn new(observer: Option<&'a dyn Observer>, job: Observed<'a>) -> Self {
        Self { observer, job }
    }

    /// Tells the observer. Without one, nothing is computed.
    pub(crate) fn tell(self, tell: impl FnOnce(&dyn Observer, &Observed<'_>)) {
        if let Some(observer) = self.observer {
            tell(observer, &self.job);
        }
    }
}
