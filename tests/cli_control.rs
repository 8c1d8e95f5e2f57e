//! The command line under control: the order, the clocks, the first failure and the signals.
//!
//! A line that was read is answered by exactly one line, however the program ends. `tests/cli.rs`
//! has the lines themselves and the other options.
#![cfg(all(feature = "cli", unix))]

mod support;

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::dead::Dead;
use support::farm::{Farm, refused};
use support::program::{Folder, LIMIT, Ran, Running, fetchpool};
use support::script::Script;

// ---- order

#[test]
fn results_are_in_the_order_of_the_input_and_no_more_than_the_window_runs_ahead() {
    let farm = Farm::new();
    // The window is four jobs for each thread: this is the last job in it, and the first and the
    // last one wait for the gate.
    const LAST: usize = 4 * 4 - 1;
    let route = |n: usize| if n == 0 || n >= LAST { "gate" } else { "ok" };
    let urls: Vec<_> = (0..60).map(|n| farm.url(&format!("/{}/{n}", route(n)))).collect();
    let input = urls.join("\n");
    let folder = Folder::new("window");
    let file = folder.file("urls", input.as_bytes());
    let mut running = Running::start(&["--ordered", "--threads", "4", "--body", "--input", &file]);
    farm.wait_at_gate(2);
    // As much time as another whole run takes, for those behind the window to come if they would.
    assert_eq!(ran(&[&farm.url("/ok/1")], "").status, 0);
    assert_eq!(farm.arrivals(), 2, "a job behind the window was started");
    farm.open_gate();
    let bodies: Vec<_> = (0..60).map(|_| running.line()["body"].clone()).collect();
    assert_eq!(bodies, (0..60).map(|n| json!(n.to_string())).collect::<Vec<_>>());
    assert_eq!(running.end(), (0, String::new()));
}

