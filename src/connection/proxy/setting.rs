//! One proxy: where it is, by what protocol it is spoken to, and who says to be.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "tls-no-provider")]
use crate::connection::tls::{TlsConfig, TlsContext};
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{REDACTED, Target, base64, redact};

/// A proxy: its address, protocol and credentials.
///
/// | URL | protocol | port, if none is given |
/// | --- | --- | --- |
/// | `http://host`, or no scheme | HTTP: `http` URLs in absolute form (RFC 9112 §3.2.2), `https` URLs by `CONNECT` (RFC 9110 §9.3.6) | 80 |
/// | `https://host` | the same within TLS to the proxy | 443 |
/// | `socks5://host` | SOCKS5 (RFC 1928); names are looked up here | 1080 |
/// | `socks5h://host` | SOCKS5; names are looked up by the proxy | 1080 |
///
/// The ports are those of the schemes, as for reqwest, ureq and Go; curl takes 1080 for plain HTTP
/// proxies, too. User information in the URL is percent-decoded and becomes the credentials: by
/// Basic (RFC 7617) for HTTP, by user and password (RFC 1929) for SOCKS. They go to the proxy and to
/// nobody else, and no message shows them.
///
/// What is wrong with a proxy (a URL that cannot be read, a scheme that is none of these, credentials
/// that cannot be sent) becomes the error of each request that would go through it, of kind
/// [`InvalidRequest`](ErrorKind::InvalidRequest): nothing goes another way by mistake.
///
/// The proxy's own address is the caller's choice: an [`AddressPolicy`](crate::AddressPolicy) is not
/// asked about it.
///
/// # Examples
///
/// ```
/// use fetchpool::{Proxy, SessionConfig};
///
/// let proxy = Proxy::new("http://proxy.example:3128").basic_auth("ada", "s3cret");
/// assert!(!format!("{proxy:?}").contains("s3cret"));
/// let mut config = SessionConfig::new();
/// config.proxy(proxy);
/// config.proxies.no_proxy("localhost, .corp.example, 10.0.0.0/8");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Arc<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    /// Where it is; or what is wrong with the URL.
    place: Result<Place, String>,
    /// User and password.
    credentials: Option<(Vec<u8>, Vec<u8>)>,
    /// Its own settings; by default a proxy is trusted by the roots of the session.
    #[cfg(feature = "tls-no-provider")]
    tls: Option<Result<TlsContext, String>>,
}

#[derive(Clone, PartialEq, Eq)]
struct Place {
    scheme: Scheme,
    /// `http` or `https`, host and port: what is dialled, and the name that is verified.
    target: Target,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection) enum Scheme {
    Http,
    Https,
    Socks5,
    /// The proxy looks names up.
    Socks5h,
}

impl Proxy {
    /// The proxy at this URL.
    #[must_use]
    pub fn new(url: impl AsRef<str>) -> Self {
        Self::read(url.as_ref(), "the proxy")
    }

    /// The proxy at this URL; an error calls it by this name.
    pub(super) fn read(url: &str, name: &str) -> Self {
        let url = url.trim();
        let (place, credentials) = match parse(url) {
            Ok((place, credentials)) => (Ok(place), credentials),
            Err(error) => (Err(format!("{name} \"{}\": {error}", shown(url))), None),
        };
        Self(Arc::new(Inner {
            place,
            credentials,
            #[cfg(feature = "tls-no-provider")]
            tls: None,
        }))
    }

    /// Who says to be: a user and a password, in place of those in the URL.
    ///
    /// By Basic the user may hold no colon; for SOCKS each has 1 to 255 bytes. Else every request
    /// through the proxy fails.
    #[must_use]
    pub fn basic_auth(mut self, user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        let pair = (user.as_ref().as_bytes().to_vec(), password.as_ref().as_bytes().to_vec());
        Arc::make_mut(&mut self.0).credentials = Some(pair);
        self
    }

    /// Whom to trust as an `https://` proxy. Default: the roots of the session, and only these: its
    /// other settings (client certificate, pins, versions, a `ClientConfig` of its own,
    /// `danger_accept_invalid_certs`) are for the targets, which have them through a proxy as well.
    /// Beside a `ClientConfig` of its own the session has no roots, and the default are Mozilla's.
    ///
    /// Files are read here; one that cannot be is the error of every request through the proxy.
    #[cfg(feature = "tls-no-provider")]
    #[must_use]
    pub fn tls(mut self, tls: &TlsConfig) -> Self {
        let context = match &self.0.place {
            Ok(place) => TlsContext::for_target(tls, &place.target),
            Err(_) => TlsContext::new(tls),
        };
        let context = context.map_err(|error| error.message());
        Arc::make_mut(&mut self.0).tls = Some(context);
        self
    }

