//! Which addresses may be connected to.
//!
//! It is asked about the address itself, after the look-up and right before the connect, with no
//! second look-up in between: what a name means to somebody else, or meant a moment ago, does not
//! count. The public form of an address is public because of what is in it, so the forms that carry
//! an IPv4 address in an IPv6 one are taken apart.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Which addresses a session may connect to: of each URL, of each hop of a redirect, at each try.
///
/// A list of URLs from somebody else, or a redirect, can name hosts of one's own network, by an
/// address or by a name that means one. [`PublicOnly`](Self::PublicOnly) keeps them out. Where a host
/// has several addresses, those that are not allowed are passed over; a host that has no other fails
/// with kind [`Forbidden`](crate::ErrorKind::Forbidden), and nothing is sent. It makes no difference
/// whether the addresses were looked up, remembered, or laid down by
/// [`SessionConfig::resolve`](crate::SessionConfig::resolve).
///
/// # Examples
///
/// ```
/// use fetchpool::{AddressPolicy, ErrorKind, Session, SessionConfig};
///
/// let mut config = SessionConfig::new();
/// config.address_policy = AddressPolicy::PublicOnly;
/// let mut session = Session::new(config)?;
/// for url in ["http://127.0.0.1/", "http://localhost/", "http://[::ffff:10.0.0.1]/"] {
///     assert_eq!(session.request(url).unwrap_err().kind(), ErrorKind::Forbidden);
/// }
/// # Ok::<(), fetchpool::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Default)]
pub enum AddressPolicy {
    /// All of them.
    #[default]
    Any,
    /// Those of the public internet, by the registries of IANA for special-purpose addresses.
    ///
    /// Not public are loopback, private, shared, link-local, unique-local, documentation,
    /// benchmarking, multicast, reserved and unspecified addresses, those with a zone, and the forms
    /// of any of them that are mapped (`::ffff:0:0/96`), NAT64 (`64:ff9b::/96`), 6to4 (`2002::/16`)
    /// or Teredo (`2001::/32`). IPv4-compatible addresses (`::/96`) never are.
    PublicOnly,
    /// Those for which this is true.
    Custom(Arc<dyn Fn(&SocketAddr) -> bool + Send + Sync>),
}

impl AddressPolicy {
    /// A policy of one's own. It is called on the worker's thread; a panic in it is the outcome of
    /// the job.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::AddressPolicy;
    ///
    /// let policy = AddressPolicy::custom(|address| address.port() == 443);
    /// assert!(!policy.allows(&"192.0.2.1:22".parse()?));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn custom(allows: impl Fn(&SocketAddr) -> bool + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(allows))
    }

    /// Whether this address may be connected to.
    #[must_use]
    pub fn allows(&self, address: &SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::PublicOnly => is_public(address),
            Self::Custom(allows) => allows(address),
        }
    }
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "Any",
            Self::PublicOnly => "PublicOnly",
            Self::Custom(_) => "Custom",
        })
    }
}

fn is_public(address: &SocketAddr) -> bool {
    match address {
        // A zone is a part of this machine's own network.
        SocketAddr::V6(address) if address.scope_id() != 0 => false,
        _ => match address.ip() {
            IpAddr::V4(ip) => is_public_v4(ip),
            IpAddr::V6(ip) => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let bits = ip.to_bits();
    !NOT_PUBLIC_V4.iter().any(|(network, length)| in_network(bits, network.to_bits(), *length))
}

const fn in_network(bits: u32, network: u32, length: u32) -> bool {
    // No network here has no length at all.
    (bits ^ network).leading_zeros() >= length
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let bits = ip.to_bits();
    let within =
        |network: Ipv6Addr, length: u32| (bits ^ network.to_bits()).leading_zeros() >= length;
    // The IPv4 address that stands so many bits above the end.
    let v4 =
        |above: u32| Ipv4Addr::from_bits(u32::try_from((bits >> above) & 0xffff_ffff).unwrap_or(0));
    if within(MAPPED, 96) || within(NAT64, 96) {
        return is_public_v4(v4(0));
    }
    if within(SIX_TO_FOUR, 16) {
        return is_public_v4(v4(80));
    }
    if within(TEREDO, 32) {
        // The server's, and the client's with every bit turned over (RFC 4380 §4).
        return is_public_v4(v4(64)) && is_public_v4(Ipv4Addr::from_bits(!v4(0).to_bits()));
    }
    // What has been given out at all, but for what is set aside in it.
    within(GLOBAL_UNICAST, 3)
        && !NOT_PUBLIC_V6.iter().any(|(network, length)| within(*network, *length))
}

/// IANA's registry of special-purpose addresses, and multicast (RFC 6890, RFC 5771). Of 192.0.0.0/24
/// some are reachable from everywhere; none is a host that somebody would fetch from.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, and broadcast
];

/// The same for IPv6, of what lies in `2000::/3`.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, benchmarking among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation (RFC 9637)
];

const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
const MAPPED: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
const SIX_TO_FOUR: Ipv6Addr = Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0);
const TEREDO: Ipv6Addr = Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0);

#[cfg(test)]
mod tests {
    use super::*;

    fn public(ip: &str) -> bool {
        AddressPolicy::PublicOnly.allows(&SocketAddr::new(ip.parse().unwrap(), 80))
    }

    #[test]
    fn the_public_internet_is_public() {
        for ip in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2a00::1",
            "3fff:1000::1",
        ] {
            assert!(public(ip), "{ip}");
        }
    }

    #[test]
    fn what_is_set_aside_is_not_from_its_first_address_to_its_last() {
        for ip in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.255",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "::",
            "::1",
            "100::1",
            "2001:1ff::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "5f00::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(ip), "{ip}");
        }
    }

    #[test]
    fn an_address_in_another_ones_form_is_what_it_is_there() {
        for (ip, is) in [
            ("::ffff:1.1.1.1", true),
            ("::ffff:127.0.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("::1.1.1.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::1.1.1.1", true),
            ("64:ff9b::10.0.0.1", false),
            // NAT64 of a network's own (RFC 8215).
            ("64:ff9b:1::1.1.1.1", false),
            ("2002:101:101::1", true),
            ("2002:7f00:1::1", false),
            ("2002:c0a8:1::", false),
            // Server 1.1.1.1; client 1.1.1.1, and then 10.0.0.1.
            ("2001:0:101:101:0:0:fefe:fefe", true),
            ("2001:0:101:101:0:0:f5ff:fffe", false),
            ("2001:0:7f00:1:0:0:fefe:fefe", false),
        ] {
            assert_eq!(public(ip), is, "{ip}");
        }
    }

    #[test]
    fn an_address_with_a_zone_is_none_of_the_publics() {
        let ip: Ipv6Addr = "2606:4700::1111".parse().unwrap();
        let zoned = std::net::SocketAddrV6::new(ip, 80, 0, 3);
        assert!(!AddressPolicy::PublicOnly.allows(&zoned.into()));
    }
}