#[test]
fn a_pipe_is_not_read_ahead_of_a_slow_first_job() {
    let farm = Farm::new();
    let mut running = Running::start(&["--ordered", "--threads", "2", "--input", "-"]);
    let mut stdin = running.stdin.take().expect("a pipe");
    let (first, others) = (farm.url("/gate/0"), farm.url("/ok/1"));
    let written = Arc::new(AtomicUsize::new(0));
    let writer = thread::spawn({
        let written = Arc::clone(&written);
        move || {
            // Ends when the program has gone.
            while writeln!(
                stdin,
                "{}",
                if written.load(Ordering::SeqCst) == 0 { &first } else { &others }
            )
            .is_ok()
            {
                written.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    farm.wait_at_gate(1);
    let (began, mut before) = (Instant::now(), 0);
    loop {
        // Once nothing is written in the time of a whole run, the pipe is full.
        assert_eq!(ran(&[&farm.url("/ok/1")], "").status, 0);
        let now = written.load(Ordering::SeqCst);
        assert!(now < 10_000, "it reads on and on");
        assert!(began.elapsed() < LIMIT, "it reads on and on");
        if now == before {
            break;
        }
        before = now;
    }
    running.signal("TERM");
    let lines = running.rest();
    assert_once_each(&lines);
    assert!(lines.len() < 500, "{} lines were read", lines.len());
    assert_eq!(running.wait(), (130, String::new()));
    writer.join().expect("a thread that cannot panic");
}

#[test]
fn the_order_is_kept_also_when_a_signal_ends_the_run() {
    let farm = Farm::new();
    let route = |n: usize| if n.is_multiple_of(3) { "gate" } else { "ok" };
    let urls: Vec<_> = (0..40).map(|n| farm.url(&format!("/{}/{n}", route(n)))).collect();
    let arguments: Vec<_> = ["--ordered", "--threads", "3"]
        .into_iter()
        .chain(urls.iter().map(String::as_str))
        .collect();
    let mut running = Running::start(&arguments);
    farm.wait_at_gate(3);
    running.signal("INT");
    let lines = running.rest();
    assert_eq!(indexes(&lines), (0..40).collect::<Vec<_>>());
    assert_eq!(running.wait(), (130, String::new()));
}

#[test]
fn a_live_pipe_gives_each_result_while_it_stays_open() {
    let farm = Farm::new();
    for options in [
        &["--threads", "8"][..],
        &["--ordered", "--threads", "8"],
        &["--ordered", "--fail-early", "--deadline", "1e19", "--low-speed", "1"],
    ] {
        let mut running = Running::start(&[options, &["--input", "-"]].concat());
        for index in 0..5 {
            running.write(&format!("{}\n", farm.url("/ok/1")));
            let line = running.line();
            assert_eq!((&line["index"], &line["status"]), (&json!(index), &json!(200)));
        }
        assert_eq!(running.end(), (0, String::new()), "{options:?}");
    }
}

// ---- the deadline

#[test]
fn what_a_deadline_leaves_undone_of_what_was_read_has_timed_out() {
    let farm = Farm::new();
    let (gate, fast) = (farm.url("/gate/1"), farm.url("/ok/1"));
    let folder = Folder::new("deadline");
    let file = folder.file("urls", format!("{gate}\n").repeat(1_000).as_bytes());
    for order in [&[][..], &["--ordered"]] {
        let arguments = ["--threads", "2", "--deadline", "1", &fast, "--input", &file];
        let ran = ran(&[order, &arguments].concat(), "");
        assert_once_each(&ran.lines);
        let mut lines = ran.lines;
        lines.sort_by_key(index);
        assert_eq!(lines[0]["status"], 200);
        assert!(lines.len() > 3 && lines.len() < 200, "{} lines were read", lines.len());
        assert!(lines[1..].iter().all(|line| line["error"]["kind"] == "timeout"));
        assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    }
    farm.wait_at_gate(4);
}

#[test]
fn a_deadline_ends_a_drip_a_handshake_a_connect_and_the_wait_for_a_rate() {
    let farm = Farm::new();
    let (silent, full) = (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), Dead::new());
    let handshake = format!("https://{}/", silent.local_addr().unwrap());
    let (drip, connect, fast) =
        (farm.url("/drip/1000/50"), format!("http://{}/", full.address()), farm.url("/ok/1"));
    for arguments in [
        &[drip.as_str()][..],
        &[&handshake],
        &[&connect],
        &["--rate", "0.001", &fast, &fast, &fast],
        &["--rate", "0.001", "--ordered", &fast, &fast, &fast],
    ] {
        let began = Instant::now();
        let ran = ran(&[&["--deadline", "0.5", "--timeout", "50"], arguments].concat(), "");
        assert!(began.elapsed() < Duration::from_secs(10), "{arguments:?}: {:?}", began.elapsed());
        assert_once_each(&ran.lines);
        assert_eq!(ran.lines.last().unwrap()["error"]["kind"], "timeout", "{arguments:?}");
        assert_eq!((ran.status, ran.stderr.as_str()), (1, ""), "{arguments:?}");
    }
}

#[test]
fn a_deadline_ends_the_wait_for_a_pipe_that_stays_open() {
    let farm = Farm::new();
    let mut running = Running::start(&["--deadline", "1", "--input", "-"]);
    running.write(&format!("{}\n", farm.url("/ok/1")));
    assert_eq!(running.line()["status"], 200);
    assert_eq!(running.next_line(), None);
    // All that was read was answered, but not all that there might have been.
    let (status, stderr) = running.wait();
    assert!(status < 2 && stderr.is_empty(), "{status} {stderr}");
}

#[test]
fn a_retry_that_could_not_begin_before_the_deadline_is_not_waited_for() {
    let farm = Farm::new();
    let url = farm.url("/status/503/1?retry-after=30");
    for clock in ["--deadline", "--timeout"] {
        let began = Instant::now();
        let ran = ran(&["--retries", "3", clock, "10", &url], "");
        assert_eq!((&ran.lines[0]["status"], ran.status), (&json!(503), 0));
        assert!(began.elapsed() < Duration::from_secs(9), "{clock}");
    }
}

// ---- the first failure

#[test]
fn fail_early_cancels_everything_else_and_a_404_is_no_failure() {
    let farm = Farm::new();
    let (gate, missing, ok) = (farm.url("/gate/1"), farm.url("/status/404/1"), farm.url("/ok/1"));
    let bad = farm.url("/truncated");
    for order in [&[][..], &["--ordered"]] {
        let arguments = ["--fail-early", "--threads", "2"];
        // On one thread of the two, with the other at the gate: one after the other.
        let urls = [&gate, &missing, &ok, &missing, &bad, &ok, &ok].map(String::as_str);
        let ran = ran(&[&arguments, order, &urls[..]].concat(), "");
        assert_once_each(&ran.lines);
        let mut lines = ran.lines;
        lines.sort_by_key(index);
        let told: Vec<_> = lines.iter().map(told).collect();
        let cancelled = "cancelled";
        let expected = [cancelled, "404", "200", "404", "closed", cancelled, cancelled];
        assert_eq!(told, expected);
        assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    }
    let all = ran(&["--fail-early", &missing, &ok, &missing], "");
    assert_eq!((all.lines.len(), all.status), (3, 0));
}

#[test]
fn fail_early_ends_a_live_pipe_that_nobody_closes() {
    let farm = Farm::new();
    let mut running = Running::start(&["--fail-early", "--threads", "3", "--input", "-"]);
    running.write(&format!("{}\n{}\n", farm.url("/gate/0"), farm.url("/gate/1")));
    farm.wait_at_gate(2);
    running.write("{\"url\": 7, \"id\": \"bad\"}\n");
    let lines = running.rest();
    assert_once_each(&lines);
    let kinds: Vec<_> = lines.iter().map(|line| (index(line), told(line))).collect();
    assert!(kinds.contains(&(2, "invalid_request".into())), "{kinds:?}");
    assert!(kinds.contains(&(0, "cancelled".into())) && kinds.contains(&(1, "cancelled".into())));
    assert_eq!(running.wait(), (1, String::new()));
}

#[test]
fn fail_early_reads_little_of_a_million_lines_behind_the_failure() {
    let refused = format!("http://{}/", refused());
    let folder = Folder::new("million");
    let million = format!("{refused}\n{}", "http://127.0.0.1:1/\n".repeat(1_000_000));
    let file = folder.file("urls", million.as_bytes());
    for order in [&[][..], &["--ordered"]] {
        let began = Instant::now();
        let ran = ran(&[order, &["--fail-early", "--threads", "8", "--input", &file]].concat(), "");
        assert_once_each(&ran.lines);
        assert!(ran.lines.len() < 500, "{} lines were read", ran.lines.len());
        assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

#[test]
fn fail_early_stops_reading_a_pipe_of_a_million_lines() {
    let farm = Farm::new();
    let good = format!("{}\n", farm.url("/ok/1"));
    let input = format!("{}ftp://no/\n{}", good.repeat(500), good.repeat(100_000));
    let ran = ran(&["--fail-early", "--threads", "8", "--input", "-"], &input);
    assert_once_each(&ran.lines);
    assert!(ran.lines.len() > 500 && ran.lines.len() < 1_000, "{} lines", ran.lines.len());
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
}

// ---- limits of a request

#[test]
fn connect_timeout_covers_the_connection_and_the_handshake_and_nothing_behind_them() {
    let farm = Farm::new();
    let (silent, full) = (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), Dead::new());
    let handshake = format!("https://{}/", silent.local_addr().unwrap());
    for url in [&handshake, &format!("http://{}/", full.address())] {
        let began = Instant::now();
        let ran = ran(&["--connect-timeout", "0.5", "--timeout", "50", url], "");
        assert!(began.elapsed() < Duration::from_secs(10), "{url}: {:?}", began.elapsed());
        assert_eq!((told(&ran.lines[0]).as_str(), ran.status), ("timeout", 1));
        let message = ran.lines[0]["error"]["message"].to_string();
        assert!(message.contains("connect_timeout"), "{message}");
    }
    let slow = ran(&["--connect-timeout", "0.5", &farm.url("/delay/1500/1")], "");
    assert_eq!((told(&slow.lines[0]).as_str(), slow.status), ("200", 0));
}

#[test]
fn low_speed_cuts_a_transfer_that_was_slow_for_ten_seconds_and_no_other() {
    let farm = Farm::new();
    // 2 bytes a second, and 40; both take longer than the window.
    let (slow, fast) = (farm.url("/drip/200/500"), farm.url("/drip/480/25"));
    let silent = farm.url("/gate/1");
    let began = Instant::now();
    let arguments =
        ["--low-speed", "20", "--threads", "3", "--timeout", "50", &slow, &fast, &silent];
    let mut running = Running::start(&arguments);
    let mut lines: Vec<_> = (0..3).map(|_| running.line()).collect();
    let took = began.elapsed();
    lines.sort_by_key(index);
    let told: Vec<_> = lines.iter().map(told).collect();
    // Waiting for the response counts, as the library says it does.
    assert_eq!(told, ["timeout", "200", "timeout"]);
    for cut in [0, 2] {
        let message = lines[cut]["error"]["message"].to_string();
        assert!(message.contains("20") && message.contains("10s"), "{message}");
    }
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(25), "{took:?}");
    assert_eq!(running.end(), (1, String::new()));
}

// ---- signals

#[test]
fn a_signal_answers_each_line_of_a_file_that_was_read_once() {
    for signal in SIGNALS {
        let farm = Farm::new();
        let folder = Folder::new(&format!("file-{signal}"));
        let gates: String = (0..1_000).map(|n| farm.url(&format!("/gate/{n}\n"))).collect();
        let file = folder.file("urls", gates.as_bytes());
        let fast = farm.url("/ok/1");
        let mut running = Running::start(&["--threads", "3", &fast, "--input", &file]);
        assert_eq!(running.line()["status"], 200);
        farm.wait_at_gate(3);
        running.signal(signal);
        let lines = running.rest();
        let indexes: Vec<_> = sorted(indexes(&lines));
        assert_eq!(indexes, (1..=lines.len() as u64).collect::<Vec<_>>());
        assert!(lines.len() >= 3 && lines.len() < 200, "{} lines were read", lines.len());
        assert!(lines.iter().all(|line| told(line) == "cancelled"));
        assert_eq!(running.wait(), (130, String::new()));
    }
}

#[test]
fn a_signal_answers_each_line_of_an_open_pipe_that_was_read_once_with_its_id() {
    for signal in SIGNALS {
        let farm = Farm::new();
        let mut running = Running::start(&["--threads", "2", "--input", "-"]);
        running.write(&format!("{}\n", json!({"id": "fast", "url": farm.url("/ok/1")})));
        assert_eq!(running.line()["id"], "fast");
        for n in 1..=9 {
            running.write(&format!("{}\n", json!({"id": [n], "url": farm.url("/gate/1")})));
        }
        farm.wait_at_gate(2);
        // That the last one has been read is told by nothing; but those before it may be some.
        running.signal(signal);
        let lines = running.rest();
        assert!(lines.len() >= 2, "{} lines", lines.len());
        assert_eq!(sorted(indexes(&lines)), (1..=lines.len() as u64).collect::<Vec<_>>());
        for line in &lines {
            assert_eq!(line["id"], json!([line["index"]]));
            assert_eq!(told(line), "cancelled");
        }
        assert_eq!(running.wait(), (130, String::new()));
    }
}

#[test]
fn a_signal_answers_each_url_of_the_arguments_once() {
    for signal in SIGNALS {
        let farm = Farm::new();
        let urls: Vec<_> = (0..200).map(|n| farm.url(&format!("/gate/{n}"))).collect();
        let arguments: Vec<_> =
            ["--threads", "5"].into_iter().chain(urls.iter().map(String::as_str)).collect();
        let mut running = Running::start(&arguments);
        farm.wait_at_gate(5);
        running.signal(signal);
        let lines = running.rest();
        assert_eq!(sorted(indexes(&lines)), (0..200).collect::<Vec<_>>());
        assert!(lines.iter().all(|line| told(line) == "cancelled"));
        assert_eq!(running.wait(), (130, String::new()));
    }
}

#[test]
fn a_signal_in_the_middle_of_the_rush_loses_no_line() {
    let folder = Folder::new("rush");
    // Jobs that fail without the network: lines are taken as fast as can be.
    let file = folder.file("urls", "no URL\n".repeat(50_000).as_bytes());
    let mut lost = Vec::new();
    for run in 0..60 {
        let mut running = Running::start(&["--threads", "64", "--input", &file]);
        let first = running.line();
        running.signal(SIGNALS[run % 2]);
        let mut lines = running.rest();
        lines.push(first);
        let indexes = sorted(indexes(&lines));
        let missing = (0..).zip(&indexes).find(|(expected, index)| expected != *index);
        lost.extend(missing.map(|(expected, _)| (run, expected)));
        assert_eq!(running.wait().0, 130);
    }
    assert_eq!(lost, [], "(run, first line that was not answered or answered twice)");
}

#[test]
fn a_signal_ends_every_kind_of_wait() {
    let farm = Farm::new();
    let (silent, full) = (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), Dead::new());
    let handshake = format!("https://{}/", silent.local_addr().unwrap());
    let (ok, drip) = (farm.url("/ok/1"), farm.url("/drip/1000/20"));
    let (connect, gate) = (format!("http://{}/", full.address()), farm.url("/gate/1"));
    let retried = farm.url("/status/503/1?retry-after=50");
    let folder = Folder::new("waits");
    let output = folder.0.to_str().unwrap();
    // One request that is answered at once, so that there is something to wait for before the
    // signal; the last one is what the signal ends.
    for last in [
        &[drip.as_str()][..],
        &[&handshake],
        &[&connect],
        &[&gate],
        &["--rate", "0.001", &ok],
        &["--retries", "3", &retried],
        &["--output", output, &drip],
    ] {
        let timeouts = ["--threads", "1", "--timeout", "55", "--connect-timeout", "55", &ok];
        let mut running = Running::start(&[&timeouts, last].concat());
        assert_eq!(told(&running.line()), "200");
        let began = Instant::now();
        running.signal("INT");
        assert_eq!(told(&running.line()), "cancelled", "{last:?}");
        assert_eq!(running.wait(), (130, String::new()), "{last:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{last:?}: {:?}", began.elapsed());
    }
    let files = fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["000000-1"], "nothing half-written is left");
}

#[test]
fn a_signal_that_was_ignored_when_the_program_began_stays_ignored() {
    // As under `nohup`, or in the background of a shell without job control.
    let mut ended = Vec::new();
    for signal in ["HUP", "INT"] {
        let farm = Farm::new();
        let (gate, shell) = (farm.url("/gate/1"), format!("trap '' {signal}; exec \"$0\" \"$@\""));
        let mut command = Command::new("sh");
        command.args(["-c", &shell, env!("CARGO_BIN_EXE_fetchpool"), &gate]);
        let mut running = Running::of(command);
        farm.wait_at_gate(1);
        running.signal(signal);
        // It is there, or is lost, when this second signal has been dealt with.
        assert_eq!(ran(&[&farm.url("/ok/1")], "").status, 0);
        farm.open_gate();
        let line = running.line();
        if told(&line) != "200" {
            ended.push((signal, told(&line)));
        }
        running.wait();
    }
    assert_eq!(ended, []);
}

// ---- on a terminal

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_shown_a_summary_when_all_is_done() {
    let farm = Farm::new();
    let (ok, missing) = (farm.url("/ok/1"), farm.url("/status/404/1"));
    let running = terminal(&["--ordered", &ok, &missing, "ftp://no/"]);
    let (status, shown) = running.shown();
    assert_eq!(status, 1, "{shown}");
    let tail = shown.split("done  3 requests").nth(1).unwrap_or_else(|| panic!("{shown}"));
    assert!(tail.contains("2xx 1  4xx 1") && tail.contains("invalid_url 1"), "{shown}");
    assert!(tail.contains("latency"), "{shown}");
    let (first, second) = (shown.find("200 ").unwrap(), shown.find("404 ").unwrap());
    assert!(first < second, "{shown}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_shown_a_summary_also_after_ctrl_c_and_a_deadline() {
    let farm = Farm::new();
    let (ok, gate) = (farm.url("/ok/1"), farm.url("/gate/1"));
    let arguments = ["--threads", "2", &ok, &gate, &gate, &gate];
    let mut running = terminal(&arguments);
    farm.wait_at_gate(2);
    // What the key makes of it: the terminal sends SIGINT to what runs in front.
    running.write("\x03");
    let (status, shown) = running.shown();
    assert_eq!(status, 130, "{shown}");
    let tail = shown.split("done  4 requests").nth(1).unwrap_or_else(|| panic!("{shown}"));
    assert!(tail.contains("2xx 1") && tail.contains("cancelled 3"), "{shown}");

    let arguments = ["--deadline", "1", &ok, &gate, &gate, &gate, "--threads", "2"];
    let running = terminal(&arguments);
    let (status, shown) = running.shown();
    assert_eq!(status, 1, "{shown}");
    let tail = shown.split("done  4 requests").nth(1).unwrap_or_else(|| panic!("{shown}"));
    assert!(tail.contains("2xx 1") && tail.contains("timeout 3"), "{shown}");
}

// ---- values

#[test]
fn times_beyond_the_clock_are_no_limit() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    for option in ["--timeout", "--deadline", "--connect-timeout"] {
        for huge in ["1e19", "1e300", "1e400", "inf", "18446744073709551616"] {
            let ran = ran(&[option, huge, &url, &url, &url], "");
            assert_eq!((ran.status, ran.lines.len()), (0, 3), "{option} {huge}: {}", ran.stderr);
        }
    }
    let ran = ran(&["--low-speed", "18446744073709551615", &url], "");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}

#[test]
fn times_that_are_none_are_usage_errors() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    for option in ["--timeout", "--deadline", "--connect-timeout", "--rate"] {
        for bad in ["0", "-1", "-0", "nan", "-inf", "", "1s", "1,5"] {
            let ran = ran(&[&format!("{option}={bad}"), &url], "");
            assert_usage(&ran, &format!("{option} <"), &format!("{option}={bad}"));
        }
    }
    for (option, bad) in [
        ("--threads", "0"),
        ("--threads", "-1"),
        ("--low-speed", "0"),
        ("--low-speed", "-1"),
        ("--low-speed", "nan"),
        ("--rate", "inf"),
    ] {
        let ran = ran(&[&format!("{option}={bad}"), &url], "");
        assert_usage(&ran, option, &format!("{option}={bad}"));
    }
    // Two words: a shell user's way, which may look like another option.
    let ran = ran(&["--deadline", "-1", &url], "");
    assert_usage(&ran, "-1", "--deadline -1");
    assert_eq!(farm.requests(), 0);
}

