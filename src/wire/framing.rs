//! Where a body ends (RFC 9112 §6.3), and what could make two readers differ about it.
//!
//! Two readers that disagree on this disagree on everything that follows on the connection. So
//! what is in doubt is refused; and where RFC 9112 tells a client to go on, it is read as it says
//! and the connection closed behind it.
//!
//! Each row of the table is played to a session by `tests/framing.rs`, which has the bytes for it
//! and wants the outcome word for word as the last column has it. What others do was measured with
//! the same bytes: libcurl 8.23.0, hyper 1.12.0 (`client::conn::http1` as it comes) and h11 0.16.0
//! (which leaves it to its caller to look for bytes behind a response).
//!
//! - `hello` is the body that was meant, `raw` the same with its chunk framing around it.
//! - `kept` and `closed` tell on which connection the server saw the next request; `until close`
//!   is a body that the close ended.
//! - `spoilt`: kept, and what was left over was taken for the next response, or for a broken one.
//!   With an idle connection curl does so within a second; later it looks first.
//! - `waits`: neither a response nor an error before the server closed.
//! - § alone is of RFC 9112, no. of its §6.3, and 9110 is RFC 9110.
//!
//! No. 2, the 2xx to a CONNECT, has no row since no job is one: it has no body whatever its fields
//! say, and the connection is no longer one for HTTP. `tests/proxy` has the cases.
//!
//! | what comes | RFC 9112 | curl | hyper | h11 | here |
//! | --- | --- | --- | --- | --- | --- |
//! | `Content-Length: 5` | §6.3 no. 6: that many bytes | hello, kept | hello, kept | hello, kept | hello, kept |
//! | … twice the same, in two fields or one | no. 5: may be taken for one | hello, kept | hello, kept | hello, kept | hello, closed |
//! | … with zeros in front, 20 digits at most | 9110 §8.6: digits | hello, kept | hello, kept | hello, kept | hello, closed |
//! | … of more than 20 digits | 9110 §8.6: digits | hello, kept | hello, kept | error | error: length |
//! | … twice, in two fields that differ | no. 5: error | error | error | error | error: lengths differ |
//! | … twice, and one is no number | no. 5: error | error | error | error | error: length |
//! | … a list that differs | no. 5: error | error | error | error | error: lengths differ |
//! | … a list with a part that is no number | no. 5: error | error | error | error | error: length |
//! | … `+5` | no. 5: error | error | error | error | error: length |
//! | … `-5` | no. 5: error | error | error | error | error: length |
//! | … a space between digits | no. 5: error | error | error | error | error: length |
//! | … `0x5`, `5_0`, `5.0`, `5;x`, `5a` | no. 5: error | error | error | error | error: length |
//! | … `"5"`, `five`, an Arabic digit, a hard space | no. 5: error | error | error | error | error: length |
//! | … empty | no. 5: error | error | error | error | error: length |
//! | … above 64 bits | 9110 §8.6: beware | hello, until close | error | waits | error: length |
//! | … 2^64 - 1, and a close | §8: incomplete | hello, until close | error | error | error: body_bytes |
//! | … `6`, five bytes and a close | §8: incomplete | error | error | error | cut short |
//! | … `5` and more bytes than that, or a second response | §6.3: never a response | hello, closed | hello, closed | hello, spoilt | hello, closed |
//! | … with `Transfer-Encoding`, before or behind | no. 3: ought to be an error | hello, kept | hello, kept | hello, kept | error: both fields |
//! | … with `Transfer-Encoding: identity` | no. 3: ought to be an error | hello, until close | hello, until close | error | error: both fields |
//! | neither of the two fields | no. 8: until the close | hello, until close | hello, until close | hello, until close | hello, until close |
//! | `Transfer-Encoding: chunked`, in any case | no. 4: chunked | hello, kept | hello, kept | hello, kept | hello, kept |
//! | … `gzip, chunked`, in one field or two | no. 4: chunked, and gzip in it | error | hello, kept | error | error: coding |
//! | … `chunked, chunked` | §6.1: must not be sent | hello, kept | hello, kept | error | error: coding |
//! | … `chunked` in two fields | §6.1: must not be sent | hello, kept | hello, kept | error | error: coding |
//! | … `chunked, gzip`, in one field or two | no. 4: until the close | error | raw, until close | error | error: coding |
//! | … `chunked, identity` | no. 4: until the close | error | raw, until close | error | error: coding |
//! | … `gzip` | no. 4: until the close | error | raw, until close | error | error: coding |
//! | … `identity` | no. 4: until the close | raw, until close | raw, until close | error | error: coding |
//! | … unknown, quoted or with a parameter | no. 4: until the close | error | raw, until close | error | error: coding |
//! | … empty, as `Transfer-Encoding:` | 9110 §5.6.1: no element | raw, until close | raw, until close | error | error: coding |
//! | … a list with an empty last part | 9110 §5.6.1: ignore it | hello, kept | raw, until close | error | error: coding |
//! | … a list with an empty first part | 9110 §5.6.1: ignore it | hello, kept | hello, kept | error | error: coding |
//! | … in an HTTP/1.0 response | §6.1: faulty, close behind it | hello, closed | error | hello, closed | hello, closed |
//! | … in an HTTP/1.0 response with `keep-alive` | §6.1: faulty, close behind it | hello, kept | error | hello, closed | hello, closed |
//! | chunks, sizes with some zeros in front | §7.1: hex digits | hello, kept | hello, kept | hello, kept | hello, kept |
//! | chunk size `+5` | §7.1: invalid | error | error | error | error: chunk size |
//! | … size `-5` | §7.1: invalid | error | error | error | error: chunk size |
//! | … size `0x5` | §7.1: invalid | error | error | error | error: chunk size |
//! | … size `5_0`, `5,` | §7.1: invalid | hello, kept | error | error | error: chunk size |
//! | … space or tab before the size | §7.1: invalid | error | error | error | error: chunk size |
//! | … space or tab behind the size | §7.1: invalid | hello, kept | hello, kept | hello, kept | error: chunk size |
//! | … the same, and an extension behind it | §7.1.1: bad, to be skipped | hello, kept | hello, kept | error | error: chunk size |
//! | … a space between digits of the size | §7.1: invalid | hello, kept | error | error | error: chunk size |
//! | … a size above 64 bits | §7.1: must be noticed | error | error | waits | error: chunk size |
//! | … no digits, with an extension or not | §7.1: invalid | error | error | error | error: chunk size |
//! | … what is no hex digit | §7.1: invalid | error | error | error | error: chunk size |
//! | … 16 KiB and more of zeros | §7.1: hex digits | error | hello, kept | error | error: chunk_extension_bytes |
//! | … bare LF behind the size | §2.2: in heads alone | hello, kept | error | error | error: chunk size |
//! | … bare CR behind the size | §2.2: invalid | waits | error | error | error: chunk end |
//! | … extensions | §7.1.1: ignore them | hello, kept | hello, kept | hello, kept | hello, kept |
//! | … bare LF in an extension | §2.2: in heads alone | hello, kept | error | error | error: chunk end |
//! | … bare CR in an extension | §2.2: invalid | hello, kept | error | hello, kept | error: chunk end |
//! | … NUL in an extension | §7.1.1: invalid | hello, kept | hello, kept | hello, kept | error: chunk end |
//! | … other control bytes in an extension | §7.1.1: invalid | hello, kept | hello, kept | hello, kept | error: chunk end |
//! | … 16 KiB and more of extensions, in one or many | §7.1.1: ought to be limited | hello, kept | error | hello, kept | error: chunk_extension_bytes |
//! | … bytes between the data and its CRLF | §7.1: invalid | error | error | error | error: chunk end |
//! | … a size that reaches into the CRLF behind the data | §7.1: invalid | hello and CR, kept | error | error | error: chunk end |
//! | … bare LF behind the data | §2.2: in heads alone | hello, kept | error | error | error: chunk end |
//! | … bare CR behind the data | §2.2: invalid | error | error | error | error: chunk end |
//! | … a close before the last chunk | §8: incomplete | error | error | error | cut short |
//! | … a close before the last CRLF | §8: incomplete | error | error | error | cut short |
//! | … a last line that ends in bare LF | §2.2: in heads alone | hello, kept | waits | hello, kept | error: trailer |
//! | … a last line that ends in bare CR | §2.2: invalid | error | error | waits | error: trailer |
//! | … and a second response behind the last | §6.3: never a response | hello, kept | hello, closed | hello, spoilt | hello, closed |
//! | trailers | §7.1.2: may be dropped | hello, kept | hello, kept | hello, kept | hello, kept |
//! | … that would set a length, a cookie or a field, or say `close` | 9110 §6.5.1: never merge | hello, kept | hello, kept | hello, kept | hello, kept |
//! | … that would set a transfer coding | 9110 §6.5.1: never merge | hello, kept | hello, kept | error | hello, kept |
//! | … without a colon | §5: invalid | error | error | error | error: trailer |
//! | … without a name | §5: invalid | hello, kept | error | error | error: trailer |
//! | … whose name is no token | §5.1: invalid | hello, kept | error | error | error: trailer |
//! | … with a folded line | §5.2: a space | error | error | hello, kept | error: trailer |
//! | … with space before the first name | §5: invalid | hello, kept | error | error | error: trailer |
//! | … with a bare LF between two | §2.2: in heads alone | hello, kept | error | hello, kept | error: trailer |
//! | … with a bare LF behind the last | §2.2: in heads alone | hello, kept | waits | hello, kept | error: trailer |
//! | … with a bare CR | §2.2: invalid, or a space | error | error | error | error: trailer |
//! | … with NUL | 9110 §5.5: invalid, or a space | error | error | error | error: trailer |
//! | … of more than 16 KiB, in one field | 9110 §5.4: may be limited | error | error | no body, kept | error: trailer_bytes |
//! | … of more than 16 KiB, in many | 9110 §5.4: may be limited | no body, kept | error | no body, kept | error: trailer_bytes |
//! | answer to HEAD, with either field or none | no. 1: no body | no body, kept | no body, kept | no body, kept | no body, kept |
//! | … that sends the body all the same | no. 1: no body | no body, closed | no body, closed | no body, spoilt | no body, closed |
//! | … whose lengths are malformed or differ | no. 1: no body | error | no body, kept | error | no body, closed |
//! | … with both fields | no. 1: no body | no body, kept | no body, kept | no body, kept | no body, closed |
//! | 204, with `Content-Length: 0` or nothing | no. 1: no body | no body, kept | no body, kept | no body, kept | no body, kept |
//! | 204 that announces a body | no. 1: no body; must not be sent | no body, kept | no body, kept | no body, kept | no body, closed |
//! | 204 that sends one | no. 1: no body | no body, closed | no body, closed | no body, spoilt | no body, closed |
//! | 304, with either field or none | no. 1: no body | no body, kept | no body, kept | no body, kept | no body, kept |
//! | 304 that sends a body | no. 1: no body | no body, closed | no body, closed | no body, spoilt | no body, closed |
//! | 205 with `Content-Length: 0` | no. 6 | no body, kept | no body, kept | no body, kept | no body, kept |
//! | 205 with a body of either framing | no. 4, 6; 9110 §15.3.6: none | hello, kept | hello, kept | hello, kept | hello, closed |
//! | 205 with neither field, and a close | no. 8; 9110 §15.3.6: none | hello, until close | hello, until close | hello, until close | hello, until close |
//! | 100 that was not asked for, then 200 | 9110 §15.2: must be taken | hello, kept | hello, kept | hello, kept | hello, kept |
//! | 102, 103 (twice), 199, then 200 | 9110 §15.2: must be taken | hello, kept | hello, kept | hello, kept | hello, kept |
//! | 1xx with a framing field, then 200 | no. 1; §6.1: must not be sent | hello, kept | hello, kept | hello, kept | hello, closed |
//! | 1xx with a body, then 200 | no. 1: no body | error | error | error | error: not HTTP |
//! | 1xx that says `close`, or of HTTP/1.0, then 200 | §9.6: close | hello, closed | hello, kept | hello, kept | hello, closed |
//! | 17 or more 1xx in a row, then 200 | nothing | hello, kept | hello, kept | hello, kept | error: interim_responses |
//! | 101 that was not asked for | 9110 §7.8: must not be sent | waits | no body, closed | error | error: switch |
//! | … without its fields, and bytes behind it | 9110 §7.8: must not be sent | hello, until close | no body, closed | error | error: switch |
//! | a close behind a 1xx | §8: incomplete | error | error | error | cut short |
//! | any reason, also with a tab or beyond ASCII | §4: to be ignored | hello, kept | hello, kept | hello, kept | hello, kept |
//! | no reason | §4: may be empty | hello, kept | hello, kept | hello, kept | hello, kept |
//! | no reason, and no space before it | §4: invalid | hello, kept | hello, kept | hello, kept | hello, kept |
//! | NUL in the reason | §4: invalid | error | error | error | error: status line |
//! | other control bytes in the reason | §4: invalid | hello, kept | error | hello, kept | error: status line |
//! | bare CR in the reason | §2.2: invalid, or a space | error | error | error | error: status line |
//! | a status of one or two digits | §4: invalid | error | error | error | error: status line |
//! | … of four digits | §4: invalid | hello, kept | error | error | error: status line |
//! | … of four digits, the first of them 0 | §4: invalid | error | error | error | error: status line |
//! | … 000, 099 | 9110 §15: as 5xx | error | error | error | error: status line |
//! | … 600, 999 | 9110 §15: as 5xx | hello, kept | hello, kept | hello, kept | hello, kept |
//! | … no digits | §4: invalid | error | error | error | error: status line |
//! | two spaces, or space and tab, before the status | §4: may be skipped | error | error | error | error: status line |
//! | a tab before the status | §4: may be skipped | hello, kept | error | error | error: status line |
//! | no space, or a tab, behind the status | §4: invalid; a tab may be skipped | hello, kept | error | error | error: status line |
//! | no status, or no space before it | §4: invalid | error | error | error | error: status line |
//! | `http/1.1` in small letters | §2.3: case-sensitive | hello, closed | error | error | error: not HTTP |
//! | `HTTP/1.2`, `HTTP/1.9` | 9110 §2.5: as 1.1 | error | error | hello, kept | error: status line |
//! | `HTTP/1.10`, `HTTP/1.01`, `HTTP/1.x`, `HTTP/1.` | §2.3: invalid | error | error | error | error: status line |
//! | `HTTP/1`, `HTTP/11` | §2.3: invalid | error | error | error | error: not HTTP |
//! | `HTTP/0.9` | another protocol | error | error | hello, closed | error: not HTTP |
//! | `HTTP/2.0` | another protocol | hello, closed | error | hello, kept | error: not HTTP |
//! | `HTTP/2`, `HTTP/3` | another protocol | hello, closed | error | error | error: not HTTP |
//! | empty lines before the status line | §2.2: before requests alone | error | hello, kept | error | error: not HTTP |
//! | a space, a BOM, NUL before it | §4: invalid; a space may be skipped | error | error | error | error: not HTTP |
//! | ICY, RTSP | another protocol | error | error | error | error: not HTTP |
//! | text that is no HTTP/1, then silence | another protocol | error | error | waits | error: not HTTP |
//! | binary that is no HTTP/1, then silence | another protocol | error | error | error | error: not HTTP |
//! | the HTTP/2 preface, a SETTINGS frame, then silence | another protocol | error | error | error | error: not HTTP |
//! | empty values, odd tokens, values beyond ASCII | 9110 §5.5: valid | hello, kept | hello, kept | hello, kept | hello, kept |
//! | a line without a colon | §5: invalid | error | error | error | error: field |
//! | an empty name | §5.1: invalid | hello, kept | error | error | error: field |
//! | space or tab before the colon | §5.1: a proxy removes it | hello, kept | error | error | error: field |
//! | a name that is no token | §5.1: invalid | hello, kept | error | error | error: field |
//! | NUL in a name | §5.1: invalid | error | error | error | error: field |
//! | NUL in a value | 9110 §5.5: invalid, or a space | error | error | error | error: field |
//! | bare CR in a value | §2.2: invalid, or a space | error | error | error | error: field |
//! | a line of nothing but CR | §2.2: invalid, or a space | the rest, until close | error | error | error: field |
//! | bare CR in a name | §2.2: invalid | error | error | error | error: field |
//! | other control bytes in a value | 9110 §5.5: may be kept | hello, kept | error | hello, kept | error: field |
//! | VT, FF in a value | 9110 §5.5: may be kept | hello, kept | error | error | error: field |
//! | a first line that begins with a space or tab | §2.2: refuse or skip | hello, kept | error | error | error: field |
//! | … of nothing but space, or without a colon | §2.2: refuse or skip | error | error | error | error: field |
//! | obs-fold in an ordinary field | §5.2: a space | hello, kept | error | hello, kept | hello, closed |
//! | obs-fold in `Transfer-Encoding` | §5.2: a space | hello, kept | error | hello, kept | error: fold |
//! | obs-fold in `Content-Length` | §5.2: a space | hello, kept | error | hello, kept | error: fold |
//! | … that folds to `5 0` | §5.2, then §6.3 no. 5: error | error | error | error | error: fold |
//! | obs-fold in `Connection` | §5.2: a space | hello, closed | error | hello, closed | error: fold |
//! | a later line of nothing but space or tab | §5.2: a space | hello, kept | error | hello, kept | error: field |
//! | lines that end in bare LF, all or some | §2.2: may be taken | hello, kept | hello, kept | hello, kept | hello, closed |
//! | any of it one byte at a time | — | hello, kept | hello, kept | hello, kept | hello, kept |
//! | a close before the head, or within a line of it | §8: incomplete | error | error | error | cut short |
//! | a close behind a line of the head | §8: incomplete | no body, until close | error | error | cut short |
//! | `Connection` without `close`, or absent | §9.3: goes on | hello, kept | hello, kept | hello, kept | hello, kept |
//! | `Connection: close`, in any case and place | §9.6: close | hello, closed | hello, closed | hello, closed | hello, closed |
//! | … with `keep-alive` as well | §9.3: close | hello, closed | hello, closed | hello, closed | hello, closed |
//! | HTTP/1.0 without `Connection` | §9.3: close | hello, closed | hello, closed | hello, closed | hello, closed |
//! | … with `keep-alive` | §9.3: goes on | hello, kept | hello, kept | hello, closed | hello, kept |
//! | … with `keep-alive, close` | §9.3: close | hello, closed | hello, closed | hello, closed | hello, closed |
//! | a second response behind a redirect, in one packet | §6.3: never a response | followed, kept | closed | spoilt | followed, closed |
//! | a late 408 while the connection is idle | §9.2: no answer | hello, spoilt | hello, closed | hello, spoilt | hello, closed |
//! | a whole response while it is idle | §9.2: no answer | hello, spoilt | hello, closed | hello, spoilt | hello, closed |
//! | CRLF while it is idle | §9.2: no answer | hello, spoilt | hello, closed | hello, spoilt | hello, closed |
//! | any other byte while it is idle | §9.2: no answer | hello, spoilt | hello, closed | hello, spoilt | hello, closed |

