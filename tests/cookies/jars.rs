//! Whose cookies they are: each session's own, or those of a jar that is shared.

use super::*;
use crate::support::script::{Gate, ok};
use fetchpool::{Cookies, Outcome, Pool};
use std::thread;

/// What each worker of a pool sends, one request after the other.
fn by_worker(server: &Server) -> Vec<Vec<String>> {
    let mut connections: Vec<Vec<String>> = Vec::new();
    for request in server.requests() {
        connections.resize_with(connections.len().max(request.connection + 1), Vec::new);
        connections[request.connection].push(request.headers("cookie").join(" | "));
    }
    connections
}

/// Gives each connection a cookie of its own with its first response.
fn per_connection() -> Server {
    Script::site(|request| match request.header("cookie") {
        Some(cookie) if cookie.contains("id=") => ok(""),
        _ => setting(&[&format!("id={}", request.connection)]),
    })
}

fn run(server: &Server, cookies: Cookies, threads: usize) {
    let mut settings = SessionConfig::new();
    settings.timeout = Some(PATIENCE);
    settings.cookies = cookies;
    let urls: Vec<String> = (0..24).map(|number| server.url(&format!("/{number}"))).collect();
    let pool =
        Pool::builder().num_threads(threads).session(settings).job_queue(urls).build().unwrap();
    assert_eq!(pool.outcomes().filter(Outcome::is_response).count(), 24);
}

#[test]
fn an_own_jar_of_each_worker_begins_with_what_it_was_given_and_goes_its_own_way() {
    let server = per_connection();
    let given = CookieJar::new();
    given.add("given=1", server.url("/")).unwrap();
    run(&server, Cookies::Own(given.clone()), 4);
    let workers = by_worker(&server);
    for (number, sent) in workers.iter().enumerate() {
        assert_eq!(sent.first().map(String::as_str), Some("given=1"), "{workers:?}");
        for cookies in &sent[1..] {
            assert_eq!(*cookies, format!("given=1; id={number}"), "{workers:?}");
        }
    }
    assert_eq!(pairs(&given), ["given=1"], "the one that was given stays as it was");
}

#[test]
fn a_shared_jar_is_filled_by_all_and_read_by_all() {
    let server = per_connection();
    let jar = CookieJar::new();
    run(&server, Cookies::Shared(jar.clone()), 4);
    assert_eq!(jar.len(), 1);
    // A jar that is there already: all send it from the first request on.
    let server = per_connection();
    let jar = filled(&["id=all"], &server.url("/"));
    run(&server, Cookies::Shared(jar.clone()), 4);
    assert!(by_worker(&server).iter().flatten().all(|cookies| cookies == "id=all"));
    assert_eq!(pairs(&jar), ["id=all"]);
}

#[test]
fn the_shorthands_make_an_own_jar_a_shared_one_or_none() {
    let mut settings = SessionConfig::new();
    let session = |settings: &SessionConfig| Session::new(settings.clone()).unwrap();
    assert!(session(&settings).cookie_jar().is_none());
    settings.cookie_store(true);
    let (one, two) = (session(&settings), session(&settings));
    one.cookie_jar().unwrap().add("a=b", "http://e.com/").unwrap();
    assert!(
        two.cookie_jar().unwrap().is_empty() && session(&settings).cookie_jar().unwrap().is_empty()
    );
    let jar = CookieJar::new();
    settings.cookie_jar(&jar);
    session(&settings).cookie_jar().unwrap().add("a=b", "http://e.com/").unwrap();
    assert_eq!(pairs(&jar), ["a=b"]);
    settings.cookie_store(false);
    assert!(session(&settings).cookie_jar().is_none());
}

#[test]
fn a_jar_can_be_emptied_by_one_or_of_all() {
    let jar = filled(&["a=1", "a=2; Path=/x", "b=3", "b=4; Domain=e.com"], "http://e.com/");
    let all = jar.cookies();
    assert!(jar.remove(&all[0]) && !jar.remove(&all[0]));
    assert_eq!(pairs(&jar), ["a=2", "b=3", "b=4"]);
    assert!(jar.remove(&all[3]));
    let copy = jar.copy();
    jar.clear();
    assert!(jar.is_empty() && jar.cookies().is_empty());
    assert_eq!(jar.len(), 0);
    assert_eq!(sent(&jar, "http://e.com/x"), "");
    assert_eq!(pairs(&copy), ["a=2", "b=3"]);
}

