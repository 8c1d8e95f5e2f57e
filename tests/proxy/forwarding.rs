//! `http` URLs through an HTTP proxy: requests in absolute form.

use fetchpool::{ErrorKind, Phase, Proxy, Request};

use super::support::proxy::{ProxyServer, basic};
use super::support::script::{Script, ok, redirect, reply};
use super::{config, session, through};

#[test]
fn an_http_url_is_asked_for_in_absolute_form_and_the_host_field_is_the_targets() {
    let proxy = Script::site(|request| ok(request.target()));
    let mut session = through(proxy.origin());
    for (url, target, host) in [
        (
            "http://u:p@Origin.test:8080/a?b=c#d",
            "http://origin.test:8080/a?b=c",
            "origin.test:8080",
        ),
        ("http://origin.test", "http://origin.test/", "origin.test"),
        ("http://[2001:db8::1]/x", "http://[2001:db8::1]/x", "[2001:db8::1]"),
        ("http://192.0.2.1:81/?", "http://192.0.2.1:81/?", "192.0.2.1:81"),
    ] {
        let response = session.request(url).unwrap();
        assert_eq!(response.text(), target);
        assert!(response.url().starts_with("http://") && !response.url().contains("u:p"));
        let seen = proxy.requests().pop().unwrap();
        assert_eq!(seen.headers("host"), [host]);
        assert_eq!(seen.line(), format!("GET {target} HTTP/1.1"));
    }
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn the_targets_name_is_not_looked_up_here() {
    let proxy = Script::site(|_| ok("x"));
    let mut config = config(proxy.origin());
    config.resolver = Some(std::sync::Arc::new(|host: &str, _: u16| panic!("{host}")));
    session(config).request("http://origin.test/").unwrap();
}

#[test]
fn the_proxys_own_name_is_looked_up_by_the_sessions_resolver() {
    let proxy = Script::site(|_| ok("x"));
    let address = proxy.address();
    let mut config = config(format!("http://proxy.test:{}", address.port()));
    config.resolver = Some(std::sync::Arc::new(move |host: &str, port: u16| {
        assert_eq!((host, port), ("proxy.test", address.port()));
        Ok(vec![address])
    }));
    let response = session(config).request("http://origin.test/").unwrap();
    assert_eq!(response.peer_addr(), Some(address));
}

#[test]
fn bodies_go_through_in_both_directions() {
    let origin = Script::site(|request| ok(request.body()));
    let proxy = ProxyServer::http().start();
    let body: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let mut session = through(proxy.url("http"));
    let response = session.request(Request::post(origin.url("/")).body(body.clone())).unwrap();
    assert!(response.bytes() == body);
    let head = session.request(Request::head(origin.url("/"))).unwrap();
    assert_eq!((head.status(), head.bytes().len()), (200, 0));
}

#[test]
fn the_credentials_of_the_proxy_go_with_every_request_to_it_and_come_from_its_url_or_the_method() {
    for by_url in [true, false] {
        let origin = Script::site(|_| ok("in"));
        let proxy = ProxyServer::http().only_for("ada", "p:w@").start();
        let with = match by_url {
            true => Proxy::new(proxy.url("http").replace("//", "//ada:p%3Aw%40@")),
            false => Proxy::new(proxy.url("http")).basic_auth("ada", "p:w@"),
        };
        let mut session = through(with);
        for _ in 0..2 {
            assert_eq!(session.request(origin.url("/")).unwrap().text(), "in");
        }
        for seen in proxy.requests() {
            assert_eq!(seen.headers("proxy-authorization"), [basic("ada", "p:w@")]);
        }
        assert!(origin.requests().iter().all(|seen| seen.header("proxy-authorization").is_none()));
    }
}

#[test]
fn a_407_is_an_error_of_the_proxy_that_has_its_answer_and_not_a_response() {
    let proxy = ProxyServer::http().only_for("ada", "secret").start();
    let url = proxy.url("http");
    for (with, hint) in [
        (Proxy::new(&url), "it wants credentials, and there are none"),
        (Proxy::new(&url).basic_auth("ada", "wrong"), "it does not take the credentials"),
    ] {
        let error = through(with).request("http://origin.test/page").unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Proxy)));
        assert!(error.is_proxy());
        let message = error.message();
        for words in [url.as_str(), "origin.test:80", "407", hint] {
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(error.url(), Some("http://origin.test/page"));
        let answer = error.response().expect("the proxy's answer");
        assert_eq!((answer.status(), answer.text().as_ref()), (407, "who?"));
        assert_eq!(answer.header("proxy-authenticate"), Some("Basic realm=\"test\""));
    }
}

