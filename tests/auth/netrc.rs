//! Logins of a netrc: to whom they go, and when.

use std::net::SocketAddr;
use std::sync::Arc;

use fetchpool::{Auth, Netrc, Proxy, Request, Session, SessionConfig};

use super::{session, shown, two};
use crate::support::script::{Recorded, Script, Server, ok, redirect};

/// `base64("ann:pw")`, which is what every netrc here has for the host that is meant.
const ANN: &str = "Basic YW5uOnB3";

fn with(text: &str) -> Session {
    let netrc = Netrc::parse(text).unwrap();
    session(|config| {
        config.netrc(netrc);
    })
}

/// A session for which every host has this address.
fn anywhere(netrc: Netrc, address: SocketAddr) -> Session {
    session(|config| {
        config.netrc(netrc);
        config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
    })
}

fn site() -> Server {
    Script::site(|_| ok("x"))
}

#[test]
fn a_host_gets_its_own_login_and_no_other_host_does() {
    let server = site();
    let mut session = with("machine 127.0.0.1 login ann password pw machine other.test login x");
    session.request(server.url("/")).unwrap();
    session.request(server.url("/").replace("127.0.0.1", "localhost")).unwrap();
    session.request(server.url("/").replace("127.0.0.1", "127.1")).unwrap();
    assert_eq!(shown(&server), [ANN, "", ANN], "127.1 is the same address, by the one parse");
}

#[test]
fn a_default_is_for_every_host_without_an_entry() {
    let server = site();
    let mut session = with("machine localhost\ndefault login ann password pw");
    session.request(server.url("/")).unwrap();
    session.request(server.url("/").replace("127.0.0.1", "localhost")).unwrap();
    assert_eq!(shown(&server), [ANN, ""]);
}

/// CVE-2014-1829, CVE-2024-11053 and CVE-2025-0167 were of this kind.
#[test]
fn over_a_redirect_to_another_host_or_port_none_goes_along_whatever_the_file_has_for_it() {
    for text in [
        "machine 127.0.0.1 login ann password pw",
        "machine first.test login ann password pw",
        "machine first.test login ann password pw machine second.test login bob password pw2",
        "machine first.test login ann password pw default login bob password pw2",
        "machine first.test login ann password pw machine second.test default login ann password pw",
        "default login ann password pw",
    ] {
        let leading = |request: &Recorded| match request.target().as_str() {
            "/go" => redirect(302, "http://second.test/there"),
            "/port" => redirect(302, "http://first.test:81/there"),
            "/there" => redirect(302, "http://first.test/back"),
            "/near" => redirect(302, "/end"),
            _ => ok("x"),
        };
        let server = Script::site(leading);
        let netrc = Netrc::parse(text).unwrap().danger_over_http(true);
        let mut session = anywhere(netrc, server.address());
        for path in ["/go", "/port", "/near"] {
            session.request(format!("http://first.test{path}")).unwrap();
        }
        let first = if text.contains("127") { "" } else { ANN };
        let expected = [first, "", "", first, "", "", first, first];
        assert_eq!(shown(&server), expected, "{text}");
    }
    let (first, second) = two(|_| ok("second"));
    let mut session = with("machine 127.0.0.1 login ann password pw");
    session.request(first.url("/tour")).unwrap();
    assert_eq!((shown(&first), shown(&second)), (vec![ANN.into(), "".into()], vec!["".into()]));
}

/// CVE-2024-47081: what stands before the `@` is no host.
#[test]
fn a_url_that_confuses_its_readers_gets_nothing_for_another_host() {
    let server = site();
    let text = "machine good.test login ann password pw";
    let netrc = Netrc::parse(text).unwrap().danger_over_http(true);
    let mut session = anywhere(netrc, server.address());
    for url in [
        "http://good.test:@evil.test/",
        "http://good.test:80@evil.test/",
        "http://evil.test/@good.test",
        "http://evil.test#@good.test/",
        "http://evil.test\\@good.test/",
        "http://good.test.evil.test/",
        "http://good.test./",
    ] {
        session.request(url).unwrap();
    }
    let given = shown(&server).into_iter().filter(|value| value.contains("YW5uOnB3")).count();
    assert_eq!(given, 0);
    session.request("http://GOOD.test/").unwrap();
    assert_eq!(shown(&server).last().unwrap(), ANN);
}

