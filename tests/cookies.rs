//! What a session does with cookies, feature `cookies`.

#![cfg(feature = "cookies")]

mod support;

#[path = "cookies/ceilings.rs"]
mod ceilings;
#[path = "cookies/files.rs"]
mod files;
#[path = "cookies/jars.rs"]
mod jars;
#[path = "cookies/refused.rs"]
mod refused;
#[path = "cookies/rules.rs"]
mod rules;
#[cfg(feature = "tls")]
#[path = "cookies/secure.rs"]
mod secure;
#[path = "cookies/sending.rs"]
mod sending;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use fetchpool::{CookieJar, Session, SessionConfig};

use support::script::{PATIENCE, Script, Server, reply};

/// Settings that share this jar, and find every host name on loopback.
fn config(jar: &CookieJar) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    config.resolver = Some(Arc::new(|_: &str, port: u16| {
        Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))])
    }));
    config.cookie_jar(jar);
    config
}

fn session(jar: &CookieJar) -> Session {
    Session::new(config(jar)).expect("settings without a fault")
}

/// A response that sets these cookies.
fn setting(lines: &[&str]) -> Vec<u8> {
    let fields: String = lines.iter().map(|line| format!("Set-Cookie: {line}\r\n")).collect();
    reply("200 OK", &fields, "")
}

/// The server's URL under another name.
fn named(server: &Server, host: &str, path: &str) -> String {
    format!("http://{host}:{}{path}", server.address().port())
}

/// What the jar sends to a URL.
fn sent(jar: &CookieJar, url: &str) -> String {
    jar.field_for(url).expect("a URL").unwrap_or_default()
}

/// A jar into which a URL has put these; what is refused is left out, as it is of a response.
fn filled(lines: &[&str], url: &str) -> CookieJar {
    let jar = CookieJar::new();
    for line in lines {
        let _ = jar.add(line, url);
    }
    jar
}

/// The names and values of what is in a jar, in the order in which they came.
fn pairs(jar: &CookieJar) -> Vec<String> {
    let pair = |cookie: fetchpool::Cookie| format!("{}={}", cookie.name(), cookie.value());
    jar.cookies().into_iter().map(pair).collect()
}
