//! What the crate and another client make of the same bytes.

use fetchpool::Limits;
use fetchpool::internals::{Incoming, Story};

use super::plain;
use super::second::{self, Reading};

/// Both readings are the same, or differ in a way that has a name.
pub fn wire_differential(input: &[u8]) {
    difference(input);
}

/// The differences that are meant to be, and why. The corpus has an input of each name that shows
/// it.
pub const DIFFERENCES: [(&str, &str); 17] = [
    // The crate refuses what the other takes.
    ("stricter_empty_line_first", "a response begins with its status line"),
    ("stricter_length_and_coding", "Content-Length and Transfer-Encoding contradict each other"),
    ("stricter_transfer_coding", "chunked is the only one, and stands alone"),
    ("stricter_content_length", "at most 20 digits"),
    ("stricter_chunk_size", "hex digits: no sign, no white space"),
    ("stricter_chunk_extension", "no control byte within"),
    ("stricter_trailer", "a field of token and colon, free of control bytes"),
    ("stricter_interim_responses", "at most 16"),
    ("stricter_switch", "101 was not asked for"),
    ("stricter_close", "what another reader may take otherwise is the last on its connection"),
    // The crate takes what the other refuses.
    ("other_fold", "RFC 9112 §5.2 has a client read a folded line, as a space"),
    ("other_length_of_no_body", "what a response without a body says of its length is nothing"),
    ("other_fields", "the other takes 128 of them, the crate 256"),
    ("other_chunk_line", "the other takes a chunk's size line of 20 bytes"),
    ("other_fields_of_100", "an interim response may have fields"),
    // Both take it, and not for the same.
    ("both_chunked_in_http_10", "the crate reads the chunks and closes, the other until the close"),
    ("both_close_beside_text", "a Connection field that is not ASCII says close all the same"),
];

/// The name of the difference between the two readings, if there is one.
pub fn difference(input: &[u8]) -> Option<&'static str> {
    [false, true].into_iter().find_map(|to_head| {
        let mut incoming = Incoming::default();
        let ours = incoming.read(to_head, &Limits::default(), [input], false);
        let theirs = second::read(to_head, input);
        let name = match (&ours.end, &theirs) {
            (Err(_), Err(_) | Ok(None)) => return None,
            (Ok(_), Ok(Some(theirs))) if same(&ours, theirs) => return None,
            (_, Ok(Some(theirs))) if is_chunked_10(theirs, input) => {
                Some("both_chunked_in_http_10")
            }
            (Ok(_), Ok(Some(theirs))) => both(&ours, theirs, to_head, input),
            (Err(_), Ok(Some(theirs))) => stricter(incoming.fault(), theirs, input),
            (Ok(_), Ok(None) | Err(_)) => other(&ours, input),
        };
        let known = DIFFERENCES.iter().map(|(known, _)| *known).find(|known| Some(*known) == name);
        let fault = incoming.fault();
        assert!(known.is_some(), "{name:?} {fault}: {ours:?}, but {theirs:?}");
        known
    })
}

fn same(ours: &Story, theirs: &Reading) -> bool {
    let mut theirs_fields: Vec<(String, String)> = theirs
        .fields
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), plain::text(value.as_bytes())))
        .collect();
    let mut our_fields: Vec<(String, String)> = ours
        .fields
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    // The other groups them by their names.
    theirs_fields.sort_by(|a, b| a.0.cmp(&b.0));
    our_fields.sort_by(|a, b| a.0.cmp(&b.0));
    (ours.interim, ours.status, &ours.body, ours.left)
        == (theirs.interim, Some(theirs.status), &theirs.body, theirs.left)
        && ours.end == Ok(theirs.is_persistent && theirs.left == 0)
        && our_fields == theirs_fields
}

