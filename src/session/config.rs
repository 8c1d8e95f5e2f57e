//! Every setting of a session.

use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "cookies")]
use super::cookies::{CookieJar, Cookies};
use super::{Auth, Netrc, Signer};
#[cfg(feature = "tls-no-provider")]
use crate::connection::TlsConfig;
use crate::connection::{
    AddressPolicy, Dialing, DnsCache, LowSpeed, Overrides, Proxies, Proxy, Resolver,
};
use crate::message::{Buffers, Headers, InvalidHeader, RetryPolicy};
use crate::observer::Observer;
use crate::wire::Limits;

/// The settings of a session: what an initializer gets to change.
///
/// A plain value with public fields; the methods are shorthands. Start from
/// [`SessionConfig::new`] and change what should differ.
///
/// # Examples
///
/// ```
/// use fetchpool::{SessionConfig, user_agent};
/// use std::time::Duration;
///
/// let mut session = SessionConfig::new();
/// session
///     .header("Accept", "application/json")
///     .user_agent(&user_agent("my-scraper", "1.0"))
///     .param("lang", "en");
/// session.timeout = Some(Duration::from_secs(5));
/// session.limits.body_bytes = 1 << 20;
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Fields that every request is sent with, unless it has its own of that name.
    ///
    /// Default: `User-Agent: fetchpool/` and the version, and `Accept: */*`. `Accept-Encoding` is
    /// added where bodies are decoded. `Host`, `Content-Length`, `Transfer-Encoding`, `Connection`
    /// and `Expect` are written by the crate alone, and refused here.
    ///
    /// Danger: an `Authorization` or `Cookie` put here goes to the URL of every job, wherever
    /// that is. [`auth`](Self::auth) can be bound to origins. Over a redirect to another origin
    /// go only `User-Agent`, `Accept`, `Accept-Language`, `Accept-Encoding`, `Cache-Control` and
    /// `Pragma`.
    pub headers: Headers,
    /// Query parameters that every request's URL gets, before its own [`Request::params`].
    /// Default: none.
    ///
    /// [`Request::params`]: crate::Request::params
    pub params: Vec<(String, String)>,
    /// How long a request may take in all: name look-up, every address, TLS, every redirect and
    /// the whole body. Default: 30 s. `None`, or a time beyond the clock, is no limit. Danger:
    /// without a limit a silent server holds its worker for ever.
    pub timeout: Option<Duration>,
    /// How long opening one connection may take: look-up, every address and the TLS handshake.
    /// Default: 10 s, and never longer than what is left of `timeout`.
    pub connect_timeout: Option<Duration>,
    /// How long looking up a host may take. Default: no limit of its own; `connect_timeout` and
    /// `timeout` hold for it, too.
    pub dns_timeout: Option<Duration>,
    /// How long the server may take from the last byte of the request to the first byte of its
    /// response, be it an interim one. Default: no limit of its own.
    pub first_byte_timeout: Option<Duration>,
    /// How long nothing may move while the request is sent or the response received. Waiting for
    /// the first byte of the response is not meant; that is `first_byte_timeout`. Default: no limit
    /// of its own.
    #[doc(alias = "read_timeout")]
    pub stall_timeout: Option<Duration>,
    /// The least that a transfer must move in a while. Default: nothing.
    pub low_speed: Option<LowSpeed>,
    /// Who looks host names up. Default: the system.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// What is remembered of look-ups. Default: a [`DnsCache`] of these settings and of their clones,
    /// which are those of a pool's workers. `None`: every connection asks anew.
    pub dns_cache: Option<DnsCache>,
    /// A socket in the file system, to which every connection of the session goes, as with curl's
    /// `--unix-socket`. Only on Unix. Default: none.
    ///
    /// The URL still says scheme, `Host`, path and the name that a certificate must have; nothing is
    /// looked up, [`address_policy`](Self::address_policy) is asked nothing, since there is no
    /// address, and no proxy is used. Redirects go to the same socket, whatever host they name.
    /// [`Response::peer_addr`](crate::Response::peer_addr) is `None`, and an observer is not told
    /// that it was [`connected`](crate::Observer::connected).
    #[cfg(unix)]
    pub unix_socket: Option<PathBuf>,
    /// Which addresses may be connected to. Default: all. Danger: a list of URLs from somebody else
    /// can name hosts of your own network, and so can a redirect.
    pub address_policy: AddressPolicy,
    /// Which proxies are used, and for what. Default: none, whatever the environment says;
    /// [`proxy_from_env`](Self::proxy_from_env) asks it. With an [`address_policy`] other than `Any`,
    /// only what is checked here goes through a proxy: hosts written as addresses, and names through
    /// `socks5://`; other names fail with kind [`Forbidden`](crate::ErrorKind::Forbidden).
    ///
    /// Danger: an `http` proxy reads and may change `http` requests and responses.
    ///
    /// [`address_policy`]: Self::address_policy
    pub proxies: Proxies,
    /// Who is told what the session's requests are at. Default: nobody.
    /// [`PoolBuilder::observer`](crate::PoolBuilder::observer) sets this, too.
    pub observer: Option<Arc<dyn Observer>>,
    /// Whether requests with a body ask with `Expect: 100-continue` whether it is wanted, and how long
    /// they wait for a word on that before they send it all the same (RFC 9110 §10.1.1). Default:
    /// no. [`Request::expect_continue`] says more, and comes first. Danger: against a server that
    /// knows nothing of it, every upload takes so much longer.
    ///
    /// [`Request::expect_continue`]: crate::Request::expect_continue
    pub expect_continue: Option<Duration>,
    /// What is tried again, and when. Default: nothing. [`Request::retry`] and
    /// [`Request::without_retry`] come first; [`PoolBuilder::retry`](crate::PoolBuilder::retry) sets
    /// this, too.
    ///
    /// [`Request::retry`]: crate::Request::retry
    /// [`Request::without_retry`]: crate::Request::without_retry
    pub retry: Option<RetryPolicy>,
    /// What the random part of waits comes from, that before a retry among them: with the same seed
    /// the same job waits as long in each run. Default: none, it is another one each time.
    /// [`PoolBuilder::seed`](crate::PoolBuilder::seed) sets this, too.
    pub seed: Option<u64>,
    /// Whether redirects are followed; how many is in [`Limits::redirects`]. Default: yes.
    pub allow_redirects: bool,
    /// Credentials. Default: none. [`Auth`] says whose come first.
    pub auth: Option<Auth>,
    /// Logins by host, for where there are no other credentials. Default: none, no `.netrc` is
    /// read.
    pub netrc: Option<Netrc>,
    /// Who signs requests when they are about to be sent. Default: nobody. Danger: unless it is
    /// bound to origins, what it adds goes to the URL of every job, wherever that is.
    pub signer: Option<Signer>,
    /// Whether cookies are kept, and where. Default: [`Cookies::Off`].
    #[cfg(feature = "cookies")]
    pub cookies: Cookies,
    /// Whom to trust over `https`, and who the session is itself. Default: the roots of Mozilla,
    /// and nobody.
    #[cfg(feature = "tls-no-provider")]
    pub tls: TlsConfig,
    /// Ceilings on sizes and numbers, each with its default. Danger: a ceiling that is raised is
    /// memory that any server can take.
    pub limits: Limits,
    /// Whether a status of 400 or above is an error. Default: no, it is a response like others.
    /// The error then carries the response.
    pub http_status_as_error: bool,
    /// Whether content codings are asked for and undone: gzip and deflate (feature `gzip`), brotli
    /// (feature `brotli`) and zstd (feature `zstd`). Each body that is being decoded takes memory
    /// for its window: 32 KiB for gzip, up to 24 MiB for brotli, up to 13 MiB for zstd, of which
    /// nothing comes out before 8 MiB of it or its end have come in. Default: yes.
    pub decompress: bool,
    /// Where the memory of bodies goes that were read and dropped, to be used again. Default: the workers
    /// of a pool have a shelf together, for 64 buffers and half of the pool's
    /// [`body_budget`](crate::PoolBuilder::body_budget); a session alone, and each
    /// [`SessionThread`](crate::SessionThread), has [`Buffers::new`] for itself, and so up to 128 MiB as
    /// long as it is there. With [`Buffers::none`] every body has new memory. Danger: a shelf that is made
    /// in an initializer is another one for each worker.
    pub buffers: Option<Buffers>,
    /// Whether connections are kept for the next request. Default: yes.
    pub keep_alive: bool,
    /// How long a kept connection may be idle before it is closed instead of used. Default: 60 s.
    pub idle_timeout: Duration,
    /// How many idle connections the session keeps at most, one for each origin; the one that was
    /// idle longest goes first. Default: 32.
    pub max_idle_connections: usize,
    /// Addresses laid down by [`resolve`](Self::resolve).
    pub(super) overrides: Overrides,
    /// The first field that was refused by [`header`](Self::header).
    pub(super) fault: Option<InvalidHeader>,
}

