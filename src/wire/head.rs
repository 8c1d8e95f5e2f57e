//! Bytes to response heads. The only module that names `httparse`.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::buffer::Buffer;
use super::error::{Found, WireError};
use super::limits::Limits;
use super::scan;
use crate::message::{Headers, Version, is_token};

/// A status line and the fields behind it.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) headers: Headers,
}

impl ResponseHead {
    /// That of a response which has not come yet.
    pub(crate) const NONE: Self = Self {
        status: 0,
        version: Version::Http11,
        reason: Cow::Borrowed(""),
        headers: Headers::new(),
    };
}

/// Takes a whole head out of the buffer; `None` if it has not come yet. With it, whether it was
/// read with leniency, so that another reader may have read something else.
///
/// Nearly every head is whole when it is first looked at, and nothing about it is unusual: that is
/// tried first, and once. Otherwise the parser sees it only when its empty line is there, so that a
/// head in a thousand pieces is not parsed a thousand times. Before that, only what needs no parser
/// is looked at: whether this can be HTTP at all, and whether it is too long by now.
pub(super) fn take(
    buffer: &mut Buffer,
    limits: &Limits,
) -> Result<Option<(ResponseHead, bool)>, WireError> {
    if buffer.is_empty() && limits.head_bytes > 0 {
        return Ok(None);
    }
    if !buffer.has_searched()
        && let Some((head, len)) = take_usual(buffer.filled(), limits)
    {
        buffer.take(len);
        return Ok(Some((head, false)));
    }
    let Some(len) = buffer.head_len() else {
        let filled = buffer.filled();
        check_start(filled)?;
        check_status_line_len(filled, buffer.first_line_len(), limits)?;
        if filled.len() >= limits.head_bytes {
            return Err(WireError::HeadTooLong { limit: limits.head_bytes });
        }
        return Ok(None);
    };
    let bytes = buffer.filled().get(..len).unwrap_or_default();
    check_start(bytes)?;
    check_status_line_len(bytes, buffer.first_line_len(), limits)?;
    if len > limits.head_bytes {
        return Err(WireError::HeadTooLong { limit: limits.head_bytes });
    }
    let head = parse(bytes, limits)?;
    buffer.take(len);
    Ok(Some(head))
}

/// A head that is whole, that all readers read alike and that is within every limit, and its length.
/// `None` for any other: what is wrong with it, if anything is, is not for this function to say.
#[inline(never)]
fn take_usual(bytes: &[u8], limits: &Limits) -> Option<(ResponseHead, usize)> {
    check_start(bytes).ok()?;
    let mut slots = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
    let mut parsed = httparse::Response::new(&mut []);
    // To this one a folded line is an error.
    let config = ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut slots) {
        Ok(Status::Complete(len)) if len <= limits.head_bytes.min(limits.status_line_bytes) => {
            let bytes = bytes.get(..len)?;
            if !is_one_field_a_line(bytes, parsed.headers) {
                return None;
            }
            Some((own(&parsed, bytes, false, limits).ok()?, len))
        }
        _ => None,
    }
}

