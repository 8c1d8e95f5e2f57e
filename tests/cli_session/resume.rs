//! `--range-resume`: a body that broke off is gone on with, by a retry or by another run.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::json;

use super::support::program::{Folder, LIMIT, Running, fetchpool};
use super::support::script::{Gate, Recorded, Script, Server, ok, reply};
use super::{all_told, names, path, pattern, read, told};

/// A server of one file that knows ranges, and cuts off its first answers behind so many bytes.
fn archive(body: &[u8], cuts: &[usize]) -> Server {
    let (body, cuts) = (body.to_vec(), Mutex::new(VecDeque::from(cuts.to_vec())));
    Script::site(move |request| {
        let answer = answer(request, &body);
        match cuts.lock().unwrap().pop_front() {
            Some(cut) => cut_off(&answer, cut),
            None => answer,
        }
    })
}

fn answer(request: &Recorded, body: &[u8]) -> Vec<u8> {
    let tag = "ETag: \"v1\"\r\n";
    let fits = request.header("if-range").is_none_or(|given| given == "\"v1\"");
    let Some(range) = request.header("range").filter(|_| fits) else {
        return reply("200 OK", tag, body);
    };
    let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
    let (from, whole): (usize, _) = (from.unwrap().parse().unwrap(), body.len());
    let fields = format!("{tag}Content-Range: bytes {from}-{}/{whole}\r\n", whole - 1);
    reply("206 Partial Content", &fields, &body[from..])
}

/// The answer without the end of its body, and a close behind it.
fn cut_off(answer: &[u8], cut: usize) -> Vec<u8> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    [&answer[..head], b"\r\nConnection: close\r\n\r\n", &answer[head + 4..][..cut]].concat()
}

fn ranges(server: &Server) -> Vec<String> {
    let range = |request: &Recorded| request.header("range").unwrap_or_default();
    server.requests().iter().map(range).collect()
}

/// That there is a part of the file with its note, and nothing else but these.
#[track_caller]
fn a_part_is_left(folder: &Folder, others: &[&str]) {
    let mut names = names(folder);
    names.retain(|name| !others.contains(&name.as_str()));
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("000000-file.") && names[0].ends_with(".part"), "{names:?}");
    assert_eq!(names[1], "000000-file.resume");
}

#[test]
fn retries_go_on_where_the_server_cut_until_the_file_is_whole() {
    let (folder, body) = (Folder::new("resume-retries"), pattern(1 << 20));
    let server = archive(&body, &[300_000, 1, 500_000]);
    let options = ["--output", path(&folder), "--range-resume", "--retries", "3"];
    let ran = fetchpool(&[&options[..], &[&server.url("/file?v=1")]].concat(), b"");
    assert_eq!((all_told(&ran), ran.status), (vec!["206".to_owned()], 0), "{}", ran.stdout);
    assert_eq!(ranges(&server), ["", "bytes=299999-", "bytes=299999-", "bytes=799998-"]);
    assert!(read(&folder, "000000-file") == body);
    assert_eq!(names(&folder), ["000000-file"], "no part is left");
    assert_eq!(ran.stderr, "");
}

#[test]
fn another_run_goes_on_where_the_first_was_cut() {
    let (folder, body) = (Folder::new("resume-run"), pattern(200_000));
    let server = archive(&body, &[50_000, 60_000]);
    folder.file("000000-file", b"of yesterday");
    let url = server.url("/file");
    let arguments = ["--output", path(&folder), "--range-resume", &url];
    for _ in 0..2 {
        let ran = fetchpool(&arguments, b"");
        assert_eq!((all_told(&ran), ran.status), (vec!["closed".to_owned()], 1));
        a_part_is_left(&folder, &["000000-file"]);
        assert_eq!(read(&folder, "000000-file"), b"of yesterday");
    }
    let ran = fetchpool(&arguments, b"");
    assert_eq!((all_told(&ran), ran.status), (vec!["206".to_owned()], 0), "{}", ran.stdout);
    assert_eq!(ranges(&server), ["", "bytes=49999-", "bytes=109998-"]);
    assert!(read(&folder, "000000-file") == body);
    assert_eq!(names(&folder), ["000000-file"]);
    // What is whole is fetched as a whole.
    assert_eq!(all_told(&fetchpool(&arguments, b"")), ["200"]);
    assert!(read(&folder, "000000-file") == body);
}

