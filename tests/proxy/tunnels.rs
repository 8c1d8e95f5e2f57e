//! `https` URLs through an HTTP proxy: CONNECT, and TLS inside.

use fetchpool::{ErrorKind, Phase, Proxy, Request, SessionConfig};

use super::support::proxy::{ProxyServer, basic};
use super::support::script::{Script, ok, redirect};
use super::support::tls::{Ca, Then, TlsServer};
use super::{config, session, trusting};

#[test]
fn an_https_url_is_asked_for_through_a_tunnel_in_origin_form() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let proxy = ProxyServer::http().start();
    let response = trusting(&ca, proxy.url("http")).request(server.url("/a?b")).unwrap();
    assert_eq!(response.text(), "/a?b");
    assert_eq!(response.peer_addr(), Some(proxy.address()));
    assert!(!response.timings().proxy.is_zero() && !response.timings().tls.is_zero());
    let asked = &proxy.requests()[0];
    assert_eq!(asked.line(), format!("CONNECT {} HTTP/1.1", server.address()));
    assert_eq!(asked.headers("host"), [server.address().to_string()]);
    assert_eq!(server.requests()[0].line(), "GET /a?b HTTP/1.1");
    assert_eq!(server.requests()[0].headers("host"), [server.address().to_string()]);
}

#[test]
fn the_port_always_stands_in_a_connect_and_an_ipv6_address_in_brackets() {
    let proxy =
        Script::new().reply("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n").repeat().serve();
    for (url, authority) in [
        ("https://Origin.test/", "origin.test:443"),
        ("https://origin.test:443/", "origin.test:443"),
        ("https://origin.test:80/", "origin.test:80"),
        ("https://[2001:DB8::1]/", "[2001:db8::1]:443"),
        ("https://[::1]:8443/", "[::1]:8443"),
        ("https://192.0.2.1/", "192.0.2.1:443"),
        ("https://b\u{fc}cher.test/", "xn--bcher-kva.test:443"),
    ] {
        super::through(proxy.origin()).request(url).unwrap_err();
        let asked = proxy.requests().pop().unwrap();
        assert_eq!(asked.line(), format!("CONNECT {authority} HTTP/1.1"));
        assert_eq!(asked.headers("host"), [authority]);
    }
}

#[test]
fn a_connect_says_nothing_of_the_request_and_the_target_nothing_of_the_proxy() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let proxy = ProxyServer::http().only_for("ada", "proxypass").start();
    let mut config = config(Proxy::new(proxy.url("http")).basic_auth("ada", "proxypass"));
    config.tls.add_root_pem(ca.pem());
    config.header("X-Key", "hunter2").header("Proxy-Authorization", "Own hunter2");
    config.auth(fetchpool::Auth::bearer("hunter2"));
    let request = Request::post(server.url("/hunter2"))
        .header("Cookie", "hunter2")
        .header("proxy-authorization", "Own hunter2")
        .body("hunter2");
    session(config).request(request).unwrap();
    let asked = &proxy.requests()[0];
    assert_eq!(asked.headers("proxy-authorization"), [basic("ada", "proxypass")]);
    let text = String::from_utf8_lossy(&asked.raw).into_owned();
    assert!(!text.contains("hunter2"), "{text}");
    let seen = &server.requests()[0];
    let text = String::from_utf8_lossy(&seen.raw).into_owned();
    assert_eq!(seen.header("authorization").as_deref(), Some("Bearer hunter2"));
    assert!(seen.header("proxy-authorization").is_none(), "{text}");
    assert!(!text.contains("proxypass") && !text.contains(&basic("ada", "proxypass")), "{text}");
}

#[test]
fn a_yes_to_connect_has_no_body_whatever_it_says_and_interim_answers_are_passed_over() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: y\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 204 Fine\r\n\r\n",
        "HTTP/1.1 299 Fine\r\nLocation: http://evil.test/\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Early\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let proxy = ProxyServer::http().establishing(answer).start();
        let mut session = trusting(&ca, proxy.url("http"));
        for reused in [false, true] {
            let response = session.request(server.url("/in")).unwrap();
            assert_eq!(response.text(), "/in", "{answer:?}");
            assert_eq!(response.timings().reused, reused, "{answer:?}");
        }
    }
}