#[test]
fn a_rate_too_low_for_the_clock_is_not_no_limit() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    for rate in ["1e-9", "1e-300"] {
        let ran = ran(&["--rate", rate, "--deadline", "1", &url, &url, &url], "");
        let oks = ran.lines.iter().filter(|line| line["ok"] == true).count();
        assert_eq!((oks, ran.lines.len(), ran.status), (1, 3, 1), "{rate}");
    }
}

#[test]
fn times_of_a_line_saturate_or_fail_that_line_alone() {
    let farm = Farm::new();
    let line =
        |time: &str| format!("{{\"url\": \"{}\", \"timeout\": {time}}}\n", farm.url("/ok/1"));
    let times = [
        ("1e19", "200"),
        ("1e300", "200"),
        ("18446744073709551616", "200"),
        ("null", "200"),
        ("-1", "invalid_request"),
        ("-1e300", "invalid_request"),
        ("\"1\"", "invalid_request"),
        ("NaN", "invalid_request"),
        ("1e-300", "timeout"),
        ("5", "200"),
    ];
    let input: String = times.iter().map(|(time, _)| line(time)).collect();
    let ran = ran(&["--ordered", "--input", "-"], &input);
    let told: Vec<_> = ran.lines.iter().map(told).collect();
    assert_eq!(told, times.map(|(_, expected)| expected));
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
}

