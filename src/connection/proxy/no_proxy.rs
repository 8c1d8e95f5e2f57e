//! Which hosts are gone to directly: `NO_PROXY` and its like.
//!
//! There is no standard. What curl and Go do was measured and read, and stands in the table of the
//! tests below, beside what is done here and why.

use std::net::IpAddr;

use crate::message::{Host, Target};

/// Hosts that no proxy is used for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NoProxy {
    everything: bool,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    /// Only at this port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    /// Addresses whose first bits are those of this one.
    Network(IpAddr, u32),
    /// A domain, and all below it.
    Domain(String),
    /// All below a domain.
    Below(String),
}

impl NoProxy {
    /// Adds a list, separated by commas or white space. What cannot be read matches nothing.
    pub(crate) fn add(&mut self, list: &str) {
        let texts = list.split(|c: char| c == ',' || c.is_whitespace());
        for text in texts.filter(|text| !text.is_empty()) {
            match text {
                "*" => self.everything = true,
                _ => self.entries.extend(Entry::parse(text)),
            }
        }
    }

    /// Whether the target is gone to directly.
    pub(crate) fn matches(&self, target: &Target) -> bool {
        let host = target.host();
        let at = |entry: &Entry| entry.port.is_none_or(|port| port == target.port());
        self.everything || self.entries.iter().any(|entry| at(entry) && entry.hosts.contain(&host))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        // All by itself, since an IPv6 address may end like a port.
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Self { hosts: Hosts::address(ip), port: None });
        }
        if let Some((inside, behind)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
            let ip = IpAddr::V6(inside.parse().ok()?);
            return match behind.strip_prefix('/') {
                Some(bits) => Some(Self { hosts: Hosts::network(ip, bits)?, port: None }),
                None if behind.is_empty() => Some(Self { hosts: Hosts::address(ip), port: None }),
                None => {
                    let port = Some(port(behind.strip_prefix(':')?)?);
                    Some(Self { hosts: Hosts::address(ip), port })
                }
            };
        }
        if let Some((ip, bits)) = text.split_once('/') {
            return Some(Self { hosts: Hosts::network(ip.parse().ok()?, bits)?, port: None });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, digits)) => (name, Some(port(digits)?)),
            None => (text, None),
        };
        Some(Self { hosts: Hosts::named(name)?, port })
    }
}

impl Hosts {
    const fn address(ip: IpAddr) -> Self {
        let bits = if ip.is_ipv4() { 32 } else { 128 };
        Self::Network(ip, bits)
    }

    fn network(ip: IpAddr, bits: &str) -> Option<Self> {
        let bits = digits(bits).filter(|bits| *bits <= if ip.is_ipv4() { 32 } else { 128 })?;
        Some(Self::Network(ip, bits))
    }

    /// A domain, in the form that the host of a URL has: lower case, and in ASCII.
    fn named(text: &str) -> Option<Self> {
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text.strip_prefix('.').unwrap_or(text)),
        };
        if name.is_empty() || name.contains(['*', '/', '\\', '?', '#', '@', ':']) {
            return None;
        }
        let target = Target::parse(&format!("http://{name}/")).ok()?;
        Some(match target.host() {
            // One of the odd ways to write an address, which the URL's own host may be written in.
            Host::Ip(ip) => Self::address(ip),
            Host::Name(name) if below => Self::Below(without_dot(name).to_owned()),
            Host::Name(name) => Self::Domain(without_dot(name).to_owned()),
        })
    }

    fn contain(&self, host: &Host<'_>) -> bool {
        match (self, host) {
            (Self::Network(network, bits), Host::Ip(ip)) => {
                // An IPv4 address within an IPv6 one leads to the same host.
                same_bits(*network, *ip, *bits) || {
                    let (network, bits) = match network.to_canonical() {
                        IpAddr::V4(v4) if network.is_ipv6() && *bits >= 96 => {
                            (IpAddr::V4(v4), bits.saturating_sub(96))
                        }
                        _ => (*network, *bits),
                    };
                    same_bits(network, ip.to_canonical(), bits)
                }
            }
            (Self::Domain(domain), Host::Name(name)) => {
                let name = without_dot(name);
                name == domain || is_below(name, domain)
            }
            (Self::Below(domain), Host::Name(name)) => is_below(without_dot(name), domain),
            _ => false,
        }
    }
}

fn same_bits(network: IpAddr, ip: IpAddr, bits: u32) -> bool {
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            (network.to_bits() ^ ip.to_bits()).leading_zeros() >= bits
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            (network.to_bits() ^ ip.to_bits()).leading_zeros() >= bits
        }
        _ => false,
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// The final dot of a name says only that it is complete.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn port(text: &str) -> Option<u16> {
    digits(text).and_then(|port| u16::try_from(port).ok())
}

/// Not `str::parse` alone: that also takes a leading `+`.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[path = "no_proxy_tests.rs"]
mod tests;