#[test]
fn the_target_is_verified_through_a_tunnel_as_without_one() {
    let ca = Ca::new();
    let proxy = ProxyServer::http().start();
    for shows in [ca.wrong_name(), ca.expired(), Ca::new().good()] {
        let server = TlsServer::start(shows);
        let error = trusting(&ca, proxy.url("http")).request(server.url("/")).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Tls, Some(Phase::Tls)), "{error}");
        assert!(error.message().contains(&proxy.url("http")), "{}", error.message());
        assert!(server.requests().is_empty());
    }
}

#[test]
fn the_name_in_the_handshake_is_the_targets() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.issue(&["origin.test"], |_| {}));
    let proxy = ProxyServer::http().start();
    let url = format!("https://origin.test:{}/", server.address().port());
    trusting(&ca, proxy.url("http")).request(url).unwrap();
    assert_eq!(server.names(), [Some("origin.test".to_owned())]);
}

#[test]
fn large_bodies_are_whole_in_both_directions() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |request| Then::Keep.after(ok(request.body())));
    let proxy = ProxyServer::http().start();
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut session = trusting(&ca, proxy.url("http"));
    let response = session.request(Request::post(server.url("/")).body(body.clone())).unwrap();
    assert!(response.bytes() == body);
}

#[test]
fn a_redirect_from_http_to_https_goes_from_absolute_form_to_a_tunnel_and_back() {
    let ca = Ca::new();
    let plain = Script::site(|_| ok("end"));
    let end = plain.url("/end");
    let server = TlsServer::answering(ca.good(), move |_| Then::Keep.after(redirect(302, &end)));
    let secure = server.url("/in");
    let first = Script::site(move |_| redirect(302, &secure));
    let proxy = ProxyServer::http().only_for("a", "b").start();
    let with = Proxy::new(proxy.url("http")).basic_auth("a", "b");
    let response = trusting(&ca, with).request(first.url("/")).unwrap();
    assert_eq!((response.text().as_ref(), response.history().len()), ("end", 2));
    assert_eq!(
        proxy.lines(),
        [
            format!("GET {} HTTP/1.1", first.url("/")),
            format!("CONNECT {} HTTP/1.1", server.address()),
            format!("GET {} HTTP/1.1", plain.url("/end")),
        ]
    );
    for seen in [first.request(), server.requests().remove(0), plain.request()] {
        assert!(seen.header("proxy-authorization").is_none(), "{}", seen.head());
    }
}

#[test]
fn a_redirect_to_a_host_of_no_proxy_leaves_the_tunnel() {
    let ca = Ca::new();
    let near = TlsServer::start(ca.good());
    let location = near.named_url("/near");
    let far = TlsServer::answering(ca.good(), move |_| Then::Keep.after(redirect(302, &location)));
    let proxy = ProxyServer::http().start();
    let mut config = config(proxy.url("http"));
    config.tls.add_root_pem(ca.pem());
    config.proxies.no_proxy("localhost");
    assert_eq!(session(config).request(far.url("/")).unwrap().text(), "/near");
    assert_eq!(proxy.lines(), [format!("CONNECT {} HTTP/1.1", far.address())]);
}

#[test]
fn what_a_target_in_a_tunnel_answers_is_the_response_also_a_407() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |_| {
        Then::Keep.after(super::support::script::reply("407 Mine", "", "x"))
    });
    let proxy = ProxyServer::http().start();
    assert_eq!(trusting(&ca, proxy.url("http")).request(server.url("/")).unwrap().status(), 407);
}

#[test]
fn tls_sessions_are_resumed_through_a_tunnel() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |_| {
        Then::Notify.after("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    });
    let proxy = ProxyServer::http().start();
    let mut session = trusting(&ca, proxy.url("http"));
    for _ in 0..3 {
        session.request(server.url("/")).unwrap();
    }
    assert_eq!((server.full(), server.resumed()), (1, 2));
}

#[test]
fn a_first_byte_timeout_is_for_the_answer_of_the_target_and_not_of_the_proxy() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let proxy = ProxyServer::http().start();
    let mut config: SessionConfig = config(proxy.url("http"));
    config.tls.add_root_pem(ca.pem());
    config.first_byte_timeout = Some(std::time::Duration::from_secs(3));
    config.stall_timeout = Some(std::time::Duration::from_secs(3));
    let mut session = session(config);
    for _ in 0..2 {
        session.request(server.url("/")).unwrap();
    }
}