use super::error::{Found, WireError};
use super::head::{FRAMING_FIELDS, ResponseHead};
use crate::message::{Headers, Version};

/// What of a request decides how its response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Head,
    /// A 2xx to it has no body, and ends HTTP on the connection.
    Connect,
    Other,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body.
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// What the head of a response decides about its connection.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) framing: Framing,
    /// The connection must be closed behind the response.
    ///
    /// It must where a reader less strict, or more, may have seen the end of the response
    /// elsewhere: what follows on the connection would be another response to each of the two.
    pub(super) is_doubtful: bool,
    /// The connection outlives the response, as far as the peer has a say (RFC 9112 §9.3).
    pub(super) is_persistent: bool,
}

pub(super) fn decide(request: RequestKind, head: &ResponseHead) -> Result<Decision, WireError> {
    let said = Said::by(&head.headers);
    let is_persistent = !said.close && (head.version == Version::Http11 || said.keep_alive);
    let announced = said.announced(head.version);
    let tunnel = request == RequestKind::Connect && (200..300).contains(&head.status);
    if request == RequestKind::Head || tunnel || matches!(head.status, 100..200 | 204 | 304) {
        let doubtful = match announced {
            Ok((Framing::UntilClose, doubtful)) => doubtful,
            // Many servers say of a 204 that its length is 0; nobody can read that in two ways.
            Ok((Framing::Length(0), doubtful)) => doubtful || head.status < 200,
            // An answer to HEAD and a 304 tell what a GET would have brought. No others may.
            Ok((_, doubtful)) => doubtful || matches!(head.status, 100..200 | 204),
            Err(_) => true,
        };
        let is_doubtful = tunnel || doubtful;
        return Ok(Decision { framing: Framing::None, is_doubtful, is_persistent });
    }
    let (framing, doubtful) = announced?;
    // A 205 has no content (RFC 9110 §15.3.6), and readers that know that look for none.
    let unexpected = head.status == 205 && framing != Framing::Length(0);
    Ok(Decision { framing, is_doubtful: doubtful || unexpected, is_persistent })
}

