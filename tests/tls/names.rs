//! Which names and addresses a certificate is good for.

use std::net::Ipv6Addr;

use rcgen::{DnType, SanType};

use super::support::tls::{Ca, TlsServer};
use super::{ask, get, is_refused};

#[test]
fn a_name_must_be_among_the_names_of_the_certificate() {
    let ca = Ca::new();
    for (names, host, good) in [
        (&["api.test"][..], "api.test", true),
        (&["a.test", "API.Test", "b.test"], "api.test", true),
        (&["api.test"], "API.TEST", true),
        (&["api.test"], "api.test.", true),
        (&["api.test"], "www.api.test", false),
        (&["www.api.test"], "api.test", false),
        (&["api.test.evil.test"], "api.test", false),
        (&["evil-api.test"], "api.test", false),
        (&["api.test"], "api.test.evil.test", false),
        (&[], "api.test", false),
        // What is looked up and verified is the ASCII form (RFC 5890), in both directions.
        (&["xn--bcher-kva.test"], "bücher.test", true),
        (&["xn--bcher-kva.test"], "B%C3%BCCHER.test", true),
        (&["bucher.test"], "bücher.test", false),
        (&["xn--bcher-kva.test"], "bucher.test", false),
    ] {
        let result = get(&ca, ca.issue(names, |_| {}), host);
        assert_eq!(result.is_ok(), good, "{host} with a certificate for {names:?}: {result:?}");
        if !good {
            is_refused(result);
        }
    }
}

#[test]
fn a_wildcard_is_one_whole_label_at_the_left() {
    let ca = Ca::new();
    for (name, host, good) in [
        ("*.a.test", "x.a.test", true),
        ("*.a.test", "x.a.test.", true),
        ("*.a.test", "X.A.TEST", true),
        ("*.a.test", "a.test", false),
        ("*.a.test", "x.y.a.test", false),
        ("*.a.test", "x.b.test", false),
        ("*.*.test", "x.a.test", false),
        ("x.*.test", "x.a.test", false),
        ("f*.a.test", "foo.a.test", false),
        ("*oo.a.test", "foo.a.test", false),
        ("f*o.a.test", "foo.a.test", false),
        ("*", "test", false),
        ("*.", "test", false),
        ("*", "a.test", false),
        // Not for every name of a whole top-level domain.
        ("*.test", "a.test", false),
        // Nor does half a label of the encoded form say anything.
        ("xn--*.test", "bücher.test", false),
        ("*.a.test", "bücher.a.test", true),
    ] {
        let result = get(&ca, ca.issue(&[name], |_| {}), host);
        assert_eq!(result.is_ok(), good, "{host} with a certificate for {name}: {result:?}");
        if !good {
            is_refused(result);
        }
    }
}

#[test]
fn the_common_name_counts_for_nothing() {
    let ca = Ca::new();
    for host in ["api.test", "127.0.0.1"] {
        for others in [&[][..], &["other.test"], &["127.0.0.2"]] {
            let shows = ca.issue(others, |params| {
                params.distinguished_name.push(DnType::CommonName, host);
            });
            is_refused(get(&ca, shows, host));
        }
    }
}

#[test]
fn an_address_must_be_among_the_addresses_and_never_among_the_names() {
    let ca = Ca::new();
    let name = |name: &str| SanType::DnsName(name.try_into().expect("ASCII"));
    let link = SanType::URI("https://127.0.0.1/".try_into().expect("ASCII"));
    assert_eq!(get(&ca, ca.issue(&["127.0.0.1"], |_| {}), "127.0.0.1").unwrap().status(), 200);
    for sans in [
        vec![name("127.0.0.1")],
        vec![name("*.0.0.1")],
        vec![name("*")],
        vec![link],
        vec![SanType::IpAddress("127.0.0.2".parse().unwrap())],
        // The same address in the other family is another one.
        vec![SanType::IpAddress("::ffff:127.0.0.1".parse().unwrap())],
    ] {
        let shows = ca.issue(&[], |params| params.subject_alt_names = sans.clone());
        let result = get(&ca, shows, "127.0.0.1");
        assert!(result.is_err(), "{sans:?}");
        is_refused(result);
    }
}

#[test]
fn another_way_to_write_an_address_is_verified_as_that_address() {
    let ca = Ca::new();
    for host in ["0x7f.1", "2130706433", "127.1", "017700000001"] {
        assert_eq!(get(&ca, ca.issue(&["127.0.0.1"], |_| {}), host).unwrap().status(), 200);
        let shows = ca.issue(&["localhost"], |_| {});
        is_refused(get(&ca, shows, host));
    }
}

#[test]
fn an_address_in_brackets_is_verified_without_them_and_never_asked_for() {
    let ca = Ca::new();
    let start =
        |name: &str| TlsServer::start_at(Ipv6Addr::LOCALHOST.into(), ca.issue(&[name], |_| {}));
    let server = start("::1");
    for host in ["[::1]", "[0:0:0:0:0:0:0:1]"] {
        assert_eq!(ask(&ca, &server, host).unwrap().status(), 200);
    }
    assert_eq!(server.names(), [None, None]);
    for other in ["::2", "127.0.0.1", "localhost"] {
        is_refused(ask(&ca, &start(other), "[::1]"));
    }
}

#[test]
fn the_name_that_is_asked_for_has_no_final_dot_and_is_ascii() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.issue(&["api.test", "xn--bcher-kva.test"], |_| {}));
    for host in ["API.test.", "bücher.test"] {
        ask(&ca, &server, host).unwrap();
    }
    let names = ["api.test", "xn--bcher-kva.test"].map(|name| Some(name.to_owned()));
    assert_eq!(server.names(), names);
}
