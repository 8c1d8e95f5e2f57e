//! A signature is made when its request goes out, and goes nowhere else.

use std::error::Error as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use fetchpool::{Auth, ErrorKind, Phase, Pool, Request, RetryPolicy, Signer};

use super::{session, two};
use crate::support::script::{Script, Server, ok, redirect, reply};

/// Signs by counting, and by the time.
fn counting() -> (Signer, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let signer = Signer::new(move |request| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        request.set_header("X-Time", now.to_string())?;
        let number = counted.fetch_add(1, Ordering::Relaxed);
        let text = format!("{number} {} {}", request.method(), request.url());
        request.set_header("X-Signature", format!("{text} try {}", request.attempt()))?;
        Ok(())
    });
    (signer, count)
}

/// The signatures that came, one for each request.
fn signatures(server: &Server) -> Vec<String> {
    server.requests().iter().map(|request| request.headers("x-signature").join(" AND ")).collect()
}

#[test]
fn it_is_made_of_what_is_sent() {
    let server = Script::site(|_| ok("x"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let mut session = session(|config| {
        config.header("X-Session", "s").param("p", "1 2").auth(Auth::bearer("t0ken"));
        config.signer(Signer::new(move |request| {
            let fields = request.headers().iter().map(|(name, value)| format!("{name}: {value}"));
            let parts =
                [request.method().as_str(), request.url(), request.target(), request.host()];
            let mut line: Vec<String> = parts.map(str::to_owned).to_vec();
            line.extend(fields);
            line.push(String::from_utf8_lossy(request.body().unwrap_or(b"?")).into_owned());
            told.lock().unwrap().push(line);
            Ok(())
        }));
    });
    let url = server.url("/a b?q#fragment").replace("://", "://ann:pw@");
    session.request(Request::post(url).header("X-Own", "o").form([("k", "v")])).unwrap();
    let seen = seen.lock().unwrap().remove(0);
    let sent = server.request();
    let host = sent.header("host").unwrap();
    let target = "/a%20b?q&p=1+2";
    assert_eq!(seen[..4], ["POST", &format!("http://{host}{target}"), target, &*host]);
    assert_eq!(sent.target(), target);
    // Every field that went out but those that the crate alone writes, in the same order.
    let head = sent.head();
    let fields = head.split("\r\n").skip(1);
    let others = fields.filter(|f| !f.starts_with("Host:") && !f.starts_with("Content-Length:"));
    assert_eq!(seen[4..seen.len() - 1], others.collect::<Vec<_>>());
    assert!(seen.contains(&"Authorization: Basic YW5uOnB3".to_owned()), "{seen:?}");
    assert_eq!(seen.last().unwrap(), "k=v");
}

#[test]
fn what_it_sets_replaces_and_what_the_crate_alone_writes_is_refused() {
    let server = Script::site(|_| ok("x"));
    let refused = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&refused);
    let mut session = session(|config| {
        config.auth(Auth::bearer("session"));
        config.signer(Signer::new(move |request| {
            request.set_header("AUTHORIZATION", "Signed 1")?;
            for (name, value) in [
                ("Host", "other"),
                ("content-length", "0"),
                ("Transfer-Encoding", "chunked"),
                ("connection", "close"),
                ("X Y", "z"),
                ("X", "y\r\nZ: w"),
            ] {
                count.fetch_add(request.set_header(name, value).is_err().into(), Ordering::Relaxed);
            }
            Ok(())
        }));
    });
    session.request(server.url("/")).unwrap();
    assert_eq!(server.request().headers("authorization"), ["Signed 1"]);
    assert_eq!(refused.load(Ordering::Relaxed), 6);
    assert_eq!(server.request().headers("host").len(), 1);
    assert_eq!(server.request().header("x"), None);
}

#[test]
fn a_request_that_is_sent_again_on_a_fresh_connection_has_a_fresh_one() {
    let server = Script::new().reply(ok("1")).request().close().accept().reply(ok("2")).serve();
    let (signer, _) = counting();
    let mut session = session(|config| {
        config.signer(signer);
    });
    session.request(server.url("/1")).unwrap();
    session.request(Request::put(server.url("/2")).body("the body")).unwrap();
    let urls = [server.url("/1"), server.url("/2")];
    assert_eq!(
        signatures(&server),
        [
            format!("0 GET {} try 1", urls[0]),
            format!("1 PUT {} try 1", urls[1]),
            format!("2 PUT {} try 1", urls[1]),
        ]
    );
    let requests = server.requests();
    let times: Vec<u128> =
        requests.iter().map(|r| r.header("x-time").unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted() && times[1] != times[2], "{times:?}");
    assert_eq!((requests[1].body(), requests[2].body()), (&b"the body"[..], &b"the body"[..]));
}

#[test]
fn each_retry_of_a_pool_has_its_own_and_knows_its_number() {
    let server = Script::site(|request| match request.header("x-signature") {
        Some(signature) if signature.ends_with("try 3") => ok("in"),
        _ => reply("503 Later", "Retry-After: 0\r\n", ""),
    });
    let (signer, _) = counting();
    let mut config = fetchpool::SessionConfig::new();
    config.signer(signer);
    let pool = Pool::builder().num_threads(1).session(config).retry(RetryPolicy::new(5));
    let (mut responses, _) = pool.map([server.url("/")]);
    assert_eq!(responses.next().unwrap().text(), "in");
    let url = server.url("/");
    let expected = (0..3).map(|n| format!("{n} GET {url} try {}", n + 1));
    assert_eq!(signatures(&server), expected.collect::<Vec<_>>());
}

#[test]
fn each_redirect_within_the_origin_has_its_own() {
    let (first, _) = two(|_| ok("second"));
    let (signer, _) = counting();
    let mut session = session(|config| {
        config.signer(signer);
    });
    session.request(first.url("/near")).unwrap();
    let urls = [first.url("/near"), first.url("/there")];
    assert_eq!(
        signatures(&first),
        [format!("0 GET {} try 1", urls[0]), format!("1 GET {} try 1", urls[1])]
    );
}

#[test]
fn it_is_not_made_for_another_origin_nor_on_the_way_back() {
    for bound in [false, true] {
        let (first, second) = two(|_| ok("second"));
        let (signer, count) = counting();
        let mut session = session(|config| {
            config.signer(match bound {
                true => signer.for_origin(first.origin()).for_origin(second.origin()),
                false => signer,
            });
        });
        session.request(first.url("/tour")).unwrap();
        assert_eq!(signatures(&first)[1..], [""]);
        assert_eq!(signatures(&second), [""]);
        assert_eq!(first.requests()[1].header("x-time"), None);
        assert_eq!(count.load(Ordering::Relaxed), 1, "it was not even asked");
    }
}

#[test]
fn where_it_is_bound_nothing_else_is_signed() {
    let (first, second) = two(|_| ok("second"));
    let (signer, count) = counting();
    let mut session = session(|config| {
        config.signer(signer.for_origin(second.url("/any/path")));
    });
    session.request(first.url("/go")).unwrap();
    assert_eq!(
        (signatures(&first), signatures(&second)),
        (vec![String::new()], vec![String::new()])
    );
    session.request(second.url("/own")).unwrap();
    assert!(signatures(&second)[1].starts_with("0 GET"));
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn one_that_is_bound_to_no_readable_origin_signs_nothing_and_nothing_goes_out() {
    let server = Script::new().serve();
    let (signer, count) = counting();
    let mut session = session(|config| {
        config.signer(signer.for_origin("example.com"));
    });
    assert_eq!(session.request(server.url("/")).unwrap_err().kind(), ErrorKind::InvalidUrl);
    assert_eq!((server.connections(), count.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn one_that_fails_is_the_outcome_with_its_reason_and_nothing_is_sent() {
    let server = Script::site(|_| ok("x"));
    let mut session = session(|config| {
        config.signer(Signer::new(|request| match request.target() {
            "/unsigned" => Err("the key has expired".into()),
            "/field" => Ok(request.set_header("X", "a\nb")?),
            _ => Ok(()),
        }));
    });
    for (path, reason) in [("/unsigned", "the key has expired"), ("/field", "control byte 0x0a")] {
        let error = session.request(server.url(path)).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::InvalidRequest, Some(Phase::Setup)));
        assert!(error.source().unwrap().to_string().contains(reason), "{error:?}");
        assert!(error.message().contains(reason), "{}", error.message());
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
}

#[test]
fn one_that_panics_is_the_outcome_and_the_next_job_goes_on() {
    let server = Script::site(|_| ok("x"));
    let signer = Signer::new(|request| {
        assert_ne!(request.target(), "/bad", "on purpose");
        request.set_header("X-Signature", "s")?;
        Ok(())
    });
    let mut alone = session(|config| {
        config.signer(signer.clone());
    });
    let error = alone.request(server.url("/bad")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
    assert!(error.message().contains("the signer panicked"), "{}", error.message());
    assert_eq!(alone.request(server.url("/good")).unwrap().status(), 200);

    let mut config = fetchpool::SessionConfig::new();
    config.signer(signer);
    let pool = Pool::builder().num_threads(1).session(config);
    let urls = ["/good", "/bad", "/good"].map(|path| server.url(path));
    let (responses, mut exceptions) = pool.map(urls);
    assert_eq!(responses.count(), 2);
    assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::Panic);
    assert!(server.lines().iter().all(|line| !line.contains("/bad")));
    assert_eq!(server.connections(), 2, "one for each session: none was thrown away");
}

/// After a redirect that turned a POST into a GET there is no body to be signed.
#[test]
fn a_body_that_does_not_go_along_is_not_signed() {
    let server = Script::site(|request| match request.target().as_str() {
        "/post" => redirect(303, "/got"),
        _ => ok("x"),
    });
    let mut session = session(|config| {
        config.signer(Signer::new(|request| {
            let length = request.body().map_or(0, <[u8]>::len);
            request.set_header("X-Signature", format!("{} {length}", request.method()))?;
            Ok(())
        }));
    });
    session.request(Request::post(server.url("/post")).body("four")).unwrap();
    assert_eq!(signatures(&server), ["POST 4", "GET 0"]);
}

#[cfg(feature = "digest")]
#[test]
fn a_digest_and_what_signs_it_go_together() {
    let server = super::guard::trusting("Digest realm=r, nonce=n, qop=auth");
    let mut session = session(|config| {
        config.auth(Auth::digest("u", "p"));
        config.signer(Signer::new(|request| {
            let has = request.headers().get("authorization").is_some();
            request.set_header("X-Signature", has.to_string())?;
            Ok(())
        }));
    });
    assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
    assert_eq!(signatures(&server), ["false", "true"]);
}