#[test]
fn a_line_without_any_time_fails_alone_and_is_not_sent() {
    let farm = Farm::new();
    for time in ["0", "-0.0", "0e5"] {
        let line = format!("{{\"url\": \"{}\", \"timeout\": {time}}}\n", farm.url("/ok/1"));
        let ran = ran(&["--input", "-"], &line);
        assert!(["timeout", "invalid_request"].contains(&told(&ran.lines[0]).as_str()), "{time}");
        assert_eq!((ran.lines.len(), ran.status, ran.stderr.as_str()), (1, 1, ""));
    }
    assert_eq!(farm.requests(), 0);
}

// ---- a reader that goes

#[test]
fn a_closed_stdout_ends_the_run_quietly_whatever_its_order_and_clocks() {
    let farm = Farm::new();
    let folder = Folder::new("closed");
    let file = folder.file("urls", format!("{}\n", farm.url("/ok/1")).repeat(200_000).as_bytes());
    for options in [&[][..], &["--ordered"], &["--deadline", "50", "--fail-early"]] {
        let mut running = Running::start(&[options, &["--input", &file]].concat());
        running.line();
        running.lines = None;
        assert_eq!(running.wait(), (0, String::new()), "{options:?}");
    }
    assert!(farm.requests() < 50_000, "{} requests", farm.requests());
}

