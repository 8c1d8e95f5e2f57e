//! Digest authentication: what is answered, how, and how often.

use std::time::{Duration, Instant};

use fetchpool::{Auth, ErrorKind, Pool, Request, Session, SessionConfig};

use super::guard::{Guard, PASSWORD, USER, counts, parse, refusal, refusing, trusting};
use super::{session, shown};
use crate::support::script::{Gate, Script, Server, ok, reply};

fn knowing() -> Session {
    session(|config| {
        config.auth(Auth::digest(USER, PASSWORD));
    })
}

fn ways() -> Vec<Guard> {
    let mut ways = vec![Guard::by("", ""), Guard::by("MD5", ""), Guard::by("", "auth")];
    for algorithm in ["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess"] {
        for qop in ["auth", "auth-int", "auth-int,auth"] {
            ways.push(Guard::by(algorithm, qop));
            ways.push(Guard { rest: ", userhash=true", ..Guard::by(algorithm, qop) });
        }
    }
    ways
}

#[test]
fn the_right_password_opens_by_each_algorithm_and_quality_and_a_wrong_one_does_not() {
    for guard in ways() {
        let name = format!("{} {} {}", guard.algorithm, guard.qop, guard.rest);
        let server = guard.clone().serve();
        let request = Request::post(server.url("/a%20b?c=d&e")).body("the body");
        let response = knowing().request(request).unwrap();
        assert_eq!((response.status(), &*response.text()), (200, "/a%20b?c=d&e"), "{name}");
        assert!(response.history().is_empty());
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "{name}");
        assert_eq!(requests[0].header("authorization"), None, "nobody had asked yet");
        assert!(requests.iter().all(|request| request.body() == b"the body"), "{name}");
        assert_eq!(server.connections(), 1, "the body of the 401 was read away");

        let server = guard.serve();
        let mut wrong = session(|config| {
            config.auth(Auth::digest(USER, "guessed"));
        });
        assert_eq!(wrong.request(server.url("/")).unwrap().status(), 401, "{name}");
        assert_eq!(server.requests().len(), 2, "a second 401 is the response");
    }
}

#[test]
fn the_password_itself_is_never_sent() {
    let server = Guard::by("MD5", "auth").serve();
    knowing().request(server.url("/")).unwrap();
    for request in server.requests() {
        assert!(!request.head().contains(PASSWORD) && !request.head().contains("Basic"));
    }
}

#[test]
fn later_requests_are_proven_at_once_and_counted() {
    for qop in ["auth", ""] {
        let server = Guard::by("SHA-256", qop).serve();
        let mut session = knowing();
        for path in ["/1", "/2", "/3"] {
            assert_eq!(session.request(server.url(path)).unwrap().status(), 200);
        }
        assert_eq!(server.requests().len(), 4, "one 401 in all");
        if qop == "auth" {
            assert_eq!(counts(&server), [0, 1, 2, 3]);
        }
    }
}

#[test]
fn a_nonce_that_went_stale_is_replaced_whether_the_server_says_so_or_not() {
    for tells_stale in [true, false] {
        let server = Guard { uses: 2, tells_stale, ..Guard::by("MD5", "auth") }.serve();
        let mut session = knowing();
        for _ in 0..4 {
            assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
        }
        assert_eq!(counts(&server), [0, 1, 2, 3, 1, 2]);
    }
}

#[test]
fn the_next_nonce_that_a_server_names_saves_asking() {
    let server = Guard { uses: 2, tells_next: true, ..Guard::by("MD5", "auth") }.serve();
    let mut session = knowing();
    for _ in 0..5 {
        assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
    }
    assert_eq!(counts(&server), [0, 1, 2, 1, 2, 1]);
}

#[test]
fn a_server_that_calls_every_nonce_stale_is_answered_twice_and_no_more() {
    let number = std::sync::atomic::AtomicU32::new(0);
    let server = Script::site(move |_| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        refusal(&[&format!("Digest realm=r, nonce=\"{number}\", qop=auth, stale=true")])
    });
    let mut session = knowing();
    assert_eq!(session.request(server.url("/")).unwrap().status(), 401);
    assert_eq!(counts(&server), [0, 1, 1]);
    assert_eq!(session.request(server.url("/")).unwrap().status(), 401);
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn a_nonce_that_was_refused_is_not_answered_again_even_if_it_is_called_stale() {
    let server = refusing(&["Digest realm=r, nonce=n, qop=auth, stale=true"]);
    assert_eq!(knowing().request(server.url("/")).unwrap().status(), 401);
    assert_eq!(counts(&server), [0, 1]);
}

