//! How a session comes to the hosts of its URLs.

#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::cache::DnsCache;
use super::overrides::Overrides;
use super::policy::AddressPolicy;
use super::resolve::Resolver;
use super::routes::Routes;

/// How to come to an address, and how long that may take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialing {
    /// Who looks names up; the system if nobody.
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    /// What they have said already.
    pub(crate) cache: Option<DnsCache>,
    /// Names that nobody is asked about.
    pub(crate) overrides: Overrides,
    pub(crate) dns_timeout: Option<Duration>,
    /// Which addresses may be connected to.
    pub(crate) policy: AddressPolicy,
    /// The socket that every connection goes to, whatever the host.
    #[cfg(unix)]
    pub(crate) unix_socket: Option<Arc<Path>>,
    /// Which addresses were good, where there is no cache to remember it.
    pub(crate) own_routes: Routes,
}

impl Dialing {
    pub(super) fn routes(&self) -> &Routes {
        self.cache.as_ref().map_or(&self.own_routes, DnsCache::routes)
    }
}
