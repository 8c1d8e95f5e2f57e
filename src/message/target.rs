//! Where a request goes. The only module that names `url`.
//!
//! A URL is parsed once, by the WHATWG rules, and that one parse feeds the `Host` field, the TLS
//! server name, the look-up, the connection's identity and the rules for credentials. Two
//! parsers that disagree about a host are how requests end up at somebody else's server.

use std::fmt;
use std::net::IpAddr;

use url::{Position, Url};

use super::Request;

/// A parsed `http` or `https` URL. The user information is kept beside it, so that printing a
/// target can never show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Has a host, a scheme of ours, and no user information.
    url: Url,
    userinfo: Option<(Vec<u8>, Vec<u8>)>,
}

/// What a connection is opened to and credentials are bound to: scheme, host and port.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    /// Lower case; an IPv6 address stands in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A host as it is looked up or connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    Ip(IpAddr),
    Name(&'a str),
}

impl Target {
    /// Parses an absolute URL.
    ///
    /// Control characters are refused, not dropped as the WHATWG parser does: a URL with a line
    /// break inside is an attempt, or an accident, and never what was meant.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if let Some(found) = text.chars().find(|c| c.is_control()) {
            return Err(InvalidUrl(format!("holds the control character {found:?}")));
        }
        Self::from_url(Url::parse(text).map_err(|error| InvalidUrl::because(error, text))?)
    }

    /// Where a `Location` (RFC 9110 §10.2.2) leads from here: resolved against this URL, with
    /// this URL's fragment if it has none of its own. User information in it is dropped: it is
    /// the server's choice, not the caller's. This URL's own stays within its origin.
    pub(crate) fn join(&self, location: &str) -> Result<Self, InvalidUrl> {
        if let Some(found) = location.chars().find(|c| c.is_control()) {
            return Err(InvalidUrl(format!("holds the control character {found:?}")));
        }
        let mut url =
            self.url.join(location).map_err(|error| InvalidUrl::because(error, location))?;
        if url.fragment().is_none() {
            url.set_fragment(self.url.fragment());
        }
        let mut joined = Self::from_url(url)?;
        joined.userinfo = self.userinfo.clone().filter(|_| joined.same_origin(self));
        Ok(joined)
    }

    fn from_url(mut url: Url) -> Result<Self, InvalidUrl> {
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme();
            return Err(InvalidUrl(format!(
                "scheme \"{scheme}\" is not supported, only http and https are"
            )));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidUrl("has no host".into()));
        }
        let userinfo = (!url.username().is_empty() || url.password().is_some()).then(|| {
            (percent_decode(url.username()), percent_decode(url.password().unwrap_or_default()))
        });
        // These fail only for URLs that cannot have a host, and this one has one.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, userinfo })
    }

    /// The root of this URL's origin.
    pub(super) fn root(&self) -> Option<Self> {
        Some(Self { url: self.url.join("/").ok()?, userinfo: None })
    }

    /// An absolute URL, if it begins with this one's scheme, host and port as they are printed, and
    /// what follows cannot be anything but a path and a query: no second slash or backslash, which
    /// could begin a host, and nothing that the parser drops or turns into something else first.
    pub(super) fn plainly_within(&self, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(&self.url[..Position::BeforePath])?;
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#');
        let is_path = rest.starts_with('/') && !rest.starts_with("//");
        (is_path && rest.bytes().all(is_plain))
            .then(|| self.url.join(rest).ok())
            .flatten()
            .map(|url| Self { url, userinfo: None })
    }

    /// Adds the pairs behind the URL's own query, as a form would (`application/x-www-form-urlencoded`).
    pub(crate) fn add_params<'a>(&mut self, params: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let mut params = params.into_iter().peekable();
        if params.peek().is_some() {
            self.url.query_pairs_mut().extend_pairs(params);
        }
    }

    /// The parsed URL itself, for `cookie_store`, which speaks of URLs in these terms.
    #[cfg(feature = "cookies")]
    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The user and password that stood in the URL, percent-decoded: bytes, in whatever charset the
    /// caller has encoded them.
    pub(crate) fn userinfo(&self) -> Option<(&[u8], &[u8])> {
        self.userinfo.as_ref().map(|(user, password)| (user.as_slice(), password.as_slice()))
    }

    pub(crate) fn port(&self) -> u16 {
        // `http` and `https` both have a default, so there always is one.
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// The port that stands in the URL, unless it is the scheme's own.
    pub(crate) fn explicit_port(&self) -> Option<u16> {
        self.url.port()
    }

    /// The host as it stands in the URL: lower case, ASCII, an IPv6 address in brackets.
    pub(crate) fn host_str(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) fn host(&self) -> Host<'_> {
        match self.url.host() {
            Some(url::Host::Ipv4(ip)) => Host::Ip(IpAddr::V4(ip)),
            Some(url::Host::Ipv6(ip)) => Host::Ip(IpAddr::V6(ip)),
            Some(url::Host::Domain(name)) => Host::Name(name),
            None => Host::Name(""),
        }
    }

    /// The value of the `Host` field (RFC 9112 §3.2): without the port if it is the scheme's own.
    pub(crate) fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// Host and port, also where that is the scheme's own: the request target of a CONNECT
    /// (RFC 9110 §9.3.6).
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host_str(), self.port())
    }

    /// The request target in absolute form (RFC 9112 §3.2.2), for a proxy: no fragment, and no user
    /// information.
    pub(crate) fn absolute(&self) -> &str {
        &self.url[..Position::AfterQuery]
    }

    /// The request target in origin form (RFC 9112 §3.2.1): path and query, no fragment.
    pub(crate) fn path_and_query(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin { https: self.is_https(), host: self.host_str().to_owned(), port: self.port() }
    }

    /// Whether both stand for the same scheme, host and port.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.is_https() == other.is_https()
            && self.host_str() == other.host_str()
            && self.port() == other.port()
    }

    /// The URL's text, without user information.
    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Origin {
    /// The origin of a URL given as text; what comes after host and port does not count.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        Target::parse(text).map(|target| target.origin())
    }

    /// Whether the target lies within this origin. Unlike `==` it makes no copy of the host.
    pub(crate) fn contains(&self, target: &Target) -> bool {
        self.https == target.is_https()
            && self.port == target.port()
            && self.host == target.host_str()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl From<Url> for Request {
    /// A GET of the URL.
    fn from(url: Url) -> Self {
        Self::get(String::from(url))
    }
}

/// Why a URL was refused. Never holds the URL itself, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidUrl(String);

impl InvalidUrl {
    fn because(error: url::ParseError, text: &str) -> Self {
        Self(match error {
            url::ParseError::RelativeUrlWithoutBase if text.trim().is_empty() => "is empty".into(),
            url::ParseError::RelativeUrlWithoutBase => {
                "has no scheme: it must begin with http:// or https://".into()
            }
            other => format!("does not parse: {other}"),
        })
    }
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the URL {}", self.0)
    }
}

