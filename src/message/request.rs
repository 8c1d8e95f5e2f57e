//! What to fetch.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Body, CancelToken, Headers, InvalidHeader, Method, Receive, RetryPolicy, base64, redact,
};

/// One request: what `requests` takes as a dict, with the same words.
///
/// Nothing here fails. What is wrong with a request (a bad URL, a header with a line break, a
/// value that cannot be turned into JSON) becomes the error of that one job when a worker takes
/// it, so that one bad row of a long list is one exception and not the end of the program.
///
/// A request is cheap to clone: its body is shared. A body of a reader that can be read once
/// ([`Body::reader`]) goes to one of the clones only.
///
/// | `requests` | here |
/// | --- | --- |
/// | `{'method': 'GET', 'url': u}` | `Request::get(u)`, or `u` itself: text turns into a GET |
/// | `'params': {'k': 'v'}` | [`params`](Self::params), [`param`](Self::param) |
/// | `'headers': {'Accept': 'x'}` | [`header`](Self::header); `None` is [`without_header`](Self::without_header) |
/// | `'data': 'text'` | [`data`](Self::data) or [`body`](Self::body) |
/// | `'data': {'k': 'v'}` | [`form`](Self::form) |
/// | `'data': open('file', 'rb')` | [`body`](Self::body) with [`Body::file`] |
/// | `'files': …` | [`multipart`](Self::multipart) |
/// | `'json': value` | `json` (feature `json`) |
/// | `'auth': ('u', 'p')` | [`basic_auth`](Self::basic_auth), [`bearer_auth`](Self::bearer_auth) |
/// | `'timeout': 5` | [`timeout`](Self::timeout), which covers the whole request |
/// | `'allow_redirects': False` | [`allow_redirects`](Self::allow_redirects) |
///
/// # Examples
///
/// ```
/// use fetchpool::Request;
/// use std::time::Duration;
///
/// let request = Request::post("https://httpbin.org/post")
///     .params([("page", "2")])
///     .header("Accept", "application/json")
///     .form([("name", "Ada"), ("role", "engineer")])
///     .timeout(Duration::from_secs(5))
///     .tag(42_u64);
/// assert_eq!(request.tag_ref::<u64>(), Some(&42));
/// assert_eq!(Request::from("https://example.com").method().as_str(), "GET");
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing until it is given to a session, a pool or `map`"]
pub struct Request {
    method: Method,
    url: String,
    params: Vec<(String, String)>,
    headers: Headers,
    without: Vec<String>,
    body: Body,
    content_type: Option<Cow<'static, str>>,
    /// `Some(None)` is: without, whatever the session says.
    expect_continue: Option<Option<Duration>>,
    timeout: Option<Duration>,
    allow_redirects: Option<bool>,
    /// `Some(None)` is: not at all, whatever the session says.
    retry: Option<Option<Arc<RetryPolicy>>>,
    tag: Option<Arc<dyn Any + Send + Sync>>,
    cancel: Option<CancelToken>,
    pub(super) receive: Receive,
    /// The first thing that was wrong with it.
    fault: Option<String>,
}

impl Request {
    /// A request by any method. Letters of the method are turned into upper case, as in
    /// `requests`.
    pub fn new(method: impl AsRef<str>, url: impl Into<String>) -> Self {
        let (method, fault) = match method.as_ref().parse::<Method>() {
            Ok(method) => (method, None),
            Err(error) => (Method::GET, Some(error.to_string())),
        };
        Self { fault, ..Self::of(method, url.into()) }
    }

    const fn of(method: Method, url: String) -> Self {
        Self {
            method,
            url,
            params: Vec::new(),
            headers: Headers::new(),
            without: Vec::new(),
            body: Body::none(),
            content_type: None,
            expect_continue: None,
            timeout: None,
            allow_redirects: None,
            retry: None,
            tag: None,
            cancel: None,
            receive: Receive::memory(),
            fault: None,
        }
    }

