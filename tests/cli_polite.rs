//! The command line towards servers that want to be treated with care: rates and limits for each
//! origin, `Retry-After`, and slowing down by itself.
//!
//! What must not come sooner is measured; what must not come at all is held back for as long as the
//! clock can count, and ended by a signal.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::farm::Farm;
use support::program::{Ran, Running, fetchpool};
use support::script::{Script, Server, ok, reply};

// ---- the rate of an origin

#[test]
fn each_origin_has_a_rate_of_its_own_and_one_that_waits_holds_up_no_other() {
    let sites: Vec<Server> = (0..5).map(|_| Script::site(|_| ok(""))).collect();
    // One worker: it would stand still, if it waited for the second request of the first origin.
    let first = sites[0].url("/first");
    let again = sites[0].url("/again");
    let others = sites[1..].iter().map(|site| site.url("/"));
    let urls: Vec<String> = [first, again].into_iter().chain(others).collect();
    let options = ["--threads", "1", "--rate-per-host", "1e-9"].map(str::to_owned);
    let arguments: Vec<&str> = options.iter().chain(&urls).map(String::as_str).collect();
    let mut running = Running::start(&arguments);
    let mut indexes: Vec<_> = (0..5).map(|_| ok_index(&running.line())).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, [0, 2, 3, 4, 5]);
    running.signal("TERM");
    let rest = running.rest();
    assert_eq!(rest.iter().map(told).collect::<Vec<_>>(), ["cancelled"]);
    assert_eq!((&rest[0]["index"], running.wait()), (&Value::from(1), (130, String::new())));
    assert_eq!(sites[0].lines(), ["GET /first HTTP/1.1"]);
}

#[test]
fn requests_to_an_origin_are_spaced_and_the_wait_is_no_part_of_the_timeout() {
    let site = Script::site(|_| ok(""));
    let url = site.url("/");
    let arguments = ["--threads", "4", "--rate-per-host", "2", "--timeout", "1"];
    let began = Instant::now();
    let ran = fetchpool(&[&arguments, &[url.as_str(); 5][..]].concat(), b"");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!((all_told(&ran), ran.status), (vec!["200".to_owned(); 5], 0));
}

#[test]
fn a_retry_counts_for_the_rate_of_its_origin_as_a_first_try_does() {
    let tries = AtomicUsize::new(0);
    let site = Script::site(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => reply("503 Busy", "Retry-After: 0\r\n", ""),
        _ => ok(""),
    });
    let began = Instant::now();
    let ran = fetchpool(&["--retries", "1", "--rate-per-host", "1", &site.url("/")], b"");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((all_told(&ran), site.requests().len()), (vec!["200".to_owned()], 2));
}

// ---- how many at a time

#[test]
fn no_more_requests_run_at_an_origin_than_it_may_have_and_others_are_not_held_up() {
    let (farm, other) = (Farm::new(), Farm::new());
    let gates = (0..6).map(|n| farm.url(&format!("/gate/{n}")));
    let oks = (0..6).map(|n| other.url(&format!("/ok/{n}")));
    let urls: Vec<String> = gates.chain(oks).collect();
    let options = ["--threads", "8", "--max-per-host", "2"].map(str::to_owned);
    let arguments: Vec<&str> = options.iter().chain(&urls).map(String::as_str).collect();
    let mut running = Running::start(&arguments);
    // The others pass, although they come behind what has to wait.
    let mut indexes: Vec<_> = (0..6).map(|_| ok_index(&running.line())).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, [6, 7, 8, 9, 10, 11]);
    farm.wait_at_gate(2);
    // As much time as another whole run takes, for a third one to come if it would.
    assert_eq!(fetchpool(&[&other.url("/ok/1")], b"").status, 0);
    assert_eq!(farm.arrivals(), 2);
    farm.open_gate();
    assert_eq!(running.rest().len(), 6);
    assert_eq!(running.wait(), (0, String::new()));
}