/// What the fields say that frame a message.
#[derive(Debug, Default)]
struct Said<'h> {
    length: Option<u64>,
    /// What is wrong with a length. The first fault counts.
    fault: Option<WireError>,
    /// The length was said more than once, or with zeros in front: a reader that guesses the base
    /// of a number takes `010` for eight.
    is_doubtful: bool,
    coding: Option<&'h str>,
    second_coding: Option<&'h str>,
    close: bool,
    keep_alive: bool,
}

impl<'h> Said<'h> {
    fn by(headers: &'h Headers) -> Self {
        let mut said = Self::default();
        let is_wanted = |len| FRAMING_FIELDS.iter().any(|name| name.len() == len);
        for (name, value) in headers.with_name_len(is_wanted) {
            // As it is usually written, it is compared at once and not letter by letter.
            let is = |wanted| name == wanted || name.eq_ignore_ascii_case(wanted);
            if is("Content-Length") {
                said.content_length(value);
            } else if is("Connection") {
                said.connection(value);
            } else if is("Transfer-Encoding") {
                said.transfer_encoding(value);
            }
        }
        said
    }

    fn content_length(&mut self, value: &str) {
        // Nearly always it is one number.
        if let Some(number) = digits(value.as_bytes()) {
            return self.number(value, number);
        }
        for value in value.split(',') {
            let value = value.trim_matches([' ', '\t']);
            match digits(value.as_bytes()) {
                Some(number) => self.number(value, number),
                None => self.fail(|| WireError::BadContentLength(Found::new(value.as_bytes()))),
            }
        }
    }

