//! Which origin is treated how: every one alike, but for those that are named.

use std::borrow::Cow;
use std::collections::HashMap;

use super::settings::Politeness;
use crate::message::Target;

/// The politeness of every host, and that of those that are named.
#[derive(Clone, Debug, Default)]
pub(in crate::pool) struct Hosts {
    every: Option<Politeness>,
    /// By the name in lower case and without a dot at its end; `.example.com` for all below it.
    named: HashMap<String, Named>,
}

/// What is said of one name, or of all names below it.
#[derive(Clone, Debug, Default)]
struct Named {
    any_port: Option<Politeness>,
    ports: Vec<(u16, Politeness)>,
}

impl Hosts {
    /// What is not named is treated so.
    pub(in crate::pool) fn set_every(&mut self, politeness: Politeness) {
        self.every = Some(politeness);
    }

    /// Hosts of this name are treated so, and not as every host is: `example.com`,
    /// `example.com:8443`, `*.example.com` for all below it. Of the same name the last one counts.
    pub(in crate::pool) fn set(
        &mut self,
        name: &str,
        politeness: Politeness,
    ) -> Result<(), String> {
        let Some((host, port)) = parse(name) else {
            return Err(format!("{name:?} is no name of a host"));
        };
        let named = self.named.entry(host).or_default();
        match port {
            None => named.any_port = Some(politeness),
            Some(port) => {
                named.ports.retain(|(other, _)| *other != port);
                named.ports.push((port, politeness));
            }
        }
        Ok(())
    }

    /// What is wrong with any of the settings, and for which host.
    pub(in crate::pool) fn check(&self) -> Result<(), String> {
        self.every.iter().try_for_each(Politeness::check)?;
        for (host, named) in &self.named {
            let all = named.any_port.iter().chain(named.ports.iter().map(|(_, of_port)| of_port));
            for politeness in all {
                politeness.check().map_err(|fault| format!("{host}: {fault}"))?;
            }
        }
        Ok(())
    }

    /// What holds for an origin: of the most exact name, or of every host; `None` if nothing limits
    /// it.
    pub(in crate::pool) fn of(&self, host: &str, port: u16) -> Option<&Politeness> {
        let found = self.named(host, port).or(self.every.as_ref());
        found.filter(|politeness| !politeness.is_none())
    }

    fn named(&self, host: &str, port: u16) -> Option<&Politeness> {
        if self.named.is_empty() {
            return None;
        }
        let host = plain(host);
        let below = host.match_indices('.').filter_map(|(dot, _)| host.get(dot..));
        std::iter::once(&*host).chain(below).find_map(|name| self.named.get(name)?.at(port))
    }
}

impl Named {
    fn at(&self, port: u16) -> Option<&Politeness> {
        let exact = self.ports.iter().find(|(other, _)| *other == port);
        exact.map(|(_, politeness)| politeness).or(self.any_port.as_ref())
    }
}

/// A name as it is looked up, and its port; `None` if it is no name.
fn parse(text: &str) -> Option<(String, Option<u16>)> {
    let (below, text) = match text.strip_prefix("*.") {
        Some(text) => (true, text),
        None => (false, text),
    };
    // An IPv6 address may stand without its brackets, and then has no port.
    let is_address = text.parse::<std::net::Ipv6Addr>().is_ok();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !is_address && !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
        Some(_) => return None,
        None => None,
    };
    if host.contains(['/', '\\', '?', '#', '@', '*']) {
        return None;
    }
    let url = if is_address { format!("http://[{host}]/") } else { format!("http://{host}/") };
    // In the form that the host of a URL has.
    let target = Target::parse(&url).ok().filter(|target| target.explicit_port().is_none())?;
    let host = plain(target.host_str());
    let host = if below { format!(".{host}") } else { host.into_owned() };
    (host.len() > 1).then_some((host, port))
}