    /// Says at once what is wrong with it, if anything is, and not only when it is used.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest), as the requests through it would have it.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::Proxy;
    ///
    /// assert!(Proxy::new("socks5h://ada:s3cret@proxy.example").check().is_ok());
    /// let error = Proxy::new("socks4://ada:s3cret@proxy.example").check().unwrap_err();
    /// assert!(!error.to_string().contains("s3cret"));
    /// ```
    pub fn check(&self) -> Result<(), Error> {
        let fault = match &self.0.place {
            Err(fault) => Some(fault.clone()),
            Ok(place) => self
                .fault_of_credentials(place)
                .map(|fault| format!("the proxy {self}: its {fault}")),
        };
        #[cfg(feature = "tls-no-provider")]
        let fault = fault.or_else(|| match &self.0.tls {
            Some(Err(fault)) => Some(format!("the proxy {self}: {fault}")),
            _ => None,
        });
        match fault {
            Some(fault) => Err(Error::new(ErrorKind::InvalidRequest, fault).during(Phase::Setup)),
            None => Ok(()),
        }
    }

    fn fault_of_credentials(&self, place: &Place) -> Option<&'static str> {
        let (user, password) = self.credentials()?;
        let fits = |bytes: &[u8]| (1..=255).contains(&bytes.len());
        match place.scheme {
            Scheme::Http | Scheme::Https => {
                user.contains(&b':').then_some("user holds a colon (RFC 7617 section 2)")
            }
            Scheme::Socks5 | Scheme::Socks5h => (!fits(user) || !fits(password))
                .then_some("user and password must have 1 to 255 bytes each (RFC 1929 section 2)"),
        }
    }

    /// How it is spoken to, and where it is.
    pub(in crate::connection) fn place(&self) -> Result<(Scheme, &Target), Error> {
        match &self.0.place {
            Ok(place) => Ok((place.scheme, &place.target)),
            Err(fault) => {
                Err(Error::new(ErrorKind::InvalidRequest, fault.clone()).during(Phase::Setup))
            }
        }
    }

    fn scheme(&self) -> Option<Scheme> {
        self.0.place.as_ref().ok().map(|place| place.scheme)
    }

    /// Whether a request for this target is sent to the proxy as such, and not through a tunnel.
    pub(crate) fn forwards(&self, target: &Target) -> bool {
        !target.is_https() && matches!(self.scheme(), Some(Scheme::Http | Scheme::Https))
    }

    /// Whether the target's host is looked up here, and not by the proxy.
    pub(crate) fn looks_up_here(&self) -> bool {
        self.scheme() == Some(Scheme::Socks5)
    }

    /// User and password.
    pub(in crate::connection) fn credentials(&self) -> Option<(&[u8], &[u8])> {
        self.0.credentials.as_ref().map(|(user, password)| (user.as_slice(), password.as_slice()))
    }

    /// The value of `Proxy-Authorization` (RFC 9110 §11.7.2), if there are credentials.
    pub(crate) fn authorization(&self) -> Option<String> {
        let (user, password) = self.credentials()?;
        Some(format!("Basic {}", base64(&[user, b":", password].concat())))
    }

    /// Its own settings for TLS.
    #[cfg(feature = "tls-no-provider")]
    pub(in crate::connection) fn own_tls(&self) -> Option<&TlsContext> {
        self.0.tls.as_ref().and_then(|tls| tls.as_ref().ok())
    }
}

impl fmt::Display for Proxy {
    /// The URL, with its port and without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.place {
            Ok(Place { scheme, target }) => {
                write!(f, "{}://{}:{}", scheme.as_str(), target.host_str(), target.port())
            }
            Err(_) => f.write_str("(unreadable)"),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = self.0.credentials.as_ref().map(|_| REDACTED);
        f.debug_struct("Proxy")
            .field("url", &self.to_string())
            .field("credentials", &credentials)
            .finish_non_exhaustive()
    }
}

impl From<&str> for Proxy {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Proxy {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }
}

type Credentials = Option<(Vec<u8>, Vec<u8>)>;

/// The URL of a proxy that cannot be one, fit to be shown. Where it holds an `@`, a password may stand
/// before it also where the URL has a path there, or a fragment.
fn shown(url: &str) -> String {
    match url.rsplit_once('@') {
        None => redact(url),
        Some((secret, place)) => {
            let scheme = secret.split_once("://").map_or("http", |(scheme, _)| scheme);
            format!("{scheme}://{REDACTED}@{place}").escape_debug().collect()
        }
    }
}