#[test]
fn a_closed_stdout_is_noticed_while_a_pipe_stays_open() {
    let server = Script::site(|_| support::script::ok(""));
    let mut running = Running::start(&["--ordered", "--threads", "3", "--input", "-"]);
    let line = format!("{}\n", server.url("/"));
    running.write(&line);
    running.line();
    running.lines = None;
    let began = Instant::now();
    while running.try_write(&line).is_ok() {
        assert!(began.elapsed() < LIMIT, "it reads on, though its stdout is closed");
    }
    // stdin stays open all the same.
    assert_eq!(running.wait(), (0, String::new()));
}

// ---- what was told

const SIGNALS: [&str; 2] = ["INT", "TERM"];

fn index(line: &Value) -> u64 {
    line["index"].as_u64().expect("a number")
}

fn indexes(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(index).collect()
}

fn sorted(mut indexes: Vec<u64>) -> Vec<u64> {
    indexes.sort_unstable();
    indexes
}

/// The status, or the kind of the error.
fn told(line: &Value) -> String {
    match line["error"]["kind"].as_str() {
        Some(kind) => kind.to_owned(),
        None => line["status"].to_string(),
    }
}

#[track_caller]
fn assert_once_each(lines: &[Value]) {
    assert_eq!(sorted(indexes(lines)), (0..lines.len() as u64).collect::<Vec<_>>());
}

