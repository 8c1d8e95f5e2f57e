//! How cookies travel: taken from every hop, sent in one field, and only where they belong.

use super::*;
use crate::support::script::{ok, redirect};
use fetchpool::{ErrorKind, Request};

/// A redirect that sets cookies.
fn leading(location: &str, cookies: &[&str]) -> Vec<u8> {
    let fields: String = cookies.iter().map(|line| format!("Set-Cookie: {line}\r\n")).collect();
    reply("302 Found", &format!("Location: {location}\r\n{fields}"), "")
}

#[test]
fn without_a_jar_nothing_is_kept_and_nothing_sent() {
    let server = Script::new().reply(setting(&["a=b"])).reply(ok("")).serve();
    let mut session = Session::default();
    for _ in 0..2 {
        session.request(server.url("/")).unwrap();
    }
    assert!(session.cookie_jar().is_none());
    assert!(server.requests().iter().all(|request| request.header("cookie").is_none()));
}

#[test]
fn a_cookie_goes_along_with_the_next_request_in_one_field() {
    let server = Script::new()
        .reply(setting(&["a=1", "b=2; Path=/deep", "c=3; Max-Age=60"]))
        .reply(ok(""))
        .reply(ok(""))
        .serve();
    let jar = CookieJar::new();
    let mut session = session(&jar);
    for path in ["/", "/deep/er", "/"] {
        session.request(server.url(path)).unwrap();
    }
    let fields: Vec<_> =
        server.requests().iter().map(|request| request.headers("cookie")).collect();
    assert_eq!(fields, [vec![], vec!["b=2; a=1; c=3".to_owned()], vec!["a=1; c=3".to_owned()]]);
    assert_eq!(session.cookie_jar().map(CookieJar::len), Some(3));
}

#[test]
fn each_hop_keeps_its_cookies_and_gets_those_that_are_its_own() {
    let jar = CookieJar::new();
    let server = Script::site(|request| {
        let host = request.header("host").unwrap();
        let port = host.rsplit_once(':').unwrap().1;
        match request.target().as_str() {
            "/start" => leading(
                &format!("http://www.other.com:{port}/there"),
                &["site=1; Domain=example.com", "host=2", "stolen=3; Domain=other.com"],
            ),
            "/there" => leading(
                &format!("http://app.example.com:{port}/back"),
                &["other=4; Domain=other.com", "stolen=5; Domain=example.com"],
            ),
            "/back" => leading("/end", &["site=6; Domain=example.com"]),
            _ => ok("end"),
        }
    });
    let mut session = session(&jar);
    session.request(named(&server, "www.example.com", "/start")).unwrap();
    let fields: Vec<_> =
        server.requests().iter().map(|request| request.headers("cookie")).collect();
    assert_eq!(fields, [vec![], vec![], vec!["site=1".to_owned()], vec!["site=6".to_owned()]]);
    assert_eq!(pairs(&jar), ["site=6", "host=2", "other=4"]);
}

#[test]
fn every_final_status_sets_cookies_and_an_interim_one_or_a_trailer_does_not() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\
                   Set-Cookie: head=1\r\n\r\n0\r\nSet-Cookie: trailer=1\r\n\r\n";
    let interim = "HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\n\r\n\
                   HTTP/1.1 100 Continue\r\nSet-Cookie: early=2\r\n\r\n";
    let server = Script::new()
        .reply(reply("404 Not Found", "Set-Cookie: missing=1\r\n", ""))
        .reply(reply("500 Oops", "Set-Cookie: oops=1\r\n", ""))
        .reply("HTTP/1.1 304 Not Modified\r\nSet-Cookie: same=1\r\n\r\n")
        .reply([interim.as_bytes(), &setting(&["final=1"])].concat())
        .reply(chunked)
        .serve();
    let jar = CookieJar::new();
    let mut session = session(&jar);
    for _ in 0..5 {
        session.request(server.url("/")).unwrap();
    }
    assert_eq!(pairs(&jar), ["missing=1", "oops=1", "same=1", "final=1", "head=1"]);
}