#[test]
fn at_no_moment_are_there_more_at_an_origin_than_it_may_have() {
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let site = Script::site({
        let most = Arc::clone(&most);
        move |_| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // The pace of the server: long enough that all would be here at a time.
            thread::sleep(Duration::from_millis(10));
            now.fetch_sub(1, Ordering::SeqCst);
            ok("")
        }
    });
    let url = site.url("/");
    let urls = [url.as_str(); 40];
    let ran = fetchpool(&[&["--threads", "8", "--max-per-host", "3"], &urls[..]].concat(), b"");
    assert_eq!((ran.lines.len(), ran.status), (40, 0));
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

// ---- Retry-After

#[test]
fn a_retry_after_is_obeyed() {
    let site = Busy::for_the_first(1, "1");
    let ran = fetchpool(&["--retries", "1", &site.server.url("/")], b"");
    assert_eq!((all_told(&ran), ran.status), (vec!["200".to_owned()], 0));
    let [first, second] = site.arrivals()[..] else { panic!("{:?}", site.arrivals()) };
    assert!(second - first >= Duration::from_secs(1), "{:?}", second - first);
}

#[test]
fn a_retry_after_is_obeyed_no_longer_than_asked_for() {
    for (options, expected, requests) in [
        // It cannot begin before the time-out ends.
        (&["--retries", "1"][..], "503", 1),
        (&["--retries", "1", "--retry-after-max", "0.5"], "200", 2),
        (&["--retries", "0", "--retry-after-max", "0.5"], "503", 1),
    ] {
        let site = Busy::for_the_first(1, "3000");
        let ran = fetchpool(&[options, &[&site.server.url("/")]].concat(), b"");
        assert_eq!((all_told(&ran), ran.status), (vec![expected.to_owned()], 0), "{options:?}");
        let arrivals = site.arrivals();
        assert_eq!(arrivals.len(), requests, "{options:?}");
        if let [first, second] = arrivals[..] {
            assert!(second - first >= Duration::from_millis(500), "{:?}", second - first);
        }
    }
}

// ---- by itself

#[test]
fn an_origin_that_asks_for_a_pause_gets_it_from_every_job_and_no_other_one_waits() {
    let (busy, other) = (Busy::for_the_first(1, "1"), Script::site(|_| ok("")));
    let url = |path: &str| busy.server.url(path);
    // One worker, so that the first answer is there before the second job begins.
    let urls = [url("/0"), url("/1"), other.url("/2"), url("/3")];
    let options = ["--threads", "1", "--adaptive"].map(str::to_owned);
    let arguments: Vec<&str> = options.iter().chain(&urls).map(String::as_str).collect();
    let ran = fetchpool(&arguments, b"");
    assert_eq!((all_told(&ran), ran.status), (told_of(&["503", "200", "200", "200"]), 0));
    let arrivals = busy.arrivals();
    assert_eq!(arrivals.len(), 3);
    assert!(arrivals[1] - arrivals[0] >= Duration::from_secs(1), "{arrivals:?}");
}

#[test]
fn without_adaptive_a_busy_origin_is_asked_on() {
    let busy = Busy::for_the_first(3, "3000");
    let url = busy.server.url("/");
    let ran = fetchpool(&["--threads", "1", &url, &url, &url, &url], b"");
    assert_eq!(all_told(&ran), told_of(&["503", "503", "503", "200"]));
}

#[test]
fn what_waits_for_a_busy_origin_is_answered_when_a_signal_ends_the_run() {
    let (busy, other) = (Busy::for_the_first(1, "3000"), Script::site(|_| ok("")));
    let urls = [busy.server.url("/0"), busy.server.url("/1"), other.url("/2")];
    let options = ["--threads", "1", "--adaptive"].map(str::to_owned);
    let arguments: Vec<&str> = options.iter().chain(&urls).map(String::as_str).collect();
    let mut running = Running::start(&arguments);
    let mut lines = vec![running.line(), running.line()];
    running.signal("TERM");
    lines.extend(running.rest());
    lines.sort_by_key(|line| line["index"].as_u64());
    assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), ["503", "cancelled", "200"]);
    assert_eq!((running.wait(), busy.arrivals().len()), ((130, String::new()), 1));
}

