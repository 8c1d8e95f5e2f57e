//! Each bad input is an error that says what, when, whose fault, where and why, and no secret.

mod support;

use std::error::Error as _;
use std::fmt::Debug;
use std::io;
use std::time::Duration;

use fetchpool::{
    Auth, Error, ErrorKind, Fault, Phase, Pool, Request, Response, Session, SessionConfig,
};

use support::farm::refused;
use support::script::{PATIENCE, Script, ok, redirect, reply};

fn fetch(request: impl Into<Request>) -> Result<Response, Error> {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    Session::new(config).expect("settings without a fault").request(request)
}

/// What an error says it is.
fn told(error: &Error) -> (ErrorKind, Option<Phase>, Fault) {
    (error.kind(), error.phase(), error.fault())
}

/// Everything that can be shown of an error, in all its ways.
fn shown(error: &Error) -> String {
    format!("{error}\n{error:?}\n{error:#?}\n{}\n{:?}", error.message(), error.url())
}

/// Everything that can be shown of a value.
fn debugged(value: &impl Debug) -> String {
    format!("{value:?}\n{value:#?}")
}

/// The error of a GET that is answered by these bytes and a close.
fn failure(bytes: impl AsRef<[u8]>) -> (Error, String) {
    let server = Script::new().reply(bytes).close().serve();
    let url = server.url("/");
    (fetch(&*url).expect_err("an error"), url)
}

// ---- one for each bad input

#[test]
fn a_bad_url() {
    for url in [
        "",
        "no url",
        "/path",
        "//host/",
        "http://",
        "http://[::1",
        "http://a b/",
        "http://host:99999/",
        "http://host:port/",
        "http:///",
        "127.0.0.1:80",
    ] {
        let error = fetch(url).unwrap_err();
        let expected = (ErrorKind::InvalidUrl, Some(Phase::Setup), Fault::Caller);
        assert_eq!(told(&error), expected, "{url:?}: {error}");
        assert_eq!(error.url(), Some(url), "{error}");
    }
}

#[test]
fn an_unknown_scheme() {
    for url in [
        "ftp://example.com/",
        "htp://example.com/",
        "file:///etc/passwd",
        "ws://x/",
        "mailto:a@b",
        "data:,x",
        "javascript:alert(1)",
        "unix:/run/x.sock",
        "socks5://127.0.0.1/",
    ] {
        let error = fetch(url).unwrap_err();
        let expected = (ErrorKind::InvalidUrl, Some(Phase::Setup), Fault::Caller);
        assert_eq!(told(&error), expected, "{url:?}: {error}");
        assert!(error.url().is_some());
    }
}

#[cfg(not(feature = "tls-no-provider"))]
#[test]
fn https_without_the_feature_for_it() {
    let server = Script::new().serve();
    let error = fetch(server.url("/").replace("http", "https")).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Caller), "{error:?}");
    assert!(error.message().contains("feature"), "{}", error.message());
    assert!(server.requests().is_empty());
}

#[test]
fn a_header_with_a_line_break() {
    let error =
        fetch(Request::get("http://127.0.0.1:1/p").header("X-A", "b\r\nX: \x1b[1m")).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::InvalidRequest, Some(Phase::Setup), Fault::Caller));
    assert_eq!(error.url(), Some("http://127.0.0.1:1/p"));
    assert!(error.message().to_lowercase().contains("x-a"), "{}", error.message());
}

#[test]
fn the_first_fault_of_several_is_told() {
    let request = Request::new("B D", "http://[").header("X\n", "y").header("Host", "x");
    let error = fetch(request).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::InvalidUrl));
    assert_eq!((error.phase(), error.fault()), (Some(Phase::Setup), Fault::Caller));
}

#[test]
fn no_threads() {
    let error = Pool::builder().num_threads(0).build().expect_err("no pool");
    assert_eq!(told(&error), (ErrorKind::InvalidRequest, Some(Phase::Setup), Fault::Caller));
    assert_eq!(error.url(), None);
    let (responses, exceptions) = Pool::builder().num_threads(0).map(["http://127.0.0.1:1/"; 3]);
    assert_eq!(responses.count(), 0);
    let kinds: Vec<_> = exceptions.map(|exception| exception.kind()).collect();
    assert_eq!(kinds, [ErrorKind::InvalidRequest; 3], "no job without its outcome");
}

