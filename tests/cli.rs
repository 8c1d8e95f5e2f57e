//! The command line as other programs see it: arguments, lines and exit status.
#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::program::{Folder, LIMIT, Running, fetchpool};

// ---- lines

#[test]
fn a_response_is_one_line_with_its_members_in_the_documented_order() {
    let server = Server::start(|_| reply("200 Fine", "X-A: 1\r\nx-a: 2\r\n", b"h\xc3\xa9\x1b"));
    let url = server.url("/p?q=1");
    let line = json!({"id": {"n": [1]}, "url": url}).to_string();
    let ran = fetchpool(&["--input", "-", "--body"], line.as_bytes());
    let elapsed = ran.lines[0]["elapsed"].as_f64().expect("seconds");
    assert!(elapsed > 0.0 && elapsed < 60.0, "{elapsed}");
    assert_eq!(
        ran.stdout.replace(&elapsed.to_string(), "ELAPSED"),
        format!(
            "{{\"id\":{{\"n\":[1]}},\"index\":0,\"request\":{{\"method\":\"GET\",\"url\":\"{url}\"}},\
             \"ok\":true,\"status\":200,\"reason\":\"Fine\",\"url\":\"{url}\",\"http_version\":\"1.1\",\
             \"headers\":[[\"X-A\",\"1\"],[\"x-a\",\"2\"],[\"Content-Length\",\"4\"]],\
             \"elapsed\":ELAPSED,\"history\":[],\"body\":\"hé\\u001b\"}}\n"
        )
    );
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}

#[test]
fn a_failure_is_one_line_with_its_members_in_the_documented_order() {
    let ran = fetchpool(&["htp://example.com/"], b"");
    let message = ran.lines[0]["error"]["message"].as_str().expect("text");
    assert_eq!(
        ran.stdout,
        format!(
            "{{\"id\":null,\"index\":0,\"request\":{{\"method\":\"GET\",\"url\":\"htp://example.com/\"}},\
             \"ok\":false,\"error\":{{\"kind\":\"invalid_url\",\"message\":{}}}}}\n",
            json!(message)
        )
    );
    assert_eq!(ran.status, 1);
}

#[test]
fn the_body_is_there_only_when_asked_for_and_in_base64_where_it_is_no_text() {
    let server = Server::start(|_| reply("200 OK", "", b"\xff\x00\xfe"));
    let ran = fetchpool(&["--body", &server.url("/")], b"");
    assert_eq!(ran.lines[0]["body_base64"], "/wD+");
    assert_eq!(ran.lines[0].get("body"), None);
    let ran = fetchpool(&[&server.url("/")], b"");
    assert!(ran.lines[0].get("body").is_none() && ran.lines[0].get("body_base64").is_none());
}

#[test]
fn redirects_that_were_followed_are_the_history() {
    let server = Server::start(|request| match request.path.as_str() {
        "/a" => reply("302 Found", "Location: /b\r\n", b""),
        "/b" => reply("301 Moved", "Location: c?d\r\n", b""),
        _ => reply("200 OK", "", b"end"),
    });
    let line = &fetchpool(&["--body", &server.url("/a")], b"").lines[0];
    assert_eq!(
        line["history"],
        json!([
            {"status": 302, "url": server.url("/a")}, {"status": 301, "url": server.url("/b")}
        ])
    );
    assert_eq!((&line["url"], &line["body"]), (&json!(server.url("/c?d")), &json!("end")));
    let no = json!({"url": server.url("/a"), "allow_redirects": false}).to_string();
    let line = &fetchpool(&["--input", "-"], no.as_bytes()).lines[0];
    assert_eq!((&line["status"], &line["ok"]), (&json!(302), &json!(true)));
}

#[test]
fn an_id_of_any_type_comes_back_and_none_is_null() {
    let server = Server::start(|_| reply("204 No Content", "", b""));
    let ids = [
        json!(0),
        json!(-1.5),
        json!(u64::MAX),
        json!("ü\n"),
        json!(true),
        json!(null),
        json!([1, [2]]),
        json!({"a": {"b": null}}),
    ];
    let mut input: Vec<u8> = Vec::new();
    for id in &ids {
        writeln!(input, "{}", json!({"id": id, "url": server.url("/")})).unwrap();
    }
    writeln!(input, "{}", server.url("/")).unwrap();
    let ran = fetchpool(&["--input", "-"], &input);
    for (line, id) in ran.in_order().iter().zip(ids.iter().chain([&Value::Null])) {
        assert_eq!((&line["id"], &line["ok"]), (id, &json!(true)));
    }
    assert_eq!((ran.lines.len(), ran.status), (9, 0));
}

