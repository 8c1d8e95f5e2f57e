//! FLOOR 1: HTTP/1.1 as arithmetic on bytes: no socket, no clock, no thread.
//!
//! ```text
//! request ── encode ───────▶ bytes    the connection writes them, and the body, Piece by Piece
//! bytes   ── next_event ───▶ Event    Interim*, Head, Data*, End
//! at End  ── verdict ──────▶ Reuse | Close(reason)
//! ```
//!
//! [`exchange`] holds the life of one response and speaks to the connection; [`head`],
//! [`framing`] and [`chunked`] each read one part of it; [`buffer`] holds what has come and not
//! been read; [`mod@encode`] is the only place that writes a line end.
//!
//! **Invariant:** nothing in this folder can wait, and nothing in it can panic whatever a peer
//! sends. `.clippy.toml` lists what is banned, and the lines below arm the bans here and only
//! here; `tests/floors.rs` checks the direction of imports.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]
#![deny(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

mod buffer;
mod chunked;
mod encode;
mod error;
mod exchange;
mod framing;
mod head;
mod limits;
mod scan;

pub(crate) use self::buffer::Buffer;
pub(crate) use self::encode::{BodyLength, Piece, RequestHead, Written, encode, is_own_field};
pub(crate) use self::error::{Class, WireError};
pub(crate) use self::exchange::{Event, Exchange, Verdict};
pub(crate) use self::framing::RequestKind;
pub(crate) use self::head::ResponseHead;
pub use self::limits::Limits;
