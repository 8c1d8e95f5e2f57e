//! TLS by `rustls`. Only this folder names `rustls` and `webpki-roots`.

mod accept_any;
mod build;
mod client_auth;
mod config;
mod context;
mod date;
mod explain;
pub(super) mod fault;
mod identity;
mod info;
mod name;
mod pem;
mod pins;
mod stream;
mod transport;
mod verifier;

pub use self::config::TlsConfig;
pub(crate) use self::context::TlsContext;
pub(super) use self::stream::TlsStream;
pub(super) use self::transport::Transport;
