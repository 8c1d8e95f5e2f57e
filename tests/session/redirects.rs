//! Redirects: which are followed, as what, and where to.

use super::*;
use crate::support::script::{Recorded, ok, redirect};
use fetchpool::{Fault, Phase};

/// A server that sends `/` elsewhere with this status, and answers everything else.
fn moved(status: u16) -> Server {
    Script::site(move |request| match request.target().as_str() {
        "/" => redirect(status, "/there"),
        _ if request.method() == "HEAD" => b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        _ => ok("there"),
    })
}

/// The request that came to the second place, after one by this method and with a body to the
/// first.
fn after(status: u16, method: &str) -> Recorded {
    let server = moved(status);
    let request = Request::new(method, server.url("/")).body("the body");
    let response = fetch(request.header("Content-Type", "text/x").header("X-Own", "y")).unwrap();
    assert_eq!((response.status(), response.history().len()), (200, 1), "{status} {method}");
    server.requests().remove(1)
}

#[test]
fn the_method_changes_as_in_requests() {
    for (status, method, then) in [
        (301, "GET", "GET"),
        (301, "HEAD", "HEAD"),
        (301, "POST", "GET"),
        (301, "PUT", "PUT"),
        (301, "PATCH", "PATCH"),
        (301, "DELETE", "DELETE"),
        (301, "OPTIONS", "OPTIONS"),
        (302, "GET", "GET"),
        (302, "HEAD", "HEAD"),
        (302, "POST", "GET"),
        (302, "PUT", "GET"),
        (302, "PATCH", "GET"),
        (302, "DELETE", "GET"),
        (302, "OPTIONS", "GET"),
        (303, "GET", "GET"),
        (303, "HEAD", "HEAD"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "PATCH", "GET"),
        (303, "DELETE", "GET"),
        (307, "GET", "GET"),
        (307, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (307, "PUT", "PUT"),
        (307, "DELETE", "DELETE"),
        (308, "GET", "GET"),
        (308, "HEAD", "HEAD"),
        (308, "POST", "POST"),
        (308, "PUT", "PUT"),
        (308, "DELETE", "DELETE"),
    ] {
        assert_eq!(after(status, method).method(), then, "{status} {method}");
    }
}

#[test]
fn the_body_is_sent_again_when_the_method_must_stay() {
    for status in [307, 308] {
        for method in ["POST", "PUT", "PATCH"] {
            let second = after(status, method);
            assert_eq!(second.body(), b"the body", "{status} {method}");
            assert_eq!(second.header("content-type").as_deref(), Some("text/x"));
            assert_eq!(second.header("content-length").as_deref(), Some("8"));
        }
    }
}

#[test]
fn the_body_is_dropped_with_the_fields_about_it_by_301_302_and_303() {
    for status in [301, 302, 303] {
        for method in ["POST", "PUT", "PATCH"] {
            let second = after(status, method);
            assert_eq!(second.body(), b"", "{status} {method}");
            assert_eq!(second.header("content-type"), None, "{status} {method}");
            assert!(
                matches!(second.header("content-length").as_deref(), None | Some("0")),
                "{status} {method}"
            );
            assert_eq!(second.header("x-own").as_deref(), Some("y"), "{status} {method}");
        }
    }
}

#[test]
fn every_field_about_a_dropped_body_goes_with_it() {
    let server = moved(303);
    let request = Request::post(server.url("/"))
        .body("x")
        .header("CONTENT-TYPE", "text/x")
        .header("Content-Encoding", "x-own")
        .header("content-language", "en")
        .header("Content-Location", "/x")
        .header("X-Content", "stays");
    fetch(request).unwrap();
    let second = server.requests().remove(1);
    for name in ["content-type", "content-encoding", "content-language", "content-location"] {
        assert_eq!(second.header(name), None, "{name}");
    }
    assert_eq!(second.header("x-content").as_deref(), Some("stays"));
}

#[test]
fn a_dropped_body_does_not_come_back_on_a_later_hop() {
    let server = Script::site(|request| match request.target().as_str() {
        "/" => redirect(303, "/1"),
        "/1" => redirect(307, "/2"),
        _ => ok("there"),
    });
    fetch(Request::post(server.url("/")).body("the body")).unwrap();
    let last = server.requests().remove(2);
    assert_eq!((last.method().as_str(), last.body()), ("GET", &b""[..]));
}

#[test]
fn other_statuses_are_no_redirects() {
    for status in [201, 300, 304, 305, 306, 399, 401] {
        let server = moved(status);
        let response = fetch(server.url("/")).unwrap();
        assert_eq!((response.status(), response.history().len()), (status, 0));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn the_history_tells_every_hop_in_order() {
    let server = Script::site(|request| match request.target().as_str() {
        "/" => {
            b"HTTP/1.1 301 A\r\nLocation: /1\r\nX-Hop: a\r\nX-Hop: b\r\nContent-Length: 1\r\n\r\n1"
                .to_vec()
        }
        "/1" => redirect(307, "/2"),
        "/2" => redirect(303, "/3?x=y"),
        _ => ok("there"),
    });
    let response = fetch(server.url("/")).unwrap();
    let hops: Vec<_> =
        response.history().iter().map(|hop| (hop.status(), hop.url().to_owned())).collect();
    assert_eq!(hops, [(301, server.url("/")), (307, server.url("/1")), (303, server.url("/2"))]);
    let fields = response.history()[0].headers();
    assert_eq!(fields.get_all("x-hop").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(response.url(), server.url("/3?x=y"));
}

#[test]
fn a_location_is_relative_to_the_url_that_sent_it() {
    for (location, target) in [
        ("/x", "/x"),
        ("x", "/a/b/x"),
        ("../x", "/a/x"),
        ("./x/", "/a/b/x/"),
        ("?q=1", "/a/b/c?q=1"),
        ("../../../../x", "/x"),
        ("x y", "/a/b/x%20y"),
        ("/%41%2f", "/%41%2f"),
        ("/\u{fc}", "/%C3%BC"),
    ] {
        let server = Script::new().reply(redirect(302, location)).reply(OK).serve();
        fetch(server.url("/a/b/c?own=1")).unwrap();
        assert_eq!(server.lines()[1], format!("GET {target} HTTP/1.1"), "{location:?}");
    }
}

#[test]
fn a_location_may_name_another_server_whole_or_without_a_scheme() {
    let there = Script::site(|_| ok("there"));
    for location in [there.url("/x"), there.url("/x").replace("http:", "")] {
        let here = Script::new().reply(redirect(302, &location)).serve();
        let response = fetch(here.url("/")).unwrap();
        assert_eq!((response.text().as_ref(), response.url()), ("there", &*there.url("/x")));
        assert_eq!(response.peer_addr(), Some(there.address()));
    }
    for request in there.requests() {
        assert_eq!(request.header("host"), Some(there.address().to_string()));
    }
}

#[test]
fn a_fragment_is_kept_over_redirects_until_a_location_has_its_own() {
    for (location, end) in [("/x", "/x#old"), ("/x#new", "/x#new")] {
        let server = Script::new().reply(redirect(302, location)).reply(OK).serve();
        let response = fetch(server.url("/#old")).unwrap();
        assert_eq!(response.url(), server.url(end));
        assert_eq!(server.lines(), ["GET / HTTP/1.1", "GET /x HTTP/1.1"]);
    }
}

#[test]
fn parameters_are_not_added_to_where_a_redirect_leads() {
    let server = moved(302);
    let mut session = session(|config| {
        config.param("session", 1);
    });
    session.request(Request::get(server.url("/")).param("own", 2)).unwrap();
    // `/?…` is not `/`: the first answer was the last.
    assert_eq!(server.lines(), ["GET /?session=1&own=2 HTTP/1.1"]);
    let server = Script::new().reply(redirect(302, "/x?y=z")).reply(OK).serve();
    session.request(Request::get(server.url("/")).param("own", 2)).unwrap();
    assert_eq!(server.lines()[1], "GET /x?y=z HTTP/1.1");
}

#[test]
fn a_redirect_without_a_location_is_a_response() {
    for status in [301, 302, 303, 307, 308] {
        for field in ["", "Location:\r\n"] {
            let bytes = format!("HTTP/1.1 {status} X\r\n{field}Content-Length: 4\r\n\r\nbody");
            let response = read(bytes).unwrap();
            assert_eq!((response.status(), response.text().as_ref()), (status, "body"));
            assert!(response.history().is_empty());
        }
    }
}

#[test]
fn a_redirect_that_is_not_to_be_followed_is_a_response() {
    let bytes = "HTTP/1.1 302 X\r\nLocation: /x\r\nContent-Length: 4\r\n\r\nbody";
    let server = Script::new().reply(bytes).reply(bytes).serve();
    let mut never = session(|config| config.allow_redirects = false);
    let response = never.request(server.url("/")).unwrap();
    assert_eq!((response.status(), response.text().as_ref()), (302, "body"));
    assert_eq!(response.url(), server.url("/"));
    let mut always = session(|_| {});
    let request = Request::get(server.url("/")).allow_redirects(false);
    let other = Script::new().reply(bytes).serve();
    assert_eq!(
        always.request(Request::get(other.url("/")).allow_redirects(false)).unwrap().status(),
        302
    );
    assert_eq!(never.request(request).unwrap().status(), 302);
    assert_eq!((server.requests().len(), other.requests().len()), (2, 1));
}

#[test]
fn a_request_may_follow_where_its_session_does_not() {
    let server = moved(302);
    let mut never = session(|config| config.allow_redirects = false);
    let request = Request::get(server.url("/")).allow_redirects(true);
    assert_eq!(never.request(request).unwrap().text(), "there");
}

#[test]
fn a_redirect_leads_to_http_and_https_only() {
    for location in [
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/plain,x",
        "mailto:a@b",
        "gopher://127.0.0.1:1/x",
        "ws://127.0.0.1/",
    ] {
        let server = Script::new().reply(redirect(302, location)).serve();
        let error = fetch(server.url("/")).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Redirect, Fault::Peer), "{location}");
        assert_eq!(error.phase(), Some(Phase::Redirecting), "{location}");
        assert_eq!(error.url(), Some(&*server.url("/")), "{location}");
    }
}

#[test]
fn a_location_that_is_no_url_is_an_error() {
    for location in ["http://[::1", "http://", "//", "http://a b/", "http://127.0.0.1:99999/"] {
        let server = Script::new().reply(redirect(302, location)).serve();
        let error = fetch(server.url("/")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect, "{location}");
        assert_eq!(error.phase(), Some(Phase::Redirecting), "{location}");
    }
}

#[test]
fn a_loop_is_too_many_redirects() {
    let server = Script::site(|request| match request.target().as_str() {
        "/a" => redirect(302, "/b"),
        _ => redirect(302, "/a"),
    });
    let error = fetch(server.url("/a")).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::TooManyRedirects, Fault::Limit));
    assert_eq!(error.phase(), Some(Phase::Redirecting));
    assert_eq!(server.requests().len(), 11, "the default is ten redirects");
}

