//! `--output`: bodies as files, as they come.

use serde_json::json;

use super::support::program::{Folder, fetchpool};
use super::support::script::{Script, Server, ok, reply};
use super::{all_told, names, path, pattern, read};

/// In pieces, without a word on how much it will be.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(1000) {
        bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        bytes.extend([piece, b"\r\n"].concat());
    }
    [bytes, b"0\r\n\r\n".to_vec()].concat()
}

fn sized() -> Server {
    Script::site(|request| match request.target().as_str() {
        "/fits" => ok(pattern(5000)),
        "/fits-chunked" => chunked(&pattern(5000)),
        "/long" => ok(pattern(5001)),
        "/long-chunked" => chunked(&pattern(5001)),
        "/gone" => reply("404 Not Found", "", "no such page"),
        "/gone-long" => reply("404 Not Found", "", pattern(5001)),
        "/none" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        _ => ok(""),
    })
}

#[test]
fn a_body_longer_than_max_body_is_too_large_and_leaves_nothing() {
    let server = sized();
    let paths = ["/fits", "/fits-chunked", "/long", "/long-chunked", "/gone-long"];
    let urls = paths.map(|path| server.url(path));
    let urls = urls.each_ref().map(String::as_str);
    for options in [&[][..], &["--range-resume"], &["--body"]] {
        let folder = Folder::new("max-body");
        let limit = ["--output", path(&folder), "--max-body", "5000"];
        let ran = fetchpool(&[options, &limit, &urls].concat(), b"");
        let told = ["200", "200", "too_large", "too_large", "too_large"];
        assert_eq!((&all_told(&ran)[..], ran.status), (&told.map(str::to_owned)[..], 1));
        assert_eq!(names(&folder), ["000000-fits", "000001-fits-chunked"], "{options:?}");
        assert!(read(&folder, "000000-fits") == pattern(5000));
        assert!(read(&folder, "000001-fits-chunked") == pattern(5000));
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn a_page_of_an_error_and_no_body_at_all_are_saved_too() {
    let server = sized();
    let head = json!({"url": server.url("/fits"), "method": "HEAD"}).to_string();
    for options in [&[][..], &["--range-resume"], &["--body"]] {
        let folder = Folder::new("pages");
        let urls = ["/gone", "/none", "/empty"].map(|path| server.url(path));
        let urls = urls.each_ref().map(String::as_str);
        let output = ["--output", path(&folder), "--input", "-"];
        let ran = fetchpool(&[options, &output, &urls].concat(), head.as_bytes());
        let told: Vec<String> = ["404", "204", "200", "200"].map(str::to_owned).to_vec();
        assert_eq!((all_told(&ran), ran.status, ran.stderr.as_str()), (told, 0, ""));
        assert_eq!(names(&folder), ["000000-gone", "000001-none", "000002-empty", "000003-fits"]);
        assert_eq!(read(&folder, "000000-gone"), b"no such page");
        for empty in ["000001-none", "000002-empty", "000003-fits"] {
            assert_eq!(read(&folder, empty), b"", "{empty}");
        }
    }
}

#[test]
fn a_file_is_named_alike_whatever_the_status_is_and_shows_no_password() {
    let server = Script::site(|request| match request.target().contains("good") {
        true => ok("x"),
        false => reply("404 Not Found", "", "x"),
    });
    let folder = Folder::new("named-alike");
    let private = server.url("/d/good.txt").replace("://", "://ann:hunter2@");
    let urls = [server.url("/good@b c"), server.url("/bad@b c"), private];
    let urls = urls.each_ref().map(String::as_str);
    let ran = fetchpool(&[&["--output", path(&folder)], &urls[..]].concat(), b"");
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert_eq!(names(&folder), ["000000-good_b_c", "000001-bad_b_c", "000002-good.txt"]);
}

#[test]
fn a_body_is_in_its_line_and_in_its_file_where_both_are_asked_for() {
    let server = Script::site(|_| ok("text"));
    let folder = Folder::new("both");
    let ran = fetchpool(&["--output", path(&folder), "--body", &server.url("/a")], b"");
    assert_eq!((&ran.lines[0]["body"], ran.status), (&json!("text"), 0));
    assert_eq!(read(&folder, "000000-a"), b"text");
    assert_eq!(names(&folder), ["000000-a"]);
}

#[test]
fn a_file_may_be_longer_than_what_memory_may_take() {
    const LONG: usize = (64 << 20) + 1;
    let server = Script::site(|_| ok(vec![b'x'; LONG]));
    let folder = Folder::new("long");
    let ran = fetchpool(&["--output", path(&folder), &server.url("/a")], b"");
    assert_eq!((all_told(&ran), ran.status), (vec!["200".to_owned()], 0), "{}", ran.stdout);
    let length = std::fs::metadata(folder.0.join("000000-a")).unwrap().len();
    assert_eq!(length, LONG as u64);
    let both = fetchpool(&["--output", path(&folder), "--body", &server.url("/b")], b"");
    assert_eq!(all_told(&both), ["too_large"]);
}

#[test]
fn a_body_that_breaks_off_leaves_nothing_and_an_earlier_file_alone() {
    let cut =
        b"HTTP/1.1 200 OK\r\nETag: \"v\"\r\nContent-Length: 9\r\nConnection: close\r\n\r\nshort";
    let server = Script::site(|_| cut.to_vec());
    let folder = Folder::new("broken");
    folder.file("000000-a", b"of yesterday");
    let ran = fetchpool(&["--output", path(&folder), &server.url("/a")], b"");
    assert_eq!((all_told(&ran), ran.status), (vec!["closed".to_owned()], 1));
    assert_eq!(names(&folder), ["000000-a"]);
    assert_eq!(read(&folder, "000000-a"), b"of yesterday");
}

/// By util-linux's `script`, as the other tests on a terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_told_how_long_a_body_was_that_went_to_a_file() {
    use super::support::program::Running;
    use std::process::Command;
    let server = Script::site(|_| ok(pattern(5000)));
    let folder = Folder::new("terminal");
    let program = env!("CARGO_BIN_EXE_fetchpool");
    let line = format!("exec '{program}' --output '{}' '{}'", path(&folder), server.url("/a"));
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).env("NO_COLOR", "1").env("TERM", "xterm");
    let (status, shown) = Running::of(command).shown();
    assert_eq!(status, 0, "{shown}");
    assert_eq!(shown.matches("4.88 KiB").count(), 2, "of the line and in all: {shown}");
}
