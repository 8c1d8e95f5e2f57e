//! Addresses that the caller has laid down for hosts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Host, Target};

/// Where hosts are, by the caller's word: nobody is asked about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// By the name as it stands in a URL, without a dot at its end.
    /// Shared, as there may be many, and every session has them.
    hosts: Arc<BTreeMap<String, Vec<Laid>>>,
    /// The first that could not be taken.
    fault: Option<String>,
}

/// A port, and where it is.
type Laid = (u16, Vec<SocketAddr>);

impl Overrides {
    /// Lays down the addresses of a host at a port, in the place of those laid down before.
    pub(crate) fn set(&mut self, host: &str, port: u16, addresses: Vec<SocketAddr>) {
        let taken = name(host).and_then(|host| match addresses.is_empty() {
            true => Err("there is no address"),
            false => Ok(host),
        });
        match taken {
            Ok(host) => {
                let ports = Arc::make_mut(&mut self.hosts).entry(host).or_default();
                ports.retain(|(laid, _)| *laid != port);
                ports.push((port, addresses));
            }
            Err(why) => {
                let host: String = host.escape_debug().take(80).collect();
                let fault = format!("no address can be laid down for \"{host}\": {why}");
                self.fault.get_or_insert(fault);
            }
        }
    }

    /// The addresses of a host as it stands in a URL.
    pub(super) fn get(&self, host: &str, port: u16) -> Option<&[SocketAddr]> {
        let own = self.hosts.get(host.strip_suffix('.').unwrap_or(host));
        [own, self.hosts.get(ANY)].into_iter().flatten().find_map(|ports| {
            let laid = ports.iter().find(|(laid, _)| *laid == port)?;
            Some(laid.1.as_slice())
        })
    }

    /// Says what is wrong with them, if anything is.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.fault {
            None => Ok(()),
            Some(fault) => {
                Err(Error::new(ErrorKind::InvalidRequest, fault.clone()).during(Phase::Setup))
            }
        }
    }
}

/// The name as URLs will have it: they are parsed by the same rules.
fn name(host: &str) -> Result<String, &'static str> {
    if host == ANY {
        return Ok(host.to_owned());
    }
    if host.contains(['/', '?', '#', '@', ':', '\\']) {
        return Err("it is no host name");
    }
    let target = Target::parse(&format!("http://{host}/")).map_err(|_| "it is no host name")?;
    match target.host() {
        Host::Ip(_) => Err("it is an address already"),
        Host::Name(name) => Ok(name.strip_suffix('.').unwrap_or(name).to_owned()),
    }
}

/// Every host that has nothing of its own.
const ANY: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([127, 0, 0, 1], port))]
    }

    #[test]
    fn a_host_is_the_same_in_either_case_with_a_dot_at_its_end_and_in_its_own_script() {
        let mut laid = Overrides::default();
        laid.set("Example.COM.", 80, at(1));
        laid.set("bücher.example", 80, at(2));
        for host in ["example.com", "example.com."] {
            assert_eq!(laid.get(host, 80), Some(at(1).as_slice()), "{host}");
        }
        assert_eq!(laid.get("xn--bcher-kva.example", 80), Some(at(2).as_slice()));
        for (host, port) in [("example.com", 81), ("www.example.com", 80), ("example.co", 80)] {
            assert_eq!(laid.get(host, port), None, "{host}:{port}");
        }
        assert!(laid.check().is_ok());
    }

    #[test]
    fn the_last_word_counts_and_a_hosts_own_before_that_for_every_host() {
        let mut laid = Overrides::default();
        laid.set("*", 80, at(1));
        laid.set("a.test", 80, at(2));
        laid.set("a.test", 80, at(3));
        laid.set("a.test", 443, at(4));
        assert_eq!(laid.get("a.test", 80), Some(at(3).as_slice()));
        assert_eq!(laid.get("a.test", 443), Some(at(4).as_slice()));
        assert_eq!(laid.get("b.test", 80), Some(at(1).as_slice()));
        assert_eq!(laid.get("b.test", 443), None);
    }

    #[test]
    fn what_can_never_be_the_name_in_a_url_is_refused() {
        for host in ["", "a/b", "a b", "u@a.test", "a.test:80", "127.0.0.1", "0x7f.1", "[::1]"] {
            let mut laid = Overrides::default();
            laid.set(host, 80, at(1));
            let error = laid.check().expect_err(host);
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{host}");
        }
        let mut laid = Overrides::default();
        laid.set("a.test", 80, Vec::new());
        assert!(laid.check().unwrap_err().message().contains("no address"));
    }
}