#[test]
fn a_run_without_the_option_leaves_no_part_and_goes_on_from_none() {
    let (folder, body) = (Folder::new("resume-not"), pattern(200_000));
    let server = archive(&body, &[50_000, 50_000]);
    let url = server.url("/file");
    let output = ["--output", path(&folder), &url];
    assert_eq!(all_told(&fetchpool(&output, b"")), ["closed"]);
    assert_eq!(names(&folder), [""; 0]);
    assert_eq!(all_told(&fetchpool(&[&["--range-resume"], &output[..]].concat(), b"")), ["closed"]);
    assert_eq!(all_told(&fetchpool(&output, b"")), ["200"]);
    assert_eq!(ranges(&server), [""; 3]);
    assert!(read(&folder, "000000-file") == body);
}

#[test]
fn a_file_that_has_changed_meanwhile_is_fetched_anew_and_never_made_of_two() {
    let (folder, body) = (Folder::new("resume-changed"), pattern(100_000));
    let new: Vec<_> = body.iter().map(|byte| byte ^ 0xff).collect();
    let (old, later) = (body.clone(), new.clone());
    let count = Mutex::new(0);
    let server = Script::site(move |request| {
        let mut count = count.lock().unwrap();
        *count += 1;
        match *count {
            1 => cut_off(&answer(request, &old), 40_000),
            _ => reply("200 OK", "ETag: \"v2\"\r\n", &later),
        }
    });
    let url = server.url("/file");
    let arguments = ["--output", path(&folder), "--range-resume", &url];
    assert_eq!(all_told(&fetchpool(&arguments, b"")), ["closed"]);
    assert_eq!(all_told(&fetchpool(&arguments, b"")), ["200"]);
    assert_eq!(ranges(&server), ["", "bytes=39999-"]);
    assert!(read(&folder, "000000-file") == new);
    assert_eq!(names(&folder), ["000000-file"]);
}

#[test]
fn a_page_of_an_error_in_between_costs_no_part() {
    let (folder, body) = (Folder::new("resume-page"), pattern(100_000));
    let (whole, count) = (body.clone(), Mutex::new(0));
    let server = Script::site(move |request| {
        let mut count = count.lock().unwrap();
        *count += 1;
        match *count {
            1 => cut_off(&answer(request, &whole), 40_000),
            2 => reply("503 Busy", "", "later"),
            _ => answer(request, &whole),
        }
    });
    let url = server.url("/file");
    let arguments = ["--output", path(&folder), "--range-resume", &url];
    assert_eq!(all_told(&fetchpool(&arguments, b"")), ["closed"]);
    assert_eq!(all_told(&fetchpool(&arguments, b"")), ["503"]);
    assert_eq!(read(&folder, "000000-file"), b"later");
    a_part_is_left(&folder, &["000000-file"]);
    assert_eq!(all_told(&fetchpool(&arguments, b"")), ["206"]);
    assert!(read(&folder, "000000-file") == body);
    assert_eq!(names(&folder), ["000000-file"]);
}

#[test]
fn what_cannot_be_gone_on_with_is_fetched_as_without_the_option() {
    let (folder, body) = (Folder::new("resume-others"), pattern(1000));
    let server = archive(&body, &[]);
    let input = format!(
        "{}\n{}\n",
        json!({"url": server.url("/post"), "method": "POST", "data": "x"}),
        json!({"url": server.url("/own"), "headers": {"range": "bytes=900-"}}),
    );
    let options = ["--output", path(&folder), "--range-resume", "--input", "-"];
    let ran = fetchpool(&options, input.as_bytes());
    assert_eq!(all_told(&ran), ["200", "206"], "{}", ran.stdout);
    assert!(read(&folder, "000000-post") == body);
    assert!(read(&folder, "000001-own") == body[900..]);
    assert_eq!(names(&folder), ["000000-post", "000001-own"]);
}

/// A server whose first answer stops half way until the gate is open, and is whole from then on.
fn halting(body: &[u8], gate: &Gate) -> Server {
    let mut half = reply("200 OK", "ETag: \"v1\"\r\n", body);
    half.truncate(half.len() - body.len() / 2);
    let whole = body.to_vec();
    let first = Script::new().reply(&half).wait(gate).close();
    first.accept().site_from_here(move |request| answer(request, &whole))
}