#[cfg(feature = "tls-no-provider")]
#[test]
fn an_unreadable_authority() {
    let mut config = SessionConfig::new();
    config.tls.root_pem_file("/nonexistent/ca.pem");
    let error = Session::new(config).expect_err("no session");
    assert_eq!(told(&error), (ErrorKind::Tls, Some(Phase::Setup), Fault::Caller));
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::NotFound));
    assert!(error.message().contains("/nonexistent/ca.pem"), "{}", error.message());
}

#[test]
fn a_host_that_does_not_resolve() {
    let url = "http://no-such-host.invalid/p";
    let error = fetch(Request::get(url).timeout(PATIENCE * 2)).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Dns, Some(Phase::Dns), Fault::Network), "{error:?}");
    assert!(error.is_dns() && !error.is_timeout());
    assert_eq!(error.url(), Some(url));
    assert!(error.source().is_some_and(|source| source.is::<io::Error>()), "{error:?}");
    assert!(error.message().contains("no-such-host.invalid"), "{}", error.message());
}

#[test]
fn a_refused_port() {
    let url = format!("http://{}/p", refused());
    let error = fetch(&*url).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Connect, Some(Phase::Connect), Fault::Network));
    assert!(error.is_connect());
    assert_eq!(error.url(), Some(&*url));
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused));
    assert!(error.message().contains(&refused().to_string()), "{}", error.message());
}

#[cfg(feature = "tls")]
#[test]
fn a_wrong_certificate() {
    let server = support::tls::TlsServer::start(support::tls::Identity::self_signed());
    let error = fetch(server.url("/p")).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Tls, Some(Phase::Tls), Fault::Peer));
    assert!(error.is_tls() && error.source().is_some());
    assert_eq!(error.url(), Some(&*server.url("/p")));
}

#[test]
fn a_server_that_sends_rubbish() {
    let (error, url) = failure("rubbish\r\n");
    assert_eq!(told(&error), (ErrorKind::Protocol, Some(Phase::Waiting), Fault::Peer));
    assert_eq!(error.url(), Some(&*url));
}

#[test]
fn a_server_that_closes_early() {
    for (bytes, phase) in
        [("", Phase::Waiting), ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", Phase::Receiving)]
    {
        let (error, url) = failure(bytes);
        assert_eq!(told(&error), (ErrorKind::Closed, Some(phase), Fault::Network));
        assert_eq!(error.url(), Some(&*url));
    }
}

#[test]
fn a_server_that_resets() {
    let server = Script::new().reset().serve();
    let error = fetch(server.url("/")).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Closed, Some(Phase::Waiting), Fault::Network));
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::ConnectionReset), "{error:?}");
}

#[test]
fn a_server_that_never_answers() {
    let server = Script::new().serve();
    let request = Request::get(server.url("/")).timeout(Duration::from_millis(100));
    let error = fetch(request).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::Timeout, Some(Phase::Waiting), Fault::Limit));
    assert_eq!(error.url(), Some(&*server.url("/")));
    assert!(error.is_timeout() && !error.is_connect());
}

#[test]
fn none_of_them_loses_another_jobs_outcome() {
    let good = Script::site(|request| ok(request.target()));
    let rubbish = Script::new().reply("rubbish").repeat().serve();
    let early = Script::new().request().close().repeat().serve();
    let silent = Script::new().repeat().serve();
    let bad: [(Request, ErrorKind); 8] = [
        (Request::get("no url"), ErrorKind::InvalidUrl),
        (Request::get("ftp://x/"), ErrorKind::InvalidUrl),
        (Request::get(good.url("/")).header("X", "\r\n"), ErrorKind::InvalidRequest),
        (Request::get(good.url("/")).header("Host", "x"), ErrorKind::InvalidRequest),
        (Request::get(format!("http://{}/", refused())), ErrorKind::Connect),
        (Request::get(rubbish.url("/")), ErrorKind::Protocol),
        (Request::get(early.url("/")), ErrorKind::Closed),
        (Request::get(silent.url("/")).timeout(Duration::from_millis(50)), ErrorKind::Timeout),
    ];
    let mut jobs = Vec::new();
    for round in 0..4 {
        for (request, kind) in &bad {
            jobs.push(request.clone().tag(Some(*kind)));
            jobs.push(Request::get(good.url(&format!("/{round}"))).tag(None::<ErrorKind>));
        }
    }
    let count = jobs.len();
    let (responses, exceptions) = Pool::builder().num_threads(4).map(jobs);
    let mut indexes = Vec::new();
    for response in responses {
        assert_eq!(response.tag::<Option<ErrorKind>>(), Some(&None));
        indexes.push(response.index());
    }
    for exception in exceptions {
        assert_eq!(exception.tag::<Option<ErrorKind>>(), Some(&Some(exception.kind())));
        indexes.push(exception.index());
    }
    indexes.sort_unstable();
    assert_eq!(indexes, (0..count as u64).collect::<Vec<_>>());
}