/// Whether the fields, as the parser has found them, each fill a line that ends in CRLF, without a gap
/// from the end of the first line, which ends so as well, to an empty one and the end of the bytes.
fn is_one_field_a_line(bytes: &[u8], fields: &[Header<'_>]) -> bool {
    let place = |part: &[u8]| part.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
    let behind = |at: usize| bytes.get(at..).unwrap_or_default();
    let mut start = match fields {
        [first, ..] => place(first.name.as_bytes()),
        [] => bytes.len().saturating_sub(2),
    };
    let is_status_line = scan::find(bytes, b'\n').map(|feed| feed.saturating_add(1)) == Some(start)
        && bytes.get(..start).is_some_and(|line| line.ends_with(b"\r\n"));
    let fill_lines = fields.iter().all(|field| {
        let end = place(field.value).saturating_add(field.value.len());
        let begins_here = place(field.name.as_bytes()) == start;
        start = end.saturating_add(2);
        begins_here && behind(end).starts_with(b"\r\n")
    });
    is_status_line && fill_lines && behind(start) == b"\r\n"
}

/// Whether the bytes begin like a status line (RFC 9112 §4), as far as they go. A peer that does
/// not speak HTTP/1 is known at its first wrong byte, also if it then says nothing more.
fn check_start(bytes: &[u8]) -> Result<(), WireError> {
    const START: &[u8; 13] = b"HTTP/1.v ddd ";
    let fits = |(&byte, &wanted): (&u8, &u8)| match wanted {
        // RFC 9110 §2.5 would read a higher one as 1.1, but there is none and will be none.
        b'v' => matches!(byte, b'0' | b'1'),
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    };
    // A head that is whole has all of it, and the compiler makes one comparison of each then.
    if bytes.first_chunk::<13>().is_some_and(|start| start.iter().zip(START).all(fits)) {
        return Ok(());
    }
    let good = bytes.iter().zip(START).take_while(|&pair| fits(pair)).count();
    if good == bytes.len().min(START.len()) {
        return Ok(());
    }
    match (good, bytes.get(good)) {
        (0..7, _) => Err(WireError::NotHttp(Found::new(bytes))),
        // The reason phrase may be missing, and the space before it as well, as servers do it.
        (12, Some(b'\r' | b'\n')) => Ok(()),
        _ => Err(WireError::BadStatusLine(Found::new(bytes))),
    }
}

/// `len` bytes stand before the line feed, or have come so far. The line end does not count, be it
/// CRLF or LF alone, or half of a CRLF so far.
fn check_status_line_len(bytes: &[u8], len: usize, limits: &Limits) -> Result<(), WireError> {
    let limit = limits.status_line_bytes;
    let line = bytes.get(..len).unwrap_or(bytes);
    if line.strip_suffix(b"\r").unwrap_or(line).len() <= limit {
        return Ok(());
    }
    Err(WireError::StatusLineTooLong { limit })
}

// Not part of its caller: the deepest that the stack goes has room for the slots of one reading only.
#[inline(never)]
fn parse(bytes: &[u8], limits: &Limits) -> Result<(ResponseHead, bool), WireError> {
    // A line for each field and more is never needed; the stack has room for most heads.
    let Lines { count: lines, lenient, is_folded } = look_at_lines(bytes)?;
    let mut few = [httparse::EMPTY_HEADER; FIELDS_ON_STACK];
    let mut many = Vec::new();
    let slots = if lines <= few.len() {
        few.as_mut_slice()
    } else {
        many.resize(lines.min(limits.head_fields.saturating_add(1)), httparse::EMPTY_HEADER);
        many.as_mut_slice()
    };
    let mut config = ParserConfig::default();
    // RFC 9112 §5.2: a user agent reads a folded line as one, with a space.
    config.allow_obsolete_multiline_headers_in_responses(true);
    let mut parsed = httparse::Response::new(slots);
    match config.parse_response(&mut parsed, bytes) {
        Ok(Status::Complete(len)) if len == bytes.len() => {
            Ok((own(&parsed, bytes, is_folded, limits)?, lenient))
        }
        Err(httparse::Error::TooManyHeaders) => {
            Err(WireError::TooManyFields { limit: limits.head_fields })
        }
        Err(httparse::Error::Status | httparse::Error::Version) => {
            Err(WireError::BadStatusLine(Found::new(bytes)))
        }
        Err(error) => {
            let _ = error;
            Err(WireError::BadHeaderField(first_bad_line(bytes)))
        }
        // An empty line is there, so the parser cannot want more or stop earlier, unless it and
        // we do not agree where the head ends. Then nobody knows where the body begins.
        Ok(_) => Err(WireError::BadHeaderField(first_bad_line(bytes))),
    }
}

/// What the lines of a head are like.
struct Lines {
    count: usize,
    /// One of them is such that another reader may take it otherwise.
    lenient: bool,
    is_folded: bool,
}

/// How many lines there are, and whether one ends in a bare line feed or is folded, which RFC 9112
/// lets us read (§2.2, §5.2) and lets others read otherwise.
///
/// An error if one is folded that frames the message; looked for here, since the parser does not
/// tell of a fold in front of a value. And if one holds nothing but white space: it is a fold to
/// some, and the end of the head to those who trim.
fn look_at_lines(bytes: &[u8]) -> Result<Lines, WireError> {
    let mut count: usize = 0;
    let mut lenient = false;
    let mut is_folded = false;
    let mut rest = bytes;
    while let Some(feed) = scan::find(rest, b'\n') {
        count = count.saturating_add(1);
        let (line, behind) = rest.split_at_checked(feed.saturating_add(1)).unwrap_or((rest, &[]));
        lenient |= !line.ends_with(b"\r\n");
        is_folded |= matches!(behind, [b' ' | b'\t', ..]);
        rest = behind;
    }
    if is_folded {
        check_folds(bytes)?;
    }
    Ok(Lines { count, lenient: lenient || is_folded, is_folded })
}

fn check_folds(bytes: &[u8]) -> Result<(), WireError> {
    // Asked once for each field: its name may be as long as the head, and so may the row of folds.
    let mut frames = false;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if !matches!(line, [b' ' | b'\t', ..]) {
            frames = is_framing(line);
            continue;
        }
        if line.trim_ascii().is_empty() {
            return Err(WireError::BadHeaderField(Found::new(line)));
        }
        if frames {
            return Err(WireError::FoldedFraming);
        }
    }
    Ok(())
}