#[test]
fn a_407_of_a_server_that_no_proxy_stands_before_is_a_response() {
    let origin = Script::site(|_| reply("407 What", "", "x"));
    let mut config = config("http://127.0.0.1:1");
    config.proxies.no_proxy("*");
    assert_eq!(session(config).request(origin.url("/")).unwrap().status(), 407);
}

#[test]
fn what_else_a_forwarding_proxy_answers_is_the_response() {
    let proxy = Script::site(|_| reply("502 Bad Gateway", "", "no way"));
    let response = through(proxy.origin()).request("http://origin.test/").unwrap();
    assert_eq!((response.status(), response.text().as_ref()), (502, "no way"));
}

#[test]
fn a_users_own_proxy_authorization_goes_to_a_proxy_without_credentials_and_to_nobody_else() {
    let origin = Script::site(|_| ok("x"));
    let proxy = Script::site(|_| ok("x"));
    let own = |url: String| Request::get(url).header("PROXY-authorization", "Own hunter2");
    // To the proxy.
    through(proxy.origin()).request(own("http://o.test/".into())).unwrap();
    assert_eq!(proxy.requests()[0].headers("proxy-authorization"), ["Own hunter2"]);
    let mut by_session = config(proxy.origin());
    by_session.header("Proxy-Authorization", "Session hunter2");
    session(by_session.clone()).request("http://o.test/").unwrap();
    assert_eq!(proxy.requests()[1].headers("proxy-authorization"), ["Session hunter2"]);
    // The proxy's own come before it.
    let with = Proxy::new(proxy.origin()).basic_auth("a", "b");
    through(with).request(own("http://o.test/".into())).unwrap();
    assert_eq!(proxy.requests()[2].headers("proxy-authorization"), [basic("a", "b")]);
    // Nowhere else.
    by_session.proxies.no_proxy("127.0.0.1");
    session(by_session.clone()).request(own(origin.url("/1"))).unwrap();
    by_session.proxies = fetchpool::Proxies::new();
    session(by_session).request(own(origin.url("/2"))).unwrap();
    let socks = ProxyServer::socks().start();
    through(socks.url("socks5")).request(own(origin.url("/3"))).unwrap();
    assert_eq!(origin.requests().len(), 3);
    for seen in origin.requests() {
        assert!(!String::from_utf8_lossy(&seen.raw).contains("hunter2"), "{}", seen.head());
    }
}

#[test]
fn a_users_own_proxy_authorization_is_gone_behind_a_redirect_to_another_origin() {
    let proxy = Script::site(|request| match request.target().as_str() {
        "http://a.test/1" => redirect(302, "/2"),
        "http://a.test/2" => redirect(302, "http://b.test/"),
        "http://b.test/" => redirect(302, "http://a.test/3"),
        _ => ok("end"),
    });
    let request = Request::get("http://a.test/1").header("Proxy-Authorization", "Own hunter2");
    through(proxy.origin()).request(request).unwrap();
    let own =
        proxy.requests().iter().map(|r| r.headers("proxy-authorization").len()).collect::<Vec<_>>();
    assert_eq!(own, [1, 1, 0, 0]);
}

#[test]
fn the_proxys_credentials_go_on_behind_a_redirect_since_they_are_for_the_proxy() {
    let proxy = Script::site(|request| match request.target().as_str() {
        "http://a.test/" => redirect(302, "http://b.test/"),
        _ => ok("end"),
    });
    let with = Proxy::new(proxy.origin()).basic_auth("a", "b");
    through(with).request("http://a.test/").unwrap();
    for seen in proxy.requests() {
        assert_eq!(seen.headers("proxy-authorization"), [basic("a", "b")]);
    }
}

/// What a proxy sets to know us by is for the proxy, and not to be told to the target.
#[cfg(feature = "cookies")]
#[test]
fn a_cookie_of_the_proxys_refusal_is_not_one_of_the_targets() {
    let proxy = Script::new()
        .reply(reply("407 Who", "Set-Cookie: proxy=hunter2; Domain=origin.test\r\n", ""))
        .reply(reply("200 OK", "Set-Cookie: of=target\r\n", ""))
        .serve();
    let jar = fetchpool::CookieJar::new();
    let mut config = config(proxy.origin());
    config.cookie_jar(&jar);
    let mut session = session(config);
    let error = session.request("http://www.origin.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proxy);
    assert!(jar.is_empty(), "{:?}", jar.cookies());
    session.request("http://www.origin.test/").unwrap();
    assert_eq!(proxy.requests()[1].header("cookie"), None);
    assert_eq!(jar.len(), 1);
}
