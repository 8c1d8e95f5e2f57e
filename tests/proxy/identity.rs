//! Kept connections: which proxy, and as whom, is a part of what they are.

use fetchpool::{Proxy, Session, SessionConfig};

use super::support::proxy::ProxyServer;
use super::support::script::{Script, ok};
use super::{session, through};

#[test]
fn one_connection_to_a_forwarding_proxy_serves_many_origins() {
    let proxy = Script::site(|request| ok(request.target()));
    let mut session = through(proxy.origin());
    for host in ["a.test", "b.test", "a.test", "c.test:8080"] {
        let response = session.request(format!("http://{host}/")).unwrap();
        assert_eq!(response.text(), format!("http://{host}/"));
    }
    assert_eq!(proxy.connections(), 1);
}

/// A session that goes through whatever the first letter of a host says.
fn chooser(proxies: Vec<Proxy>) -> Session {
    let mut config = SessionConfig::new();
    config.proxies.custom(move |to| {
        let digit = to.host().chars().next().and_then(|c| c.to_digit(10))?;
        proxies.get(digit as usize).cloned()
    });
    session(config)
}

#[test]
fn two_users_of_one_proxy_share_no_connection() {
    let proxy = Script::site(|_| ok("x"));
    let as_user = |user: &str, password| Proxy::new(proxy.origin()).basic_auth(user, password);
    let mut session = chooser(vec![
        Proxy::new(proxy.origin()),
        as_user("ada", "1"),
        as_user("ada", "2"),
        as_user("bob", "1"),
        // The same as the second, made anew.
        as_user("ada", "1"),
    ]);
    let mut order = Vec::new();
    for host in ["0", "1", "2", "3", "4", "1", "0"] {
        session.request(format!("http://{host}x.test/")).unwrap();
        order.push(proxy.requests().last().unwrap().connection);
    }
    assert_eq!(order, [0, 1, 2, 3, 1, 1, 0]);
}

#[test]
fn a_direct_connection_and_one_through_a_proxy_are_two() {
    let origin = Script::site(|_| ok("x"));
    let proxy = ProxyServer::socks().start();
    let by_socks = Proxy::new(proxy.url("socks5"));
    let mut config = SessionConfig::new();
    let direct = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    config.proxies.custom({
        let direct = direct.clone();
        move |_| (!direct.load(std::sync::atomic::Ordering::SeqCst)).then(|| by_socks.clone())
    });
    let mut session = session(config);
    for (is_direct, reused) in [(true, false), (false, false), (true, true), (false, true)] {
        direct.store(is_direct, std::sync::atomic::Ordering::SeqCst);
        let response = session.request(origin.url("/")).unwrap();
        assert_eq!(response.timings().reused, reused);
    }
    assert_eq!((origin.connections(), proxy.connections()), (2, 1));
}

#[test]
fn a_socks_connection_is_kept_for_its_origin_and_no_other() {
    let a = Script::site(|_| ok("a"));
    let b = Script::site(|_| ok("b"));
    let proxy = ProxyServer::socks().start();
    let mut session = through(proxy.url("socks5h"));
    for _ in 0..2 {
        assert_eq!(session.request(a.url("/")).unwrap().text(), "a");
        assert_eq!(session.request(b.url("/")).unwrap().text(), "b");
    }
    assert_eq!(proxy.connections(), 2);
}

#[test]
fn two_sessions_share_no_connection_to_a_proxy() {
    let proxy = Script::site(|_| ok("x"));
    for count in 1..=2 {
        let mut session = through(proxy.origin());
        for _ in 0..2 {
            session.request("http://a.test/").unwrap();
        }
        assert_eq!(proxy.connections(), count);
    }
}

#[test]
fn a_stale_connection_to_a_proxy_is_replaced_once_for_a_get() {
    let proxy = Script::new().reply(ok("1")).reset().accept().reply(ok("2")).serve();
    let mut session = through(proxy.origin());
    assert_eq!(session.request("http://a.test/").unwrap().text(), "1");
    assert_eq!(session.request("http://b.test/").unwrap().text(), "2");
    assert_eq!(proxy.connections(), 2);
}

#[cfg(feature = "tls")]
mod with_tls {
    use super::super::trusting;
    use super::*;
    use crate::support::tls::{Ca, TlsServer};
    use fetchpool::{ErrorKind, Request};

    #[test]
    fn a_tunnel_is_kept_and_asked_for_once_for_each_origin() {
        let ca = Ca::new();
        let (a, b) = (TlsServer::start(ca.good()), TlsServer::start(ca.good()));
        let proxy = ProxyServer::http().start();
        let mut session = trusting(&ca, proxy.url("http"));
        for reused in [false, true, true] {
            for server in [&a, &b] {
                let response = session.request(server.url("/x")).unwrap();
                assert_eq!((response.text().as_ref(), response.timings().reused), ("/x", reused));
            }
        }
        assert_eq!((proxy.connections(), a.connections(), b.connections()), (2, 1, 1));
        let asked = [&a, &b].map(|server| format!("CONNECT {} HTTP/1.1", server.address()));
        assert_eq!(proxy.lines(), asked);
    }

    #[test]
    fn a_tunnel_that_was_closed_while_it_was_idle_is_asked_for_again() {
        let ca = Ca::new();
        let server = TlsServer::start(ca.good());
        let proxy = ProxyServer::http().start();
        let mut session = trusting(&ca, proxy.url("http"));
        session.request(server.url("/1")).unwrap();
        proxy.hang_up();
        assert_eq!(session.request(server.url("/2")).unwrap().text(), "/2");
        proxy.hang_up();
        let post = Request::post(server.url("/3")).body("x");
        assert_eq!(session.request(post).unwrap().text(), "/3", "it was seen to be closed before");
        assert_eq!(proxy.requests().len(), 3);
    }

    #[test]
    fn the_settings_for_tls_to_the_proxy_are_a_part_of_it() {
        let ca = Ca::new();
        let origin = Script::site(|_| ok("x"));
        let proxy = ProxyServer::https(ca.good()).start();
        let with = |ca: &Ca| {
            let mut tls = fetchpool::TlsConfig::new();
            tls.add_root_pem(ca.pem()).webpki_roots(false);
            Proxy::new(proxy.url("https")).tls(&tls)
        };
        let mut session = chooser(vec![with(&ca), with(&Ca::new()), with(&ca)]);
        let port = origin.address().port();
        let mut get = |host: &str| session.request(format!("http://{host}x.test:{port}/"));
        get("0").unwrap();
        assert_eq!(get("1").unwrap_err().kind(), ErrorKind::Proxy, "another authority is trusted");
        assert!(get("2").unwrap().timings().reused, "equal settings");
    }
}