#[test]
fn nothing_that_a_terminal_obeys_or_that_breaks_a_line_passes() {
    let reply = "HTTP/1.1 200 a\u{9b}b\r\nX: c\u{85}d\u{2028}e\r\nContent-Length: 4\r\n\r\n\u{7f}\u{1b}\u{9b}";
    let server = Server::start(move |_| reply.as_bytes().to_vec());
    let ran = fetchpool(&["--body", &server.url("/")], b"");
    let line = ran.stdout.trim_end();
    assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}'), "{line:?}");
    assert_eq!(ran.lines[0]["body"], "\u{7f}\u{1b}\u{9b}");
}

#[test]
fn user_information_is_never_printed() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let good = server.url("/").replace("http://", "http://user:hunter2@");
    let ran = fetchpool(
        &[
            &good,
            "http://user:hunter2@127.0.0.1:bad/",
            "ftp://user:hunter2@h/",
            "http://user:hunter2/hunter2@h/",
            &format!("http://user:hunter2@{}/", closed_port()),
        ],
        b"",
    );
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
    assert_eq!((ran.lines.len(), ran.status), (5, 1));
    // It was sent, though.
    assert_eq!(server.received()[0].header("authorization"), ["Basic dXNlcjpodW50ZXIy"]);
}

// ---- input

#[test]
fn arguments_come_first_then_the_input_and_blank_lines_do_not_count() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let (a, b, c, d) = (server.url("/a"), server.url("/b"), server.url("/c"), server.url("/d"));
    let object = json!({"url": d, "method": "delete"});
    let input = format!("\u{feff}\r\n{b}\r\n\n \t \n  {c} \n\r\n{object}");
    let ran = fetchpool(&[&a, "--input", "-"], input.as_bytes());
    let asked: Vec<_> = ran.in_order().iter().map(|line| line["request"].clone()).collect();
    let get = |url| json!({"method": "GET", "url": url});
    assert_eq!(asked, [get(a), get(b), get(c), json!({"method": "DELETE", "url": d})]);
    assert_eq!(ran.status, 0);
}

#[test]
fn a_line_that_cannot_be_read_is_an_outcome_and_the_others_go_on() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let url = server.url("/");
    let bad: [&[u8]; 16] = [
        b"{",
        b"{\"url\": \"http://h/\"} x",
        b"[\"http://h/\"]",
        b"42",
        b"null",
        b"true",
        b"http://h/\xff",
        b"{}",
        b"{\"url\": 7}",
        b"{\"url\": \"http://h/\", \"method\": 1}",
        b"{\"url\": \"http://h/\", \"metod\": \"GET\"}",
        b"{\"url\": \"http://h/\", \"timeout\": \"soon\"}",
        b"{\"url\": \"http://h/\", \"headers\": [\"A\"]}",
        b"{\"url\": \"http://h/\", \"headers\": {\"A\": \"b\\r\\nC: d\"}}",
        b"{\"url\": \"http://h/\", \"headers\": {\"Host\": \"x\"}}",
        b"{\"url\": \"http://h/\", \"allow_redirects\": 1, \"id\": \"known\"}",
    ];
    let mut input = Vec::new();
    for line in bad {
        input.extend_from_slice(line);
        writeln!(input, "\n{url}").unwrap();
    }
    let ran = fetchpool(&["--input", "-"], &input);
    let lines = ran.in_order();
    assert_eq!((lines.len(), ran.status), (32, 1));
    for (pair, line) in lines.chunks(2).zip(bad) {
        let line = String::from_utf8_lossy(line);
        assert_eq!(pair[0]["error"]["kind"], "invalid_request", "{line}");
        assert_ne!(pair[0]["error"]["message"], "", "{line}");
        assert_eq!(pair[1]["status"], 200, "{line}");
    }
    assert_eq!(lines[0]["request"], json!({"method": "GET", "url": ""}));
    assert_eq!(lines[30]["id"], "known");
    assert_eq!(ran.stderr, "");
}

