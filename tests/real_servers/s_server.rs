//! `openssl s_server -www`: answers in HTTP/1.0, ends the body by closing, and tells what it saw.

use fetchpool::{ErrorKind, Version};

use super::support::{config, open, setting};

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn s_server_sees_the_second_handshake_resume_the_first() {
    let mut session = open(config("s_server"));
    let first = session.request(setting("S_SERVER")).expect("a response");
    assert_eq!((first.status(), first.version()), (200, Version::Http10));
    assert!(first.text().contains("New, TLSv1.3"), "{}", first.text());
    // The whole page came: it ended with close_notify, not with a cut.
    assert!(first.text().contains("</HTML>"), "{}", first.text());

    let second = session.request(setting("S_SERVER")).expect("a response");
    assert!(!second.timings().reused);
    assert!(second.text().contains("Reused, TLSv1.3"), "{}", second.text());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn s_server_is_not_trusted_without_its_ca() {
    let mut session = open(fetchpool::SessionConfig::new());
    let error = session.request(setting("S_SERVER")).expect_err("nobody vouches for it");
    assert_eq!(error.kind(), ErrorKind::Tls, "{}", error.message());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn plain_http_to_a_tls_port_is_an_exception() {
    let plain = setting("S_SERVER").replace("https://", "http://");
    let error = open(fetchpool::SessionConfig::new()).request(plain).expect_err("it speaks TLS");
    let possible = [ErrorKind::Protocol, ErrorKind::Closed, ErrorKind::Io];
    assert!(possible.contains(&error.kind()), "{}", error.message());
}
