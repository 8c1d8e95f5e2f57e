//! `Secure` over real TLS.

use super::*;
use crate::support::script::{Recorded, ok};
use crate::support::tls::{Ca, Then, TlsServer};

#[test]
fn a_secure_cookie_goes_over_https_only_and_http_does_not_replace_it() {
    let ca = Ca::new();
    let secure = TlsServer::answering(ca.good(), |request| {
        Then::Keep.after(match request.target().as_str() {
            "/set" => setting(&["id=1; Secure; Path=/", "plain=2; Path=/"]),
            _ => ok(""),
        })
    });
    let plain = Script::site(|request| match request.target().as_str() {
        "/set" => setting(&["id=evil", "new=evil; Secure", "plain=3; Path=/"]),
        _ => ok(""),
    });
    let jar = CookieJar::new();
    let mut settings = config(&jar);
    settings.tls.add_root_pem(ca.pem());
    let mut session = Session::new(settings).unwrap();
    // Both are the same host: ports do not count.
    for url in [secure.url("/set"), plain.url("/1"), plain.url("/set"), secure.url("/2")] {
        session.request(url).unwrap();
    }
    let fields = |requests: Vec<Recorded>| {
        requests.iter().map(|request| request.headers("cookie").join("|")).collect::<Vec<_>>()
    };
    assert_eq!(fields(plain.requests()), ["plain=2", "plain=2"]);
    assert_eq!(fields(secure.requests()), ["", "id=1; plain=3"]);
    assert_eq!(pairs(&jar), ["id=1", "plain=3"]);
}
