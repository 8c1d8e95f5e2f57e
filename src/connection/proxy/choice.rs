//! Which proxy a target is reached through.

use std::fmt;
use std::sync::Arc;

use super::no_proxy::NoProxy;
use super::setting::Proxy;
use crate::catch::catch;
use crate::error::{Error, Phase};
use crate::message::Target;

/// Which proxy each URL is fetched through: chosen anew for each request and on each hop of a
/// redirect.
///
/// First, hosts of [`no_proxy`](Self::no_proxy) are gone to directly. Then a
/// [`custom`](Self::custom) function decides, if there is one; else the proxy for the URL's scheme is
/// used, if there is one. By default there is none, and the environment is not looked at:
/// [`from_env`](Self::from_env) does that.
///
/// # Examples
///
/// ```
/// use fetchpool::{Proxies, SessionConfig};
///
/// let mut config = SessionConfig::new();
/// config.proxies.http("http://web.example:3128").https("socks5h://127.0.0.1:9050");
/// config.proxies.no_proxy("localhost, 127.0.0.0/8, [::1], .corp.example");
///
/// // HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as they are now.
/// config.proxies = Proxies::from_env();
/// ```
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    custom: Option<Arc<Choose>>,
    no_proxy: NoProxy,
}

type Choose = dyn Fn(&Destination<'_>) -> Option<Proxy> + Send + Sync;

impl Proxies {
    /// No proxy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this proxy for every URL.
    pub fn all(&mut self, proxy: impl Into<Proxy>) -> &mut Self {
        let proxy = proxy.into();
        self.http = Some(proxy.clone());
        self.https = Some(proxy);
        self
    }

    /// Uses this proxy for `http` URLs.
    pub fn http(&mut self, proxy: impl Into<Proxy>) -> &mut Self {
        self.http = Some(proxy.into());
        self
    }

    /// Uses this proxy for `https` URLs.
    pub fn https(&mut self, proxy: impl Into<Proxy>) -> &mut Self {
        self.https = Some(proxy.into());
        self
    }

    /// Lets this function choose, in the place of [`http`](Self::http) and [`https`](Self::https):
    /// `None` goes to the target directly. It is called on the worker's thread, on each hop; a panic
    /// in it is the outcome of the job.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::{Proxy, SessionConfig};
    ///
    /// let mut config = SessionConfig::new();
    /// let onion = Proxy::new("socks5h://127.0.0.1:9050");
    /// config.proxies.custom(move |to| to.host().ends_with(".onion").then(|| onion.clone()));
    /// ```
    pub fn custom(
        &mut self,
        choose: impl Fn(&Destination<'_>) -> Option<Proxy> + Send + Sync + 'static,
    ) -> &mut Self {
        self.custom = Some(Arc::new(choose));
        self
    }

    /// Adds hosts that are gone to directly, by a list as `NO_PROXY` has it, separated by commas or
    /// white space:
    ///
    /// - `example.com` or `.example.com`: the host and all below it; `*.example.com`: all below it;
    /// - `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`: an address; `10.0.0.0/8`, `fd00::/8`: a network;
    /// - each of them but a network with a port, `example.com:8080`: only at that port;
    /// - `*`: every host.
    ///
    /// Letter case and a final dot do not matter. Names are not looked up: a network matches only
    /// hosts that are written as addresses. An entry that is none of these matches nothing.
    ///
    /// `localhost` and loopback addresses are in no list that does not say so, as for curl and
    /// `requests`. (Go never uses a proxy for them.)
    pub fn no_proxy(&mut self, list: impl AsRef<str>) -> &mut Self {
        self.no_proxy.add(list.as_ref());
        self
    }

    /// The proxy for this target, one that can be used; `None` goes there directly.
    pub(crate) fn choose(&self, target: &Target) -> Result<Option<Proxy>, Error> {
        let by_scheme = if target.is_https() { &self.https } else { &self.http };
        if self.custom.is_none() && by_scheme.is_none() || self.no_proxy.matches(target) {
            return Ok(None);
        }
        let proxy = match &self.custom {
            Some(choose) => catch(|| choose(&Destination { target })).map_err(|panicked| {
                Error::panicked("the function that chooses the proxy panicked", &panicked)
                    .during(Phase::Setup)
            })?,
            None => by_scheme.clone(),
        };
        if let Some(proxy) = &proxy {
            proxy.check()?;
        }
        Ok(proxy)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http)
            .field("https", &self.https)
            .field("custom", &self.custom.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

/// Where a request goes, for whoever chooses its proxy.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    target: &'a Target,
}

impl Destination<'_> {
    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        if self.target.is_https() { "https" } else { "http" }
    }

    /// The host as the URL has it: lower case, ASCII, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.target.host_str()
    }

    /// The port, also where it is the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.target.port()
    }
}