#[test]
fn params_and_headers_mean_what_they_mean_in_requests() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let object = json!({
        "url": server.url("/p?first=1"),
        "params": {"a": ["x y", 2], "gone": null, "t": true},
        "headers": {"user-agent": "mine", "Accept": null, "X-Many": ["1", "2"]},
    });
    let ran = fetchpool(&["--input", "-"], object.to_string().as_bytes());
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    let request = &server.received()[0];
    assert_eq!(request.path, "/p?first=1&a=x+y&a=2&t=true");
    assert_eq!(request.header("user-agent"), ["mine"]);
    assert_eq!(request.header("accept"), [""; 0]);
    assert_eq!(request.header("x-many"), ["1", "2"]);
    assert_eq!(ran.lines[0]["request"]["url"], server.url("/p?first=1"), "as it was given");
}

#[test]
fn bodies_are_data_json_or_a_form() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let (data, json, form) = (server.url("/data"), server.url("/json"), server.url("/form"));
    let input = format!(
        "{}\n{}\n{}\n",
        json!({"url": data, "method": "PUT", "data": "raw ü"}),
        json!({"url": json, "method": "POST", "json": {"a": [1, null]}}),
        json!({"url": form, "method": "POST", "form": {"a b": "c&d", "e": [1, 2]}}),
    );
    assert_eq!(fetchpool(&["--input", "-", "--threads", "1"], input.as_bytes()).status, 0);
    let received = server.received();
    let told = |request: &Received| {
        let kind = request.header("content-type").first().cloned().unwrap_or_default();
        (request.method.clone(), kind, String::from_utf8(request.body.clone()).unwrap())
    };
    let expected = |method: &str, kind: &str, body: &str| {
        (method.to_owned(), kind.to_owned(), body.to_owned())
    };
    assert_eq!(told(&received[0]).2, "raw ü");
    assert_eq!(told(&received[1]), expected("POST", "application/json", "{\"a\":[1,null]}"));
    let form = expected("POST", "application/x-www-form-urlencoded", "a+b=c%26d&e=1&e=2");
    assert_eq!(told(&received[2]), form);
}

#[test]
fn each_line_is_out_before_the_next_answer_comes() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let server = Server::start(move |request| {
        if request.path == "/second" {
            // Ends when the test has read the first line, or has failed.
            let _ = held.lock().unwrap().recv();
        }
        reply("200 OK", "", b"")
    });
    let arguments = ["--threads", "1", &server.url("/first"), &server.url("/second")];
    let mut running = Running::start(&arguments);
    assert_eq!(running.line()["request"]["url"], server.url("/first"));
    release.send(()).unwrap();
    assert_eq!(running.line()["request"]["url"], server.url("/second"));
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_line_is_answered_before_the_next_one_is_written() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let mut running = Running::start(&["--input", "-"]);
    for index in 0..3 {
        running.write(&format!("{}\n", server.url("/")));
        assert_eq!(running.line()["index"], index);
    }
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_closed_stdout_ends_the_program_quietly() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let mut running = Running::start(&["--input", "-", "--threads", "2"]);
    let url = server.url("/");
    running.write(&format!("{url}\n"));
    running.line();
    running.close_stdout();
    // Goes on until nobody reads; a program that does not end fails at the limit.
    let began = Instant::now();
    while running.try_write(&format!("{url}\n")).is_ok() {
        assert!(began.elapsed() < LIMIT, "it reads on, though its stdout is closed");
    }
    assert_eq!(running.end(), (0, String::new()));
}

// ---- exit status

#[test]
fn any_status_is_ok_and_no_response_is_not() {
    let server = Server::start(|request| reply(&request.path[1..].replace('-', " "), "", b""));
    let (missing, broken) = (server.url("/404-Not-Found"), server.url("/500-Oh"));
    assert_eq!(fetchpool(&[&missing, &broken], b"").status, 0);
    let refused = format!("http://{}/", closed_port());
    let ran = fetchpool(&[&missing, &refused, &broken], b"");
    assert_eq!(ran.status, 1);
    assert_eq!(ran.in_order()[1]["error"]["kind"], "connect");
    assert_eq!(fetchpool(&["--input", "-"], b"\n\n").status, 0, "nothing failed");
}

