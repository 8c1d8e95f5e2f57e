//! The settings for coming to an address.

use std::sync::Arc;
use std::time::Duration;

use super::policy::AddressPolicy;
use super::resolve::Resolver;

/// How to come to an address, and how long that may take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialing {
    /// Who looks names up; the system if nobody.
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) dns_timeout: Option<Duration>,
    /// Which addresses may be connected to.
    pub(crate) policy: AddressPolicy,
}
