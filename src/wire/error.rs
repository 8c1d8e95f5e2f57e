//! What can be wrong with a response, or with a request about to be sent.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::message::{REDACTED, is_secret, without_userinfo};

/// A rule of HTTP/1.1 that was broken, or a ceiling that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WireError {
    /// The peer spoke before it was asked.
    Unasked(Found),
    /// The first bytes are not those of an HTTP/1 response.
    NotHttp(Found),
    BadStatusLine(Found),
    BadHeaderField(Found),
    /// A field whose exact value decides where the message ends is folded over two lines.
    FoldedFraming,
    StatusLineTooLong {
        limit: usize,
    },
    HeadTooLong {
        limit: usize,
    },
    TooManyFields {
        limit: usize,
    },
    TooManyInterim {
        limit: usize,
    },
    /// A 101 that nobody asked for.
    UnexpectedSwitch,
    BadContentLength(Found),
    DifferingContentLengths,
    LengthAndTransferEncoding,
    UnsupportedTransferCoding(Found),
    BadChunkSize(Found),
    /// What stands behind a chunk's data is not CRLF.
    BadChunkEnd(Found),
    ChunkExtensionsTooLong {
        limit: usize,
    },
    BadTrailer(Found),
    TrailersTooLong {
        limit: usize,
    },
    /// The peer closed before the response was complete.
    Truncated(Missing),
    /// A caller took or gave more bytes than there were.
    OutOfStep,
    BadMethod,
    BadTarget,
    BadHost,
    BadField(String),
    /// A field that only the encoder writes.
    OwnField(String),
}

/// What came, fit to be shown: escaped and cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found(String);

/// What the peer left out when it closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Not a byte came.
    Response,
    RestOfHead,
    /// Bytes of a body whose length was announced.
    Body(u64),
    LastChunk,
}

/// Which of four things an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Malformed,
    LimitReached,
    Truncated,
    BadRequest,
}

impl WireError {
    /// These bytes came before a request was sent.
    pub(crate) fn unasked(bytes: &[u8]) -> Self {
        Self::Unasked(Found::new(bytes))
    }

    pub(crate) const fn class(&self) -> Class {
        match self {
            Self::StatusLineTooLong { .. }
            | Self::HeadTooLong { .. }
            | Self::TooManyFields { .. }
            | Self::TooManyInterim { .. }
            | Self::ChunkExtensionsTooLong { .. }
            | Self::TrailersTooLong { .. } => Class::LimitReached,
            Self::Truncated(_) => Class::Truncated,
            Self::BadMethod
            | Self::BadTarget
            | Self::BadHost
            | Self::BadField(_)
            | Self::OwnField(_) => Class::BadRequest,
            Self::Unasked(_)
            | Self::NotHttp(_)
            | Self::BadStatusLine(_)
            | Self::BadHeaderField(_)
            | Self::FoldedFraming
            | Self::UnexpectedSwitch
            | Self::BadContentLength(_)
            | Self::DifferingContentLengths
            | Self::LengthAndTransferEncoding
            | Self::UnsupportedTransferCoding(_)
            | Self::BadChunkSize(_)
            | Self::BadChunkEnd(_)
            | Self::BadTrailer(_)
            | Self::OutOfStep => Class::Malformed,
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unasked(found) => {
                write!(f, "bytes came before the request was sent: found {found}")
            }
            Self::NotHttp(found) => write!(f, "expected \"HTTP/1.\", found {found}"),
            Self::BadStatusLine(found) => {
                write!(f, "expected a status line such as \"HTTP/1.1 200 OK\", found {found}")
            }
            Self::BadHeaderField(found) => {
                write!(f, "expected a header field \"name: value\", found {found}")
            }
            Self::FoldedFraming => {
                f.write_str("a field that frames the message is folded over two lines")
            }
            Self::StatusLineTooLong { limit } => {
                write!(
                    f,
                    "the status line is longer than the limit status_line_bytes of {limit} bytes"
                )
            }
            Self::HeadTooLong { limit } => {
                write!(f, "the head is longer than the limit head_bytes of {limit} bytes")
            }
            Self::TooManyFields { limit } => {
                write!(f, "the head has more fields than the limit head_fields of {limit}")
            }
            Self::TooManyInterim { limit } => {
                write!(f, "more interim responses than the limit interim_responses of {limit}")
            }
            Self::UnexpectedSwitch => {
                f.write_str("101 switches to a protocol that was not asked for")
            }
            Self::BadContentLength(found) => {
                write!(f, "Content-Length must be one number of decimal digits, found {found}")
            }
            Self::DifferingContentLengths => {
                f.write_str("there is more than one Content-Length, and they differ")
            }
            Self::LengthAndTransferEncoding => f.write_str(
                "both Content-Length and Transfer-Encoding, which contradict each other",
            ),
            Self::UnsupportedTransferCoding(found) => {
                write!(f, "the only transfer coding is chunked, found {found}")
            }
            Self::BadChunkSize(found) => {
                write!(f, "expected a chunk size in hex digits, found {found}")
            }
            Self::BadChunkEnd(found) => {
                write!(f, "expected CRLF at the end of a chunk, found {found}")
            }
            Self::ChunkExtensionsTooLong { limit } => write!(
                f,
                "the chunk extensions are longer than the limit chunk_extension_bytes of {limit} bytes"
            ),
            Self::BadTrailer(found) => {
                write!(f, "expected a trailer field \"name: value\", found {found}")
            }
            Self::TrailersTooLong { limit } => {
                write!(f, "the trailers are longer than the limit trailer_bytes of {limit} bytes")
            }
            Self::Truncated(missing) => match missing {
                Missing::Response => f.write_str("the peer closed without a response"),
                Missing::RestOfHead => f.write_str("the peer closed within the response's head"),
                Missing::Body(count) => {
                    write!(f, "the peer closed {count} bytes before the end of the body")
                }
                Missing::LastChunk => {
                    f.write_str("the peer closed before the last chunk of the body")
                }
            },
            Self::OutOfStep => f.write_str("bytes at a place where none belong"),
            Self::BadMethod => f.write_str("the method is not a token"),
            Self::BadTarget => {
                f.write_str("the request target holds a byte that is not visible ASCII")
            }
            Self::BadHost => f.write_str("the host holds a byte that is not visible ASCII"),
            Self::BadField(name) => {
                write!(
                    f,
                    "the header field \"{name}\" is not a token with a value free of control bytes"
                )
            }
            Self::OwnField(name) => {
                write!(f, "the header field \"{name}\" is written by the client alone")
            }
        }
    }
}