#[track_caller]
fn assert_usage(ran: &Ran, names: &str, given: &str) {
    assert_eq!((ran.status, ran.lines.len()), (2, 0), "{given}");
    assert!(ran.stderr.contains(names), "{given}: {}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{given}: {}", ran.stderr);
}

// ---- running the program

/// Runs the program to its end.
fn ran(arguments: &[&str], input: &str) -> Ran {
    fetchpool(arguments, input.as_bytes())
}

/// The program on a terminal of its own, by util-linux's `script`, which every Linux has.
#[cfg(target_os = "linux")]
fn terminal(arguments: &[&str]) -> Running {
    let version = Command::new("script").arg("--version").output().expect("util-linux's script");
    assert!(String::from_utf8_lossy(&version.stdout).contains("util-linux"), "{version:?}");
    let quoted = |text: &&str| format!("'{}'", text.replace('\'', "'\\''"));
    let words = [&[env!("CARGO_BIN_EXE_fetchpool")], arguments].concat();
    let line = words.iter().map(quoted).collect::<Vec<_>>().join(" ");
    let mut command = Command::new("script");
    command.args(["-qefc", &format!("exec {line}"), "/dev/null"]);
    command.env("NO_COLOR", "1").env("TERM", "xterm");
    Running::of(command)
}