/// Waits until the body of a response has begun to come into the folder.
fn wait_for_a_part(folder: &Folder) {
    let began = Instant::now();
    while !names(folder).iter().any(|name| name.ends_with(".part")) {
        assert!(began.elapsed() < LIMIT, "nothing was begun");
        std::thread::yield_now();
    }
}

/// That the part is there for the next run, or else nothing is, and how that run ends.
#[track_caller]
fn the_next_run_is_right(
    server: &Server,
    folder: &Folder,
    arguments: &[&str],
    resumes: bool,
    body: &[u8],
) {
    match resumes {
        true => a_part_is_left(folder, &[]),
        false => assert_eq!(names(folder), [""; 0]),
    }
    let ran = fetchpool(arguments, b"");
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert_eq!(server.requests()[1].header("range").is_some(), resumes);
    assert!(read(folder, "000000-file") == body);
    assert_eq!(names(folder), ["000000-file"]);
}

#[test]
fn a_signal_in_the_middle_keeps_the_part_for_the_next_run_or_leaves_nothing() {
    let body = pattern(400_000);
    for options in [&["--range-resume"][..], &[]] {
        let (folder, gate) = (Folder::new("resume-signal"), Gate::new());
        let server = halting(&body, &gate);
        let url = server.url("/file");
        let arguments = [options, &["--output", path(&folder), &url]].concat();
        let mut running = Running::start(&arguments);
        wait_for_a_part(&folder);
        running.signal("TERM");
        assert_eq!(running.line()["error"]["kind"], "cancelled");
        assert_eq!(running.wait(), (130, String::new()));
        gate.open();
        the_next_run_is_right(&server, &folder, &arguments, !options.is_empty(), &body);
    }
}

#[test]
fn a_time_that_is_up_keeps_the_part_for_the_next_run_or_leaves_nothing() {
    let body = pattern(400_000);
    for clock in ["--timeout", "--deadline"] {
        for options in [&["--range-resume"][..], &[]] {
            let (folder, gate) = (Folder::new("resume-clock"), Gate::new());
            let server = halting(&body, &gate);
            let url = server.url("/file");
            let arguments = [options, &["--output", path(&folder), &url]].concat();
            let ran = fetchpool(&[&arguments[..], &[clock, "0.5"]].concat(), b"");
            assert_eq!((all_told(&ran), ran.status), (vec!["timeout".to_owned()], 1), "{clock}");
            gate.open();
            the_next_run_is_right(&server, &folder, &arguments, !options.is_empty(), &body);
        }
    }
}

#[test]
fn a_failure_that_ends_the_rest_and_a_closed_stdout_keep_the_part_or_leave_nothing() {
    let body = pattern(400_000);
    for fails in [true, false] {
        for options in [&["--range-resume"][..], &[]] {
            let (folder, gate) = (Folder::new("resume-end"), Gate::new());
            let server = halting(&body, &gate);
            let url = server.url("/file");
            let output = [options, &["--output", path(&folder)]].concat();
            let rest = ["--fail-early", "--threads", "2", "--input", "-", &url];
            let mut running = Running::start(&[&output[..], &rest].concat());
            wait_for_a_part(&folder);
            if fails {
                running.write("{}\n");
                let mut kinds = [running.line(), running.line()].map(|line| told(&line));
                kinds.sort();
                assert_eq!(kinds, ["cancelled", "invalid_request"]);
                assert_eq!(running.wait(), (1, String::new()));
            } else {
                let other = Script::site(|_| ok(""));
                running.write(&format!("{}\n", other.url("/")));
                assert_eq!(running.line()["status"], 200);
                running.close_stdout();
                let began = Instant::now();
                while running.try_write(&format!("{}\n", other.url("/"))).is_ok() {
                    assert!(began.elapsed() < LIMIT, "it goes on, though its stdout is closed");
                }
                assert_eq!(running.wait(), (0, String::new()));
            }
            gate.open();
            let others: Vec<_> =
                names(&folder).into_iter().filter(|name| !name.starts_with("000000")).collect();
            for other in others {
                assert!(other[6..].is_empty(), "{other}");
                std::fs::remove_file(folder.0.join(other)).unwrap();
            }
            let arguments = [&output[..], &[&url]].concat();
            the_next_run_is_right(&server, &folder, &arguments, !options.is_empty(), &body);
        }
    }
}
