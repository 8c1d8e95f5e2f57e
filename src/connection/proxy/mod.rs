//! Proxies: which one a request goes through, and what is said to it.
//!
//! ```text
//! target ── Proxies (no_proxy, custom, http, https) ──▶ Proxy, or none: straight to the target
//!
//! http://  socks5://          http:// URL          https:// URL
//! ──────────────────────────────────────────────────────────────────────────
//! http, https proxy           absolute form        CONNECT, then TLS inside
//! socks5, socks5h proxy       SOCKS, then HTTP     SOCKS, then TLS inside
//! ```

mod choice;
mod env;
mod no_proxy;
mod refusal;
mod setting;
mod socks;

pub use self::choice::{Destination, Proxies};
pub(crate) use self::refusal::refusal;
pub use self::setting::Proxy;
pub(super) use self::setting::Scheme;
pub(super) use self::socks::{Destined, Refused, negotiate};