impl SessionConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        let mut headers = Headers::new();
        // Neither can fail: both are plain ASCII text.
        let _ = headers.append("User-Agent", USER_AGENT);
        let _ = headers.append("Accept", "*/*");
        Self {
            headers,
            params: Vec::new(),
            timeout: Some(Duration::from_secs(30)),
            connect_timeout: Some(Duration::from_secs(10)),
            dns_timeout: None,
            first_byte_timeout: None,
            stall_timeout: None,
            low_speed: None,
            resolver: None,
            dns_cache: Some(DnsCache::new()),
            #[cfg(unix)]
            unix_socket: None,
            overrides: Overrides::default(),
            address_policy: AddressPolicy::Any,
            proxies: Proxies::new(),
            observer: None,
            expect_continue: None,
            retry: None,
            seed: None,
            allow_redirects: true,
            auth: None,
            netrc: None,
            signer: None,
            #[cfg(feature = "cookies")]
            cookies: Cookies::Off,
            #[cfg(feature = "tls-no-provider")]
            tls: TlsConfig::new(),
            limits: Limits::default(),
            http_status_as_error: false,
            decompress: true,
            buffers: None,
            keep_alive: true,
            idle_timeout: Duration::from_secs(60),
            max_idle_connections: 32,
            fault: None,
        }
    }

    /// Sets a field of [`headers`](Self::headers). One that is refused is remembered, and every
    /// request of the session then fails with it.
    pub fn header(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        if let Err(error) = self.headers.insert(name.as_ref(), value.as_ref()) {
            self.fault.get_or_insert(error);
        }
        self
    }

    /// Sets the `User-Agent`; [`user_agent`](crate::user_agent) makes a good one.
    pub fn user_agent(&mut self, value: impl AsRef<str>) -> &mut Self {
        self.header("User-Agent", value)
    }

    /// Adds to [`params`](Self::params).
    pub fn param(&mut self, name: impl Into<String>, value: impl ToString) -> &mut Self {
        self.params.push((name.into(), value.to_string()));
        self
    }

    /// Sets [`timeout`](Self::timeout).
    pub fn timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.timeout = timeout.into();
        self
    }

    /// Uses this proxy for all URLs but those of hosts that [`Proxies::no_proxy`] names.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut session = fetchpool::SessionConfig::new();
    /// session.proxy("socks5h://ada:s3cret@proxy.example:1080");
    /// assert!(!format!("{session:?}").contains("s3cret"));
    /// ```
    pub fn proxy(&mut self, proxy: impl Into<Proxy>) -> &mut Self {
        self.proxies.all(proxy);
        self
    }

    /// Sets [`proxies`](Self::proxies) to what the environment says now: [`Proxies::from_env`].
    pub fn proxy_from_env(&mut self) -> &mut Self {
        self.proxies = Proxies::from_env();
        self
    }

    /// Lays down the addresses of a host at a port, as curl's `--resolve` does: nobody is asked about
    /// them then. They take the place of those laid down before for the same host and port.
    ///
    /// The host is compared without regard to case, and to a dot at its end; `*` is every host that
    /// has nothing of its own. The port is that of the URL, and the addresses may have another one.
    /// The `Host` field, the name in TLS and the certificate that is asked for stay those of the URL,
    /// and [`address_policy`](Self::address_policy) is asked about the addresses. If the host is no
    /// name, or there is no address, there is no session: [`Session::new`](crate::Session::new) fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::{Session, SessionConfig};
    ///
    /// let mut config = SessionConfig::new();
    /// config.resolve("api.example.com", 80, ["127.0.0.1:1".parse()?]);
    /// let error = Session::new(config)?.request("http://api.example.com/").unwrap_err();
    /// assert!(error.is_connect(), "nobody listens there: {error}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolve(
        &mut self,
        host: impl AsRef<str>,
        port: u16,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> &mut Self {
        self.overrides.set(host.as_ref(), port, addresses.into_iter().collect());
        self
    }

    /// How the sessions of these settings come to a host.
    pub(super) fn dialing(&self) -> Dialing {
        Dialing {
            resolver: self.resolver.clone(),
            cache: self.dns_cache.clone(),
            overrides: self.overrides.clone(),
            dns_timeout: self.dns_timeout,
            policy: self.address_policy.clone(),
            #[cfg(unix)]
            unix_socket: self.unix_socket.as_deref().map(Into::into),
            ..Dialing::default()
        }
    }

    /// Sets [`auth`](Self::auth).
    pub fn auth(&mut self, auth: Auth) -> &mut Self {
        self.auth = Some(auth);
        self
    }

    /// Sets [`cookies`](Self::cookies): an empty jar for each session, or none.
    #[cfg(feature = "cookies")]
    pub fn cookie_store(&mut self, enable: bool) -> &mut Self {
        self.cookies = if enable { Cookies::Own(CookieJar::new()) } else { Cookies::Off };
        self
    }

    /// Sets [`cookies`](Self::cookies): this jar, shared by all sessions.
    #[cfg(feature = "cookies")]
    pub fn cookie_jar(&mut self, jar: &CookieJar) -> &mut Self {
        self.cookies = Cookies::Shared(jar.clone());
        self
    }

    /// Sets [`netrc`](Self::netrc).
    pub fn netrc(&mut self, netrc: Netrc) -> &mut Self {
        self.netrc = Some(netrc);
        self
    }

    /// Sets [`signer`](Self::signer).
    pub fn signer(&mut self, signer: Signer) -> &mut Self {
        self.signer = Some(signer);
        self
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self::new()
    }
}

const USER_AGENT: &str = concat!("fetchpool/", env!("CARGO_PKG_VERSION"));
