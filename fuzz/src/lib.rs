//! What must hold for any bytes: one property for each fuzz target, and of its name.
//!
//! A target calls it with what the fuzzer makes up, and `tests/corpus.rs` of the main package,
//! which includes this file, with what is kept in `corpus/`. Each property knows by itself what is
//! right: by doing it backwards, by doing it again in another way, or by the plain readings in
//! `plain`, which share no code with what they judge. It panics where it does not hold.

mod cookies;
mod differential;
mod message;
mod plain;
mod second;
mod session;
mod wire;

pub use self::cookies::session_cookies;
pub use self::differential::{DIFFERENCES, difference, wire_differential};
pub use self::message::{message_target, retry_after};
pub use self::session::{challenge, session_coding, session_redirect};
pub use self::wire::{wire_chunked, wire_encode, wire_exchanges, wire_head, wire_split};
