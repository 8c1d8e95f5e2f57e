//! The crate against servers that others wrote.
//!
//! Each test needs servers that `.ci/servers` installs and starts, so each is ignored by a plain
//! `cargo test`. `.ci/run` starts the servers and runs them all, and fails if one did not run:
//!
//! ```text
//! bash .ci/servers install
//! bash .ci/servers start /tmp/servers && . /tmp/servers/env
//! cargo test --all-features --test real_servers -- --ignored
//! bash .ci/servers stop /tmp/servers
//! ```

#![cfg(all(feature = "tls", feature = "gzip", feature = "json"))]

#[cfg(all(feature = "brotli", feature = "zstd"))]
#[path = "real_servers/codings.rs"]
mod codings;
#[path = "real_servers/control.rs"]
mod control;
#[cfg(feature = "cookies")]
#[path = "real_servers/cookies.rs"]
mod cookies;
#[path = "real_servers/downloads.rs"]
mod downloads;
#[path = "real_servers/http_server.rs"]
mod http_server;
#[path = "real_servers/httpbin.rs"]
mod httpbin;
#[path = "real_servers/limits.rs"]
mod limits;
#[path = "real_servers/nginx.rs"]
mod nginx;
#[path = "real_servers/nginx_tls.rs"]
mod nginx_tls;
#[path = "real_servers/node.rs"]
mod node;
#[path = "real_servers/proxies.rs"]
mod proxies;
#[path = "real_servers/s_server.rs"]
mod s_server;
#[path = "real_servers/support.rs"]
mod support;
#[path = "real_servers/uploads.rs"]
mod uploads;
