//! What a session promises where proxies are used, against proxies that record what they were asked
//! and proxies that play a script.

mod support;

#[path = "proxy/choice.rs"]
mod choice;
#[path = "proxy/forwarding.rs"]
mod forwarding;
#[path = "proxy/identity.rs"]
mod identity;
#[path = "proxy/policy.rs"]
mod policy;
#[cfg(feature = "tls")]
#[path = "proxy/refusals.rs"]
mod refusals;
#[cfg(feature = "tls")]
#[path = "proxy/secrets.rs"]
mod secrets;
#[cfg(feature = "tls")]
#[path = "proxy/secure.rs"]
mod secure;
#[path = "proxy/socks.rs"]
mod socks;
#[cfg(feature = "tls")]
#[path = "proxy/tunnels.rs"]
mod tunnels;
#[cfg(feature = "tls")]
#[path = "proxy/waits.rs"]
mod waits;

use fetchpool::{Proxy, Session, SessionConfig};

use support::script::PATIENCE;

/// Settings with this proxy for everything, and a shorter time-out.
fn config(proxy: impl Into<Proxy>) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    config.proxy(proxy);
    config
}

/// A session with this proxy for everything.
fn through(proxy: impl Into<Proxy>) -> Session {
    session(config(proxy))
}

fn session(config: SessionConfig) -> Session {
    Session::new(config).expect("settings without a fault")
}

/// The same, which trusts this authority for its targets.
#[cfg(feature = "tls")]
fn trusting(ca: &support::tls::Ca, proxy: impl Into<Proxy>) -> Session {
    let mut config = config(proxy);
    config.tls.add_root_pem(ca.pem());
    session(config)
}