    fn number(&mut self, digits: &str, number: u64) {
        if self.length.is_some_and(|before| before != number) {
            self.fail(|| WireError::DifferingContentLengths);
        }
        self.is_doubtful |= self.length.is_some() || (digits.len() > 1 && digits.starts_with('0'));
        self.length = Some(number);
    }

    fn fail(&mut self, fault: impl FnOnce() -> WireError) {
        if self.fault.is_none() {
            self.fault = Some(fault());
        }
    }

    fn transfer_encoding(&mut self, value: &'h str) {
        if self.coding.is_none() {
            self.coding = Some(value);
        } else {
            self.second_coding = self.second_coding.or(Some(value));
        }
    }

    fn connection(&mut self, value: &str) {
        if value == "keep-alive" {
            self.keep_alive = true;
            return;
        }
        for option in value.split(',') {
            let option = option.trim_matches([' ', '\t']);
            self.close |= option.eq_ignore_ascii_case("close");
            self.keep_alive |= option.eq_ignore_ascii_case("keep-alive");
        }
    }

    /// What the fields announce, and whether all readers would take it so.
    fn announced(self, version: Version) -> Result<(Framing, bool), WireError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let Some(coding) = self.coding else {
            return Ok((
                self.length.map_or(Framing::UntilClose, Framing::Length),
                self.is_doubtful,
            ));
        };
        if self.length.is_some() {
            return Err(WireError::LengthAndTransferEncoding);
        }
        if self.second_coding.is_none() && coding.eq_ignore_ascii_case("chunked") {
            return Ok((Framing::Chunked, version == Version::Http10));
        }
        let found = self.second_coding.unwrap_or(coding);
        Err(WireError::UnsupportedTransferCoding(Found::new(found.as_bytes())))
    }
}

/// The value of decimal digits; `None` if there are none, or anything else, or too many.
///
/// Not `str::parse`: that also takes a leading `+`, and any number of zeros.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > MAX_DIGITS {
        return None;
    }
    text.iter().try_fold(0_u64, |value, &byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// What a 64-bit number can need.
const MAX_DIGITS: usize = 20;

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
