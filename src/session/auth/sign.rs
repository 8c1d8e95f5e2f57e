//! Signatures: fields that are made for a request when it is about to be sent.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::reach::Reach;
use crate::catch::catch;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Headers, InvalidHeader, Method, Target};
use crate::wire::is_own_field;

/// Signs requests when they are about to be sent: gives each of them the fields that show who sends
/// it, and when.
///
/// It is asked for every time that a request goes out: for the first, for each redirect within the
/// origin, for the one that is sent again because a kept connection had been closed, for each retry
/// of a pool. So what it adds is never older than the attempt.
///
/// What it adds is a credential: it is asked only where those go, to the origin of the job's URL, and
/// no more once a redirect has left it; and where it is bound by [`for_origin`](Self::for_origin),
/// for these origins only. If it fails, the request is not sent, and its error of kind
/// [`InvalidRequest`](ErrorKind::InvalidRequest) has that of the signer as its source; if it panics,
/// the kind is [`Panic`](ErrorKind::Panic). Its time is the request's: keep it short.
///
/// # Examples
///
/// ```
/// use fetchpool::{SessionConfig, Signer};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let mut session = SessionConfig::new();
/// let count = AtomicU64::new(0);
/// session.signer = Some(
///     Signer::new(move |request| {
///         let number = count.fetch_add(1, Ordering::Relaxed);
///         let length = request.body().ok_or("a body that cannot be signed")?.len();
///         let signed = format!("{number} {} {} {length}", request.method(), request.target());
///         request.set_header("X-Signature", signed)?; // by a real MAC
///         Ok(())
///     })
///     .for_origin("https://api.example.com"),
/// );
/// ```
#[derive(Clone)]
pub struct Signer {
    sign: Arc<Sign>,
    reach: Reach,
}

type Sign =
    dyn Fn(&mut SignableRequest<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> + Send + Sync;

impl Signer {
    /// Signs by this function. Workers that share it call it at the same time.
    pub fn new(
        sign: impl Fn(&mut SignableRequest<'_>) -> Result<(), Box<dyn StdError + Send + Sync>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { sign: Arc::new(sign), reach: Reach::everywhere() }
    }

    /// Binds the signer to the origin (scheme, host and port) of this URL; may be repeated for more
    /// than one. A URL that cannot be read makes every request fail that would be signed.
    #[must_use]
    pub fn for_origin(mut self, url: impl AsRef<str>) -> Self {
        self.reach.add(url.as_ref());
        self
    }

    /// Whether requests to this target are signed.
    pub(in crate::session) fn signs(&self, target: &Target) -> Result<bool, Error> {
        self.reach.has(target)
    }

    /// The fields of the request, and those of the signature.
    pub(in crate::session) fn sign(
        &self,
        mut request: SignableRequest<'_>,
    ) -> Result<Headers, Error> {
        match catch(|| (self.sign)(&mut request)) {
            Ok(Ok(())) => Ok(request.headers),
            Ok(Err(error)) => {
                let failed = Error::new(ErrorKind::InvalidRequest, "the signer failed");
                Err(failed.during(Phase::Setup).because(error))
            }
            Err(panicked) => {
                Err(Error::panicked("the signer panicked", &panicked).during(Phase::Setup))
            }
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("origins", &self.reach).finish_non_exhaustive()
    }
}

/// A request that is about to be sent, for a [`Signer`] to look at and to add to.
pub struct SignableRequest<'a> {
    pub(in crate::session) method: &'a Method,
    pub(in crate::session) target: &'a Target,
    pub(in crate::session) headers: Headers,
    pub(in crate::session) body: Option<&'a [u8]>,
    pub(in crate::session) attempt: u32,
}

impl SignableRequest<'_> {
    /// The method of this hop.
    #[must_use]
    pub const fn method(&self) -> &Method {
        self.method
    }

    /// The URL of this hop, with the query parameters, without user information and fragment.
    #[must_use]
    pub fn url(&self) -> &str {
        let url = self.target.as_str();
        url.split_once('#').map_or(url, |(url, _)| url)
    }

    /// Path and query, to the byte as the server sees them.
    #[must_use]
    pub fn target(&self) -> &str {
        self.target.path_and_query()
    }

    /// The value of the `Host` field: the port is left out where it is the scheme's own.
    #[must_use]
    pub fn host(&self) -> &str {
        self.target.authority()
    }

    /// The fields that are sent, in order, and those set so far. `Host`, `Content-Length`,
    /// `Transfer-Encoding` and `Connection` are not among them: the crate writes those.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The bytes of the body; none where there is no body, and `None` where it is read only while
    /// it is sent.
    #[must_use]
    pub const fn body(&self) -> Option<&[u8]> {
        self.body
    }

    /// Which try of the job this is, from 1: a pool's retries count, redirects do not.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Sets a field, in the place of every one of that name.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] for a name that is no token, a value with a control byte, and for the
    /// fields that the crate alone writes. The request is then as it was.
    pub fn set_header(
        &mut self,
        name: impl AsRef<str>,
        value: impl AsRef<str>,
    ) -> Result<(), InvalidHeader> {
        if is_own_field(name.as_ref()) {
            return Err(InvalidHeader::own(name.as_ref()));
        }
        self.headers.insert(name.as_ref(), value.as_ref())
    }
}

impl fmt::Debug for SignableRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignableRequest")
            .field("method", &self.method)
            .field("url", &self.url())
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.map(<[u8]>::len))
            .field("attempt", &self.attempt)
            .finish()
    }
}