#[test]
fn over_http_none_leaves_this_machine_unless_asked() {
    let server = site();
    for (over_http, expected) in [(false, ["", ""]), (true, [ANN, ANN])] {
        let before = server.requests().len();
        let netrc =
            Netrc::parse("machine h.test login ann password pw\ndefault login ann password pw");
        let netrc = netrc.unwrap().danger_over_http(over_http);
        let mut session = anywhere(netrc, server.address());
        session.request("http://h.test/").unwrap();
        session.request("http://other.test/").unwrap();
        assert_eq!(shown(&server)[before..], expected);
    }
}

#[cfg(feature = "tls")]
#[test]
fn over_https_they_go_to_their_host() {
    use crate::support::tls::{Ca, TlsServer};

    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let netrc = Netrc::parse("machine localhost login ann password pw").unwrap();
    let mut session = session(|config| {
        config.tls.add_root_pem(ca.pem());
        config.netrc(netrc);
    });
    let url = server.url("/").replace("127.0.0.1", "localhost");
    session.request(url).unwrap();
    assert_eq!(server.requests()[0].headers("authorization"), [ANN]);
}

#[test]
fn all_other_credentials_come_first_in_the_order_that_is_written_down() {
    let server = site();
    let url = server.url("/");
    let private = url.replace("://", "://url:own@");
    let netrc = || Netrc::parse("default login ann password pw").unwrap();
    let own = || Request::get(&url).header("AUTHORIZATION", "Own field");
    let full = |config: &mut SessionConfig| {
        config.netrc(netrc()).auth(Auth::bearer("auth")).header("Authorization", "Default field");
    };
    let mut all = session(full);
    all.request(own()).unwrap();
    all.request(own().without_header("authorization")).unwrap();
    all.request(Request::get(&private)).unwrap();
    all.request(&*url).unwrap();
    all.request(Request::get(&private).without_header("Authorization")).unwrap();
    // Bound to where nobody goes, it leaves the place to the netrc.
    let mut rest = session(|config| {
        full(config);
        config.auth(Auth::bearer("auth").for_origin("https://elsewhere.test"));
    });
    rest.request(&*url).unwrap();
    let mut last = session(|config| {
        full(config);
        config.auth = None;
        config.netrc(Netrc::parse("machine elsewhere.test login ann password pw").unwrap());
    });
    last.request(&*url).unwrap();
    assert_eq!(
        shown(&server),
        ["Own field", "Own field", "Basic dXJsOm93bg==", "Bearer auth", "", ANN, "Default field",]
    );
}

#[test]
fn a_user_in_the_url_chooses_the_password() {
    let server = site();
    let host = "machine 127.0.0.1 login";
    let mut session = with(&format!("{host} bob password b\n{host} ann password pw"));
    for user in ["ann@", "ann:@", "ann:own@", "eve@", ""] {
        session.request(server.url("/").replace("://", &format!("://{user}"))).unwrap();
    }
    let expected = [ANN, ANN, "Basic YW5uOm93bg==", "Basic ZXZlOg==", "Basic Ym9iOmI="];
    assert_eq!(shown(&server), expected);
}

/// Whoever is asked through a proxy is not this machine, or is reached by way of another one.
#[test]
fn over_http_none_goes_through_a_proxy_whatever_the_host_is() {
    let proxy = site();
    let through = |netrc: Netrc| {
        session(|config| {
            config.netrc(netrc).proxy(Proxy::new(proxy.origin()));
        })
    };
    for text in
        ["machine localhost login ann password pw", "machine 127.0.0.1 login ann password pw"]
    {
        let mut session = through(Netrc::parse(text).unwrap());
        for url in ["http://localhost/", "http://127.0.0.1/", "http://ann@127.0.0.1/"] {
            session.request(url).unwrap();
        }
    }
    let netrc = Netrc::parse("default login ann password pw").unwrap().danger_over_http(true);
    through(netrc).request("http://localhost/").unwrap();
    // `base64("ann:")`: that of the URL is the caller's word.
    let of_url = "Basic YW5uOg==";
    assert_eq!(shown(&proxy), ["", "", of_url, "", "", of_url, ANN]);
}
