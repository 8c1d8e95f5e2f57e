//! The table in `src/wire/framing.rs` is true: each row has its bytes here, a server sends them,
//! and what a session makes of them is, word for word, what the last column says.

mod support;

#[path = "framing/cases.rs"]
mod cases;

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use cases::{Row, Then};
use fetchpool::{Error, ErrorKind, Request, Response, Session, SessionConfig};
use support::script::{Gate, PATIENCE, Script, Server};

#[test]
fn every_row_of_the_table_has_its_bytes_and_comes_out_as_it_says() {
    let table = table();
    let rows = cases::rows();
    let written: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let played: Vec<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(written.iter().collect::<HashSet<_>>().len(), written.len(), "a row stands twice");
    assert_eq!(written, played, "left: the rows of the table, right: those with bytes");

    let mut wrong = Vec::new();
    for (row, (_, here)) in rows.iter().zip(&table) {
        assert!(!row.answers.is_empty(), "{} has no bytes", row.name);
        for answer in &row.answers {
            let outcome = play(row, answer);
            if outcome != *here {
                let shown = answer.get(..120).unwrap_or(answer).escape_ascii();
                wrong.push(format!("{}: {here}, but {outcome} of \"{shown}\"", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are not as the table says:\n{}", wrong.len(), wrong.join("\n"));
}

/// The first and the last column of each row.
fn table() -> Vec<(&'static str, &'static str)> {
    let source = include_str!("../src/wire/framing.rs");
    let lines = source.lines().filter_map(|line| line.strip_prefix("//! |"));
    let mut rows = lines.map(|line| {
        let cells: Vec<&str> = line.trim_end_matches('|').split('|').map(str::trim).collect();
        let cells: [&str; 6] = cells.try_into().expect("six columns");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{cells:?}");
        (cells[0], cells[5])
    });
    assert_eq!(rows.next(), Some(("what comes", "here")));
    assert_eq!(rows.next(), Some(("---", "---")));
    rows.collect()
}

/// What a session makes of one answer, in the words of the table's last column.
///
/// Whether the connection was kept is what the server saw: on which one the next request came.
fn play(row: &Row, answer: &[u8]) -> String {
    let (gate, sent) = (Gate::new(), Gate::new());
    let script = match row.then {
        Then::Wait => Script::new().reply(answer).reply(OK),
        Then::Close => Script::new().reply(answer).close(),
        Then::Drip => Script::new().drip(answer).reply(OK),
        Then::Late(count) => {
            let (now, late) = answer.split_at(answer.len() - count);
            Script::new().reply(now).wait(&gate).send(late).open(&sent).reply(OK)
        }
    };
    let server = script.accept().reply(OK).serve();
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    let mut session = Session::new(config).expect("settings without a fault");
    let request = if row.to_head { Request::head } else { Request::get };
    let response = match session.request(request(server.url("/1"))) {
        Ok(response) => response,
        Err(error) => {
            let next = session.request(server.url("/2")).expect("a response on a new connection");
            assert_eq!((next.bytes(), server.connections()), (&b"ok"[..], 2), "{}", row.name);
            return fault(&error);
        }
    };
    if response.url().ends_with("/2") {
        assert_eq!(response.bytes(), b"ok", "{}", row.name);
        return format!("followed, {}", fate(&server));
    }
    if let Then::Late(_) = row.then {
        gate.open();
        assert!(sent.wait(), "{}", row.name);
        // What counts as back to back is over (about a millisecond), and the bytes are here.
        thread::sleep(Duration::from_millis(10));
    }
    let next = session.request(server.url("/2")).expect("a second response");
    assert_eq!(next.bytes(), b"ok", "the response to the next request, behind {}", row.name);
    let fate = if let Then::Close = row.then { "until close" } else { fate(&server) };
    format!("{}, {fate}", body(&response))
}

fn fate(server: &Server) -> &'static str {
    if server.connections() == 1 { "kept" } else { "closed" }
}

/// The body, and what does not belong into the head.
fn body(response: &Response) -> String {
    let body = match response.bytes() {
        b"" => "no body".to_owned(),
        b"hello" => "hello".to_owned(),
        other => format!("\"{}\"", other.escape_ascii()),
    };
    let headers = response.headers();
    let both = ["content-length", "transfer-encoding"].iter().all(|name| headers.contains(name));
    if headers.contains("x-field") || headers.contains("set-cookie") || (body == "hello" && both) {
        return format!("{body} and {headers:?}");
    }
    body
}

/// What is wrong, in a word or two; all of the message if there is no word for it.
fn fault(error: &Error) -> String {
    let message = error.message();
    let word = match error.kind() {
        ErrorKind::Closed => return "cut short".to_owned(),
        ErrorKind::TooLarge => LIMITS.iter().find(|name| message.contains(*name)).copied(),
        ErrorKind::Protocol => {
            FAULTS.iter().find(|(text, _)| message.contains(text)).map(|(_, word)| *word)
        }
        _ => None,
    };
    word.map_or_else(|| format!("{:?}: {message}", error.kind()), |word| format!("error: {word}"))
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const LIMITS: [&str; 4] =
    ["body_bytes", "interim_responses", "chunk_extension_bytes", "trailer_bytes"];

const FAULTS: [(&str, &str); 13] = [
    ("expected \"HTTP/1.\"", "not HTTP"),
    ("expected a status line", "status line"),
    ("expected a header field", "field"),
    ("is folded over two lines", "fold"),
    ("101 switches to a protocol", "switch"),
    ("Content-Length must be one number", "length"),
    ("more than one Content-Length", "lengths differ"),
    ("both Content-Length and Transfer-Encoding", "both fields"),
    ("the only transfer coding is chunked", "coding"),
    ("expected a chunk size", "chunk size"),
    ("expected CRLF at the end of a chunk", "chunk end"),
    ("expected a trailer field", "trailer"),
    ("bytes at a place where none belong", "out of step"),
];
