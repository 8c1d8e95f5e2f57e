//! From a host to the addresses that may be connected to: written as such, laid down by the caller,
//! remembered, or looked up.

use std::net::SocketAddr;
use std::time::Instant;

use super::deadline::Deadline;
use super::dialing::Dialing;
use super::lookups::{ResolverPanicked, lookup};
use super::patience::Patience;
use super::policy::AddressPolicy;
use super::resolve::Question;
use super::times::Times;
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Clock, Host};
use crate::observer::Watched;

/// The addresses of a host, at least one, and only those that the policy allows: it is asked each
/// time, wherever they come from.
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
        Host::Name(name) => match dialing.overrides.get(name, port) {
            Some(laid) => laid.to_vec(),
            None => of_name(name, port, dialing, patience, watched, times)?,
        },
    };
    allow_only(&dialing.policy, &mut addresses)?;
    Ok(addresses)
}

fn of_name(
    name: &str,
    port: u16,
    dialing: &Dialing,
    patience: &Patience<'_>,
    watched: Watched<'_>,
    times: &mut Times<'_>,
) -> Result<Vec<SocketAddr>, Error> {
    let question = Question::new(dialing.resolver.as_ref(), name, port);
    let cache = dialing.cache.as_ref();
    // Nobody is asked then, and no thread is waited for.
    if let Some(known) = cache.and_then(|cache| cache.get(question, Instant::now())) {
        return known
            .addresses()
            .map(|addresses| question.with_port(addresses, port))
            .map_err(|error| patience.error(error, Phase::Dns, ErrorKind::Dns, ""));
    }
    let limit = Deadline::after(Instant::now(), dialing.dns_timeout, Clock::Dns);
    let patience = patience.but(limit);
    let found = lookup(question, cache, &patience)
        .and_then(|known| known.addresses().map(|addresses| question.with_port(addresses, port)));
    let took = times.lap(|timings| &mut timings.dns);
    let addresses = found.as_deref().unwrap_or_default();
    debug!("looked up {name}: {} addresses in {took:?}", addresses.len());
    watched.tell(|observer, job| observer.dns(job, name, addresses, took));
    found.map_err(|error| {
        let panicked = error.get_ref().is_some_and(|error| error.is::<ResolverPanicked>());
        let kind = if panicked { ErrorKind::Panic } else { ErrorKind::Dns };
        patience.error(error, Phase::Dns, kind, "")
    })
}

/// What was said about a host was of no use: it is asked about anew the next time.
pub(super) fn forget(host: &Host<'_>, port: u16, dialing: &Dialing) {
    if let (Host::Name(name), Some(cache)) = (host, &dialing.cache) {
        cache.forget(Question::new(dialing.resolver.as_ref(), name, port));
    }
}

/// Takes out the addresses that may not be connected to. An error if that leaves none.
fn allow_only(policy: &AddressPolicy, addresses: &mut Vec<SocketAddr>) -> Result<(), Error> {
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
