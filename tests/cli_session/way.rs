//! `--resolve` and `--unix-socket`.

use std::net::{IpAddr, Ipv6Addr, TcpListener};

use super::support::local::{Door, Place};
use super::support::program::{Folder, fetchpool};
use super::support::script::{Script, ok, redirect};
use super::support::tls::{Ca, TlsServer};
use super::{all_told, refused};

#[test]
fn a_host_that_is_laid_down_is_not_looked_up_and_stays_itself_to_the_server() {
    let site = Script::site(|request| ok(request.header("host").unwrap_or_default()));
    let port = site.address().port();
    let (a, b) = (format!("http://a.test:{port}/"), format!("http://B.test:{port}/"));
    let lay = |host: &str, addresses: &str| format!("{host}:{port}:{addresses}");
    // Nobody listens at 127.0.0.9.
    for (laid, urls) in [
        (vec![lay("a.test", "127.0.0.1")], vec![&a]),
        (vec![lay("a.test", "127.0.0.1"), lay("b.TEST", "127.0.0.1")], vec![&a, &b]),
        (vec![lay("a.test", "127.0.0.9,127.0.0.1")], vec![&a]),
        (vec![lay("a.test", "[::1],127.0.0.1")], vec![&a]),
        // The last word on a host counts.
        (vec![lay("a.test", "127.0.0.9"), lay("a.test", "127.0.0.1")], vec![&a]),
        (vec![lay("*", "127.0.0.1"), lay("c.test", "127.0.0.9")], vec![&a, &b]),
    ] {
        let mut arguments = vec!["--body"];
        arguments.extend(laid.iter().flat_map(|laid| ["--resolve", laid]));
        arguments.extend(urls.iter().map(|url| url.as_str()));
        let ran = fetchpool(&arguments, b"");
        assert_eq!(ran.status, 0, "{laid:?}: {}", ran.stdout);
        for (line, url) in ran.in_order().into_iter().zip(urls) {
            let host = url.trim_start_matches("http://").trim_end_matches('/').to_lowercase();
            assert_eq!(line["body"], host);
            assert_eq!(line["request"]["url"], **url);
        }
    }
    let refused = fetchpool(&["--resolve", &lay("a.test", "127.0.0.9"), &a], b"");
    assert_eq!(all_told(&refused), ["connect"], "{}", refused.stdout);
}

#[test]
fn an_address_of_ipv6_stands_with_or_without_brackets_and_the_certificate_is_the_hosts() {
    if let Err(error) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        return println!("not shown, since ::1 cannot be listened at: {error}");
    }
    let (ca, folder) = (Ca::new(), Folder::new("resolve-six"));
    let ca_file = folder.file("ca.pem", ca.pem().as_bytes());
    let home = IpAddr::from(Ipv6Addr::LOCALHOST);
    let site = TlsServer::start_at(home, ca.issue(&["six.test"], |_| {}));
    let port = site.address().port();
    let url = format!("https://six.test:{port}/");
    for address in ["[::1]", "::1", "[::1],127.0.0.9", "127.0.0.9,::1"] {
        let laid = format!("six.test:{port}:{address}");
        let ran = fetchpool(&["--ca-file", &ca_file, "--resolve", &laid, &url], b"");
        assert_eq!((all_told(&ran), ran.status), (vec!["200".to_owned()], 0), "{}", ran.stdout);
    }
    assert_eq!(site.names(), vec![Some("six.test".to_owned()); 4]);
    let (other, laid) = (format!("https://other.test:{port}/"), format!("other.test:{port}:[::1]"));
    let ran = fetchpool(&["--ca-file", &ca_file, "--resolve", &laid, &other], b"");
    assert_eq!(all_told(&ran), ["tls"], "{}", ran.stdout);
}

#[test]
fn what_lays_down_nothing_is_a_usage_error() {
    let site = Script::site(|_| ok(""));
    let url = site.url("/");
    for bad in [
        "",
        "h",
        "h:80",
        "h:80:",
        ":80:127.0.0.1",
        "h:x:127.0.0.1",
        "h:65536:127.0.0.1",
        "h:-1:127.0.0.1",
        "h:80:localhost",
        "h:80:127.0.0.1,",
        "h:80:127.0.0.1:81",
        "h:80:[::1",
        "h:80:[::1]:81",
        "127.0.0.1:80:127.0.0.2",
        "[::1]:80:127.0.0.1",
        "a b:80:127.0.0.1",
        "a/b:80:127.0.0.1",
        "u@h:80:127.0.0.1",
        "+h:80:127.0.0.1",
        "-h:80",
    ] {
        // With `=`, so that it is the option's value whatever it begins with.
        refused(&[&format!("--resolve={bad}"), &url]);
        refused(&["--resolve", "ok.test:80:127.0.0.1", &format!("--resolve={bad}"), &url]);
    }
    assert_eq!(site.connections(), 0);
}

#[test]
fn every_request_goes_to_the_unix_socket_also_behind_a_redirect() {
    let site = Script::site(|request| match request.target().as_str() {
        "/lead" => redirect(302, "http://elsewhere.test/end"),
        _ => ok(format!("{}{}", request.header("host").unwrap_or_default(), request.target())),
    });
    let door = Door::to(site.address());
    let socket = door.path().to_str().unwrap();
    let urls = ["http://docker/v1/info", "http://192.0.2.1:2375/x", "http://docker/lead"];
    let options = ["--unix-socket", socket, "--body", "--threads", "1"];
    let ran = fetchpool(&[&options[..], &urls].concat(), b"");
    let bodies: Vec<_> = ran.in_order().iter().map(|line| line["body"].clone()).collect();
    assert_eq!(bodies, ["docker/v1/info", "192.0.2.1:2375/x", "elsewhere.test/end"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}

#[test]
fn a_unix_socket_that_is_not_there_fails_each_line() {
    let (place, folder) = (Place::new(), Folder::new("no-socket"));
    let long = format!("/{}", "x".repeat(300));
    let file = folder.file("file", b"no socket");
    for socket in [place.path().to_str().unwrap(), &long, &file] {
        let ran = fetchpool(&["--unix-socket", socket, "http://h/", "http://h/2"], b"");
        assert_eq!((all_told(&ran), ran.status), (vec!["connect".to_owned(); 2], 1), "{socket}");
        let message = ran.lines[0]["error"]["message"].as_str().unwrap();
        assert!(message.contains(&socket[..20]), "{message}");
    }
}
