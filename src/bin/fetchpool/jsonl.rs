//! One JSON object a line. The members and their order are an interface.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fetchpool::{Headers, Hop, Response};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::ser::Formatter;

use crate::finished::{Failure, Finished};

/// Prints each job that is over as one line, with one write, and flushes it.
#[derive(Debug)]
pub(crate) struct Jsonl<W> {
    out: W,
    with_body: bool,
    /// Kept from line to line.
    line: Vec<u8>,
}

impl<W: Write> Jsonl<W> {
    pub(crate) fn new(out: W, with_body: bool) -> Self {
        Self { out, with_body, line: Vec::new() }
    }

    pub(crate) fn print(&mut self, finished: &Finished<'_>) -> io::Result<()> {
        self.line.clear();
        let mut json = serde_json::Serializer::with_formatter(&mut self.line, OneLine);
        Line { finished, with_body: self.with_body }.serialize(&mut json)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)?;
        self.out.flush()?;
        if self.line.capacity() > KEPT_BYTES {
            self.line = Vec::new();
        }
        Ok(())
    }
}

/// What is kept of a long line's memory for the next one.
const KEPT_BYTES: usize = 1024 * 1024;

struct Line<'a> {
    finished: &'a Finished<'a>,
    with_body: bool,
}

// By hand, because a map of serde_json sorts its members.
impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Finished { id, index, method, url, result } = self.finished;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", id)?;
        map.serialize_entry("index", index)?;
        map.serialize_entry("request", &Members([("method", *method), ("url", url.as_ref())]))?;
        map.serialize_entry("ok", &result.is_ok())?;
        match result {
            Ok(response) => {
                map.serialize_entry("status", &response.status())?;
                map.serialize_entry("reason", response.reason())?;
                map.serialize_entry("url", response.url())?;
                map.serialize_entry("http_version", &response.version().to_string())?;
                map.serialize_entry("headers", &Pairs(response.headers()))?;
                map.serialize_entry("elapsed", &response.elapsed().as_secs_f64())?;
                map.serialize_entry("history", &History(response.history()))?;
                if self.with_body {
                    body(response, &mut map)?;
                }
            }
            Err(Failure { kind, message }) => {
                let error = Members([("kind", kind.as_str()), ("message", message.as_str())]);
                map.serialize_entry("error", &error)?;
            }
        }
        map.end()
    }
}

fn body<M: serde::ser::SerializeMap>(response: &Response, map: &mut M) -> Result<(), M::Error> {
    match std::str::from_utf8(response.bytes()) {
        Ok(text) => map.serialize_entry("body", text),
        Err(_) => map.serialize_entry("body_base64", &STANDARD.encode(response.bytes())),
    }
}

/// An object of texts.
struct Members<'a, const N: usize>([(&'a str, &'a str); N]);

impl<const N: usize> Serialize for Members<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

/// `[[name, value], …]`: order and duplicates matter, so it is no object.
struct Pairs<'a>(&'a Headers);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

/// `[{"status", "url"}, …]`
struct History<'a>(&'a [Hop]);

impl Serialize for History<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Passed))
    }
}

struct Passed<'a>(&'a Hop);

impl Serialize for Passed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("status", &self.0.status())?;
        map.serialize_entry("url", self.0.url())?;
        map.end()
    }
}

/// Compact JSON that also escapes what breaks a line for some readers (NEL, U+2028, U+2029) and
/// what a terminal obeys (DEL, C1). JSON itself asks only for C0; the text stays the same.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c| matches!(c, '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}'))
        {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use fetchpool::Request;
    use serde_json::{Value, json};

    use super::*;
    use crate::finished::Left;
    use crate::input::Ticket;

    /// A writer that tells its calls apart.
    #[derive(Default)]
    struct Calls(Vec<String>);

    impl Write for Calls {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.push("flush".into());
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_write_and_one_flush_with_its_members_in_order() {
        let ticket = Ticket { id: json!({"b": 1, "a": [null]}), index: 9 };
        let request = Request::put("http://h/\"").tag(ticket);
        let mut jsonl = Jsonl::new(Calls::default(), true);
        jsonl.print(&Finished::never_started(&request, Left::Cancelled)).unwrap();
        let line = concat!(
            r#"{"id":{"a":[null],"b":1},"index":9,"#,
            r#""request":{"method":"PUT","url":"http://h/\""},"ok":false,"#,
            r#""error":{"kind":"cancelled","message":"cancelled before it was started"}}"#,
            "\n"
        );
        assert_eq!(jsonl.out.0, [line, "flush"]);
    }

    #[test]
    fn no_text_breaks_a_line_or_commands_a_terminal() {
        let text = "a\u{7f}ü\u{85}\u{9b}2J\u{2028}\u{2029}\x1b\r\nz";
        let mut line = Vec::new();
        let mut json = serde_json::Serializer::with_formatter(&mut line, OneLine);
        text.serialize(&mut json).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(!line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')));
        assert!(line.contains('ü'), "what is harmless is left alone");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), json!(text));
    }
}
