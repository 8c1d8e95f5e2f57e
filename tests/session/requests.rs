//! What is sent: one head, as the request and the session say, and nothing that was smuggled in.

use super::*;
use crate::support::script::{Recorded, ok, redirect};
use fetchpool::{Auth, Body, Fault, Phase};
use url::Url;

/// What a server gets of a request in this session.
fn sent_in(session: &mut Session, request: impl FnOnce(String) -> Request) -> Recorded {
    let server = Script::new().reply(OK).serve();
    session.request(request(server.url("/p"))).expect("a response");
    server.request()
}

/// What a server gets of a request in a session by default.
fn sent(request: impl FnOnce(String) -> Request) -> Recorded {
    sent_in(&mut session(|_| {}), request)
}

/// The query of a request, decoded.
fn query(request: &Recorded) -> Vec<(String, String)> {
    let url = Url::parse(&format!("http://x{}", request.target())).expect("a target");
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// That a request is refused before anything is sent.
fn is_refused(request: impl FnOnce(String) -> Request, kind: ErrorKind) {
    let server = unused();
    let request = request(server.url("/p"));
    let shown = format!("{request:?}");
    let error = fetch(request).expect_err(&shown);
    assert_eq!((error.kind(), error.fault()), (kind, Fault::Caller), "{shown}: {error}");
    assert_eq!(error.phase(), Some(Phase::Setup), "{shown}");
    assert_eq!(server.connections(), 0, "{shown}");
}

#[test]
fn a_plain_get_is_one_line_and_the_sessions_fields() {
    let server = Script::new().reply(OK).serve();
    fetch(server.url("/path?query")).unwrap();
    let request = server.request();
    assert_eq!(request.line(), "GET /path?query HTTP/1.1");
    assert_eq!(request.headers("host"), [server.address().to_string()]);
    assert_eq!(request.headers("accept"), ["*/*"]);
    let agent = format!("fetchpool/{}", env!("CARGO_PKG_VERSION"));
    assert!(request.header("user-agent").unwrap().starts_with(&agent));
    assert_eq!(request.header("content-length"), None);
    assert_eq!(request.header("transfer-encoding"), None);
    assert!(request.body().is_empty());
    for line in request.head().split("\r\n") {
        assert!(!line.contains(['\r', '\n']) && !line.is_empty(), "{line:?}");
    }
}

#[test]
fn a_url_becomes_a_target() {
    for (path, target) in [
        ("", "/"),
        ("/", "/"),
        ("?q", "/?q"),
        ("#fragment", "/"),
        ("/a#b?c", "/a"),
        ("/a b", "/a%20b"),
        ("/\u{fc}?\u{fc}", "/%C3%BC?%C3%BC"),
        ("/a/../b/./c", "/b/c"),
        ("/%2e%2e/a%2Fb", "/a%2Fb"),
        ("//x//y", "//x//y"),
        ("/?a=b&a=b+c%20d", "/?a=b&a=b+c%20d"),
        ("/http://other.test/", "/http://other.test/"),
        ("/@host/:1", "/@host/:1"),
    ] {
        let server = Script::new().reply(OK).serve();
        fetch(format!("{}{path}", server.origin())).unwrap();
        assert_eq!(server.request().target(), target, "{path:?}");
    }
}

#[test]
fn a_name_is_looked_up_and_sent_as_the_host() {
    let server = Script::new().reply(OK).serve();
    let authority = format!("localhost:{}", server.address().port());
    let response = fetch(format!("HTTP://LocalHost:{}/", server.address().port())).unwrap();
    assert_eq!(server.request().headers("host"), [authority]);
    assert_eq!(response.peer_addr(), Some(server.address()));
}

#[test]
fn an_address_in_another_spelling_is_sent_in_the_usual_one() {
    let server = Script::new().reply(OK).serve();
    fetch(format!("http://0x7f.1:{}/", server.address().port())).unwrap();
    assert_eq!(server.request().headers("host"), [server.address().to_string()]);
}

#[test]
fn methods_are_sent_in_capitals() {
    for (method, line) in [("get", "GET /p HTTP/1.1"), ("propFind", "PROPFIND /p HTTP/1.1")] {
        assert_eq!(sent(|url| Request::new(method, url)).line(), line);
    }
    for (make, method) in [
        (Request::get as fn(String) -> Request, "GET"),
        (Request::post, "POST"),
        (Request::put, "PUT"),
        (Request::patch, "PATCH"),
        (Request::delete, "DELETE"),
        (Request::options, "OPTIONS"),
    ] {
        assert_eq!(sent(make).method(), method);
    }
}

#[test]
fn a_method_that_is_no_token_is_refused() {
    for method in ["", "G T", "GET\r\n", "GET / HTTP/1.1\r\nX: y\r\n\r\n", "G\0", "G:T", "G\u{c4}"]
    {
        is_refused(|url| Request::new(method, url), ErrorKind::InvalidRequest);
    }
}

#[test]
fn a_body_has_a_length() {
    let request = sent(|url| Request::post(url).body("h\u{e9}"));
    assert_eq!(request.body(), "h\u{e9}".as_bytes());
    assert_eq!(request.headers("content-length"), ["3"]);
    let bytes: &[u8] = &[0, 13, 10, 255];
    for body in [Body::from(bytes), Body::from(bytes.to_vec())] {
        let request = sent(|url| Request::put(url).data(body));
        assert_eq!(request.body(), bytes);
    }
    assert_eq!(sent(|url| Request::get(url).body("x")).body(), b"x");
}

#[test]
fn a_post_without_a_body_says_that_it_is_empty() {
    for method in ["POST", "PUT", "PATCH"] {
        let request = sent(|url| Request::new(method, url));
        assert_eq!(request.headers("content-length"), ["0"], "{method}");
    }
    for method in ["GET", "OPTIONS", "DELETE"] {
        let request = sent(|url| Request::new(method, url));
        assert!(
            matches!(request.header("content-length").as_deref(), None | Some("0")),
            "{method}"
        );
    }
}

#[test]
fn a_form_is_encoded() {
    let request =
        sent(|url| Request::post(url).form([("a b", "c&d"), ("e", "\u{e9}\r\n"), ("e", "")]));
    assert_eq!(request.body(), b"a+b=c%26d&e=%C3%A9%0D%0A&e=");
    assert_eq!(request.headers("content-type"), ["application/x-www-form-urlencoded"]);
    let own = sent(|url| Request::post(url).header("Content-Type", "x/y").form([("a", "b")]));
    assert_eq!(own.headers("content-type"), ["x/y"]);
}

#[cfg(feature = "json")]
#[test]
fn a_value_is_sent_as_json() {
    let value = serde_json::json!({"a": [1, null, "\u{e9}"]});
    let request = sent(|url| Request::post(url).json(&value));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(request.body()).unwrap(), value);
    assert_eq!(request.headers("content-type"), ["application/json"]);
    let own = sent(|url| Request::post(url).json(&value).header("content-type", "x/y"));
    assert_eq!(own.headers("content-type"), ["x/y"]);
}