// ---- the other kinds

#[test]
fn a_limit_is_a_limit() {
    let server = Script::site(|_| redirect(302, "/"));
    let error = fetch(server.url("/")).unwrap_err();
    let expected = (ErrorKind::TooManyRedirects, Some(Phase::Redirecting), Fault::Limit);
    assert_eq!(told(&error), expected);
    let server = Script::new().reply(ok("xx")).serve();
    let mut config = SessionConfig::new();
    config.limits.body_bytes = 1;
    let error = Session::new(config).unwrap().request(server.url("/")).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::TooLarge, Some(Phase::Receiving), Fault::Limit));
}

#[test]
fn a_redirect_to_nowhere() {
    let (error, url) = failure(redirect(302, "ftp://x/"));
    assert_eq!(told(&error), (ErrorKind::Redirect, Some(Phase::Redirecting), Fault::Peer));
    assert_eq!(error.url(), Some(&*url));
}

#[cfg(feature = "gzip")]
#[test]
fn a_body_that_cannot_be_decoded() {
    let (error, url) = failure(reply("200 OK", "Content-Encoding: gzip\r\n", "plain"));
    assert_eq!(told(&error), (ErrorKind::Decode, Some(Phase::Decoding), Fault::Peer));
    assert_eq!(error.url(), Some(&*url));
}

#[test]
fn a_status_that_was_asked_to_be_an_error() {
    let server = Script::new().reply(reply("404 Not Found", "", "page")).serve();
    let mut config = SessionConfig::new();
    config.http_status_as_error = true;
    let error = Session::new(config).unwrap().request(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Status, Fault::Peer));
    assert!(error.is_status() && error.to_string().contains("404"), "{error}");
    assert_eq!(error.response().map(Response::status), Some(404));
}

#[test]
fn a_request_that_its_maker_called_invalid() {
    let error = fetch(Request::invalid("line 7 is no JSON")).unwrap_err();
    assert_eq!(told(&error), (ErrorKind::InvalidRequest, Some(Phase::Setup), Fault::Caller));
    assert!(error.message().contains("line 7 is no JSON"), "{}", error.message());
}

#[test]
fn the_kinds_have_the_names_that_the_command_line_prints() {
    for (kind, name) in [
        (ErrorKind::InvalidUrl, "invalid_url"),
        (ErrorKind::InvalidRequest, "invalid_request"),
        (ErrorKind::Dns, "dns"),
        (ErrorKind::Connect, "connect"),
        (ErrorKind::Tls, "tls"),
        (ErrorKind::Proxy, "proxy"),
        (ErrorKind::Timeout, "timeout"),
        (ErrorKind::Io, "io"),
        (ErrorKind::Closed, "closed"),
        (ErrorKind::Protocol, "protocol"),
        (ErrorKind::TooLarge, "too_large"),
        (ErrorKind::TooManyRedirects, "too_many_redirects"),
        (ErrorKind::Redirect, "redirect"),
        (ErrorKind::Decode, "decode"),
        (ErrorKind::Status, "status"),
        (ErrorKind::Cancelled, "cancelled"),
        (ErrorKind::CircuitOpen, "circuit_open"),
        (ErrorKind::Panic, "panic"),
    ] {
        assert_eq!((kind.as_str(), kind.to_string().as_str()), (name, name));
    }
}

// ---- what an error is

#[test]
fn an_error_can_be_sent_shared_and_kept() {
    fn check<T: std::error::Error + Send + Sync + 'static>() {}
    check::<Error>();
    let boxed: Box<dyn std::error::Error + Send + Sync> = fetch("no url").unwrap_err().into();
    assert!(boxed.downcast_ref::<Error>().is_some());
}

#[test]
fn an_error_turns_into_one_of_input_and_output() {
    let error = io::Error::from(fetch(format!("http://{}/", refused())).unwrap_err());
    assert!(error.get_ref().is_some_and(|inner| inner.is::<Error>()), "{error:?}");
}

#[test]
fn display_tells_one_level_and_the_message_all_of_them() {
    let error = fetch(format!("http://{}/", refused())).unwrap_err();
    let source = error.source().expect("a source").to_string();
    assert!(!error.to_string().contains(&source), "{error}");
    assert!(error.message().starts_with(&error.to_string()), "{}", error.message());
    assert!(error.message().ends_with(&source), "{}", error.message());
    assert!(!error.message().contains('\n') && !error.to_string().ends_with('.'));
}

