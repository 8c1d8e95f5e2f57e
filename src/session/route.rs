//! Which way a hop goes: straight to its target, or through a proxy; and whether that may be.

use std::net::SocketAddr;

use super::Session;
use crate::connection::{AddressPolicy, Proxy, refusal};
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Host, Response, Target};

impl Session {
    /// The proxy for this target, if it goes through one: asked anew on each hop (S3).
    ///
    /// The address policy is asked here about what a proxy is told, since nobody else will: also
    /// where the connection to the proxy is a kept one. Of a name that the proxy looks up there is no
    /// address to ask about, so that a session with a policy does not go there.
    pub(super) fn proxy_for(&self, target: &Target) -> Result<Option<Proxy>, Error> {
        let config = &self.config;
        // Whoever goes to a socket in the file system goes there.
        #[cfg(unix)]
        if config.unix_socket.is_some() {
            return Ok(None);
        }
        let Some(proxy) = config.proxies.choose(target)? else { return Ok(None) };
        let policy = &config.address_policy;
        let fault = match target.host() {
            _ if matches!(policy, AddressPolicy::Any) => None,
            Host::Ip(ip) => {
                let address = SocketAddr::new(ip, target.port());
                (!policy.allows(&address))
                    .then(|| format!("the address policy does not allow {address}"))
            }
            // It is asked when the name has been looked up.
            Host::Name(_) if proxy.looks_up_here() => None,
            Host::Name(name) => Some(format!(
                "the address policy cannot be asked about {name}, which the proxy {proxy} would \
                 look up; a socks5:// proxy is told an address"
            )),
        };
        match fault {
            Some(fault) => Err(Error::new(ErrorKind::Forbidden, fault).during(Phase::Connect)),
            None => Ok(Some(proxy)),
        }
    }
}

/// Whether this is the word of a proxy that was asked to forward the request, and wants to know who
/// asks: no origin answers with 407 (RFC 9110 §15.5.8).
pub(super) fn is_refusal(status: u16, proxy: Option<&Proxy>, target: &Target) -> bool {
    status == 407 && proxy.is_some_and(|proxy| proxy.forwards(target))
}

/// What host and port a proxy was asked for, if the response is such a refusal.
pub(super) fn refused(status: u16, proxy: Option<&Proxy>, target: &Target) -> Option<String> {
    is_refusal(status, proxy, target).then(|| target.host_and_port())
}

/// The response, unless it is such a refusal.
pub(super) fn unless_refused(
    response: Response,
    proxy: Option<&Proxy>,
    refused: Option<&str>,
) -> Result<Response, Error> {
    match proxy.zip(refused) {
        Some((proxy, host)) => {
            let url = response.url().to_owned();
            Err(refusal(proxy, &format!("the request for {host}"), response).at(&url))
        }
        None => Ok(response),
    }
}