#[test]
fn what_cannot_be_begun_is_a_usage_error_and_sends_nothing() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let url = server.url("/");
    let folder = Folder::new("usage");
    let no_certificates = folder.file("empty.pem", b"nothing\n");
    let here = folder.0.to_str().unwrap();
    for arguments in [
        &[][..],
        &["--threads", "4"],
        &["--no-such-option", &url],
        &["--proxy", "ftp://h/", &url],
        &["--threads", "0", &url],
        &["--timeout", "0", &url],
        &["--timeout", "-1", &url],
        &["--timeout", "NaN", &url],
        &["--rate", "0", &url],
        &["--max-body", "1k", &url],
        &["--max-redirects", "-1", &url],
        &["--retries", "x", &url],
        &["--header", "no colon", &url],
        &["--header", "A: b\r\nC: d", &url],
        &["--header", "Host: h", &url],
        &["--header", "content-length: 1", &url],
        &["--header", "Transfer-Encoding: chunked", &url],
        &["--header", "Connection: close", &url],
        &["--user-agent", "a\nb", &url],
        &["--ca-file", "/no/such/file", &url],
        &["--ca-file", &no_certificates, &url],
        &["--input", "/no/such/file", &url],
        &["--input", here, &url],
        &["--output", &no_certificates, &url],
        &["--demo", &url],
    ] {
        let ran = fetchpool(arguments, b"");
        assert_eq!(ran.status, 2, "{arguments:?} {}", ran.stdout);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert_ne!(ran.stderr, "", "{arguments:?}");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    assert!(server.received().is_empty());
}

#[cfg(unix)]
#[test]
fn a_signal_cancels_what_runs_and_accounts_for_all_of_it() {
    for signal in ["INT", "TERM"] {
        let (seen, requests) = mpsc::channel();
        let (_hold, held) = mpsc::channel::<()>();
        let (seen, held) = (Mutex::new(seen), Mutex::new(held));
        let server = Server::start(move |_| {
            seen.lock().unwrap().send(()).unwrap();
            // Ends with the test.
            let _ = held.lock().unwrap().recv();
            Vec::new()
        });
        let url = server.url("/");
        // stdin stays open: a worker that waits for a line must be woken too.
        let mut running =
            Running::start(&["--threads", "2", "--input", "-", &url, &url, &url, &url, &url]);
        requests.recv_timeout(LIMIT).expect("a first request");
        requests.recv_timeout(LIMIT).expect("a second request, on the other thread");
        running.signal(signal);
        let mut indexes: Vec<_> = (0..5)
            .map(|_| {
                let line = running.line();
                assert_eq!(line["error"]["kind"], "cancelled", "{line}");
                line["index"].as_u64().expect("a number")
            })
            .collect();
        indexes.sort_unstable();
        assert_eq!(indexes, [0, 1, 2, 3, 4]);
        assert_eq!(running.wait(), (130, String::new()));
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_for_a_silent_stdin() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let mut running = Running::start(&["--input", "-"]);
    running.write(&format!("{}\n", server.url("/")));
    assert_eq!(running.line()["status"], 200);
    running.signal("INT");
    assert_eq!(running.wait(), (130, String::new()));
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_a_program_that_can_do_nothing_else() {
    let (seen, requests) = mpsc::channel();
    let seen = Mutex::new(seen);
    let server = Server::start(move |_| {
        // Nobody counts them behind the first.
        let _ = seen.lock().unwrap().send(());
        reply("200 OK", "", &[b'x'; 1 << 20])
    });
    // The lines are longer than a pipe, and this test does not read them.
    let url = server.url("/");
    let mut running = Running::start(&["--body", &url, &url, &url]);
    requests.recv_timeout(LIMIT).expect("a request");
    let began = Instant::now();
    let pause = Duration::from_millis(20);
    loop {
        running.signal("INT");
        // stderr ends with the program.
        match running.stderr.recv_timeout(pause) {
            Ok(said) => break assert_eq!(said, ""),
            Err(_) => assert!(began.elapsed() < LIMIT, "it does not end"),
        }
    }
    assert_eq!(running.child.wait().unwrap().code(), Some(130));
}

// ---- options

#[test]
fn a_header_option_replaces_the_default_and_may_be_repeated() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let arguments = ["--header", "ACCEPT: text/x", "--header", "X-Two:1", "--header", "x-two: 2"];
    let url = server.url("/");
    let own = json!({"url": url, "headers": {"X-Two": "own"}}).to_string();
    let agent = ["--user-agent", "agent/1", "--threads", "1", "--input", "-", &url];
    assert_eq!(fetchpool(&[&arguments[..], &agent].concat(), own.as_bytes()).status, 0);
    let received = server.received();
    assert_eq!(received[0].header("accept"), ["text/x"]);
    assert_eq!(received[0].header("x-two"), ["1", "2"]);
    assert_eq!(received[0].header("user-agent"), ["agent/1"]);
    assert_eq!(received[1].header("x-two"), ["own"]);
}

#[test]
fn output_writes_each_body_to_a_file_of_its_own_in_the_folder() {
    let server = Server::start(|request| reply("200 OK", "", request.path.as_bytes()));
    let folder = Folder::new("output");
    let (outside, inside) = (folder.file("outside", b"untouched"), folder.0.join("in/side"));
    fs::create_dir_all(&inside).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, inside.join("000000-a.txt")).unwrap();
    let paths = ["/d/a.txt?q=/b", "/", "/..%2f..%2Foutside", "/a\\..\\..\\outside"];
    let urls: Vec<_> = paths.iter().map(|path| server.url(path)).collect();
    let refused = format!("http://{}/", closed_port());
    let mut arguments = vec!["--output", inside.to_str().unwrap(), &refused];
    arguments.splice(2..2, urls.iter().map(String::as_str));
    let ran = fetchpool(&arguments, b"");
    assert_eq!((ran.lines.len(), ran.status, ran.stderr.as_str()), (5, 1, ""));
    let mut names: Vec<_> = fs::read_dir(&inside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["000000-a.txt", "000001", "000002-.._2f.._2Foutside", "000003-outside"]);
    assert_eq!(fs::read(inside.join("000000-a.txt")).unwrap(), b"/d/a.txt?q=/b");
    assert_eq!(fs::read(outside).unwrap(), b"untouched", "a link is replaced, not followed");
    let keys: Vec<_> = ran.lines[0].as_object().unwrap().keys().collect();
    assert!(!keys.iter().any(|key| *key == "output" || *key == "body"), "{keys:?}");
}

