//! Addresses that the caller has laid down.

use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::net::SocketAddrV6;

use fetchpool::{AddressPolicy, ErrorKind, Phase, Pool, Session, SessionConfig};

#[cfg(unix)]
use crate::session;
use crate::support::farm::refused;
use crate::support::script::{Script, ok, redirect};
use crate::{Calls, config, site};

/// Settings whose resolver must not be asked.
fn unasked(change: impl FnOnce(&mut SessionConfig)) -> (SessionConfig, Calls) {
    let calls = Calls::default();
    let config = config(|config| {
        config.resolver = calls.resolver(|_| panic!("this was not to be looked up"));
        change(config);
    });
    (config, calls)
}

#[test]
fn nobody_is_asked_about_a_host_that_is_laid_down_and_its_name_stays_that_of_the_url() {
    let site = site();
    let (config, calls) = unasked(|config| {
        config.resolve("API.example.com", 80, [site.address()]);
        config.resolve("api.example.com", 8080, [site.address()]);
    });
    let mut session = Session::new(config).unwrap();
    for (url, host) in [
        ("http://api.example.com/a", "api.example.com"),
        ("http://Api.Example.Com./b", "api.example.com."),
        ("http://api.example.com:8080/c", "api.example.com:8080"),
    ] {
        let response = session.request(url).unwrap();
        assert_eq!(response.peer_addr(), Some(site.address()));
        let seen = site.requests().pop().unwrap();
        assert_eq!(seen.header("host").as_deref(), Some(host));
    }
    assert_eq!(calls.count(), 0);
    let error = session.request("http://api.example.com:81/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic, "another port is looked up: {error}");
}

#[test]
fn the_one_address_that_did_not_connect_is_told() {
    let nobody = refused();
    let error = session(|_| {}).request(format!("http://{nobody}/")).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Some(Phase::Connect)));
    assert!(error.message().contains(&format!("no connection to {nobody}")), "{error}");
    assert_eq!(error.attempts()[0].addresses(), [nobody]);
}

/// Whoever is told an address can come to the same place by it.
#[cfg(unix)]
#[test]
fn the_peer_has_an_address_where_what_was_connected_to_is_none() {
    let site = site();
    let port = site.address().port();
    for (host, peer) in [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")] {
        let url = format!("http://{host}:{port}/");
        let response = session(|_| {}).request(url.as_str()).unwrap();
        assert_eq!(response.peer_addr(), Some(SocketAddr::new(peer.parse().unwrap(), port)));
    }
}

/// Where it means nothing, the system does not take it over.
#[cfg(target_os = "linux")]
#[test]
fn the_zone_of_a_peer_is_what_the_system_says_it_is() {
    let Some(SocketAddr::V6(site)) = crate::families::on_ipv6() else { return };
    let zoned = SocketAddrV6::new(*site.ip(), site.port(), 0, 7);
    let mut session = session(|config| {
        config.resolve("zoned.test", 80, [zoned.into()]);
    });
    let response = session.request("http://zoned.test/").unwrap();
    assert_eq!(response.peer_addr(), Some(site.into()));
}

#[cfg(feature = "tls")]
#[test]
fn the_certificate_that_is_asked_for_is_that_of_the_url() {
    use crate::support::tls::{Ca, TlsServer};
    let ca = Ca::new();
    let server = TlsServer::start(ca.issue(&["api.example.com"], |_| {}));
    let (config, calls) = unasked(|config| {
        config.tls.add_root_pem(ca.pem());
        for host in ["api.example.com", "other.example.com"] {
            config.resolve(host, 443, [server.address()]);
        }
    });
    let mut session = Session::new(config).unwrap();
    assert_eq!(session.request("https://api.example.com/x").unwrap().text(), "/x");
    assert_eq!(server.names(), [Some("api.example.com".to_owned())]);
    let error = session.request("https://other.example.com/x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(calls.count(), 0);
}

#[test]
fn a_redirect_leads_to_where_its_host_is_laid_down() {
    let inner = site();
    let outer = Script::new().reply(redirect(302, "http://inner.test/next")).close().serve();
    let (config, calls) = unasked(|config| {
        config.resolve("outer.test", 80, [outer.address()]);
        config.resolve("inner.test", 80, [inner.address()]);
    });
    let response = Session::new(config).unwrap().request("http://outer.test/").unwrap();
    assert_eq!((response.text().as_ref(), response.url()), ("alive", "http://inner.test/next"));
    assert_eq!(calls.count(), 0);
}

#[test]
fn the_policy_is_asked_about_what_is_laid_down() {
    let server = Script::new().serve();
    let (config, _) = unasked(|config| {
        config.address_policy = AddressPolicy::PublicOnly;
        config.resolve("public.test", 80, [server.address()]);
    });
    let error = Session::new(config).unwrap().request("http://public.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_star_stands_for_every_name_without_an_own_and_not_for_addresses() {
    let (own, all) = (Script::site(|_| ok("own")), Script::site(|_| ok("all")));
    let port = own.address().port();
    let (config, calls) = unasked(|config| {
        config.resolve("*", 80, [all.address()]).resolve("*", port, [all.address()]);
        config.resolve("own.test", 80, [own.address()]);
    });
    let mut session = Session::new(config).unwrap();
    assert_eq!(session.request("http://some.test/").unwrap().text(), "all");
    assert_eq!(session.request("http://own.test/").unwrap().text(), "own");
    assert_eq!(session.request(own.url("/")).unwrap().text(), "own", "127.0.0.1 is where it is");
    assert_eq!(calls.count(), 0);
}

#[test]
fn addresses_are_never_looked_up_in_any_of_their_forms() {
    let site = site();
    let port = site.address().port();
    let (config, calls) = unasked(|_| {});
    let mut session = Session::new(config).unwrap();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"] {
        session.request(format!("http://{host}:{port}/")).unwrap();
    }
    assert_eq!(calls.count(), 0);
}

#[test]
fn what_cannot_be_laid_down_is_said_before_anything_is_sent() {
    let somewhere: SocketAddr = "127.0.0.1:1".parse().unwrap();
    for (host, addresses) in
        [("127.0.0.1", vec![somewhere]), ("a.test/x", vec![somewhere]), ("a.test", vec![])]
    {
        let mut config = SessionConfig::new();
        config.resolve(host, 80, addresses);
        let error = Session::new(config.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.phase(), Some(Phase::Setup));
        assert!(error.message().contains(host), "{}", error.message());
        let pool = Pool::builder().num_threads(1).session(config);
        let (_, mut exceptions) = pool.map(["http://elsewhere.test/"]);
        assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn workers_share_what_is_laid_down() {
    let site = site();
    let mut config = SessionConfig::new();
    config.resolve("laid.test", 80, [site.address()]);
    let pool = Pool::builder().num_threads(4).session(config);
    assert_eq!(pool.map(vec!["http://laid.test/"; 16]).0.len(), 16);
}
