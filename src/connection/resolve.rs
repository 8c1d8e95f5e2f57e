//! Who looks host names up.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Looks host names up, in the place of the system's resolver.
///
/// It is called on a thread of its own, and may block: when the time of the request is up, or it is
/// cancelled, the request does not wait for it any longer. At most 64 look-ups that somebody waits
/// for run at a time in the process, and at most 256 in all. Those who ask for the same host and
/// port while it is being looked up get the same answer. A panic in it is the outcome of the jobs
/// that wait for it. Hosts written as addresses never come to it.
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
    /// The addresses of a host, with this port, in the order in which they are tried.
    ///
    /// # Errors
    ///
    /// Becomes the source of an error of kind [`Dns`](crate::ErrorKind::Dns); so does no address.
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