fn is_chunked_10(theirs: &Reading, input: &[u8]) -> bool {
    let mut codings = theirs.fields.get_all("transfer-encoding").iter();
    codings.any(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        && plain::final_head(input).is_some_and(|head| head.is_http10())
}

fn both(ours: &Story, theirs: &Reading, to_head: bool, input: &[u8]) -> Option<&'static str> {
    let mut connection = theirs.fields.get_all("connection").iter();
    if connection.any(|value| value.to_str().is_err()) {
        return Some("both_close_beside_text");
    }
    let closed = Reading { is_persistent: false, ..theirs.clone() };
    let is_doubtful = plain::persistent_len(to_head, input).is_none();
    (same(ours, &closed) && is_doubtful).then_some("stricter_close")
}

fn stricter(fault: &str, theirs: &Reading, input: &[u8]) -> Option<&'static str> {
    let values = |name: &str| -> Vec<String> {
        let values = theirs.fields.get_all(name);
        values.iter().map(|value| plain::text(value.as_bytes())).collect()
    };
    let lengths = values("content-length");
    let codings = values("transfer-encoding");
    let (sizes, trailers) = plain::chunk_lines(plain::final_body(input));
    let (name, is_so) = match fault {
        "NotHttp" | "BadStatusLine" => ("stricter_empty_line_first", has_empty_line_first(input)),
        "LengthAndTransferEncoding" => {
            ("stricter_length_and_coding", !lengths.is_empty() && !codings.is_empty())
        }
        "UnsupportedTransferCoding" => (
            "stricter_transfer_coding",
            !matches!(&codings[..], [coding] if coding.eq_ignore_ascii_case("chunked")),
        ),
        "BadContentLength" => (
            "stricter_content_length",
            lengths
                .iter()
                .flat_map(|value| value.split(','))
                .any(|number| number.trim().len() > 20),
        ),
        "BadChunkSize" => {
            let is_size = |line: &[u8]| {
                let size = line.split(|&b| b == b';').next().unwrap_or_default();
                !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit)
            };
            ("stricter_chunk_size", !sizes.iter().all(|line| is_size(line)))
        }
        "BadChunkEnd" => (
            "stricter_chunk_extension",
            sizes.iter().any(|line| line.iter().any(|&b| b != b'\t' && b.is_ascii_control())),
        ),
        "BadTrailer" => {
            let is_field = |line: &[u8]| {
                let colon = line.iter().position(|&byte| byte == b':').unwrap_or(0);
                let (name, value) = line.split_at(colon);
                let of_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
                !name.is_empty()
                    && name.iter().all(of_token)
                    && !value.iter().any(|&b| b != b'\t' && b.is_ascii_control())
            };
            ("stricter_trailer", !trailers.iter().all(|line| is_field(line)))
        }
        "TooManyInterim" => ("stricter_interim_responses", theirs.interim > 16),
        "UnexpectedSwitch" => ("stricter_switch", theirs.status == 101),
        _ => return None,
    };
    is_so.then_some(name)
}

/// Whether one of the heads begins with a line end, as far as they are read one after the other.
fn has_empty_line_first(input: &[u8]) -> bool {
    let is_so = input.starts_with(b"\r") || input.starts_with(b"\n");
    let interim = plain::head(input).filter(|head| head.status / 100 == 1);
    is_so || interim.is_some_and(|head| has_empty_line_first(&input[head.len..]))
}

fn other(ours: &Story, input: &[u8]) -> Option<&'static str> {
    let heads = &input[..input.len() - plain::final_body(input).len()];
    let mut lines = heads.split(|&byte| byte == b'\n');
    let (sizes, _) = plain::chunk_lines(plain::final_body(input));
    let has_no_body = ours.body.is_empty();
    let is_length = |line: &[u8]| {
        line.get(..14).is_some_and(|name| name.eq_ignore_ascii_case(b"content-length"))
    };
    if lines.clone().any(|line| line.starts_with(b" ") || line.starts_with(b"\t")) {
        Some("other_fold")
    } else if lines.clone().count() > 128 {
        Some("other_fields")
    } else if ours.interim > 0 && lines.clone().any(|line| line.get(8..12) == Some(b" 100")) {
        Some("other_fields_of_100")
    } else if sizes.iter().any(|line| line.len() > 20) {
        Some("other_chunk_line")
    } else if (has_no_body || ours.interim > 0) && lines.any(is_length) {
        Some("other_length_of_no_body")
    } else {
        None
    }
}
