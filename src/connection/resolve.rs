//! Who looks host names up, and what is asked.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Looks host names up, in the place of the system's resolver.
///
/// It is called on a thread of its own, and may block: when the time of the request is up, or it is
/// cancelled, the request does not wait for it any longer. At most 64 look-ups that somebody waits
/// for run at a time in the process, and at most 256 in all. Those who ask for the same host and
/// port while it is being looked up get the same answer, and so do those who ask later, as long as a
/// [`DnsCache`](crate::DnsCache) keeps it. A panic in it is the outcome of the jobs that wait for it.
/// Hosts written as addresses never come to it.
///
/// Closures of this shape are resolvers.
///
/// # Examples
///
/// ```
/// use fetchpool::{Session, SessionConfig};
/// use std::net::SocketAddr;
/// use std::sync::Arc;
///
/// let mut config = SessionConfig::new();
/// config.resolver = Some(Arc::new(|_host: &str, port: u16| {
///     Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
/// }));
/// let error = Session::new(config)?.request("http://example.com:1/").unwrap_err();
/// assert!(error.message().contains("127.0.0.1:1"));
/// # Ok::<(), fetchpool::Error>(())
/// ```
pub trait Resolver: Send + Sync {
    /// The addresses of a host, with this port, in the order in which they are tried: one family
    /// and the other take turns, beginning with that of the first (RFC 8305 §4). Of more than 64
    /// only the first 64 count.
    ///
    /// # Errors
    ///
    /// Becomes the source of an error of kind [`Dns`](crate::ErrorKind::Dns); so does no address.
    /// That, and an error of kind [`NotFound`](io::ErrorKind::NotFound), is what a
    /// [`DnsCache`](crate::DnsCache) remembers for a short while; others are not remembered.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

impl<F> Resolver for F
where
    F: Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync,
{
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self(host, port)
    }
}

impl fmt::Debug for dyn Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// What is asked, and whom. Answers to equal questions are the same.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// The system if nobody.
    pub(super) resolver: Option<&'a Arc<dyn Resolver>>,
    pub(super) host: &'a str,
    /// 0 for the system, which gives every port the same addresses.
    pub(super) port: u16,
}

impl<'a> Question<'a> {
    pub(super) const fn new(
        resolver: Option<&'a Arc<dyn Resolver>>,
        host: &'a str,
        port: u16,
    ) -> Self {
        let port = if resolver.is_some() { port } else { 0 };
        Self { resolver, host, port }
    }

    /// The addresses of an answer, as they are for this port.
    pub(super) fn with_port(self, addresses: &[SocketAddr], port: u16) -> Vec<SocketAddr> {
        let mut addresses = addresses.to_vec();
        if self.resolver.is_none() {
            addresses.iter_mut().for_each(|address| address.set_port(port));
        }
        addresses
    }
}

/// An answer that can be remembered.
#[derive(Clone)]
pub(super) enum Known {
    /// At least one, and not more than [`MOST_ADDRESSES`].
    Addresses(Arc<[SocketAddr]>),
    /// There is no such name, or it has no address: the kind and the text of the error.
    Nothing(io::ErrorKind, Arc<str>),
}

impl Known {
    pub(super) fn addresses(&self) -> io::Result<&[SocketAddr]> {
        match self {
            Self::Addresses(addresses) => Ok(addresses),
            Self::Nothing(kind, text) => Err(io::Error::new(*kind, text.as_ref())),
        }
    }
}

/// Whether the system's resolver says that there is no such name. Its other errors are about the
/// way there: a name server that did not answer may do so the next time.
///
/// The standard library tells the two apart by the text only. Where the text is another one, the
/// answer is not remembered, which only costs time.
pub(super) fn is_no_such_name(error: &io::Error, text: &str) -> bool {
    let code = if cfg!(windows) { error.raw_os_error() } else { None };
    matches!(code, Some(WSAHOST_NOT_FOUND | WSANO_DATA))
        || NO_SUCH_NAME.iter().any(|said| text.ends_with(said))
}

/// What glibc, musl, and the systems from BSD say for `EAI_NONAME` and `EAI_NODATA`.
const NO_SUCH_NAME: [&str; 5] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
    "nodename nor servname provided, or not known",
];
const WSAHOST_NOT_FOUND: i32 = 11001;
const WSANO_DATA: i32 = 11004;

/// How many addresses of a host count: many more than a host has, and few enough to keep.
pub(super) const MOST_ADDRESSES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_that_did_not_answer_has_not_said_that_there_is_no_such_name() {
        let no = |text: &str| {
            let text = format!("failed to lookup address information: {text}");
            is_no_such_name(&io::Error::other(text.clone()), &text)
        };
        assert!(no("Name or service not known"));
        assert!(no("nodename nor servname provided, or not known"));
        assert!(!no("Temporary failure in name resolution"));
        assert!(!no("Non-recoverable failure in name resolution"));
    }
}