impl core::error::Error for WireError {}

impl Found {
    /// The first line of what came, at most 40 bytes of it, without the credentials in it.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        // One character for each byte, so that none is changed. Before it is cut: a password that
        // ends behind the cut is one all the same.
        let line: String = line.iter().copied().map(char::from).collect();
        let line = match line.split_once(':') {
            Some((name, _)) if is_secret(name.trim_matches(is_no_name)) => {
                format!("{name}: {REDACTED}")
            }
            _ => without_userinfo(&line).into_owned(),
        };
        let shown = line.chars().take(SHOWN_BYTES).map_while(|c| u8::try_from(c).ok());
        Self(shown.flat_map(core::ascii::escape_default).map(char::from).collect())
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// What a malformed name may have around what it was meant to be.
fn is_no_name(c: char) -> bool {
    !c.is_ascii_alphanumeric()
}

const SHOWN_BYTES: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn a_message_says_what_was_expected_and_what_came_or_which_limit_was_reached() {
        let found = || Found::new(b"a\x1b[31m\xff\nb");
        for (error, words) in [
            (WireError::NotHttp(found()), &["HTTP/1.", "\"a\\x1b[31m\\xff\""][..]),
            (WireError::BadStatusLine(found()), &["status line", "\"a\\x1b[31m\\xff\""]),
            (WireError::BadHeaderField(found()), &["header field", "found \"a"]),
            (WireError::BadContentLength(found()), &["Content-Length", "found \"a"]),
            (WireError::UnsupportedTransferCoding(found()), &["chunked", "found \"a"]),
            (WireError::BadChunkSize(found()), &["chunk size", "found \"a"]),
            (WireError::BadChunkEnd(found()), &["end of a chunk", "found \"a"]),
            (WireError::BadTrailer(found()), &["trailer", "found \"a"]),
            (WireError::StatusLineTooLong { limit: 7 }, &["status_line_bytes of 7"]),
            (WireError::HeadTooLong { limit: 7 }, &["head_bytes of 7"]),
            (WireError::TooManyFields { limit: 7 }, &["head_fields of 7"]),
            (WireError::TooManyInterim { limit: 7 }, &["interim_responses of 7"]),
            (WireError::ChunkExtensionsTooLong { limit: 7 }, &["chunk_extension_bytes of 7"]),
            (WireError::TrailersTooLong { limit: 7 }, &["trailer_bytes of 7"]),
            (WireError::Truncated(Missing::Body(7)), &["7 bytes before the end"]),
        ] {
            let message = error.to_string();
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
    }

    #[test]
    fn what_came_is_shown_without_the_credentials_in_it_and_cut_short() {
        for (bytes, shown) in [
            (&b"Set-Cookie : id=hunter2"[..], "\"Set-Cookie : [redacted]\""),
            (b"Set-Cookie\x01: id=hunter2", "\"Set-Cookie\\x01: [redacted]\""),
            (b" Cookie: id=hunter2", "\" Cookie: [redacted]\""),
            (b"Location : http:\\\\u:hunter2@h/", "\"Location : http:\\\\\\\\[redacted]@h/\""),
            (&[b'x'; 41], "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""),
        ] {
            assert_eq!(Found::new(bytes).to_string(), shown);
        }
    }
}