    /// A GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self::of(Method::GET, url.into())
    }

    /// A HEAD: the response has no body.
    pub fn head(url: impl Into<String>) -> Self {
        Self::of(Method::HEAD, url.into())
    }

    /// A POST.
    pub fn post(url: impl Into<String>) -> Self {
        Self::of(Method::POST, url.into())
    }

    /// A PUT.
    pub fn put(url: impl Into<String>) -> Self {
        Self::of(Method::PUT, url.into())
    }

    /// A PATCH.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::of(Method::PATCH, url.into())
    }

    /// A DELETE.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::of(Method::DELETE, url.into())
    }

    /// An OPTIONS.
    pub fn options(url: impl Into<String>) -> Self {
        Self::of(Method::OPTIONS, url.into())
    }

    /// A request that cannot be sent: its one outcome is an error of kind
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) with this message. For a source of
    /// jobs that meets a row it cannot read, and must answer for it all the same.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { fault: Some(message.into()), ..Self::get("") }
    }

    /// Adds query parameters behind the URL's own query.
    pub fn params<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        params: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let owned = |(k, v): (K, V)| (k.as_ref().to_owned(), v.as_ref().to_owned());
        self.params.extend(params.into_iter().map(owned));
        self
    }

    /// Adds one query parameter; the value is anything that prints.
    pub fn param(mut self, name: impl AsRef<str>, value: impl ToString) -> Self {
        self.params.push((name.as_ref().to_owned(), value.to_string()));
        self
    }

    /// Sends a header field in the place of the session's default of that name. Given twice, the
    /// field is sent twice.
    ///
    /// `Host`, `Content-Length`, `Transfer-Encoding`, `Connection` and `Expect` are written by the
    /// crate alone; a request that sets one of them is an exception.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let added = self.headers.append(name.as_ref(), value.as_ref());
        self.note_header(added)
    }

    /// Does not send the session's default of that name.
    pub fn without_header(mut self, name: impl AsRef<str>) -> Self {
        self.without.push(name.as_ref().to_owned());
        self
    }

    /// Sets the body: bytes or text, sent as they are and shared between clones; or a [`Body`] of a
    /// file or a reader.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.content_type = None;
        self
    }

    /// The same as [`body`](Self::body), by its name in `requests`.
    pub fn data(self, data: impl Into<Body>) -> Self {
        self.body(data)
    }

    /// Sets the body to a form, `application/x-www-form-urlencoded`.
    pub fn form<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.body = super::target::encode_form(fields).into();
        self.content_type = Some("application/x-www-form-urlencoded".into());
        self
    }

    /// Sends `Expect: 100-continue` (RFC 9110 §10.1.1): the head goes first, and the body once the
    /// server has said that it wants it, or after this time (curl waits 1 s). A final response that
    /// comes instead is the result, and the body is not sent; the connection is closed then. `None`
    /// is: at once, whatever the session's
    /// [`expect_continue`](crate::SessionConfig::expect_continue) says.
    ///
    /// It makes sense for a large body that a server may refuse, and for one that can be sent only
    /// once, where the server may redirect. A request without a body, or with an empty one, is sent
    /// without. A 417 is answered by sending the request once more without it, if the body can be
    /// sent then.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::{Body, Request};
    /// use std::time::Duration;
    ///
    /// let request = Request::put("https://example.com/backup")
    ///     .body(Body::file("backup.tar"))
    ///     .expect_continue(Duration::from_secs(1));
    /// # drop(request);
    /// ```
    pub fn expect_continue(mut self, wait: impl Into<Option<Duration>>) -> Self {
        self.expect_continue = Some(wait.into());
        self
    }

    /// Sends these credentials as `Authorization: Basic` (RFC 7617), in the place of the
    /// session's. They go to the URL's own origin only, never over a redirect to another.
    pub fn basic_auth(mut self, user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        let (user, password) = (user.as_ref(), password.as_ref());
        if user.contains(':') {
            return self.note("the user of basic_auth holds a colon (RFC 7617 section 2)".into());
        }
        let value = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        let added = self.headers.insert("Authorization", &value);
        self.note_header(added)
    }

    /// Sends this token as `Authorization: Bearer` (RFC 6750), in the place of the session's.
    /// It goes to the URL's own origin only, never over a redirect to another.
    pub fn bearer_auth(mut self, token: impl AsRef<str>) -> Self {
        let added = self.headers.insert("Authorization", &format!("Bearer {}", token.as_ref()));
        self.note_header(added)
    }

    /// How long the request may take from the moment a worker takes it: name look-up, every
    /// address, TLS, every redirect and the whole body. In the place of the session's (30 s). A
    /// time that the clock cannot hold means no limit.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether redirects are followed, in the place of what the session says (they are).
    pub const fn allow_redirects(mut self, allow: bool) -> Self {
        self.allow_redirects = Some(allow);
        self
    }

    /// When it is tried again, in the place of what the session or the pool says (not at all). Many
    /// requests can share one policy, in an [`Arc`].
    pub fn retry(mut self, policy: impl Into<Arc<RetryPolicy>>) -> Self {
        let policy = policy.into();
        let fault = policy.fault().map(str::to_owned);
        self.retry = Some(Some(policy));
        match fault {
            Some(fault) => self.note(fault),
            None => self,
        }
    }

    /// Does not try it again, whatever the session or the pool says.
    pub fn without_retry(mut self) -> Self {
        self.retry = Some(None);
        self
    }

    /// Attaches a value that comes back on the job's outcome: an id, a row, a sender.
    pub fn tag<T: Any + Send + Sync>(mut self, tag: T) -> Self {
        self.tag = Some(Arc::new(tag));
        self
    }

    /// What may cancel it: when [`CancelToken::cancel`] is called, it fails with kind
    /// [`Cancelled`](crate::ErrorKind::Cancelled), running or not. Default: nothing but its pool.
    pub fn cancel_token(mut self, token: &CancelToken) -> Self {
        self.cancel = Some(token.clone());
        self
    }

    /// Takes its [`cancel_token`](Self::cancel_token) away: what a cancelled request needs before it
    /// can be sent again.
    pub fn without_cancel_token(mut self) -> Self {
        self.cancel = None;
        self
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The URL as it was given. It may hold a password: [`Debug`](fmt::Debug) shows it without.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL as it was given, fit to be shown: without user information, and with nothing in
    /// it that a terminal obeys.
    #[must_use]
    pub fn redacted_url(&self) -> String {
        redact(&self.url)
    }

    /// The header fields of this request, without the session's.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The attached value, if there is one of this type.
    #[must_use]
    pub fn tag_ref<T: Any>(&self) -> Option<&T> {
        self.tag.as_ref()?.downcast_ref()
    }

    pub(crate) fn added_params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn sends_default(&self, name: &str) -> bool {
        !self.headers.contains(name) && !self.without.iter().any(|n| n.eq_ignore_ascii_case(name))
    }

    /// Whether it says nothing of the fields that it is sent with.
    pub(crate) const fn is_plain(&self) -> bool {
        self.headers.is_empty() && self.without.is_empty() && self.content_type.is_none()
    }

    pub(crate) fn content(&self) -> (&Body, Option<&str>) {
        (&self.body, self.content_type.as_deref())
    }

    pub(crate) const fn own_expect_continue(&self) -> Option<Option<Duration>> {
        self.expect_continue
    }

    pub(crate) const fn own_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) const fn own_cancel_token(&self) -> Option<&CancelToken> {
        self.cancel.as_ref()
    }

    pub(crate) const fn own_allow_redirects(&self) -> Option<bool> {
        self.allow_redirects
    }

    pub(crate) fn own_retry(&self) -> Option<Option<&RetryPolicy>> {
        self.retry.as_ref().map(Option::as_deref)
    }

    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Sets a body whose media type is known.
    pub(super) fn typed_body(
        mut self,
        body: impl Into<Body>,
        content_type: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.body = body.into();
        self.content_type = Some(content_type.into());
        self
    }

    /// Remembers what is wrong; the first fault is the one that is told.
    pub(super) fn note(mut self, fault: String) -> Self {
        self.fault.get_or_insert(fault);
        self
    }

    fn note_header(self, added: Result<(), InvalidHeader>) -> Self {
        match added {
            Ok(()) => self,
            Err(error) => self.note(error.to_string()),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &redact(&self.url))
            .field("params", &self.params)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl From<&str> for Request {
    /// A GET of the URL.
    fn from(url: &str) -> Self {
        Self::get(url)
    }
}

impl From<String> for Request {
    /// A GET of the URL.
    fn from(url: String) -> Self {
        Self::get(url)
    }
}

impl From<&String> for Request {
    /// A GET of the URL.
    fn from(url: &String) -> Self {
        Self::get(url.as_str())
    }
}

impl From<&Self> for Request {
    fn from(request: &Self) -> Self {
        request.clone()
    }
}
