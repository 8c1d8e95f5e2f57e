//! What the program prints.

use std::process::Command;

use super::support::program::{Ran, Running, fetchpool};
use super::support::script::Script;
use super::{SECRET, Said, private, ways};

fn all(ran: &Ran) -> String {
    format!("{}\n{}", ran.stdout, ran.stderr)
}

/// Lines of input with a secret at each place that has one.
fn lines(url: &str) -> String {
    let json = |members: &str| format!("{{\"url\": \"{url}\", {members}}}");
    let private = private(url);
    [
        private.clone(),
        format!("{{\"url\": \"{private}\"}}"),
        json(&format!(r#""headers": {{"AUTHORIZATION": "{SECRET}"}}"#)),
        json(&format!(r#""headers": {{"cookie": ["a={SECRET}"]}}"#)),
        json(&format!(r#""headers": {{"Authorization": "{SECRET}\u0000"}}"#)),
        json(&format!(r#""headers": {{"Authorization": {{"token": "{SECRET}"}}}}"#)),
        json(&format!(r#""headers": "Authorization: {SECRET}""#)),
        json(&format!(r#""method": "POST", "data": "{SECRET}""#)),
        json(&format!(r#""timeout": "{SECRET}""#)),
        format!("{{\"url\": \"{private}\", \"headers\": {{"),
        format!("{{\"url\": {{\"host\": \"{SECRET}\"}}}}"),
        format!("http://ann:{SECRET}@ho st/"),
        format!("ann:{SECRET}@host:99999/"),
    ]
    .join("\n")
}

#[test]
fn the_program_prints_no_secret_whatever_becomes_of_a_request() {
    let said = Said::default();
    let (_servers, ways) = ways();
    for (_, url, _) in ways {
        // What a server sends is printed as it came, where it is asked for: its fields, its body.
        if ["/fine", "/same", "/hop", "/status"].iter().any(|path| url.ends_with(path)) {
            continue;
        }
        let bearer = format!("Authorization: Bearer {SECRET}");
        let cookie = format!("COOKIE: {SECRET}");
        let mut arguments =
            vec!["--header", &bearer, "--header", &cookie, "--timeout", "1", "--threads", "13"];
        arguments.extend(["--max-body", "1000", "--retries", "0", "--input", "-"]);
        let ran = fetchpool(&arguments, lines(&url).as_bytes());
        assert_eq!(ran.lines.len(), 13, "{}", all(&ran));
        said.text(&url, all(&ran));
    }
    said.holds_no_secret();
}

#[test]
fn a_successful_line_has_the_url_without_its_user_information() {
    let said = Said::default();
    let server = Script::site(|_| super::ok("x"));
    let ran = fetchpool(&["--body", "--input", "-"], lines(&server.url("/")).as_bytes());
    said.text("lines", all(&ran));
    said.holds_no_secret();
    assert!(server.requests().iter().any(|request| request.header("authorization").is_some()));
}

#[test]
fn an_option_that_is_refused_is_not_repeated_with_its_secret() {
    let said = Said::default();
    for header in [
        format!("Authorization {SECRET}"),
        format!("Authorization: Bearer {SECRET}\n"),
        format!("Cookie : {SECRET}"),
        format!("Host: {SECRET}"),
        format!(": {SECRET}"),
        SECRET.to_owned(),
    ] {
        let ran = fetchpool(&["--header", &header, "http://127.0.0.1:1/"], b"");
        assert_eq!(ran.status, 2, "{}", all(&ran));
        assert!(ran.stderr.contains("--header"), "{}", ran.stderr);
        said.text("usage", all(&ran));
    }
    said.holds_no_secret();
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_is_shown_no_secret_and_obeys_no_server() {
    let said = Said::default();
    let hostile = "\x1b[31m\u{9b}31m\u{202e}\x07";
    let bytes = format!("HTTP/1.1 404 {hostile}\r\nX: {hostile}\r\nContent-Length: 0\r\n\r\n");
    let location = format!("HTTP/1.1 302 X\r\nLocation: ftp://bob:{SECRET}@h/{hostile}\r\n\r\n");
    let chunk = format!("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n{hostile}\r\n");
    for bytes in [bytes, location, chunk, hostile.to_owned()] {
        let server = Script::new().reply(bytes).close().serve();
        // `script` gives it a terminal.
        let program = env!("CARGO_BIN_EXE_fetchpool");
        let command =
            format!("{program} --header 'Cookie: {SECRET}' '{}'", private(&server.url("/")));
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
        script.env("NO_COLOR", "1").env("TERM", "xterm");
        let (_, shown) = Running::of(script).shown();
        assert!(shown.contains("127.0.0.1"), "{shown:?}");
        // The program's own: cursor and colours of the bar.
        let foreign = ["\x1b[31m", "\u{9b}", "\u{202e}", "\x07"];
        assert!(!foreign.iter().any(|foreign| shown.contains(foreign)), "{shown:?}");
        said.text("a terminal", shown);
    }
    said.holds_no_secret();
}