#[test]
fn a_body_that_cannot_be_written_is_the_failure_of_its_line_and_the_others_go_on() {
    let server = Server::start(|_| reply("200 OK", "", b"x"));
    let folder = Folder::new("unwritable");
    fs::create_dir_all(folder.0.join("000000-a").join("in the way")).unwrap();
    let output = folder.0.to_str().unwrap();
    let ran = fetchpool(&["--output", output, &server.url("/a"), &server.url("/b")], b"");
    assert_eq!((ran.lines.len(), ran.status, ran.stderr.as_str()), (2, 1, ""));
    let lines = ran.in_order();
    assert_eq!((&lines[0]["error"]["kind"], &lines[1]["status"]), (&json!("io"), &json!(200)));
    let message = lines[0]["error"]["message"].to_string();
    assert!(message.contains("000000-a"), "{message}");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2, "nothing half-written is left");
}

#[test]
fn a_body_that_was_in_memory_and_cannot_be_written_fails_the_run_and_not_the_line() {
    let server = Server::start(|request| match request.path.as_str() {
        "/gone" => reply("404 Not Found", "", b"x"),
        _ => reply("200 OK", "", b"x"),
    });
    for arguments in [&["--body", "/a"][..], &["/gone"]] {
        let (path, options) = arguments.split_last().unwrap();
        let folder = Folder::new("unwritable-memory");
        let name = format!("000000-{}", path.trim_start_matches('/'));
        fs::create_dir_all(folder.0.join(&name).join("in the way")).unwrap();
        let output = ["--output", folder.0.to_str().unwrap()];
        let urls = [server.url(path), server.url("/b")];
        let urls = urls.each_ref().map(String::as_str);
        let ran = fetchpool(&[options, &output, &urls].concat(), b"");
        assert_eq!((ran.lines.len(), ran.status), (2, 1));
        assert!(ran.lines.iter().all(|line| line["ok"] == true), "{}", ran.stdout);
        assert!(ran.stderr.contains(&name), "{}", ran.stderr);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2, "nothing half-written is left");
    }
}

