//! From lines to requests: each line is read when there is room for it, and each that cannot be
//! read is a request that fails by itself.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use fetchpool::{Multipart, Request};
use serde_json::Value;

use crate::Usage;
use crate::feed::Feed;

/// What a job carries through the pool.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// As given, or `null`.
    pub(crate) id: Value,
    /// Counts the jobs from 0, in input order.
    pub(crate) index: u64,
}

/// A request for a URL of the command line.
pub(crate) fn from_argument(index: u64, url: &str, form: Option<&Multipart>) -> Request {
    from_url(url, form).tag(Ticket { id: Value::Null, index })
}

/// A URL alone is a GET, or sends the form that there is for all.
fn from_url(url: &str, form: Option<&Multipart>) -> Request {
    match form {
        Some(form) => Request::post(url).multipart(form.clone()),
        None => Request::get(url),
    }
}

/// Opens FILE, or stdin for `-`.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, Usage> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let refused = |error: io::Error| Usage(format!("--input {}: {error}", path.display()));
    let file = File::open(path).map_err(refused)?;
    // A folder opens well, and fails only when it is read.
    if file.metadata().map_err(refused)?.is_dir() {
        return Err(refused(io::ErrorKind::IsADirectory.into()));
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, file)))
}

/// Feeds every line that is not blank, until the input ends or the feed is stopped.
pub(crate) fn read(
    mut input: impl BufRead,
    feed: &Feed,
    first_index: u64,
    form: Option<&Multipart>,
) {
    let mut index = first_index;
    let fault = loop {
        let line = match next_line(&mut input, LINE_BYTES) {
            Ok(Some(line)) => line,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        let line = line.as_deref().map(|line| {
            // Some editors put a byte order mark in front of a file.
            if index == first_index {
                line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
            } else {
                line
            }
        });
        let (id, request) = match line.map(<[u8]>::trim_ascii) {
            Some([]) => continue,
            _ if !feed.begin() => return,
            Some(line) => from_line(line, form),
            None => (Value::Null, Request::invalid("the line is longer than 64 MiB")),
        };
        if !feed.push(request.tag(Ticket { id, index })) {
            return;
        }
        index += 1;
    };
    feed.close(fault);
}

/// The next line without its end, or `Some(None)` for one that is too long, which is skipped.
fn next_line(input: &mut impl BufRead, limit: u64) -> io::Result<Option<Option<Vec<u8>>>> {
    let mut line = Vec::new();
    input.by_ref().take(limit).read_until(b'\n', &mut line)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(Some(line))),
        Some(_) if (line.len() as u64) < limit => Ok(Some(Some(line))),
        Some(_) => {
            input.skip_until(b'\n')?;
            Ok(Some(None))
        }
    }
}

/// A line that is not blank, as an id and a request.
fn from_line(line: &[u8], form: Option<&Multipart>) -> (Value, Request) {
    let unreadable = |why: String| (Value::Null, Request::invalid(why));
    let Ok(text) = std::str::from_utf8(line) else {
        return unreadable("the line is not UTF-8".into());
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(mut members)) => {
            let id = members.remove("id").unwrap_or_default();
            (id, Value::Object(members).into())
        }
        Ok(Value::String(url)) => (Value::Null, from_url(&url, form)),
        // The conversion has a word for everything else.
        Ok(value) => (Value::Null, value.into()),
        Err(error) if text.starts_with(['{', '[', '"']) => {
            unreadable(format!("the line is not JSON: {error}"))
        }
        Err(_) => (Value::Null, from_url(text, form)),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is read from a file at a time: few system calls for short lines.
const BUFFER_BYTES: usize = 64 * 1024;

/// The longest line: as long as the longest body that is kept by default. Without a limit, one
/// line without an end would fill the memory.
const LINE_BYTES: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn read_all(input: &[u8]) -> Vec<(u64, Value, String)> {
        let feed = Arc::new(Feed::new([]));
        read(input, &feed, 5, None);
        let told = |request: Request| {
            let Ticket { id, index } = request.tag_ref().expect("every line has a ticket");
            (*index, id.clone(), format!("{} {}", request.method(), request.url()))
        };
        feed.jobs().map(told).collect()
    }

    #[test]
    fn a_line_is_a_url_or_an_object_and_blank_ones_do_not_count() {
        let read = read_all(
            b"\xef\xbb\xbfhttp://a/\r\n\r\n  \t\n{\"id\":[1],\"url\":\"http://b/\",\"method\":\"put\"}\n\n http://c/ ",
        );
        let url = |index, id, told: &str| (index, id, told.to_owned());
        assert_eq!(
            read,
            [
                url(5, Value::Null, "GET http://a/"),
                url(6, json!([1]), "PUT http://b/"),
                url(7, Value::Null, "GET http://c/"),
            ]
        );
    }

    #[test]
    fn a_line_that_cannot_be_read_is_a_request_that_cannot_be_sent() {
        let read = read_all(
            b"{\"id\":1,\n\xff\xfe\n42\nnull\n[1]\n\"unclosed\n{\"id\":7,\"url\":8}\nhttp://a/\n",
        );
        assert_eq!(read.len(), 8);
        assert_eq!(
            read.iter().map(|(index, ..)| *index).collect::<Vec<_>>(),
            (5..13).collect::<Vec<_>>()
        );
        assert!(read[..7].iter().all(|(_, _, told)| told == "GET "), "{read:?}");
        assert_eq!(read[6].1, json!(7), "the id of an object that is JSON is known");
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_whole() {
        let mut input: &[u8] = b"1234567\n12345678\n123\n1234567";
        let mut next = || next_line(&mut input, 8).unwrap();
        assert_eq!(next(), Some(Some(b"1234567\n".to_vec())));
        assert_eq!(next(), Some(None));
        assert_eq!(next(), Some(Some(b"123\n".to_vec())));
        assert_eq!(next(), Some(Some(b"1234567".to_vec())));
        assert_eq!(next(), None);
    }
}
