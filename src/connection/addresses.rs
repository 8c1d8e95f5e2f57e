//! The addresses of a host that may be connected to.

use std::net::SocketAddr;
use std::time::Instant;

use super::deadline::Deadline;
use super::dialing::Dialing;
use super::lookups::{ResolverPanicked, lookup};
use super::patience::Patience;
use super::policy::AddressPolicy;
use super::times::Times;
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Clock, Host};
use crate::observer::Watched;

/// Looks the host up unless it is an address, and leaves out what the policy does not allow. At
/// least one.
pub(super) fn addresses(
    host: &Host<'_>,
    port: u16,
    dialing: &Dialing,
    patience: &Patience<'_>,
    watched: Watched<'_>,
    times: &mut Times<'_>,
) -> Result<Vec<SocketAddr>, Error> {
    let mut addresses = match *host {
        Host::Ip(ip) => vec![SocketAddr::new(ip, port)],
        Host::Name(name) => {
            let limit = Deadline::after(Instant::now(), dialing.dns_timeout, Clock::Dns);
            let patience = patience.but(limit);
            let found = lookup(dialing.resolver.as_ref(), name, port, &patience);
            let took = times.lap(|timings| &mut timings.dns);
            let addresses = found.as_deref().unwrap_or_default();
            debug!("looked up {name}: {} addresses in {took:?}", addresses.len());
            watched.tell(|observer, job| observer.dns(job, name, addresses, took));
            found.map_err(|error| {
                let panicked = error.get_ref().is_some_and(|error| error.is::<ResolverPanicked>());
                let kind = if panicked { ErrorKind::Panic } else { ErrorKind::Dns };
                patience.error(error, Phase::Dns, kind, "")
            })?
        }
    };
    allow_only(&dialing.policy, &mut addresses)?;
    Ok(addresses)
}

/// Takes out the addresses that may not be connected to. An error if that leaves none.
pub(super) fn allow_only(
    policy: &AddressPolicy,
    addresses: &mut Vec<SocketAddr>,
) -> Result<(), Error> {
    let mut forbidden = Vec::new();
    addresses.retain(|address| {
        let allowed = policy.allows(address);
        if !allowed {
            forbidden.push(address.to_string());
        }
        allowed
    });
    if addresses.is_empty() && !forbidden.is_empty() {
        let detail = format!("the address policy does not allow {}", forbidden.join(", "));
        return Err(Error::new(ErrorKind::Forbidden, detail).during(Phase::Connect));
    }
    Ok(())
}