#[test]
fn a_head_sets_cookies_whatever_becomes_of_its_body_or_its_redirect() {
    let jar = CookieJar::new();
    let cut = "HTTP/1.1 200 OK\r\nSet-Cookie: cut=1\r\nContent-Length: 9\r\n\r\nshort";
    let server = Script::new().reply(cut).close().serve();
    let error = session(&jar).request(server.url("/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    let server = Script::new().reply(leading("ftp://elsewhere/", &["bad=1"])).serve();
    let error = session(&jar).request(server.url("/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    let server = Script::new().reply(leading("/loop", &["loop=1"])).serve();
    let mut settings = config(&jar);
    settings.limits.redirects = 0;
    let error = Session::new(settings).unwrap().request(server.url("/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
    assert_eq!(pairs(&jar), ["cut=1", "bad=1", "loop=1"]);
}

#[test]
fn the_callers_own_come_first_win_by_name_and_share_the_field() {
    let server = Script::site(|_| ok(""));
    let jar = filled(&["a=jar", "b=jar", "c=jar"], &server.url("/"));
    let mut settings = config(&jar);
    settings.header("COOKIE", "b=session; x=session");
    let mut session = Session::new(settings).unwrap();
    let requests = [
        (Request::get(server.url("/")), vec!["b=session; x=session; a=jar; c=jar"]),
        // A request's own is in the place of the session's, as any field is.
        (
            Request::get(server.url("/")).header("cookie", "a=own; y"),
            vec!["a=own; y; b=jar; c=jar"],
        ),
        (
            Request::get(server.url("/")).header("Cookie", " c = own ;"),
            vec!["c = own ;; a=jar; b=jar"],
        ),
        (Request::get(server.url("/")).header("Cookie", ""), vec!["a=jar; b=jar; c=jar"]),
        (Request::get(server.url("/")).without_header("Cookie"), vec![]),
    ];
    for (request, expected) in requests {
        let before = server.requests().len();
        session.request(request).unwrap();
        let sent = server.requests().remove(before);
        assert_eq!(sent.headers("cookie"), expected);
    }
    assert_eq!(pairs(&jar), ["a=jar", "b=jar", "c=jar"], "the caller's own are not kept");
}

#[test]
fn the_callers_own_stay_home_on_a_redirect_and_the_jars_go_where_they_belong() {
    let other = Script::site(|_| ok(""));
    let location = named(&other, "b.com", "/there");
    let home = Script::site(move |request| match request.target().as_str() {
        "/near" => redirect(302, "/end"),
        "/far" => redirect(302, &location),
        _ => ok("end"),
    });
    let jar = CookieJar::new();
    jar.add("home=1", "http://a.com/").unwrap();
    jar.add("there=2", "http://b.com/").unwrap();
    for own in [true, false] {
        let mut settings = config(&jar);
        if !own {
            settings.header("Cookie", "mine=0");
        }
        let mut session = Session::new(settings).unwrap();
        for path in ["/near", "/far"] {
            let mut request = Request::get(named(&home, "a.com", path));
            if own {
                request = request.header("Cookie", "mine=0");
            }
            session.request(request).unwrap();
        }
    }
    let at_home = home.requests();
    assert_eq!(at_home.len(), 6);
    assert!(at_home.iter().all(|request| request.headers("cookie") == ["mine=0; home=1"]));
    let elsewhere = other.requests();
    assert_eq!(elsewhere.len(), 2);
    assert!(elsewhere.iter().all(|request| request.headers("cookie") == ["there=2"]));
}

#[test]
fn a_request_that_is_sent_again_on_a_new_connection_has_its_cookies_still() {
    let server = Script::new().reply(ok("")).reset().accept().reply(ok("")).serve();
    let jar = filled(&["a=b"], &server.url("/"));
    let mut session = session(&jar);
    session.request(server.url("/1")).unwrap();
    session.request(server.url("/2")).unwrap();
    assert_eq!(server.connections(), 2);
    assert!(server.requests().iter().all(|request| request.headers("cookie") == ["a=b"]));
}

#[test]
fn a_response_tells_the_cookies_that_it_set() {
    let server = Script::new()
        .reply(leading("/end", &["first=1"]))
        .reply(setting(&["a = 1 ; Path=/", "b=\"x\"=y", "nameless", "=x", "c="]))
        .serve();
    let response = Session::default().request(server.url("/")).unwrap();
    let cookies: Vec<_> = response.cookies().collect();
    assert_eq!(cookies, [("a", "1"), ("b", "\"x\"=y"), ("c", "")]);
}

#[test]
fn bytes_that_are_no_ascii_come_back_as_they_were_in_utf8() {
    let server = Script::new().reply(setting(&["a=\u{fc}\u{6f22}"])).reply(ok("")).serve();
    let mut session = session(&CookieJar::new());
    session.request(server.url("/")).unwrap();
    session.request(server.url("/")).unwrap();
    assert_eq!(server.requests()[1].headers("cookie"), ["a=\u{fc}\u{6f22}"]);
}