fn plain(host: &str) -> Cow<'_, str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return host.to_ascii_lowercase().into();
    }
    host.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nth(n: usize) -> Politeness {
        Politeness::new().max_concurrent(n)
    }

    /// Of each (host, port), which of the names holds, counted from 1; 0 for every host's.
    fn check(names: &[&str], expected: &[(&str, u16, usize)]) {
        let mut hosts = Hosts::default();
        hosts.set_every(nth(0));
        for (n, name) in (1..).zip(names) {
            hosts.set(name, nth(n)).unwrap();
        }
        for (host, port, n) in expected {
            assert_eq!(hosts.of(host, *port), Some(&nth(*n)), "{host}:{port} of {names:?}");
        }
    }

    #[test]
    fn the_most_exact_name_holds_whatever_the_order() {
        let names = ["*.example.com", "example.com:8443", "example.com", "*.a.example.com:81"];
        let expected = |at: [usize; 4]| {
            [
                ("example.com", 443, at[2]),
                ("example.com", 8443, at[1]),
                ("EXAMPLE.com.", 8443, at[1]),
                ("www.example.com", 443, at[0]),
                ("a.b.example.com", 8443, at[0]),
                ("a.example.com", 81, at[0]),
                ("b.a.example.com", 81, at[3]),
                ("b.a.example.com", 82, at[0]),
                ("notexample.com", 443, 0),
                ("com", 443, 0),
                ("example.org", 443, 0),
            ]
        };
        check(&names, &expected([1, 2, 3, 4]));
        let reversed: Vec<&str> = names.into_iter().rev().collect();
        check(&reversed, &expected([4, 3, 2, 1]));
    }

    #[test]
    fn a_name_is_the_same_however_it_is_written_and_the_last_one_counts() {
        let of = |host, n| [(host, 80, n)];
        check(&["Example.COM", "example.com.", "EXAMPLE.com"], &of("example.com", 3));
        check(&["example.com:80", "Example.com:80"], &of("example.com", 2));
        check(&["b\u{fc}cher.example"], &of("xn--bcher-kva.example", 1));
        check(&["::1", "[::1]"], &of("[::1]", 2));
        check(&["[0:0::1]:80"], &of("[::1]", 1));
        check(&["127.1"], &of("127.0.0.1", 1));
        check(&["*.Example.com.:80"], &of("www.example.com", 1));
        check(&["*.com", "*.example.com"], &of("www.example.com", 2));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in [
            "",
            "*",
            "*.",
            ".",
            "http://a/",
            "a/b",
            "a b",
            "a:b",
            "a:65536",
            "a:+1",
            "a@b",
            "a?",
            "a#",
            "**.a",
            "a.*",
            "[::1",
            "a:1:2",
            "\n",
        ] {
            let fault = Hosts::default().set(name, Politeness::new()).unwrap_err();
            assert!(fault.contains(&format!("{name:?}")), "{fault}");
        }
    }

    #[test]
    fn nothing_limits_a_host_of_which_nothing_is_said() {
        let mut hosts = Hosts::default();
        assert_eq!(hosts.of("a", 80), None);
        hosts.set_every(nth(1));
        hosts.set("free", Politeness::new()).unwrap();
        assert_eq!(
            hosts.of("free", 80),
            None,
            "that of a name stands in the place of every host's"
        );
        assert_eq!(hosts.of("a", 80), Some(&nth(1)));
        hosts.set_every(Politeness::new().jitter(1.0));
        assert_eq!(hosts.of("a", 80), None);
    }

    #[test]
    fn a_fault_is_told_with_its_host() {
        let mut hosts = Hosts::default();
        hosts.set("a.example", nth(1)).unwrap();
        assert_eq!(hosts.check(), Ok(()));
        hosts.set("b.example:81", nth(0)).unwrap();
        let fault = hosts.check().unwrap_err();
        assert!(fault.starts_with("b.example: max_concurrent"), "{fault}");
        hosts.set_every(Politeness::new().rate(-1.0));
        assert!(hosts.check().unwrap_err().starts_with("rate"));
    }
}
