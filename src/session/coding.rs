//! Undoes the content codings of a body, under caps. Only this module and its parts name the
//! libraries that do it, each in one file.
//!
//! A coded body is a program that the server writes and we run: a kilobyte can ask for a gigabyte
//! of zeros. So every byte that comes out is counted before the next ones are asked for, against
//! the limit on the body and, past the first mebibyte, against the bytes that went in; and that at
//! each stage of a stack of codings, not only at the last. And it is asked for a little at a time,
//! so that meanwhile a deadline is kept, and memory asked for before it is taken.

#[cfg(feature = "brotli")]
mod brotli;
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod decoder;
#[cfg(feature = "gzip")]
mod inflate;
#[cfg(feature = "gzip")]
mod member;
#[cfg(not(any(feature = "gzip", feature = "brotli", feature = "zstd")))]
mod none;
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod stage;
#[cfg(feature = "zstd")]
mod zstd;

#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
pub(super) use self::decoder::Decoder;
#[cfg(not(any(feature = "gzip", feature = "brotli", feature = "zstd")))]
pub(super) use self::none::Decoder;

/// What a client that can decode asks for. Without any of the features nothing is asked for, and
/// what is coded all the same is handed over as it came.
pub(super) const ACCEPT_ENCODING: Option<&str> =
    match (cfg!(feature = "gzip"), cfg!(feature = "brotli"), cfg!(feature = "zstd")) {
        (false, false, false) => None,
        (false, false, true) => Some("zstd"),
        (false, true, false) => Some("br"),
        (false, true, true) => Some("br, zstd"),
        (true, false, false) => Some("gzip, deflate"),
        (true, false, true) => Some("gzip, deflate, zstd"),
        (true, true, false) => Some("gzip, deflate, br"),
        (true, true, true) => Some("gzip, deflate, br, zstd"),
    };
