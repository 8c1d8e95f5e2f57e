//! How a session comes to the host of a URL.
//!
//! - `names`: what is remembered of look-ups, and who shares it
//! - `laid`: addresses that the caller has laid down
//! - `families`: hosts with several addresses, some of them dead
//! - `local`: a socket in the file system in the place of all of them

mod support;

#[path = "pool/child.rs"]
mod child;
#[path = "dialing/families.rs"]
mod families;
#[path = "dialing/laid.rs"]
mod laid;
#[cfg(unix)]
#[path = "dialing/local.rs"]
mod local;
#[path = "dialing/names.rs"]
mod names;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fetchpool::{Resolver, Session, SessionConfig};

use support::script::{PATIENCE, Script, Server, ok};

/// Settings without kept connections, so that each request dials, and with these changes.
fn config(change: impl FnOnce(&mut SessionConfig)) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    config.keep_alive = false;
    change(&mut config);
    config
}

/// A session of such settings.
fn session(change: impl FnOnce(&mut SessionConfig)) -> Session {
    Session::new(config(change)).expect("settings without a fault")
}

/// A server that answers everything with `alive`.
fn site() -> Server {
    Script::site(|_| ok("alive"))
}

/// A resolver, and how often it was asked.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// The resolver; it is given the number of the call, from 0.
    fn resolver(
        &self,
        answer: impl Fn(usize) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Option<Arc<dyn Resolver>> {
        let calls = Arc::clone(&self.0);
        Some(Arc::new(move |_: &str, _: u16| answer(calls.fetch_add(1, Ordering::SeqCst))))
    }

    /// One that always gives these addresses.
    fn giving(&self, addresses: impl Into<Vec<SocketAddr>>) -> Option<Arc<dyn Resolver>> {
        let addresses = addresses.into();
        self.resolver(move |_| Ok(addresses.clone()))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
