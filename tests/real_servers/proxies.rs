//! squid, tinyproxy and microsocks, before nginx and httpbin.

use std::net::TcpListener;

use fetchpool::{Error, ErrorKind, Fault, Phase, Pool, Proxy, Request, Response, Session};
use serde_json::Value;

use super::support::{config, mark, nginx_log, open, per_connection, response, setting};

/// Each proxy by each of its doors, with credentials where they are wanted.
fn ways() -> Vec<(&'static str, Proxy)> {
    let open = |name| (name, Proxy::new(setting(name)));
    let closed = |name| (name, known(setting(name)));
    vec![
        open("SQUID"),
        closed("SQUID_AUTH"),
        open("SQUID_TLS"),
        open("TINYPROXY"),
        closed("TINYPROXY_AUTH"),
        open("SOCKS"),
        ("SOCKS", Proxy::new(here(setting("SOCKS")))),
        closed("SOCKS_AUTH"),
        ("SOCKS_AUTH", known(here(setting("SOCKS_AUTH")))),
    ]
}

fn known(url: impl AsRef<str>) -> Proxy {
    Proxy::new(url).basic_auth(setting("PROXY_USER"), setting("PROXY_PASSWORD"))
}

/// The same SOCKS proxy, but names are looked up here.
fn here(url: impl AsRef<str>) -> String {
    url.as_ref().replace("socks5h", "socks5")
}

fn through(proxy: impl Into<Proxy>) -> Session {
    let mut config = config("proxies");
    config.proxy(proxy);
    open(config)
}

fn nginx() -> String {
    setting("NGINX") + "/small.txt"
}

fn nginx_tls() -> String {
    setting("NGINX_TLS") + "/small.txt"
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().expect("a port").parse().expect("a port")
}

#[track_caller]
fn is_small(response: &Response) {
    assert_eq!((response.status(), response.bytes()), (200, &b"small\n"[..]));
}

