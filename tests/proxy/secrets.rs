//! The credentials of a proxy are the proxy's (S3), and are shown nowhere (S11).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fetchpool::{Headers, Observed, Observer, Proxy, Request, SessionConfig};

use super::support::proxy::{ProxyServer, basic};
use super::support::script::{Script, ok, redirect, reply};
use super::support::tls::{Ca, Then, TlsServer};
use super::{config, session};

const USER: &str = "ada-lovelace";
const PASSWORD: &str = "hunter2-hunter2";

fn is_clean(text: &str, what: &str) {
    for secret in [USER, PASSWORD, &basic(USER, PASSWORD)[6..]] {
        assert!(!text.contains(secret), "{what}: {text}");
    }
}

/// Keeps all it is told, as text.
#[derive(Default)]
struct Told(Mutex<String>);

impl Told {
    fn note(&self, text: String) {
        self.0.lock().unwrap().push_str(&text);
    }
}

impl Observer for Told {
    fn attempt(&self, job: &Observed<'_>, url: &str, _: u32) {
        self.note(format!("{job:?} {url}"));
    }
    fn dns(&self, job: &Observed<'_>, host: &str, _: &[std::net::SocketAddr], _: Duration) {
        self.note(format!("{job:?} {host}"));
    }
    fn tls(&self, job: &Observed<'_>, host: &str, _: Duration) {
        self.note(format!("{job:?} {host}"));
    }
    fn head(&self, job: &Observed<'_>, _: u16, headers: &Headers) {
        self.note(format!("{job:?} {headers:?}"));
    }
    fn redirect(&self, job: &Observed<'_>, _: u16, to: &str) {
        self.note(format!("{job:?} {to}"));
    }
}

#[test]
fn no_origin_of_a_chain_sees_anything_of_a_proxys_credentials() {
    let ca = Ca::new();
    // Plain through the proxy, plain and direct, secure through the proxy, secure and direct, back.
    let last = Script::site(|_| ok("end"));
    let to = last.url("/");
    let direct_tls = TlsServer::answering(ca.good(), move |_| Then::Keep.after(redirect(307, &to)));
    let to = direct_tls.named_url("/");
    let tunnelled = TlsServer::answering(ca.good(), move |_| Then::Keep.after(redirect(302, &to)));
    let to = tunnelled.url("/");
    let direct = Script::site(move |_| redirect(308, &to));
    let to = format!("http://localhost:{}/", direct.address().port());
    let first = Script::site(move |_| redirect(301, &to));
    for kind in ["http", "https", "socks5"] {
        let server = match kind {
            "http" => ProxyServer::http(),
            "https" => ProxyServer::https(ca.good()),
            _ => ProxyServer::socks(),
        };
        let proxy = server.only_for(USER, PASSWORD).start();
        let told = Arc::new(Told::default());
        let mut config = config(Proxy::new(proxy.url(kind)).basic_auth(USER, PASSWORD));
        config.tls.add_root_pem(ca.pem());
        config.proxies.no_proxy("localhost");
        config.observer = Some(Arc::clone(&told) as Arc<dyn Observer>);
        let mut session = session(config);
        let response = session.request(first.url("/")).unwrap();
        assert_eq!((response.text().as_ref(), response.history().len()), ("end", 4), "{kind}");
        assert_eq!(proxy.requests().len(), 3, "{kind}: {:?}", proxy.lines());
        is_clean(&format!("{response:?} {session:?}"), kind);
        is_clean(&told.0.lock().unwrap(), kind);
    }
    for server in [&first, &direct, &last] {
        assert_eq!(server.requests().len(), 3);
        server.requests().iter().for_each(|seen| is_clean(&seen.head(), "an origin saw"));
    }
    for server in [&tunnelled, &direct_tls] {
        assert_eq!(server.requests().len(), 3);
        server.requests().iter().for_each(|seen| is_clean(&seen.head(), "an origin saw"));
    }
}

#[test]
fn no_message_shows_them_whatever_goes_wrong() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let odd = Script::new().reply(reply("407 Who", "", "x")).repeat().serve();
    let garbage = Script::new().reply("garbage").repeat().serve();
    for scheme in ["http", "https", "socks5", "socks5h", "ftp"] {
        for address in [closed, odd.address(), garbage.address()] {
            let url = format!("{scheme}://{USER}:{PASSWORD}@{address}");
            let mut config: SessionConfig = config(url.as_str());
            config.timeout = Some(Duration::from_millis(200));
            let shown = format!("{config:?} {:?} {}", Proxy::new(&url), Proxy::new(&url));
            is_clean(&shown, scheme);
            let mut session = session(config);
            for target in ["http://origin.test/", "https://origin.test/"] {
                let error = session.request(Request::get(target)).unwrap_err();
                let mut shown = format!("{error} {error:?} {} {session:?}", error.message());
                shown.push_str(&format!("{:?}", error.response()));
                is_clean(&shown, scheme);
            }
        }
    }
}
