//! Servers for the tests: all on loopback, on ports the system picks, every wait bounded.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

#[cfg(any(feature = "brotli", feature = "zstd"))]
pub(crate) mod coded;
pub(crate) mod dead;
pub(crate) mod farm;
#[cfg(unix)]
pub(crate) mod local;
#[cfg(feature = "cli")]
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod script;
pub(crate) mod standstill;
#[cfg(feature = "tls-no-provider")]
pub(crate) mod tls;
