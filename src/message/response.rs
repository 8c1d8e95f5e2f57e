//! What came back.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::collected::Collected;
use super::links;
use super::{Attempt, Headers, Link, Received, Timings, TlsInfo};

/// A whole response: head, body, and how it came to be.
///
/// It is a plain value that owns everything, because it crosses threads while its session goes
/// on. Any status is a response: a 404 is one, unless the session asks for
/// [`http_status_as_error`](crate::SessionConfig::http_status_as_error).
///
/// # Examples
///
/// ```no_run
/// let mut session = fetchpool::Session::default();
/// let response = session.request("https://example.com/")?;
/// println!("{} {}: {} bytes", response.status(), response.url(), response.bytes().len());
/// if response.ok() {
///     println!("{}", response.text());
/// }
/// # Ok::<(), fetchpool::Error>(())
/// ```
#[derive(Clone)]
pub struct Response(pub(crate) Box<ResponseParts>);

/// What a response consists of. Boxed: it goes through many hands, and none of them looks at it.
#[derive(Clone)]
pub(crate) struct ResponseParts {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) headers: Headers,
    pub(crate) url: String,
    pub(crate) history: Vec<Hop>,
    pub(crate) elapsed: Duration,
    pub(crate) timings: Timings,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) tls: Option<Arc<TlsInfo>>,
    pub(crate) body: Collected,
    pub(crate) received: Received,
    pub(crate) attempts: Vec<Attempt>,
}

impl Response {
    /// The status code, 200 to 999: interim (1xx) responses are passed over.
    #[doc(alias = "status_code")]
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.0.status
    }

    /// The reason phrase as the server wrote it, often empty. It means nothing to HTTP.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The version of HTTP that the server speaks.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.0.version
    }

    /// The header fields as they came, in order, duplicates kept. `Content-Encoding` and
    /// `Content-Length` describe the body as it was sent, not as [`bytes`](Self::bytes) has it.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The first value of a header field, the name in any letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get(name)
    }

    /// The URL that answered: behind every redirect, with the query parameters, without user
    /// information.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The redirects that were followed on the way, first to last.
    #[must_use]
    pub fn history(&self) -> &[Hop] {
        &self.0.history
    }

    /// Each try before the one that brought this response, in order: on a kept connection that had
    /// gone stale, and before each retry by a [`RetryPolicy`](crate::RetryPolicy). None where the
    /// first try was good, as most are. Of very many the first 16 and the last are kept, some 64 in
    /// all; [`Error::attempts`](crate::Error::attempts) has those of a request that failed.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// From the start of the last hop to the end of the response's head, as `requests` measures
    /// it: connecting counts, receiving the body does not. [`timings`](Self::timings) has the rest.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// How long each phase took.
    #[must_use]
    pub const fn timings(&self) -> &Timings {
        &self.0.timings
    }

    /// The address that answered.
    #[must_use]
    pub const fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// What TLS settled with the server that answered: version, cipher suite, its certificate.
    /// `None` over plain `http`.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.0.tls.as_deref()
    }

    /// The body, content codings undone; empty where it went elsewhere than to memory
    /// ([`Request::receive`](super::Request::receive)).
    #[doc(alias = "content")]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.body
    }

    /// The body, content codings undone, without new memory. What [`Buffers`](super::Buffers) would use
    /// again is the caller's then. Of a large body all bytes are moved for it, by a few places:
    /// [`bytes`](Self::bytes) costs nothing.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.body.into_vec()
    }

    /// The body as text.
    ///
    /// It is read as UTF-8, a byte order mark is left out, and what is not UTF-8 becomes the
    /// replacement character. With the feature `charset` a byte order mark of UTF-8 or UTF-16 comes
    /// first, then the charset that `Content-Type` names, as browsers do; the body itself (`<meta>`)
    /// is not asked.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        #[cfg(feature = "charset")]
        if let Some(text) = super::charset::decode(self.header("content-type"), &self.0.body) {
            return text;
        }
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        String::from_utf8_lossy(self.0.body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.0.body))
    }

    /// Whether the status is below 400.
    #[must_use]
    pub const fn ok(&self) -> bool {
        self.0.status < 400
    }

    /// The cookies that this response set, as names and values. Which of them a session keeps, and
    /// for how long, is its jar's to say (feature `cookies`).
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        fn trimmed<'a>((name, value): (&'a str, &'a str)) -> (&'a str, &'a str) {
            (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']))
        }
        let pairs = self.0.headers.get_all("set-cookie").filter_map(|line| line.split(';').next());
        let pairs = pairs.filter_map(|pair| pair.split_once('=')).map(trimmed);
        pairs.filter(|(name, _)| !name.is_empty())
    }

    /// The links of the `Link` fields (RFC 8288), resolved against the response's URL. One that
    /// is malformed is left out.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        self.0.headers.get_all("link").flat_map(|value| links::parse(value, &self.0.url)).collect()
    }

    /// The first link with that relation: `response.link("next")`.
    #[must_use]
    pub fn link(&self, rel: &str) -> Option<Link> {
        self.links().into_iter().find(|link| link.is(rel))
    }
}

impl fmt::Debug for Response {
    /// Status, URL and sizes; neither the body nor credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.0.status)
            .field("url", &self.0.url)
            .field("headers", &self.0.headers)
            .field("body_bytes", &self.0.body.len())
            .finish_non_exhaustive()
    }
}

/// One redirect that was followed: who sent it, and how.
#[derive(Clone, Debug)]
pub struct Hop {
    pub(crate) status: u16,
    pub(crate) url: String,
    pub(crate) headers: Headers,
}

impl Hop {
    /// The status of the redirect: 301, 302, 303, 307 or 308.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The URL that sent it, without user information.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its header fields.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}

/// The version of HTTP that a server speaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl fmt::Display for Version {
    /// `1.0` or `1.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
        })
    }
}