#[test]
fn a_jar_is_not_locked_while_a_request_is_under_way() {
    let gate = Gate::new();
    let server = Script::new().request().wait(&gate).send(setting(&["late=1"])).serve();
    let jar = CookieJar::new();
    let url = server.url("/");
    thread::scope(|scope| {
        let request = scope.spawn(|| session(&jar).request(&*url));
        server.wait_for_requests(1);
        jar.add("meanwhile=1", &url).unwrap();
        assert_eq!(jar.len(), 1);
        gate.open();
        request.join().unwrap().unwrap();
    });
    assert_eq!(pairs(&jar), ["meanwhile=1", "late=1"]);
}

#[test]
fn a_panic_in_a_function_of_the_callers_spoils_no_jar() {
    let jar = CookieJar::with_public_suffixes(|domain| {
        assert!(domain != "trap.com", "the caller's own");
        false
    });
    jar.add("a=b", "http://e.com/").unwrap();
    let broken = thread::scope(|scope| {
        scope.spawn(|| jar.add("c=d; Domain=trap.com", "http://x.trap.com/")).join()
    });
    assert!(broken.is_err());
    jar.add("e=f", "http://e.com/").unwrap();
    assert_eq!(sent(&jar, "http://e.com/"), "a=b; e=f");
    // Within a pool it is the outcome of the job.
    let server = Script::new().reply(setting(&["c=d"])).repeat().serve();
    let mut settings = config(&jar);
    settings.cookies = Cookies::Shared(jar.clone());
    let urls = [named(&server, "x.trap.com", "/"), named(&server, "e.com", "/")];
    let pool = Pool::builder().num_threads(1).ordered().session(settings).job_queue(urls);
    let outcomes: Vec<bool> =
        pool.build().unwrap().outcomes().map(|outcome| outcome.is_response()).collect();
    assert_eq!(outcomes, [false, true]);
    assert_eq!(sent(&jar, "http://e.com/"), "a=b; e=f; c=d");
}

#[test]
fn after_a_panic_an_own_jar_is_what_it_was_at_first() {
    let server = Script::site(|request| match request.target().as_str() {
        "/1" => setting(&["was=kept"]),
        _ => ok(""),
    });
    let jar = CookieJar::with_public_suffixes(|domain| {
        assert!(domain != "trap.com", "the caller's own");
        false
    });
    jar.add("given=1", named(&server, "e.com", "/")).unwrap();
    let mut settings = config(&jar);
    settings.cookies = Cookies::Own(jar);
    let urls =
        ["e.com/1", "e.com/2", "x.trap.com/", "e.com/3"].map(|url| url.split_once('/').unwrap());
    let urls = urls.map(|(host, path)| named(&server, host, &format!("/{path}")));
    let pool = Pool::builder().num_threads(1).ordered().session(settings).job_queue(urls);
    let outcomes: Vec<bool> =
        pool.build().unwrap().outcomes().map(|outcome| outcome.is_response()).collect();
    assert_eq!(outcomes, [true, true, false, true]);
    let sent: Vec<_> =
        server.requests().iter().map(|request| request.headers("cookie").join("|")).collect();
    assert_eq!(sent, ["given=1", "given=1; was=kept", "given=1"]);
}

#[test]
fn no_value_is_shown_by_a_jar_its_cookies_settings_or_session() {
    let jar = filled(&["id=hunter2; Domain=e.com", "b=hunter2"], "http://e.com/");
    let own = Cookies::Own(jar.clone());
    let session = session(&jar);
    for shown in [
        format!("{jar:?} {jar:#?}"),
        format!("{own:?} {own:#?}"),
        format!("{:?} {:#?}", jar.cookies(), jar.cookies()),
        format!("{:?} {:#?}", config(&jar), config(&jar)),
        format!("{session:?} {session:#?}"),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(format!("{jar:?}").contains("cookies: 2"));
}
