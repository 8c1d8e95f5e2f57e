//! `--proxy` and `--proxy-from-env`.

use super::support::dead::Dead;
use super::support::farm::refused as nobody;
use super::support::program::{Folder, Ran, fetchpool, fetchpool_where};
use super::support::proxy::{ProxyServer, RunningProxy, basic};
use super::support::script::{Script, ok};
use super::support::tls::{Ca, Identity, TlsServer};
use super::{all_told, refused, told};

const USER: &str = "ann-Qx7";
const PASSWORD: &str = "hunter2-Zz";

/// The URL of a proxy with credentials in it.
fn with_credentials(proxy: &RunningProxy, scheme: &str, password: &str) -> String {
    proxy.url(scheme).replace("://", &format!("://{USER}:{password}@"))
}

/// That nothing of the credentials was printed.
#[track_caller]
fn nothing_secret(ran: &Ran) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let encoded = basic(USER, PASSWORD).replace("Basic ", "");
    for secret in [USER, PASSWORD, "hunter2", &encoded] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

#[test]
fn each_scheme_takes_requests_and_its_credentials_to_the_proxy_and_shows_none() {
    let site = Script::site(|request| ok(request.target()));
    let (ca, folder) = (Ca::new(), Folder::new("proxy-schemes"));
    let ca_file = folder.file("ca.pem", ca.pem().as_bytes());
    let port = site.address().port();
    let (named, numbered) =
        (format!("http://origin.test:{port}/a"), format!("http://127.0.0.1:{port}/a"));
    let asked = [
        ("http", &named, format!("GET {named} HTTP/1.1")),
        ("https", &named, format!("GET {named} HTTP/1.1")),
        ("socks5h", &named, format!("SOCKS3 origin.test:{port}")),
        ("socks5", &numbered, format!("SOCKS1 127.0.0.1:{port}")),
    ];
    for (scheme, url, line) in asked {
        let server = match scheme {
            "http" => ProxyServer::http(),
            "https" => ProxyServer::https(ca.good()),
            _ => ProxyServer::socks(),
        };
        let proxy = server.only_for(USER, PASSWORD).start();
        let given = with_credentials(&proxy, scheme, PASSWORD);
        let ran = fetchpool(&["--ca-file", &ca_file, "--proxy", &given, "--body", url], b"");
        assert_eq!((all_told(&ran), ran.status), (vec!["200".to_owned()], 0), "{}", ran.stdout);
        assert_eq!(ran.lines[0]["body"], "/a");
        assert_eq!(proxy.lines(), [line]);
        nothing_secret(&ran);
    }
    let seen = site.requests();
    assert!(seen.iter().all(|request| request.header("proxy-authorization").is_none()));
    assert_eq!(seen.len(), 4);
}

#[test]
fn https_goes_through_a_tunnel_whose_proxy_gets_the_credentials() {
    let (ca, folder) = (Ca::new(), Folder::new("proxy-tunnel"));
    let ca_file = folder.file("ca.pem", ca.pem().as_bytes());
    let site = TlsServer::start(ca.good());
    let proxy = ProxyServer::http().only_for(USER, PASSWORD).start();
    let given = with_credentials(&proxy, "http", PASSWORD);
    let ran = fetchpool(&["--ca-file", &ca_file, "--proxy", &given, &site.url("/x")], b"");
    assert_eq!((told(&ran.lines[0]), ran.status), ("200".to_owned(), 0), "{}", ran.stdout);
    assert_eq!(proxy.lines(), [format!("CONNECT {} HTTP/1.1", site.address())]);
    assert!(!site.requests()[0].head().contains("roxy-"), "{}", site.requests()[0].head());
    nothing_secret(&ran);
}

#[test]
fn insecure_is_for_servers_and_not_for_the_proxy() {
    let (ca, folder) = (Ca::new(), Folder::new("proxy-insecure"));
    let ca_file = folder.file("ca.pem", ca.pem().as_bytes());
    let site = TlsServer::start(Identity::self_signed());
    let (known, unknown) = (
        ProxyServer::https(ca.good()).start(),
        ProxyServer::https(Identity::self_signed()).start(),
    );
    for (proxy, expected) in [(&known, "200"), (&unknown, "proxy")] {
        let proxy = proxy.url("https");
        let options = ["--insecure", "--ca-file", &ca_file, "--proxy", &proxy];
        let ran = fetchpool(&[&options[..], &[&site.url("/")]].concat(), b"");
        assert_eq!(all_told(&ran), [expected], "{}", ran.stdout);
    }
}