// ---- secrets

const SECRET: &str = "s3cret";

/// A URL with user information: the secret is in it, and must come out of it.
fn private(url: &str) -> String {
    url.replacen("://", &format!("://user:{SECRET}@"), 1)
}

#[test]
fn user_information_is_in_no_error() {
    let server = Script::new().reply("rubbish").serve();
    let silent = Script::new().serve();
    let redirecting = Script::new().reply(redirect(302, "ftp://x/")).serve();
    let looping = Script::site(|_| redirect(302, "/"));
    for url in [
        private(&server.url("/")),
        private(&silent.url("/")),
        private(&redirecting.url("/")),
        private(&looping.url("/")),
        private(&format!("http://{}/", refused())),
        private("http://no-such-host.invalid/"),
        private("ftp://example.com/"),
        private("http://[bad/"),
        private("http://host:99999/"),
        private("http://ho st/"),
        format!("//user:{SECRET}@host/"),
        format!("user:{SECRET}@host/"),
        format!("http:user:{SECRET}@host:99999/"),
        format!("http:\\\\user:{SECRET}@host:99999/"),
        format!("  http://user:{SECRET}@host:99999/"),
        format!("ht\ntp://user:{SECRET}@host:99999/"),
        format!("http://user:{SECRET}@{SECRET}@host:99999/"),
        format!("http://{SECRET}@host:99999/"),
        format!("http://user:{SECRET}/x@host:99999/"),
    ] {
        let request = Request::get(&*url).timeout(Duration::from_millis(500));
        assert!(!debugged(&request).contains(SECRET), "{request:?}");
        assert!(!request.redacted_url().contains(SECRET), "{}", request.redacted_url());
        let error = fetch(request).unwrap_err();
        assert!(!shown(&error).contains(SECRET), "{url:?}\n{}", shown(&error));
    }
}

#[test]
fn user_information_of_a_location_is_in_no_error() {
    let gone = refused();
    for location in [
        format!("http://user:{SECRET}@{gone}/"),
        format!("ftp://user:{SECRET}@host/"),
        format!("http://user:{SECRET}@[bad/"),
        format!("//user:{SECRET}@host:99999/"),
        format!("http://user:{SECRET}@host:99999/"),
    ] {
        let (error, _) = failure(redirect(302, &location));
        assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
    }
}

#[test]
fn a_request_shows_no_credentials() {
    let url = "http://127.0.0.1:1/";
    for request in [
        Request::get(private(url)),
        Request::get(url).header("Authorization", SECRET),
        Request::get(url).header("AUTHORIZATION", SECRET).header("X-Shown", "y"),
        Request::get(url).header("Cookie", format!("a={SECRET}")),
        Request::get(url).header("Proxy-Authorization", SECRET),
        Request::get(url).basic_auth("user", SECRET),
        Request::get(url).bearer_auth(SECRET),
    ] {
        let shown = debugged(&request);
        // `user:s3cret` by base64.
        assert!(!shown.contains(SECRET) && !shown.contains("dXNlcjpzM2NyZXQ"), "{shown}");
        let error = fetch(request.clone().header("X-Bad", "\n")).unwrap_err();
        assert!(!self::shown(&error).contains(SECRET), "{}", self::shown(&error));
    }
    let shown = debugged(&Request::get(url).header("X-Shown", "this is no secret"));
    assert!(shown.contains("X-Shown") && shown.contains("this is no secret"), "{shown}");
}

#[test]
fn a_credential_that_is_refused_is_not_shown() {
    let url = "http://127.0.0.1:1/";
    for request in [
        Request::get(url).header("Authorization", format!("{SECRET}\r\n")),
        Request::get(url).header("cookie", format!("{SECRET}\0")),
        Request::get(url).header("Proxy-Authorization", format!("{SECRET}\n")),
        Request::get(url).bearer_auth(format!("{SECRET}\r\n")),
        Request::get(url).basic_auth("us:er", SECRET),
    ] {
        let error = fetch(request.clone()).unwrap_err();
        assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
        assert!(!debugged(&request).contains(SECRET), "{request:?}");
    }
    let mut config = SessionConfig::new();
    config.header("Authorization", format!("{SECRET}\r\n"));
    assert!(!debugged(&config).contains(SECRET), "{config:?}");
    let error = Session::new(config).and_then(|mut session| session.request(url)).unwrap_err();
    assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
}