#[test]
fn the_strongest_of_several_challenges_is_answered() {
    const MD5: &str = "Digest realm=r, nonce=md5, algorithm=MD5, qop=auth";
    const SHA: &str = "Digest realm=r, nonce=sha, algorithm=SHA-256, qop=auth";
    const ODD: &str = "Digest realm=r, nonce=odd, algorithm=SHA3, qop=auth";
    const BOTH: &str = "Basic realm=\"a, Digest b=c\", Digest realm=r, nonce=md5, qop=auth, \
                        Digest realm=r, nonce=sha, algorithm=SHA-256, qop=auth";
    let sets: [&'static [&'static str]; 5] = [
        &[MD5, SHA],
        &[SHA, MD5],
        &["Basic realm=x", ODD, MD5, SHA],
        &[BOTH],
        &["Negotiate", BOTH],
    ];
    for challenges in sets {
        let server = refusing(challenges);
        knowing().request(server.url("/")).unwrap();
        let params = parse(&shown(&server)[1]).unwrap();
        assert_eq!(
            (&*params["nonce"], &*params["algorithm"]),
            ("sha", "SHA-256"),
            "{challenges:?}"
        );
    }
}

#[test]
fn what_is_no_digest_challenge_is_not_answered_and_the_401_is_the_response() {
    let sets: [&'static [&'static str]; 9] = [
        &[],
        &["Basic realm=\"give me the password\""],
        &["Bearer", "Negotiate abc=="],
        &["Digest"],
        &["Digest realm=\"r\", nonce=\"n"],
        &["Digest realm=r, realm=s, nonce=n"],
        &["Digest realm=r, nonce=n, algorithm=CRC-32"],
        &["Digest realm=r, nonce=n, qop=\"auth-conf\""],
        &["Basic realm=\"x\", Digest realm=\"r\" nonce=\"n\""],
    ];
    for challenges in sets {
        let server = refusing(challenges);
        let response = knowing().request(server.url("/")).unwrap();
        assert_eq!((response.status(), &*response.text()), (401, "no"), "{challenges:?}");
        assert_eq!(shown(&server), [""], "{challenges:?}");
    }
}

#[test]
fn only_a_401_is_a_challenge() {
    for status in ["200 OK", "403 No", "407 Proxy", "500 X"] {
        let challenge = "WWW-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n\
                         Proxy-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n";
        let server = Script::site(move |_| reply(status, challenge, ""));
        knowing().request(server.url("/")).unwrap();
        assert_eq!(shown(&server), [""], "{status}");
    }
}

#[test]
fn a_challenge_of_any_size_is_dealt_with_at_once() {
    let nonce: &'static str = "n".repeat(3_000).leak();
    for challenge in [
        "Digest a=\"\\".to_owned() + &"\\\"".repeat(25_000),
        "Digest ".to_owned() + &"a=b,".repeat(14_000),
        "a,".repeat(25_000),
        format!("Digest realm=r, nonce={nonce}, qop=auth"),
    ] {
        let server = Script::site(move |_| refusal(&[&challenge]));
        let started = Instant::now();
        assert_eq!(knowing().request(server.url("/")).unwrap().status(), 401);
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        assert_eq!(shown(&server), [""]);
    }
}

