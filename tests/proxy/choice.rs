//! Which proxy is used for what, hop by hop.

use std::sync::{Arc, Mutex};

use fetchpool::{ErrorKind, Fault, Phase, Proxies, Proxy, Request, SessionConfig};

use super::support::proxy::ProxyServer;
use super::support::script::{PATIENCE, Script, ok, redirect};
use super::{config, session, through};

#[test]
fn hosts_of_no_proxy_are_gone_to_directly() {
    let origin = Script::site(|_| ok("direct"));
    let proxy = Script::site(|_| ok("proxy"));
    let mut config = config(proxy.origin());
    config.proxies.no_proxy(format!("other.test, {}", origin.address()));
    let mut session = session(config);
    assert_eq!(session.request(origin.url("/")).unwrap().text(), "direct");
    assert_eq!(session.request("http://127.0.0.1:1/").unwrap().text(), "proxy");
    assert_eq!(origin.request().line(), "GET / HTTP/1.1");
}

#[test]
fn the_proxy_is_chosen_anew_on_each_hop() {
    let origin = Script::site(|request| match request.target().as_str() {
        "/out" => redirect(302, "http://far.test/in"),
        _ => ok("home"),
    });
    let home = origin.url("/home");
    let proxy = Script::site(move |request| match request.target().as_str() {
        "http://far.test/in" => redirect(302, &home),
        "http://far.test/" => redirect(307, "http://near.test/"),
        _ => ok("near"),
    });
    let mut config = config(proxy.origin());
    config.proxies.no_proxy("127.0.0.1");
    let mut session = session(config);
    // Direct, through the proxy, direct.
    let response = session.request(origin.url("/out")).unwrap();
    assert_eq!((response.text().as_ref(), response.history().len()), ("home", 2));
    assert_eq!(origin.lines(), ["GET /out HTTP/1.1", "GET /home HTTP/1.1"]);
    assert_eq!(proxy.lines(), ["GET http://far.test/in HTTP/1.1"]);
    // Through the proxy, twice.
    assert_eq!(session.request("http://far.test/").unwrap().text(), "near");
    assert_eq!(proxy.requests().len(), 3);
}

#[test]
fn a_proxy_for_one_scheme_is_for_that_scheme_alone() {
    let origin = Script::site(|_| ok("direct"));
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    config.proxies.https("http://127.0.0.1:1");
    assert_eq!(session(config.clone()).request(origin.url("/")).unwrap().text(), "direct");
    let proxy = Script::site(|_| ok("proxy"));
    config.proxies.http(proxy.origin());
    assert_eq!(session(config).request(origin.url("/")).unwrap().text(), "proxy");
}

#[test]
fn a_function_chooses_by_scheme_host_and_port_on_each_hop() {
    let proxy = Script::site(|request| match request.target().as_str() {
        "http://a.test/" => redirect(302, "http://b.test:8080/"),
        _ => ok("end"),
    });
    let origin = Script::site(|_| ok("direct"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut config = config("http://127.0.0.1:1");
    let chosen = Proxy::new(proxy.origin());
    config.proxies.no_proxy("no.test").custom({
        let asked = Arc::clone(&asked);
        move |to| {
            asked.lock().unwrap().push(format!("{} {} {}", to.scheme(), to.host(), to.port()));
            to.host().ends_with(".test").then(|| chosen.clone())
        }
    });
    let mut session = session(config);
    assert_eq!(session.request("http://A.test/").unwrap().text(), "end");
    assert_eq!(session.request(origin.url("/")).unwrap().text(), "direct");
    let port = origin.address().port();
    assert_eq!(
        *asked.lock().unwrap(),
        ["http a.test 80".to_owned(), "http b.test 8080".into(), format!("http 127.0.0.1 {port}")]
    );
}

#[test]
fn a_panic_of_that_function_is_the_outcome_and_the_session_goes_on() {
    let origin = Script::site(|_| ok("direct"));
    let mut config = SessionConfig::new();
    config.proxies.custom(|to| match to.host() {
        "bad.test" => panic!("on purpose"),
        _ => None,
    });
    let mut session = session(config);
    let error = session.request("http://bad.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
    assert!(error.message().contains("on purpose"), "{}", error.message());
    assert_eq!(session.request(origin.url("/")).unwrap().text(), "direct");
}

#[test]
fn a_proxy_that_cannot_be_fails_the_requests_that_would_use_it_and_no_others() {
    let origin = Script::site(|_| ok("direct"));
    for proxy in
        ["ftp://u:hunter2@p", "http://u:hun/ter2@p", "socks5://u@p", "http://u%3A:hunter2@p"]
    {
        let mut config = config(proxy);
        config.proxies.no_proxy("127.0.0.1");
        let mut session = session(config);
        assert_eq!(session.request(origin.url("/")).unwrap().text(), "direct", "{proxy}");
        let error = session.request("http://origin.test/").unwrap_err();
        assert_eq!(
            (error.kind(), error.phase(), error.fault()),
            (ErrorKind::InvalidRequest, Some(Phase::Setup), Fault::Caller),
            "{proxy}: {error}"
        );
        let shown = format!("{} {error:?} {session:?}", error.message());
        assert!(!shown.contains("hunter2") && !shown.contains("ter2@"), "{shown}");
    }
}

#[test]
fn the_environment_is_asked_only_where_that_is_wanted() {
    // Nothing here changes the environment: whatever it says, a session does not ask.
    assert_eq!(format!("{:?}", SessionConfig::new().proxies), format!("{:?}", Proxies::new()));
    let mut config = SessionConfig::new();
    config.proxy("http://p").proxy_from_env();
    assert_eq!(format!("{:?}", config.proxies), format!("{:?}", Proxies::from_env()));
}

#[test]
fn an_unreachable_proxy_is_an_error_that_names_it_and_nothing_goes_directly() {
    let origin = Script::site(|_| ok("direct"));
    let (url, closed) = closed_port();
    drop(closed);
    for scheme in ["http", "https", "socks5", "socks5h"] {
        if scheme == "https" && !cfg!(feature = "tls") {
            continue;
        }
        let url = url.replace("http", scheme);
        let error = through(url.as_str()).request(origin.url("/")).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Connect)));
        assert_eq!(error.fault(), Fault::Network, "trying again may help");
        assert!(error.message().contains(&url), "{}", error.message());
    }
    let mut config = config("http://nowhere.test:3128");
    config.resolver = Some(Arc::new(|_: &str, _: u16| Err(std::io::ErrorKind::NotFound.into())));
    let error = session(config).request(origin.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Dns)));
    assert!(error.message().contains("http://nowhere.test:3128"), "{}", error.message());
    assert_eq!(origin.connections(), 0);
}

/// The URL of a port where nobody listens once the listener is dropped.
fn closed_port() -> (String, std::net::TcpListener) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    (format!("http://{}", listener.local_addr().unwrap()), listener)
}

#[test]
fn a_pool_uses_the_proxies_of_its_sessions() {
    let origin = Script::site(|_| ok("in"));
    let proxy = ProxyServer::http().start();
    let jobs = (0..8).map(|n| Request::get(origin.url(&format!("/{n}"))));
    let pool = fetchpool::Pool::builder().num_threads(2).session(config(proxy.url("http")));
    let (responses, exceptions) = pool.map(jobs);
    assert_eq!((responses.len(), exceptions.len()), (8, 0));
    assert_eq!(proxy.requests().len(), 8);
}