/// What is refused for want of good credentials.
#[track_caller]
fn refused(proxy: impl Into<Proxy>, target: &str) -> Error {
    let error = through(proxy).request(target).expect_err("the proxy is closed");
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Proxy)), "{error}");
    assert!(!error.message().contains("guess"), "{}", error.message());
    error
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn each_proxy_leads_to_http_and_https_by_each_of_its_doors() {
    for (name, proxy) in ways() {
        let mut session = through(proxy);
        let plain = session.request(nginx()).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        is_small(&plain);
        assert_eq!(plain.peer_addr().expect("an address").port(), port(&setting(name)), "{name}");
        // Who forwards says so, and who only carries bytes cannot.
        let via = plain.header("via").unwrap_or_default();
        let who = ["squid", "tinyproxy"].into_iter().find(|who| via.contains(who));
        assert_eq!(who.is_none(), name.starts_with("SOCKS"), "{name}: {via}");

        let secure = session.request(nginx_tls()).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        is_small(&secure);
        assert_eq!((secure.tls().is_some(), secure.header("via")), (true, None), "{name}");

        let request = Request::post(setting("HTTPBIN") + "/anything?a=1").body("x".repeat(100_000));
        let seen = session.request(request).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let seen: Value = seen.json().expect("JSON");
        assert_eq!(seen["data"].as_str().map(str::len), Some(100_000), "{name}");
        assert_eq!(seen["args"]["a"], "1");
        assert_eq!(seen["headers"].get("Proxy-Authorization"), None, "{name}");

        // A body that is compressed and longer than any buffer on the way.
        for root in [setting("NGINX"), setting("NGINX_TLS")] {
            let path = if root.starts_with("https") { "/lines.txt" } else { "/gzip/lines.txt" };
            let lines = session.request(root + path).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_eq!(lines.bytes().len(), 65_536 * 16, "{name}");
            assert!(lines.bytes().ends_with(b"line 0000065535\n"), "{name}");
        }
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_password_that_is_wrong_or_missing_is_the_proxys_407_with_its_page() {
    for (name, word) in [("SQUID_AUTH", "squid"), ("TINYPROXY_AUTH", "tinyproxy")] {
        for target in [nginx(), nginx_tls()] {
            let nobody = Proxy::new(setting(name));
            let wrong = Proxy::new(setting(name)).basic_auth(setting("PROXY_USER"), "guess");
            for (proxy, hint) in [(nobody, "there are none"), (wrong, "does not take")] {
                if name == "TINYPROXY_AUTH" && hint == "does not take" {
                    // It has another answer to that: see below.
                    continue;
                }
                let error = refused(proxy, &target);
                assert_eq!(error.url(), Some(&*target));
                let message = error.message();
                assert!(message.contains("407") && message.contains(hint), "{name}: {message}");
                let answer = error.into_response().expect("the proxy's answer");
                assert_eq!(answer.status(), 407, "{name}");
                let realm = answer.header("proxy-authenticate").unwrap_or_default();
                assert!(realm.starts_with("Basic realm="), "{name}: {realm}");
                // And the page that goes with it, whole.
                let page = answer.text();
                assert!(page.contains(word) && page.contains("</html>"), "{name}: {page}");
            }
        }
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_wrong_password_is_a_401_of_tinyproxy_which_is_told_as_what_it_is() {
    let wrong = Proxy::new(setting("TINYPROXY_AUTH")).basic_auth(setting("PROXY_USER"), "guess");
    // It says this in the target's place: nobody could tell whose answer it is.
    let plain = through(wrong.clone()).request(nginx()).expect("a page");
    assert_eq!((plain.status(), plain.header("www-authenticate").is_some()), (401, true));
    assert!(plain.text().contains("tinyproxy"), "{}", plain.text());
    let error = refused(wrong, &nginx_tls());
    assert!(error.message().contains("401 Unauthorized"), "{}", error.message());
    let answer = error.response().expect("the proxy's answer");
    assert_eq!(answer.status(), 401);
    assert!(answer.text().contains("</html>"), "{}", answer.text());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_socks_proxy_that_wants_a_password_says_what_it_thinks_of_this_one() {
    for url in [setting("SOCKS_AUTH"), here(setting("SOCKS_AUTH"))] {
        for target in [nginx(), nginx_tls()] {
            let nobody = Proxy::new(&url);
            let wrong = Proxy::new(&url).basic_auth(setting("PROXY_USER"), "guess");
            for (proxy, hint) in
                [(nobody, "there are no credentials"), (wrong, "does not take this user")]
            {
                let error = refused(proxy, &target);
                assert!(error.message().contains(hint), "{}", error.message());
                assert!(error.response().is_none());
            }
        }
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_target_that_cannot_be_reached_is_told_in_the_proxys_own_words() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let nobody = listener.local_addr().expect("an address");
    drop(listener);
    for (name, status, words) in [
        ("SQUID", 503, "could not be retrieved"),
        ("SQUID_TLS", 503, "could not be retrieved"),
        ("TINYPROXY", 500, "Unable to connect"),
    ] {
        // What a proxy answers for the target is a response: only 407 can be told from the target's.
        let plain = through(setting(name)).request(format!("http://{nobody}/")).expect("a page");
        assert_eq!(plain.status(), status, "{name}");
        assert!(plain.text().contains(words), "{name}: {}", plain.text());

        let tunnel = through(setting(name)).request(format!("https://{nobody}/"));
        let error = tunnel.expect_err("nobody listens there");
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Proxy, Fault::Peer), "{error}");
        let message = error.message();
        assert!(message.contains(&format!("a tunnel to {nobody}: {status}")), "{name}: {message}");
        let answer = error.response().expect("the proxy's answer");
        assert_eq!(answer.status(), status, "{name}");
        assert!(answer.text().contains(words), "{name}: {}", answer.text());
    }
    for url in [setting("SOCKS"), here(setting("SOCKS"))] {
        for scheme in ["http", "https"] {
            let error = through(&*url).request(format!("{scheme}://{nobody}/"));
            let error = error.expect_err("nobody listens there");
            assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
            let message = error.message();
            assert!(message.contains("the connection was refused (SOCKS reply 5)"), "{message}");
        }
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn connections_through_a_proxy_are_kept_where_it_keeps_them() {
    const REQUESTS: usize = 150;
    for (number, (name, proxy)) in ways().into_iter().enumerate() {
        for target in [nginx(), nginx_tls()] {
            let is_forwarded = !target.starts_with("https") && !name.starts_with("SOCKS");
            let mark = mark(&format!("kept-{number}-{}", target.starts_with("https")));
            let mut session = config("proxies");
            session.proxy(proxy.clone());
            let url = format!("{target}?{mark}");
            let pool = Pool::builder()
                .num_threads(1)
                .session(session)
                .job_queue((0..REQUESTS).map(move |_| url.clone()))
                .build()
                .expect("a pool");
            pool.outcomes().map(response).for_each(|response| is_small(&response));
            let stats = pool.stats();
            assert_eq!(stats.responses, REQUESTS as u64);
            let seen = per_connection(&nginx_log(&mark, REQUESTS)).len();
            if name.starts_with("TINYPROXY") && is_forwarded {
                // It closes behind each response, and does not say so before: none is lost by it.
                assert_eq!((stats.connections_opened, seen), (REQUESTS as u64, REQUESTS), "{name}");
            } else {
                assert_eq!(stats.connections_opened, 1, "{name} to {target}");
                // How many squid has to nginx is its own affair, but for tunnels.
                assert!(seen == 1 || is_forwarded, "{name} to {target}: {seen}");
            }
        }
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn redirects_are_followed_from_one_origin_and_scheme_to_the_other_through_the_proxy() {
    for (name, proxy) in ways() {
        let mut session = through(proxy);
        for target in [setting("NGINX") + "/moved", nginx_tls()] {
            let hops = if target.starts_with("https") { 1 } else { 2 };
            let request =
                Request::get(setting("HTTPBIN") + "/redirect-to").param("url", target.as_str());
            let response = session.request(request).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            is_small(&response);
            assert_eq!(response.history().len(), hops, "{name}");
            let through = response.peer_addr().expect("an address").port();
            assert_eq!(through, port(&setting(name)), "{name}");
        }
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn eight_workers_lose_none_of_500_requests_through_squid() {
    for name in ["SQUID", "SQUID_TLS"] {
        let (plain, secure) = (mark(&format!("{name}-plain")), mark(&format!("{name}-secure")));
        let urls = [format!("{}?{plain}", nginx()), format!("{}?{secure}", nginx_tls())];
        let mut session = config("proxies");
        session.proxy(setting(name));
        let pool = Pool::builder()
            .num_threads(8)
            .session(session)
            .job_queue((0..500).map(move |number| Request::get(&urls[number % 2])))
            .build()
            .expect("a pool");
        let mut seen = vec![false; 500];
        for outcome in pool.outcomes() {
            let index = usize::try_from(outcome.index()).expect("an index");
            assert!(!std::mem::replace(&mut seen[index], true), "job {index} came twice");
            is_small(&response(outcome));
        }
        assert!(seen.into_iter().all(|seen| seen));
        assert_eq!(nginx_log(&plain, 250).len(), 250);
        let tunnels = per_connection(&nginx_log(&secure, 250));
        assert!(tunnels.len() <= 8, "requests in each tunnel: {tunnels:?}");
        // Of each worker, one to be forwarded on and one tunnel.
        assert!(pool.stats().connections_opened <= 16, "{:?}", pool.stats());
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_client_certificate_is_shown_to_the_target_at_the_end_of_the_tunnel() {
    for (name, proxy) in ways() {
        let mut known = config("proxies-mtls");
        known.tls.client_cert_files(setting("CLIENT_CERT"), setting("CLIENT_KEY"));
        let mut unknown = config("proxies-mtls");
        known.proxy(proxy.clone());
        unknown.proxy(proxy);
        let url = setting("NGINX_MTLS") + "/small.txt";
        let response = open(known).request(&url).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        is_small(&response);
        assert_eq!(response.header("x-client"), Some("CN=somebody"), "{name}");
        assert_eq!(open(unknown).request(&url).expect("nginx's own page").status(), 400, "{name}");
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_proxy_over_tls_must_be_one_that_is_trusted() {
    let mut stranger = fetchpool::SessionConfig::new();
    stranger.proxy(setting("SQUID_TLS"));
    let error = open(stranger).request(nginx()).expect_err("nobody vouches for this proxy");
    assert_eq!(error.kind(), ErrorKind::Proxy, "{}", error.message());
    assert!(error.message().contains("not trusted"), "{}", error.message());
    // Its own trust, and none for the targets.
    let mut own = fetchpool::TlsConfig::new();
    own.add_root_pem(super::support::ca_pem("proxies"));
    let mut session = fetchpool::SessionConfig::new();
    session.proxy(Proxy::new(setting("SQUID_TLS")).tls(&own));
    let mut session = open(session);
    is_small(&session.request(nginx()).expect("a response"));
    let error = session.request(nginx_tls()).expect_err("nobody vouches for this target");
    assert_eq!(error.kind(), ErrorKind::Tls, "{}", error.message());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn hosts_of_the_no_proxy_list_are_gone_to_directly() {
    // It refuses whatever comes its way without a password.
    let closed = || {
        let mut config = config("proxies");
        config.proxy(setting("SQUID_AUTH"));
        config
    };
    for list in ["localhost, 127.0.0.0/8", "*", "LOCALHOST. 127.0.0.1"] {
        let mut config = closed();
        config.proxies.no_proxy(list);
        let mut session = open(config);
        for (url, server) in [(nginx(), "NGINX"), (nginx_tls(), "NGINX_TLS")] {
            let response = session.request(&url).expect("a response");
            is_small(&response);
            assert_eq!(response.header("via"), None);
            assert_eq!(response.peer_addr().expect("an address").port(), port(&setting(server)));
        }
    }
    // One port of a host and not the other; and a redirect from the one to the other asks anew.
    let mut config = closed();
    config.proxies.no_proxy(setting("NGINX").trim_start_matches("http://"));
    let mut session = open(config);
    is_small(&session.request(nginx()).expect("a response"));
    let httpbin = setting("HTTPBIN") + "/get";
    let error = session.request(&httpbin).expect_err("this goes to the proxy");
    assert_eq!(error.response().map(Response::status), Some(407), "{error}");
    let mut config = closed();
    config.proxies.no_proxy(setting("HTTPBIN").trim_start_matches("http://"));
    let request = Request::get(setting("HTTPBIN") + "/redirect-to").param("url", nginx());
    let error = open(config).request(request).expect_err("its target goes to the proxy");
    assert_eq!(error.response().map(Response::status), Some(407), "{error}");
}