/// Reads the URL of a proxy. Its host is read as that of any other URL: the scheme is exchanged for
/// one that the parser of targets knows.
fn parse(url: &str) -> Result<(Place, Credentials), String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "socks5" => Scheme::Socks5,
        "socks5h" => Scheme::Socks5h,
        _ => return Err("its scheme is none of http, https, socks5 and socks5h".into()),
    };
    let read = |scheme: &str| Target::parse(&format!("{scheme}://{rest}"));
    let target = read("http").map_err(|error| error.to_string())?;
    // What looks like a path may be the rest of a password, and the host then the start of it.
    if target.as_str() != format!("http://{}/", target.authority()) {
        return Err("a proxy has no path; in a user or password, / ? # and \\ must be \
                    percent-encoded"
            .into());
    }
    // The parser drops the port that is its scheme's own, so that it takes two to see whether one
    // was given.
    let port = target.explicit_port().or_else(|| read("https").ok()?.explicit_port());
    let port = port.unwrap_or_else(|| scheme.default_port());
    let credentials = target.userinfo().map(|(user, password)| (user.to_vec(), password.to_vec()));
    let carrier = if scheme == Scheme::Https { "https" } else { "http" };
    let target = Target::parse(&format!("{carrier}://{}:{port}/", target.host_str()))
        .map_err(|error| error.to_string())?;
    Ok((Place { scheme, target }, credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(proxy: &Proxy) -> String {
        proxy.check().expect_err("a fault").message()
    }

    #[test]
    fn a_url_tells_protocol_host_and_port() {
        for (url, shown) in [
            ("http://p", "http://p:80"),
            ("http://p:80/", "http://p:80"),
            ("http://p:443", "http://p:443"),
            ("HTTPS://P", "https://p:443"),
            ("https://p:80", "https://p:80"),
            ("socks5://p", "socks5://p:1080"),
            ("socks5://p:80", "socks5://p:80"),
            ("socks5h://p:443", "socks5h://p:443"),
            (" proxy.example:3128 ", "http://proxy.example:3128"),
            ("10.0.0.1", "http://10.0.0.1:80"),
            ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
            ("http://bücher.example", "http://xn--bcher-kva.example:80"),
        ] {
            let proxy = Proxy::new(url);
            assert!(proxy.check().is_ok(), "{url}");
            assert_eq!(proxy.to_string(), shown, "{url}");
        }
    }

    #[test]
    fn user_information_becomes_credentials_and_is_not_shown() {
        let proxy = Proxy::new("http://us%40er:hunter2%3A@p:1");
        assert_eq!(proxy.credentials(), Some((&b"us@er"[..], &b"hunter2:"[..])));
        let shown = format!("{proxy} {proxy:?}");
        assert!(!shown.contains("us@er") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(proxy.authorization().unwrap(), "Basic dXNAZXI6aHVudGVyMjo=");
        assert_eq!(Proxy::new("http://p:1").credentials(), None);
        assert_eq!(
            Proxy::new("http://u@p").credentials(),
            Some((&b"u"[..], &b""[..])),
            "a user without a password"
        );
    }

    #[test]
    fn a_proxy_that_cannot_be_is_told_when_it_is_used_and_without_its_password() {
        for url in [
            "",
            "http://",
            "ftp://p",
            "socks4://u:hunter2@p",
            "socks://p",
            "http://p:99999",
            "http://u:hun/ter2@p",
            "http://u:hunter2?@p:1",
            "http://u:#hunter2@p",
            "http://p/path",
            "http://a b",
            "http://p\r\nX: y",
        ] {
            let proxy = Proxy::new(url);
            let told = fault(&proxy);
            assert!(!told.contains("hunter2") && !told.contains("ter2"), "{told}");
            assert!(!format!("{proxy:?}").contains("unter2"));
            assert!(!told.contains(['\r', '\n']), "{told}");
        }
    }

    #[test]
    fn credentials_must_fit_the_protocol() {
        let long = "x".repeat(256);
        for (url, user, password, fits) in [
            ("http://p", "a:b", "c", false),
            ("http://p", "", "", true),
            ("http://p", long.as_str(), "", true),
            ("socks5://p", "a:b", "c", true),
            ("socks5://p", "", "c", false),
            ("socks5://p", "a", "", false),
            ("socks5h://p", &long[..255], &long[..255], true),
            ("socks5h://p", &long, "c", false),
            ("socks5h://p", "a", &long, false),
        ] {
            let proxy = Proxy::new(url).basic_auth(user, password);
            assert_eq!(proxy.check().is_ok(), fits, "{url} {} {}", user.len(), password.len());
        }
    }
}