/// Whether the line is of a field whose exact value decides where the message ends.
fn is_framing(line: &[u8]) -> bool {
    FRAMING_FIELDS.iter().any(|name| {
        line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
            && line.get(name.len()) == Some(&b':')
    })
}

/// Copies the head out of the buffer, folded lines unfolded.
fn own(
    parsed: &httparse::Response<'_, '_>,
    bytes: &[u8],
    is_folded: bool,
    limits: &Limits,
) -> Result<ResponseHead, WireError> {
    let (Some(status @ 100..), Some(minor)) = (parsed.code, parsed.version) else {
        return Err(WireError::BadStatusLine(Found::new(bytes)));
    };
    if parsed.headers.len() > limits.head_fields {
        return Err(WireError::TooManyFields { limit: limits.head_fields });
    }
    Ok(ResponseHead {
        status,
        version: if minor == 0 { Version::Http10 } else { Version::Http11 },
        reason: reason(status, parsed.reason.unwrap_or_default()),
        headers: match str::from_utf8(bytes) {
            Ok(text) if !is_folded => cut(parsed.headers, text)?,
            _ => copy(parsed.headers, bytes.len())?,
        },
    })
}

/// The fields of a head that is text as it is. The parser has seen to it that each name is a token.
fn cut(fields: &[Header<'_>], head: &str) -> Result<Headers, WireError> {
    let pairs = fields.iter().map(|field| (field.name, field.value));
    Headers::cut_from(head, pairs).map_err(|_| bad(head))
}

/// The fields of another one: folds are undone, and what is not UTF-8 is read as ISO-8859-1.
fn copy(fields: &[Header<'_>], bytes: usize) -> Result<Headers, WireError> {
    let mut headers = Headers::with_capacity(fields.len(), bytes);
    fields.iter().try_for_each(|field| append(&mut headers, field))?;
    Ok(headers)
}

fn bad(name: &str) -> WireError {
    WireError::BadHeaderField(Found::new(name.as_bytes()))
}

/// A copy of the reason phrase, where it is not the usual one.
fn reason(status: u16, phrase: &str) -> Cow<'static, str> {
    let usual = match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        404 => "Not Found",
        _ => "",
    };
    if phrase == usual { Cow::Borrowed(usual) } else { Cow::Owned(phrase.into()) }
}

fn append(headers: &mut Headers, field: &Header<'_>) -> Result<(), WireError> {
    if !is_token(field.name.as_bytes()) {
        return Err(bad(field.name));
    }
    if !field.value.contains(&b'\n') {
        return headers.append_received(field.name, field.value).map_err(|_| bad(field.name));
    }
    let lines: Vec<&[u8]> = field.value.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).collect();
    headers.append_received(field.name, &lines.join(&b' ')).map_err(|_| bad(field.name))
}

/// The first line that the parser alone does not take for a field, for the error's sake.
fn first_bad_line(bytes: &[u8]) -> Found {
    let bad = bytes.split_inclusive(|&byte| byte == b'\n').skip(1).find(|line| {
        let mut one = [httparse::EMPTY_HEADER; 1];
        let mut field = line.to_vec();
        field.extend_from_slice(b"\r\n");
        !matches!(httparse::parse_headers(&field, &mut one), Ok(Status::Complete(_)))
            && !line.starts_with(b" ")
            && !line.starts_with(b"\t")
    });
    Found::new(bad.map_or(bytes, <[u8]>::trim_ascii_end))
}

/// Fields whose exact value decides where the message ends, or what comes after it.
pub(super) const FRAMING_FIELDS: [&str; 3] = ["Content-Length", "Transfer-Encoding", "Connection"];
const FIELDS_ON_STACK: usize = 32;

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