#[test]
fn a_body_longer_than_max_body_is_too_large_also_when_it_was_packed() {
    let server = Server::start(|request| match request.path.as_str() {
        "/fits" => reply("200 OK", "", &[b'x'; 1000]),
        "/long" => reply("200 OK", "", &[b'x'; 1001]),
        _ => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            gzip.write_all(&[b'x'; 1001]).unwrap();
            reply("200 OK", "Content-Encoding: gzip\r\n", &gzip.finish().unwrap())
        }
    });
    let urls = ["/fits", "/long", "/packed"].map(|path| server.url(path));
    let ran = fetchpool(&["--max-body", "1000", &urls[0], &urls[1], &urls[2]], b"");
    let kinds: Vec<_> = ran.in_order().iter().map(|line| line["error"]["kind"].clone()).collect();
    assert_eq!(kinds, [json!(null), json!("too_large"), json!("too_large")]);
}

#[test]
fn redirects_beyond_max_redirects_are_too_many() {
    let server = Server::start(|request| {
        match request.path.trim_start_matches('/').parse::<u32>().unwrap_or(0) {
            0 => reply("200 OK", "", b""),
            left => reply("302 Found", &format!("Location: /{}\r\n", left - 1), b""),
        }
    });
    for (limit, hops, ok) in [("0", 0, true), ("0", 1, false), ("2", 2, true), ("2", 3, false)] {
        let ran = fetchpool(&["--max-redirects", limit, &server.url(&format!("/{hops}"))], b"");
        assert_eq!(ran.lines[0]["ok"], ok, "limit {limit}, {hops} redirects");
        if !ok {
            assert_eq!(ran.lines[0]["error"]["kind"], "too_many_redirects");
        }
    }
}

#[test]
fn retries_try_again_until_an_answer_that_counts() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 | 3 => reply("503 Busy", "Retry-After: 0\r\n", b""),
        _ => reply("200 OK", "", b""),
    });
    let ran = fetchpool(&["--retries", "2", &server.url("/")], b"");
    assert_eq!((&ran.lines[0]["status"], server.received().len()), (&json!(200), 2));
    assert_eq!(fetchpool(&[&server.url("/")], b"").lines[0]["status"], 200);
    assert_eq!(fetchpool(&[&server.url("/")], b"").lines[0]["status"], 503, "none by default");
}

#[test]
fn connections_are_kept_unless_told_otherwise() {
    let server = Server::start(|_| reply("200 OK", "", b"x"));
    let url = server.url("/");
    let urls = [url.as_str(); 5];
    fetchpool(&[&["--threads", "1"], &urls[..]].concat(), b"");
    assert_eq!(server.connections(), 1);
    let ran = fetchpool(&[&["--threads", "1", "--no-keepalive"], &urls[..]].concat(), b"");
    assert_eq!((server.connections(), ran.status), (6, 0));
    assert_eq!(server.received()[5].header("connection"), ["close"]);
}

#[test]
fn a_rate_spaces_the_starts() {
    let server = Server::start(|_| reply("200 OK", "", b""));
    let url = server.url("/");
    let began = Instant::now();
    let ran =
        fetchpool(&[&["--rate", "20", "--threads", "4"], &[url.as_str(); 6][..]].concat(), b"");
    // Six starts have five gaps of 50 ms; a gap less for a first one that may come early.
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    assert_eq!((ran.lines.len(), ran.status), (6, 0));
}

