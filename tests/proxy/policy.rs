//! Address policies (S10) where proxies are used: asked about the target where its address is known,
//! and closed where it is not.

use std::sync::Arc;

use fetchpool::{AddressPolicy, ErrorKind, Phase, SessionConfig};

use super::support::proxy::ProxyServer;
use super::support::script::{Script, ok, redirect};
use super::{config, session};

fn public_only(proxy: &str) -> SessionConfig {
    let mut config = config(proxy);
    config.address_policy = AddressPolicy::PublicOnly;
    config
}

#[test]
fn the_proxys_own_address_is_not_asked_about() {
    let proxy = Script::site(|_| ok("x"));
    // On loopback, which is not public.
    let response = session(public_only(&proxy.origin())).request("http://8.8.8.8/").unwrap();
    assert_eq!(response.text(), "x");
}

#[test]
fn a_target_written_as_an_address_is_asked_about_on_every_hop_and_on_kept_connections() {
    let proxy = Script::site(|request| match request.target().as_str() {
        "http://8.8.8.8/away" => redirect(302, "http://169.254.169.254/latest/"),
        _ => ok("x"),
    });
    let mut session = session(public_only(&proxy.origin()));
    session.request("http://8.8.8.8/").unwrap();
    for url in ["http://10.0.0.1/", "http://[::1]/", "http://8.8.8.8/away", "https://10.0.0.1/"] {
        let error = session.request(url).unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Forbidden, Some(Phase::Connect)),
            "{url}"
        );
    }
    assert_eq!(proxy.requests().len(), 2, "nothing was told to the proxy");
}

#[test]
fn a_name_that_the_proxy_would_look_up_is_not_gone_to() {
    for scheme in ["http", "socks5h"] {
        let proxy = Script::site(|_| ok("x"));
        let url = proxy.origin().replace("http", scheme);
        for target in ["http://origin.test/", "https://origin.test/"] {
            let error = session(public_only(&url)).request(target).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Forbidden, "{scheme}: {error}");
            assert!(error.message().contains("socks5://"), "{}", error.message());
        }
        assert_eq!(proxy.connections(), 0);
    }
}

#[test]
fn of_a_name_that_is_looked_up_here_the_addresses_are_asked_about() {
    let origin = Script::site(|_| ok("x"));
    let proxy = ProxyServer::socks().start();
    let port = origin.address().port();
    let mut config = public_only(&proxy.url("socks5"));
    config.resolver = Some(Arc::new(|host: &str, port: u16| {
        let [private, public] = [[10, 0, 0, 1], [8, 8, 8, 8]].map(|ip| (ip, port).into());
        Ok(if host == "private.test" { vec![private] } else { vec![private, public] })
    }));
    let mut session = session(config);
    let error = session.request(format!("http://private.test:{port}/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(proxy.connections(), 0);
    session.request(format!("http://mixed.test:{port}/")).unwrap();
    assert_eq!(proxy.lines(), [format!("SOCKS1 8.8.8.8:{port}")]);
}