// ---- values

#[test]
fn what_is_no_rate_time_or_number_is_a_usage_error() {
    let site = Script::site(|_| ok(""));
    let url = site.url("/");
    let refused = |arguments: &[&str], named: &str| {
        let ran = fetchpool(&[arguments, &[&url]].concat(), b"");
        assert_eq!((ran.status, ran.lines.len()), (2, 0), "{arguments:?}");
        assert!(ran.stderr.contains(named), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {}", ran.stderr);
    };
    for bad in ["0", "-1", "-0", "nan", "inf", "-inf", "", "1/s", "1,5"] {
        refused(&[&format!("--rate-per-host={bad}")], "--rate-per-host <");
    }
    for bad in ["0", "-1", "1.5", "nan", "", "99999999999999999999"] {
        refused(&[&format!("--max-per-host={bad}")], "--max-per-host <");
    }
    for bad in ["0", "-1", "nan", "-inf", "", "1s"] {
        refused(&["--retries=1", &format!("--retry-after-max={bad}")], "--retry-after-max <");
    }
    refused(&["--rate-per-host", "-1"], "-1");
    refused(&["--adaptive=1"], "--adaptive");
    // Alone it would do nothing.
    refused(&["--retry-after-max", "1"], "--retries");
    assert_eq!(site.connections(), 0);
}

#[test]
fn the_greatest_values_are_no_limit() {
    let site = Script::site(|_| ok(""));
    let url = site.url("/");
    let most = usize::MAX.to_string();
    for options in [
        &["--rate-per-host", "1e300"][..],
        &["--max-per-host", &most],
        &["--retries", "4294967295", "--retry-after-max", "1e300"],
    ] {
        let ran = fetchpool(&[options, &[&url, &url, &url]].concat(), b"");
        assert_eq!((ran.status, all_told(&ran)), (0, told_of(&["200"; 3])), "{options:?}");
    }
}

#[test]
fn the_help_has_every_option_of_politeness() {
    let ran = fetchpool(&["--help"], b"");
    for option in [
        "--retries <N>",
        "--retry-after-max <S>",
        "--rate <R>",
        "--rate-per-host <R>",
        "--max-per-host <N>",
        "--adaptive",
    ] {
        assert!(ran.stdout.contains(option), "{option}: {}", ran.stdout);
    }
}

// ---- a busy server

/// A server that is busy at first, and knows when each request came.
struct Busy {
    server: Server,
    arrivals: Arc<Mutex<Vec<Instant>>>,
}

impl Busy {
    /// So many requests are answered by 503 and this `Retry-After`.
    fn for_the_first(requests: usize, retry_after: &str) -> Self {
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&arrivals);
        let busy = reply("503 Busy", &format!("Retry-After: {retry_after}\r\n"), "");
        let server = Script::site(move |_| {
            let mut seen = seen.lock().expect("nobody panics with it");
            seen.push(Instant::now());
            if seen.len() <= requests { busy.clone() } else { ok("") }
        });
        Self { server, arrivals }
    }

    fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().expect("nobody panics with it").clone()
    }
}

// ---- what was told

/// The status, or the kind of the error.
fn told(line: &Value) -> String {
    match line["error"]["kind"].as_str() {
        Some(kind) => kind.to_owned(),
        None => line["status"].to_string(),
    }
}

/// What was told of each job, in the order of the input.
fn all_told(ran: &Ran) -> Vec<String> {
    ran.in_order().into_iter().map(told).collect()
}

fn told_of(expected: &[&str]) -> Vec<String> {
    expected.iter().map(|&text| text.to_owned()).collect()
}

#[track_caller]
fn ok_index(line: &Value) -> u64 {
    assert_eq!(line["status"], 200, "{line}");
    line["index"].as_u64().expect("a number")
}