impl std::error::Error for InvalidUrl {}

/// A URL as given, fit to be shown: no user information, nothing that a terminal obeys.
///
/// Text that does not parse may still hold a password, at a place that nobody can say for sure;
/// then everything up to its last `@` goes.
pub(crate) fn redact(text: &str) -> String {
    if let Ok(target) = Target::parse(text) {
        return target.as_str().to_owned();
    }
    let shown = match text.rsplit_once('@') {
        Some((secret, rest)) => {
            let scheme = secret.split_once("://").map_or("", |(scheme, _)| scheme);
            let separator = if scheme.is_empty() { "" } else { "://" };
            format!("{scheme}{separator}{}@{rest}", super::show::REDACTED)
        }
        None => text.to_owned(),
    };
    shown.escape_debug().collect()
}

/// The pairs as `application/x-www-form-urlencoded` text.
pub(super) fn encode_form<K: AsRef<str>, V: AsRef<str>>(
    fields: impl IntoIterator<Item = (K, V)>,
) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let decoded = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (byte, after) = decoded.unwrap_or((first, tail));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    #[test]
    fn host_field_and_request_target_come_from_the_one_parse() {
        for (text, authority, path) in [
            ("http://Example.COM", "example.com", "/"),
            ("http://example.com:80/a?b#c", "example.com", "/a?b"),
            ("https://example.com:80/", "example.com:80", "/"),
            ("http://[::1]:8080/x y?q=ü", "[::1]:8080", "/x%20y?q=%C3%BC"),
            ("http://user:pw@h/..//a/../b", "h", "//b"),
            ("http://good.example\\@evil.example/", "good.example", "/@evil.example/"),
            ("http://bücher.example/", "xn--bcher-kva.example", "/"),
            ("http://0x7f.1/", "127.0.0.1", "/"),
        ] {
            let target = target(text);
            assert_eq!((target.authority(), target.path_and_query()), (authority, path), "{text}");
        }
    }

    #[test]
    fn what_a_proxy_is_told_has_neither_fragment_nor_user_information_and_always_a_port() {
        for (text, absolute, authority) in [
            ("http://u:p@H/a?b#c", "http://h/a?b", "h:80"),
            ("https://h", "https://h/", "h:443"),
            ("http://[::1]:81/?#", "http://[::1]:81/?", "[::1]:81"),
        ] {
            let target = target(text);
            assert_eq!(target.absolute(), absolute);
            assert_eq!(target.host_and_port(), authority);
        }
    }

    #[test]
    fn a_url_that_cannot_be_sent_is_refused() {
        for text in [
            "",
            " ",
            "example.com/x",
            "/x",
            "http://",
            "http:///",
            "ftp://h/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://h:99999/",
            "http://a b/",
            "http://[::1%25eth0]/",
            "http://h/\r\nX: y",
            "http://h/a\tb",
            "http://h\0/",
            "http://a%2Fb/",
            "http://a%00b/",
        ] {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn params_follow_the_urls_own_query() {
        let mut target = target("http://h/p?a=1#frag");
        target.add_params([("b c", "d&e"), ("é", "")]);
        assert_eq!(target.path_and_query(), "/p?a=1&b+c=d%26e&%C3%A9=");
        let mut plain = self::target("http://h/p");
        plain.add_params([]);
        assert_eq!(plain.path_and_query(), "/p");
    }

    #[test]
    fn user_information_is_taken_out_and_decoded() {
        let target = target("http://us%40er:p%3Aw%zz%FF@h/");
        assert_eq!(target.userinfo(), Some((&b"us@er"[..], &b"p:w%zz\xff"[..])));
        assert_eq!(target.as_str(), "http://h/");
        assert!(!format!("{target:?}").contains("us"));
    }

    #[test]
    fn a_location_is_resolved_keeps_the_fragment_and_loses_user_information() {
        let from = target("http://a/b/c?d#f");
        for (location, to) in [
            ("e", "http://a/b/e#f"),
            ("/e?x", "http://a/e?x#f"),
            ("//other:81/", "http://other:81/#f"),
            ("https://a/#g", "https://a/#g"),
            ("", "http://a/b/c?d#f"),
            ("http://u:p@a/", "http://a/#f"),
        ] {
            let joined = from.join(location).unwrap();
            assert_eq!((joined.as_str(), joined.userinfo()), (to, None), "{location}");
        }
        let from = target("http://u:p@a/");
        let own = Some((&b"u"[..], &b"p"[..]));
        assert_eq!(from.join("/b").unwrap().userinfo(), own);
        assert_eq!(from.join("http://x:y@a/b").unwrap().userinfo(), own);
        assert_eq!(from.join("http://u:p@b/").unwrap().userinfo(), None);
        for location in ["ftp://a/", "file:///etc/passwd", "data:,x", "http://", "\r\nx"] {
            assert!(from.join(location).is_err(), "{location}");
        }
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_a_password() {
        for text in [
            "http://user:hunter2@h/",
            "http://user:hun/ter2hunter2@h:bad/",
            "ftp://user:hunter2@h/",
            "user:hunter2@h",
        ] {
            assert!(!redact(text).contains("hunter2"), "{}", redact(text));
        }
        assert_eq!(redact("no\x1b[31mscheme"), "no\\u{1b}[31mscheme");
    }
}
