//! Undoes the content codings of a body, under caps. Only this module and its parts name `flate2`.
//!
//! A coded body is a program that the server writes and we run: a kilobyte can ask for a gigabyte
//! of zeros. So every byte that comes out is counted before the next ones are asked for, against
//! the limit on the body and, past the first mebibyte, against the bytes that went in; and that at
//! each stage of a stack of codings, not only at the last. And it is asked for a little at a time,
//! so that meanwhile a deadline is kept, and memory asked for before it is taken.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "gzip")]
mod member;
#[cfg(not(feature = "gzip"))]
mod none;
#[cfg(feature = "gzip")]
mod stage;

#[cfg(feature = "gzip")]
pub(super) use self::gzip::Decoder;
#[cfg(not(feature = "gzip"))]
pub(super) use self::none::Decoder;

/// What a client that can decode asks for. Without the feature nothing is asked for, and what is
/// coded all the same is handed over as it came.
pub(super) const ACCEPT_ENCODING: Option<&str> =
    if cfg!(feature = "gzip") { Some("gzip, deflate") } else { None };