#[test]
fn a_request_that_takes_longer_than_its_timeout_has_timed_out() {
    let (_hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let server = Server::start(move |request| {
        if request.path == "/never" {
            // Ends with the test.
            let _ = held.lock().unwrap().recv();
        }
        reply("200 OK", "", b"")
    });
    let ran = fetchpool(&["--timeout", "0.2", &server.url("/never")], b"");
    assert_eq!((&ran.lines[0]["error"]["kind"], ran.status), (&json!("timeout"), 1));
    let own = json!({"url": server.url("/never"), "timeout": 0.2}).to_string();
    let ran = fetchpool(&["--input", "-"], own.as_bytes());
    assert_eq!(ran.lines[0]["error"]["kind"], "timeout");
    for huge in ["1e19", "1e300", "inf"] {
        let ran = fetchpool(&["--timeout", huge, "--connect-timeout", huge, &server.url("/")], b"");
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{huge}: {}", ran.stdout);
    }
}

#[test]
fn a_server_that_breaks_http_is_told_by_kind() {
    let server = Server::start(|request| match request.path.as_str() {
        "/protocol" => b"SSH-2.0-hello\r\n\r\n".to_vec(),
        "/closed" => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_vec(),
        "/decode" => reply("200 OK", "Content-Encoding: gzip\r\n", b"not gzip at all"),
        "/redirect" => reply("302 Found", "Location: http://\r\n", b""),
        _ => Vec::new(),
    });
    for kind in ["protocol", "closed", "decode", "redirect"] {
        let ran = fetchpool(&[&server.url(&format!("/{kind}"))], b"");
        assert_eq!(ran.lines[0]["error"]["kind"], kind, "{}", ran.stdout);
    }
}

#[test]
fn a_certificate_is_checked_against_the_file_or_not_at_all() {
    let server = TlsServer::start();
    let folder = Folder::new("tls");
    let ca = folder.file("ca.pem", server.pem.as_bytes());
    let ran = fetchpool(&[&server.url], b"");
    assert_eq!((&ran.lines[0]["error"]["kind"], ran.status), (&json!("tls"), 1));
    assert_eq!(fetchpool(&["--ca-file", &ca, &server.url], b"").lines[0]["status"], 200);
    assert_eq!(fetchpool(&["--insecure", &server.url], b"").lines[0]["status"], 200);
}

#[test]
fn the_demo_does_its_job_and_says_so() {
    let ran = fetchpool(&["--demo"], b"");
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("every job came back once"), "{}", ran.stdout);
    assert!(ran.stdout.contains("over 16 connections"), "{}", ran.stdout);
    let ran = fetchpool(&["--demo", "--jsonl", "--threads", "8"], b"");
    assert_eq!((ran.lines.len(), ran.status), (4_000, 0), "{}", ran.stderr);
}

#[test]
fn a_demo_that_does_not_go_as_expected_fails() {
    let ran = fetchpool(&["--demo", "--max-body", "1000"], b"");
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("too_large"), "{}", ran.stdout);
}

// ---- servers

/// A request as the server got it.
#[derive(Clone, Debug)]
struct Received {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    /// Every value of a field.
    fn header(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.clone()).collect()
    }
}

/// An HTTP server with keep-alive, a thread for each connection. Its answers are bytes; after one
/// that is not framed the connection is closed.
struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
}

impl Server {
    fn start(answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (seen, answer) = (Arc::new(Seen::default()), Arc::new(answer));
        let server = Self { address, seen: Arc::clone(&seen) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut input = BufReader::new(&stream);
                    while let Ok(Some(request)) = receive(&mut input) {
                        seen.requests.lock().unwrap().push(request.clone());
                        let bytes = answer(&request);
                        let close = request.header("connection") == ["close"] || !is_whole(&bytes);
                        if (&stream).write_all(&bytes).is_err() || close {
                            let _ = stream.shutdown(Shutdown::Both);
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    fn received(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }
}

/// A framed response.
fn reply(line: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = match line {
        "204 No Content" => String::new(),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    [format!("HTTP/1.1 {line}\r\n{fields}{length}\r\n").as_bytes(), body].concat()
}

/// Whether the body is as long as the head says.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let body = bytes.len() - head.len() - 4;
    text.starts_with("HTTP/1.1 204 ") || head.contains(&format!("Content-Length: {body}"))
}

fn receive(input: &mut impl io::BufRead) -> io::Result<Option<Received>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        line.clear();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Received { method, path, headers, body: Vec::new() };
    let length = request.header("content-length").first().and_then(|text| text.parse().ok());
    request.body.resize(length.unwrap_or(0), 0);
    input.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// An address where nobody listens.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// Answers every connection with one 200, behind a certificate of its own.
struct TlsServer {
    url: String,
    pem: String,
}

impl TlsServer {
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a key");
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let chain = vec![made.cert.der().clone()];
            builder.with_no_client_auth().with_single_cert(chain, key.expect("a PKCS#8 key"))
        });
        let config = Arc::new(config.expect("a usable certificate"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let url = format!("https://{}/", listener.local_addr().expect("it is bound"));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                thread::spawn(move || serve_tls(stream, config));
            }
        });
        Self { url, pem: made.cert.pem() }
    }
}

fn serve_tls(stream: TcpStream, config: Arc<rustls::ServerConfig>) {
    let Ok(session) = rustls::ServerConnection::new(config) else { return };
    let mut input = BufReader::new(rustls::StreamOwned::new(session, stream));
    // A client that does not trust us goes away.
    while let Ok(Some(_)) = receive(&mut input) {
        if input.get_mut().write_all(&reply("200 OK", "", b"secret")).is_err() {
            return;
        }
    }
}