#[cfg(feature = "json")]
#[test]
fn a_request_can_be_a_json_object() {
    let request = sent(|url| {
        Request::from(serde_json::json!({
            "url": url, "method": "put", "params": {"a": [1, 2], "n": null}, "json": {"x": true},
            "headers": {"X-A": "1", "Accept": null}, "timeout": 2.5, "allow_redirects": false,
        }))
    });
    assert_eq!(request.line(), "PUT /p?a=1&a=2 HTTP/1.1");
    assert_eq!((request.header("x-a").as_deref(), request.header("accept")), (Some("1"), None));
    assert_eq!(request.body(), br#"{"x":true}"#);
    for wrong in [
        serde_json::json!({}),
        serde_json::json!([]),
        serde_json::json!({"url": 1}),
        serde_json::json!({"url": "http://127.0.0.1:1/", "unknown": 1}),
        serde_json::json!({"url": "http://127.0.0.1:1/", "timeout": -1}),
        serde_json::json!({"url": "http://127.0.0.1:1/", "headers": {"Host": "x"}}),
    ] {
        is_refused(|_| Request::from(wrong), ErrorKind::InvalidRequest);
    }
}

#[test]
fn parameters_are_added_to_the_urls_own_query() {
    let server = Script::new().reply(OK).serve();
    let mut session = session(|config| {
        config.param("s", "x y").param("n", 1.5);
    });
    let request = Request::get(server.url("/p?a=1&a=%20#f"))
        .params([("b", "&="), ("\u{e9}", "\r\nX: y")])
        .param("c", 7)
        .params(Vec::<(String, String)>::new());
    let response = session.request(request).unwrap();
    let expected = [
        ("a", "1"),
        ("a", " "),
        ("s", "x y"),
        ("n", "1.5"),
        ("b", "&="),
        ("\u{e9}", "\r\nX: y"),
        ("c", "7"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(query(&server.request()), expected);
    assert!(response.url().starts_with(&server.url("/p?a=1&a=%20&s=")), "{}", response.url());
}

#[test]
fn parameters_make_a_query_where_there_was_none() {
    assert_eq!(sent(|url| Request::get(url).param("a", "b")).target(), "/p?a=b");
    assert_eq!(sent(|url| Request::get(url + "?").param("a", "b")).target(), "/p?a=b");
    assert_eq!(sent(|url| Request::get(url).params([("", "")])).target(), "/p?=");
    assert_eq!(sent(|url| Request::get(url + "?x#f").param("a", "b")).target(), "/p?x&a=b");
}

#[test]
fn a_requests_field_replaces_the_sessions() {
    let mut session = session(|config| {
        config.header("X-A", "session").header("X-B", "session").user_agent("own/1");
    });
    let request = sent_in(&mut session, |url| {
        Request::get(url).header("x-a", "one").header("X-a", "two").header("ACCEPT", "text/x")
    });
    assert_eq!(request.headers("x-a"), ["one", "two"]);
    assert_eq!(request.headers("x-b"), ["session"]);
    assert_eq!(request.headers("accept"), ["text/x"]);
    assert_eq!(request.headers("user-agent"), ["own/1"]);
    let next = sent_in(&mut session, Request::get);
    assert_eq!(next.headers("x-a"), ["session"], "for one request only");
}

#[test]
fn a_sessions_field_can_be_left_out_of_a_request() {
    let mut session = session(|config| {
        config.header("X-A", "session");
    });
    let request = sent_in(&mut session, |url| {
        let request = Request::get(url).without_header("x-A").without_header("User-Agent");
        request.without_header("accept").without_header("Accept-Encoding").without_header("X-None")
    });
    for name in ["x-a", "user-agent", "accept", "accept-encoding"] {
        assert_eq!(request.header(name), None, "{name}");
    }
    assert_eq!(sent_in(&mut session, Request::get).headers("x-a"), ["session"]);
}

#[test]
fn a_field_can_be_set_again_after_the_default_was_left_out() {
    let request = sent(|url| Request::get(url).without_header("Accept").header("Accept", "text/x"));
    assert_eq!(request.headers("accept"), ["text/x"]);
}

#[test]
fn the_session_replaces_its_own_defaults() {
    let mut session = session(|config| {
        config.header("accept", "a").header("Accept", "b").header("USER-AGENT", "c");
    });
    let request = sent_in(&mut session, Request::get);
    assert_eq!(
        (request.headers("accept"), request.headers("user-agent")),
        (vec!["b".to_owned()], vec!["c".to_owned()])
    );
}

#[test]
fn the_crate_alone_writes_some_fields() {
    for name in [
        "Host",
        "host",
        "HOST",
        "Content-Length",
        "content-length",
        "Transfer-Encoding",
        "TRANSFER-ENCODING",
        "Connection",
        "connection",
        "Expect",
        "expect",
    ] {
        is_refused(|url| Request::get(url).header(name, "1"), ErrorKind::InvalidRequest);
        is_refused(|url| Request::post(url).body("x").header(name, "1"), ErrorKind::InvalidRequest);
        let server = unused();
        let mut config = SessionConfig::new();
        config.header(name, "1");
        let refused = Session::new(config).and_then(|mut session| session.request(server.url("/")));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidRequest, "{name}");
        let mut config = SessionConfig::new();
        if config.headers.insert(name, "1").is_ok() {
            let refused =
                Session::new(config).and_then(|mut session| session.request(server.url("/")));
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidRequest, "{name}");
        }
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn the_fields_that_the_crate_writes_cannot_be_left_out() {
    let server = Script::new().reply(OK).serve();
    let request = Request::post(server.url("/")).body("xyz");
    let request = request.without_header("Host").without_header("Content-Length");
    // To refuse it would be as good.
    if fetch(request).is_ok() {
        assert_eq!(server.request().headers("host"), [server.address().to_string()]);
        assert_eq!(server.request().headers("content-length"), ["3"]);
    }
}

#[test]
fn a_field_cannot_smuggle_another_one_in() {
    for (name, value) in [
        ("X-A", "b\r\nX-Evil: 1"),
        ("X-A", "b\nX-Evil: 1"),
        ("X-A", "b\rX-Evil: 1"),
        ("X-A", "b\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"),
        ("X-A", "b\r\n folded"),
        ("X-A", "b\0"),
        ("X-A", "\r\n"),
        ("X-A\r\nX-Evil", "1"),
        ("X-A: b\r\nX-Evil", "1"),
        ("X-A:", "1"),
        ("X A", "1"),
        ("X-A ", "1"),
        (" X-A", "1"),
        ("", "1"),
        ("X-\u{e4}", "1"),
        ("X-A\0", "1"),
        ("Host\r\n", "1"),
        ("Authorization", "x\r\nX-Evil: 1"),
        ("User-Agent", "x\r\nX-Evil: 1"),
        ("Content-Type", "x\r\nX-Evil: 1"),
    ] {
        is_refused(|url| Request::get(url).header(name, value), ErrorKind::InvalidRequest);
        let server = unused();
        let mut config = SessionConfig::new();
        config.header(name, value);
        let refused = Session::new(config).and_then(|mut session| session.request(server.url("/")));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidRequest, "{name:?}: {value:?}");
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn credentials_cannot_smuggle_a_field_in() {
    is_refused(|url| Request::get(url).bearer_auth("x\r\nX-Evil: 1"), ErrorKind::InvalidRequest);
    let request = sent(|url| Request::get(url).basic_auth("a\r\nX-Evil", "b\r\nX-Evil: 1"));
    assert_eq!((request.header("x-evil"), request.headers("authorization").len()), (None, 1));
    let server = unused();
    let mut config = SessionConfig::new();
    config.auth(Auth::bearer("x\r\nX-Evil: 1"));
    let refused = Session::new(config).and_then(|mut session| session.request(server.url("/")));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_url_cannot_smuggle_a_field_in() {
    for path in [
        "/x HTTP/1.1\r\nX-Evil: 1\r\n\r\n",
        "/x\r\nX-Evil: 1",
        "/x\nX-Evil: 1",
        "/\0",
        "/x?a=b\r\nX-Evil: 1",
        "/x\u{85}X-Evil: 1",
    ] {
        let server = Script::new().reply(OK).serve();
        if let Err(error) = fetch(server.url(path)) {
            assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{path:?}");
            continue;
        }
        let request = server.request();
        assert_eq!((request.header("x-evil"), request.body().len()), (None, 0), "{path:?}");
        assert_eq!(request.line().split(' ').count(), 3, "{path:?}: {}", request.line());
        assert!(!request.line().contains('\0'), "{path:?}");
    }
}

#[test]
fn a_host_cannot_smuggle_a_field_in() {
    let server = unused();
    let port = server.address().port();
    for host in ["127.0.0.1\r\nX: y", "a b", "a%0d%0aX:%20y", "a\0", "<x>", "a%2fb", "\"x\""] {
        let error = fetch(format!("http://{host}:{port}/")).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidUrl | ErrorKind::Dns),
            "{host:?}: {error}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_same_request_can_be_sent_again_and_again() {
    let server = Script::site(|request| ok(request.body()));
    let mut session = session(|_| {});
    let request = Request::post(server.url("/")).body("x".repeat(100_000)).tag(7_u8);
    for _ in 0..3 {
        assert_eq!(session.request(request.clone()).unwrap().bytes().len(), 100_000);
    }
    assert_eq!(session.request(&request).unwrap().bytes().len(), 100_000);
    assert_eq!(request.tag_ref::<u8>(), Some(&7));
    assert_eq!(server.connections(), 1);
}

/// Most requests say nothing of their fields, and what these go out with is made once.
#[test]
fn a_request_without_a_field_of_its_own_goes_out_as_one_with_such_a_field_but_for_that() {
    let configure: [fn(&mut SessionConfig); 6] = [
        |_| {},
        |config| config.decompress = false,
        |config| config.keep_alive = false,
        |config| {
            config.header("accept-encoding", "br").header("Content-Type", "text/plain");
        },
        |config| {
            config.header("Proxy-Authorization", "Basic s3cret");
            config.header("Authorization", "Bearer s3cret").header("Cookie", "a=b");
        },
        |config| config.auth = Some(Auth::bearer("s3cret")),
    ];
    for (n, configure) in configure.into_iter().enumerate() {
        let server = Script::site(|request| match request.target().as_str() {
            "/found" => redirect(302, "/there"),
            "/same" => redirect(307, "/there"),
            _ => ok("there"),
        });
        let mut session = session(configure);
        for field in [None, Some(("X-Own", "y"))] {
            for path in ["/", "/found", "/same", "/"] {
                let url = server.url(path);
                for request in [Request::get(&url), Request::post(&url).body("b")] {
                    let request =
                        field.iter().fold(request, |r, (name, value)| r.header(name, value));
                    session.request(request).unwrap();
                }
            }
        }
        let sent: Vec<_> =
            server.requests().iter().map(|r| String::from_utf8(r.raw.clone()).unwrap()).collect();
        let (without, with) = sent.split_at(sent.len() / 2);
        assert_eq!(without.len(), 12);
        for (without, with) in without.iter().zip(with) {
            assert!(with.contains("X-Own: y\r\n"), "{n}: {with}");
            assert_eq!(*without, with.replace("X-Own: y\r\n", ""), "{n}");
        }
    }
}
