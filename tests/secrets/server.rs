//! What a server sends is shown, and obeyed by no terminal.

use std::error::Error as _;

use fetchpool::{Error, Response, Session, SessionConfig};

use super::support::script::{PATIENCE, Script, redirect, reply};

/// What a terminal obeys (C0, DEL, C1), what breaks a line, and what turns the order of reading.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[track_caller]
fn is_harmless(what: &str, text: &str) {
    assert!(!text.contains(is_harmful), "{what}: {text:?}");
}

fn error_is_harmless(error: &Error) {
    is_harmless("an error", &error.to_string());
    is_harmless("its message", &error.message());
    is_harmless("its Debug", &format!("{error:?}"));
    is_harmless("its Debug", &format!("{error:#?}").replace('\n', ""));
    is_harmless("its URL", error.url().unwrap_or_default());
    let mut source = error.source();
    while let Some(error) = source {
        is_harmless("a source", &error.to_string());
        is_harmless("a source's Debug", &format!("{error:?}"));
        source = error.source();
    }
    if let Some(response) = error.response() {
        response_is_harmless(response);
    }
}

fn response_is_harmless(response: &Response) {
    is_harmless("a response", &format!("{response:?}"));
    is_harmless("a response", &format!("{response:#?}").replace('\n', ""));
    is_harmless("its history", &format!("{:?}", response.history()));
    is_harmless("its links", &format!("{:?}", response.links()));
    is_harmless("its URL", response.url());
}

/// Each as a server may send it: bytes, not text.
const HOSTILE: [&[u8]; 12] = [
    b"\x1b[31m",
    b"\x1b]0;title\x07",
    b"\x07\x08\x08",
    b"\r",
    b"\x0b\x0c",
    b"\x7f",
    // C1: as ISO-8859-1, and as UTF-8.
    b"\x9b31m",
    b"\xc2\x9b31m",
    "\u{85}\u{2028}\u{2029}".as_bytes(),
    "\u{202e}gpj.exe".as_bytes(),
    "\u{2066}\u{200f}\u{61c}".as_bytes(),
    b"\xff\xfe\0",
];

/// Places where a server can put them.
fn places(hostile: &[u8]) -> Vec<Vec<u8>> {
    let around =
        |before: &str, after: &str| [before.as_bytes(), hostile, after.as_bytes()].concat();
    vec![
        around("", "HTTP/1.1 200 OK\r\n\r\n"),
        around("HTTP/1.1 ", "\r\n\r\n"),
        around("HTTP/1.1 404 ", "\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nX", ": y\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nX: ", "\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nContent-Length: ", "\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nTransfer-Encoding: ", "\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nContent-Encoding: ", "\r\nContent-Length: 1\r\n\r\nx"),
        around("HTTP/1.1 200 OK\r\nLink: <http://h/", ">; rel=next\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nLink: <http://h/>; rel=\"", "\"\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n"),
        around("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "\r\nx\r\n0\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx", "\r\n0\r\n\r\n"),
        around("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "\r\n\r\n"),
        around("HTTP/1.1 302 X\r\nLocation: ", "\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 302 X\r\nLocation: ftp://h/", "\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 302 X\r\nLocation: http://", "\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/", "\r\nContent-Length: 0\r\n\r\n"),
        around("HTTP/1.1 302 X\r\nLocation: http://", "@[\r\nContent-Length: 0\r\n\r\n"),
    ]
}

#[test]
fn no_byte_of_a_server_reaches_a_terminal_as_it_is() {
    for hostile in HOSTILE {
        for bytes in places(hostile) {
            let server = Script::new().reply(&bytes).close().serve();
            let mut config = SessionConfig::new();
            config.timeout = Some(PATIENCE);
            match Session::new(config).unwrap().request(server.url("/")) {
                Err(error) => error_is_harmless(&error),
                Ok(response) => {
                    response_is_harmless(&response);
                    if let Err(error) = response.error_for_status() {
                        error_is_harmless(&error);
                    }
                }
            }
        }
    }
}

#[test]
fn user_information_that_a_server_sends_is_not_shown() {
    let location = "http://bob:Qx7-other-Zz@127.0.0.1:1/";
    let link = format!("Link: <{location}>; rel=next\r\nContent-Location: {location}\r\n");
    for bytes in [redirect(302, location), reply("200 OK", &link, "")] {
        let server = Script::new().reply(&bytes).close().serve();
        let mut config = SessionConfig::new();
        config.allow_redirects = false;
        let response = Session::new(config).unwrap().request(server.url("/")).unwrap();
        let shown = format!("{response:?} {:?} {:?}", response.headers(), response.links());
        assert!(shown.contains("127.0.0.1") && !shown.contains("other"), "{shown}");
    }
}