#[test]
fn a_head_request_is_proven_as_one() {
    let server = Script::new()
        .reply("HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=r,nonce=n,qop=auth\r\n\r\n")
        .reply("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        .serve();
    assert_eq!(knowing().request(Request::head(server.url("/"))).unwrap().status(), 200);
    assert_eq!(server.lines(), ["HEAD / HTTP/1.1", "HEAD / HTTP/1.1"]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_401_whose_body_is_long_costs_a_connection_and_not_the_time_to_read_it() {
    let head = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=r,nonce=n,qop=auth\r\n\
                Content-Length: 1000000000\r\n\r\n";
    let server = Script::new().reply(head).accept().reply(ok("in")).serve();
    let response = knowing().request(server.url("/")).unwrap();
    assert_eq!((&*response.text(), server.connections()), ("in", 2));
    assert_eq!(counts(&server), [0, 1]);
}

/// The server may have seen the first one, and would take the second for a replay.
#[test]
fn a_request_that_is_sent_again_on_a_fresh_connection_is_counted_again() {
    let challenge = refusal(&["Digest realm=r,nonce=n,qop=auth"]);
    let server = Script::new()
        .reply(challenge)
        .reply(ok("1"))
        .request()
        .close()
        .accept()
        .reply(ok("2"))
        .serve();
    let mut session = knowing();
    session.request(server.url("/1")).unwrap();
    assert_eq!(session.request(server.url("/2")).unwrap().text(), "2");
    assert_eq!(counts(&server), [0, 1, 2, 3]);
}

#[test]
fn the_time_limit_covers_the_second_request_too() {
    let gate = Gate::new();
    let challenge = refusal(&["Digest realm=r,nonce=n,qop=auth"]);
    let server = Script::new().reply(challenge).request().wait(&gate).serve();
    let started = Instant::now();
    let error = knowing()
        .request(Request::get(server.url("/")).timeout(Duration::from_millis(200)))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_secs(2));
    gate.open();
}

#[test]
fn a_session_forgets_no_origin_for_another() {
    let servers: Vec<Server> = (0..3).map(|_| Guard::by("MD5", "auth").serve()).collect();
    let mut session = knowing();
    for _ in 0..2 {
        for server in &servers {
            assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
        }
    }
    for server in &servers {
        assert_eq!(counts(server), [0, 1, 2]);
    }
}

#[test]
fn a_domain_says_which_paths_are_proven_unasked() {
    let server = trusting("Digest realm=r, nonce=n, qop=auth, domain=\"/in http://other.test/\"");
    let mut session = knowing();
    for path in ["/in/1", "/in/2", "/out", "/in/3", "/out/2"] {
        assert_eq!(session.request(server.url(path)).unwrap().text(), "in");
    }
    // `/out` is in it from the moment that it was asked for.
    assert_eq!(counts(&server), [0, 1, 2, 0, 1, 2, 3]);
}

#[test]
fn each_worker_of_a_pool_has_its_own_nonces() {
    let server = trusting("Digest realm=r, nonce=n, qop=auth");
    let mut config = SessionConfig::new();
    config.auth(Auth::digest(USER, PASSWORD).for_origin(server.origin()));
    let urls: Vec<String> = (0..40).map(|n| server.url(&format!("/{n}"))).collect();
    let (responses, exceptions) = Pool::builder().num_threads(4).session(config).map(urls);
    assert_eq!((responses.filter(|r| r.status() == 200).count(), exceptions.count()), (40, 0));
    let asked = counts(&server).into_iter().filter(|&count| count == 0).count();
    assert!((1..=4).contains(&asked), "{asked}");
}

#[test]
fn an_observer_is_told_of_the_401_and_of_both_requests() {
    use fetchpool::{Headers, Observed, Observer};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<u16>>>);

    impl Observer for Seen {
        fn attempt(&self, _: &Observed<'_>, _: &str, _: u32) {
            self.0.lock().unwrap().push(0);
        }

        fn head(&self, _: &Observed<'_>, status: u16, _: &Headers) {
            self.0.lock().unwrap().push(status);
        }
    }

    let seen = Seen::default();
    let server = trusting("Digest realm=r, nonce=n, qop=auth");
    let mut session = session(|config| {
        config.auth(Auth::digest(USER, PASSWORD));
        config.observer = Some(Arc::new(seen.clone()));
    });
    session.request(server.url("/")).unwrap();
    assert_eq!(*seen.0.lock().unwrap(), [0, 401, 0, 200]);
}

#[test]
fn a_body_that_is_gone_is_not_sent_again_and_the_401_is_the_response() {
    use fetchpool::Body;

    for (body, sent) in [
        (Body::reader(&b"the body"[..]), 1),
        (Body::sized_reader(&b"the body"[..], 8), 1),
        (Body::sized_reader_fn(|| Ok(&b"the body"[..]), 8), 2),
    ] {
        let head = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=r,nonce=n,qop=auth\r\n";
        let refused = format!("{head}Content-Length: 0\r\nConnection: close\r\n\r\n");
        let server = Script::new().reply(refused).close().accept().reply(ok("in")).serve();
        let request = Request::post(server.url("/")).body(body);
        let response = knowing().request(request).unwrap();
        assert_eq!(response.status(), if sent == 1 { 401 } else { 200 });
        server.wait_for_requests(sent);
        assert_eq!(server.connections(), sent);
    }
}

/// Asked first whether it is wanted, the body has not been touched when the challenge comes.
#[test]
fn a_body_that_was_not_asked_for_yet_is_sent_with_the_answer() {
    use fetchpool::Body;

    let server = Script::new()
        .request_head()
        .send(refusal(&["Digest realm=r,nonce=n,qop=auth"]))
        .accept()
        .request_head()
        .send("HTTP/1.1 100 Continue\r\n\r\n")
        .skip(8)
        .send(ok("in"))
        .serve();
    let request = Request::post(server.url("/")).body(Body::sized_reader(&b"the body"[..], 8));
    let response = knowing().request(request.expect_continue(Duration::from_secs(5))).unwrap();
    assert_eq!(response.text(), "in");
    assert_eq!(counts(&server), [0, 1]);
}

#[cfg(feature = "cookies")]
#[test]
fn a_cookie_that_comes_with_the_challenge_goes_with_the_answer() {
    let challenge = "WWW-Authenticate: Digest realm=r,nonce=n,qop=auth\r\nSet-Cookie: whom=you\r\n";
    let server = Script::new().reply(reply("401 No", challenge, "")).reply(ok("in")).serve();
    let mut session = session(|config| {
        config.auth(Auth::digest(USER, PASSWORD)).cookie_store(true);
    });
    assert_eq!(session.request(server.url("/")).unwrap().text(), "in");
    assert_eq!(server.requests()[1].headers("cookie"), ["whom=you"]);
}