#[test]
fn settings_show_no_credentials() {
    let mut config = SessionConfig::new();
    config
        .header("Authorization", SECRET)
        .header("COOKIE", format!("a={SECRET}"))
        .header("proxy-authorization", SECRET)
        .header("X-Shown", "no secret")
        .auth(Auth::basic("user", SECRET).for_origin(private("http://127.0.0.1:1")));
    let debugged_session = debugged(&Session::new(config.clone()).unwrap());
    let auths = [
        Auth::bearer(SECRET),
        Auth::basic("user", SECRET),
        Auth::basic("us:er", SECRET),
        Auth::bearer(format!("{SECRET}\n")),
        Auth::bearer("x").for_origin(format!("http://user:{SECRET}@[bad")),
    ];
    for shown in [debugged(&config), debugged(&config.headers), debugged_session, debugged(&auths)]
    {
        assert!(!shown.contains(SECRET) && !shown.contains("dXNlcjpzM2NyZXQ"), "{shown}");
    }
    assert!(debugged(&config).contains("no secret"), "{config:?}");
    for auth in auths {
        let mut config = SessionConfig::new();
        config.auth(auth);
        let url = format!("http://{}/", refused());
        let error = Session::new(config).and_then(|mut session| session.request(url)).unwrap_err();
        assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
    }
}

#[test]
fn a_response_shows_no_credentials_and_no_body() {
    let fields = format!("Set-Cookie: a={SECRET}; HttpOnly\r\nAuthorization: {SECRET}\r\n");
    let server = Script::new()
        .reply(redirect(302, "/x"))
        .reply(reply("404 X", &fields, SECRET))
        .repeat()
        .serve();
    let request = Request::get(private(&server.url("/"))).header("Cookie", SECRET);
    let response = fetch(request).unwrap();
    for shown in [
        debugged(&response),
        debugged(response.headers()),
        debugged(&response.history()),
        response.url().to_owned(),
        response.history()[0].url().to_owned(),
    ] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    let error = response.error_for_status().unwrap_err();
    assert!(!shown(&error).contains(SECRET), "{}", shown(&error));
}

#[test]
fn an_exception_of_a_pool_shows_no_credentials() {
    let url = private(&format!("http://{}/", refused()));
    let (_, exceptions) = fetchpool::map([Request::get(url).bearer_auth(SECRET)]);
    for exception in exceptions {
        assert!(!debugged(&exception).contains(SECRET), "{exception:?}");
        assert!(!shown(exception.error()).contains(SECRET), "{}", shown(exception.error()));
    }
}

// ---- bytes of a server

/// That nothing in it makes a terminal do anything.
fn is_harmless(shown: &str) {
    let harmful = |c: char| c.is_control() && c != '\n';
    assert!(!shown.contains(harmful), "{shown:?}");
}

#[test]
fn bytes_of_a_server_are_escaped_in_messages() {
    for bytes in [
        "\x1b[31mrubbish\r\n",
        "HTTP/1.1 \x1b[31m200 OK\r\n\r\n",
        "HTTP/1.1 2\x1b0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX\x1b[31m: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \u{9b}31m\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: \u{9b}31m\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: \u{9b}31m\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[31m\r\n",
        "HTTP/1.1 302 X\r\nLocation: ftp://\u{9b}31m/\u{9b}31m\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 X\r\nLocation: http://[\u{9b}31m\u{202e}\r\nContent-Length: 0\r\n\r\n",
    ] {
        let server = Script::new().reply(bytes).close().serve();
        match fetch(server.url("/")) {
            Err(error) => is_harmless(&shown(&error)),
            Ok(response) => is_harmless(&debugged(&response)),
        }
    }
}

#[test]
fn the_reason_of_a_status_is_escaped_in_messages() {
    let server = Script::new().reply(reply("404 \u{9b}31m\u{202e}Not", "", "")).serve();
    match fetch(server.url("/")) {
        Err(error) => is_harmless(&shown(&error)),
        Ok(response) => {
            is_harmless(&debugged(&response));
            is_harmless(&shown(&response.error_for_status().unwrap_err()));
        }
    }
}

#[test]
fn bytes_of_a_caller_are_escaped_in_messages() {
    for request in [
        Request::get("\x1b[31mno url"),
        Request::get("http://\x1b[31m/"),
        Request::get("\x1b[31m://x/"),
        Request::new("G\x1b[31mT", "http://127.0.0.1:1/"),
        Request::get("http://127.0.0.1:1/").header("X\x1b[31m", "y"),
        Request::get("http://127.0.0.1:1/").header("X", "\x1b[31m\r\n"),
    ] {
        is_harmless(&debugged(&request));
        is_harmless(&shown(&fetch(request).unwrap_err()));
    }
}