#[test]
fn a_proxy_that_refuses_is_away_or_silent_fails_each_line_and_shows_no_credentials() {
    let site = Script::site(|_| ok(""));
    let (http, socks) = (
        ProxyServer::http().only_for(USER, "another").start(),
        ProxyServer::socks().only_for(USER, "another").start(),
    );
    let (away, silent) = (nobody(), Dead::new());
    let url = site.url("/");
    for (proxy, kind) in [
        (with_credentials(&http, "http", PASSWORD), "proxy"),
        (with_credentials(&socks, "socks5", PASSWORD), "proxy"),
        (format!("http://{USER}:{PASSWORD}@{away}"), "proxy"),
        (format!("socks5h://{USER}:{PASSWORD}@{away}"), "proxy"),
        (format!("http://{USER}:{PASSWORD}@{}", silent.address()), "timeout"),
    ] {
        let ran = fetchpool(&["--timeout", "0.5", "--proxy", &proxy, &url, &url], b"");
        assert_eq!((all_told(&ran), ran.status), (vec![kind.to_owned(); 2], 1), "{}", ran.stdout);
        nothing_secret(&ran);
    }
    assert!(site.requests().is_empty(), "nothing goes another way");
}

#[test]
fn a_proxy_that_cannot_be_is_a_usage_error_and_not_that_of_each_line() {
    let site = Script::site(|_| ok(""));
    for proxy in [
        "",
        "http://",
        "ftp://ann-Qx7:hunter2-Zz@h:1",
        "socks4://ann-Qx7:hunter2-Zz@h:1",
        "http://ann-Qx7:hunter2-Zz@h:99999",
        "http://ann-Qx7:hunter2/Zz@h:1",
        "http://ann-Qx7:hunter2?Zz@h:1",
        "http://ann-Qx7:#hunter2-Zz@h:1",
        "http://h:1/path",
        "http://a b",
        "socks5://ann-Qx7@h:1",
        "http://ann-Qx7%3Ab:hunter2-Zz@h:1",
        "http://h\r\nX: y",
    ] {
        let said = refused(&["--proxy", proxy, &site.url("/")]);
        assert!(said.contains("--proxy"), "{said}");
        for secret in ["ann-Qx7", "hunter2", "Zz"] {
            assert!(!said.contains(secret), "{proxy}: {said}");
        }
    }
    assert_eq!(site.connections(), 0);
}

#[test]
fn the_environment_is_asked_only_where_that_is_said() {
    let site = Script::site(|_| ok(""));
    let proxy = ProxyServer::http().only_for(USER, PASSWORD).start();
    let given = with_credentials(&proxy, "http", PASSWORD);
    let url = site.url("/");
    // What of it counts, and whether the proxy is asked.
    for (variables, goes_there) in [
        (&[][..], false),
        (&[("http_proxy", given.as_str())][..], true),
        (&[("HTTP_PROXY", &given)], true),
        (&[("ALL_PROXY", &given)], true),
        (&[("https_proxy", &given)], false),
        (&[("http_proxy", &given), ("NO_PROXY", "other.test")], true),
        (&[("http_proxy", &given), ("NO_PROXY", "127.0.0.0/8")], false),
        (&[("http_proxy", &given), ("no_proxy", "*")], false),
        // Whoever sends a request to a CGI program says what its HTTP_PROXY is.
        (&[("HTTP_PROXY", &given), ("REQUEST_METHOD", "GET")], false),
        (&[("http_proxy", &given), ("REQUEST_METHOD", "GET")], true),
    ] {
        for (options, asked) in [(&[][..], false), (&["--proxy-from-env"], goes_there)] {
            let before = proxy.lines().len();
            let ran = fetchpool_where(variables, &[options, &[&url]].concat());
            assert_eq!((all_told(&ran), ran.status), (vec!["200".to_owned()], 0), "{variables:?}");
            assert_eq!(proxy.lines().len() - before, usize::from(asked), "{variables:?}");
            nothing_secret(&ran);
        }
    }
}

#[test]
fn a_variable_that_is_no_proxy_fails_the_lines_that_would_use_it_and_is_named() {
    let site = Script::site(|_| ok(""));
    let bad = format!("ftp://{USER}:{PASSWORD}@h");
    let variables = [("https_proxy", bad.as_str())];
    let secure = format!("https://{}/", site.address());
    let ran = fetchpool_where(&variables, &["--proxy-from-env", &site.url("/"), &secure]);
    assert_eq!((all_told(&ran), ran.status), (vec!["200".into(), "invalid_request".into()], 1));
    let message = ran.in_order()[1]["error"]["message"].to_string();
    assert!(message.contains("https_proxy"), "{message}");
    nothing_secret(&ran);
}