#[test]
fn as_many_redirects_as_the_limit_are_followed_and_not_one_more() {
    let down = |request: &Recorded| {
        let left: u32 = request.target()[1..].parse().unwrap();
        if left == 0 { ok("there") } else { redirect(302, &format!("/{}", left - 1)) }
    };
    for limit in [0_usize, 1, 3] {
        let server = Script::site(down);
        let mut session = session(|config| config.limits.redirects = limit);
        let response = session.request(server.url(&format!("/{limit}"))).unwrap();
        assert_eq!((response.text().as_ref(), response.history().len()), ("there", limit));
        let error = session.request(server.url(&format!("/{}", limit + 1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooManyRedirects, "{limit}");
        assert_eq!(server.requests().len(), 2 * (limit + 1), "{limit}");
    }
}

#[test]
fn a_redirects_body_is_neither_decoded_nor_counted_against_the_limit() {
    let body = "x".repeat(10_000);
    let bytes = format!(
        "HTTP/1.1 302 X\r\nLocation: /x\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = Script::new().reply(bytes).reply(OK).accept().reply(OK).serve();
    let mut session = session(|config| config.limits.body_bytes = 100);
    assert_eq!(session.request(server.url("/")).unwrap().text(), "ok");
}

#[test]
fn a_redirect_with_an_endless_body_is_followed_all_the_same() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
    let head = "HTTP/1.1 302 X\r\nLocation: /x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = Script::new().reply(head).send(chunk.repeat(64)).accept().reply(OK).serve();
    let started = Instant::now();
    assert_eq!(fetch(server.url("/")).unwrap().text(), "ok");
    assert!(soon(started));
}

#[test]
fn the_failure_of_a_later_hop_names_that_hop() {
    let server = Script::new()
        .reply(redirect(302, "/x"))
        .request()
        .close()
        .accept()
        .request()
        .close()
        .serve();
    let error = fetch(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.url()), (ErrorKind::Closed, Some(&*server.url("/x"))));
}
