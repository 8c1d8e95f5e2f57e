//! What people are told of a handshake that failed: what was wrong with which certificate, for
//! which name.

use std::error::Error as _;

use fetchpool::{Error, Session};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa};
use rcgen::{GeneralSubtree, NameConstraints, date_time_ymd};

use super::support::script::Script;
use super::support::tls::{Ca, Identity, TlsServer};
use super::{config, get, own, trusting};

/// What is told behind the URL.
#[track_caller]
fn told(error: &Error, host: &str) -> String {
    let message = error.message();
    let (before, told) = message.split_once("/: ").expect("a URL");
    assert!(before.starts_with("TLS failed while shaking hands by TLS for https://"), "{message}");
    assert!(before.contains(host), "{message}");
    told.to_owned()
}

#[track_caller]
fn refusal(ca: &Ca, shows: Identity, host: &str) -> String {
    let error = get(ca, shows, host).expect_err("a refusal");
    let source = error.source().expect("a source");
    assert!(source.is::<rustls::Error>(), "{source:?}");
    told(&error, host)
}

#[test]
fn for_which_names_the_certificate_is() {
    let ca = Ca::new();
    for (names, host, text) in [
        (&["a.test"][..], "api.test", "the certificate is for a.test, not for api.test"),
        (
            &["a.test", "*.b.test"],
            "api.test",
            "the certificate is for a.test, *.b.test, not for api.test",
        ),
        (&["a.test"], "127.0.0.1", "the certificate is for a.test, not for 127.0.0.1"),
        (
            &["10.0.0.1", "fd00::7"],
            "localhost",
            "the certificate is for 10.0.0.1, fd00::7, not for localhost",
        ),
        (&[], "api.test", "the certificate is for no name or address, not for api.test"),
        (
            &["a.test"],
            "xn--bcher-kva.test",
            "the certificate is for a.test, not for xn--bcher-kva.test",
        ),
    ] {
        assert_eq!(refusal(&ca, ca.issue(names, |_| {}), host).to_string(), text);
    }
}

#[test]
fn since_when_or_from_when_it_is_no_good() {
    let ca = Ca::new();
    let expired = refusal(&ca, ca.expired(), "localhost");
    let start = "the certificate (for localhost, 127.0.0.1) expired on 2002-01-01 00:00:00 UTC, ";
    let (days, clock) =
        expired.strip_prefix(start).and_then(|rest| rest.split_once(" days ago ")).expect(&expired);
    assert!(days.parse::<u64>().unwrap() > 9_000, "{expired}");
    assert!(clock.starts_with("(the clock here says 2") && clock.ends_with(" UTC)"), "{expired}");
    let early = refusal(&ca, ca.not_yet_valid(), "localhost");
    let start =
        "the certificate (for localhost, 127.0.0.1) is not valid before 3001-01-01 00:00:00 UTC, ";
    assert!(early.starts_with(start) && early.contains(" days from now (the clock"), "{early}");
}

#[test]
fn who_vouches_for_it_and_what_came_with_it() {
    let ca = Ca::new();
    let stranger = Ca::called("a stranger");
    let names = "the certificate (for localhost, 127.0.0.1)";
    let unknown = "is signed by an authority that is not trusted";
    for (shows, text) in [
        (
            Identity::self_signed(),
            "is self-signed, and nobody who is trusted vouches for it".into(),
        ),
        (stranger.good(), format!("{unknown}; it came alone, and one in between may be missing")),
        (stranger.good().with(&stranger), format!("{unknown}; 2 certificates came")),
        (
            ca.vouched_for(|_| {}).good(),
            format!("{unknown}; it came alone, and one in between may be missing"),
        ),
        (Ca::new().good(), ", or one above it, is not signed by the key of its authority".into()),
        (
            Identity::self_signed_but(|params| {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)
            }),
            "is that of an authority, not of a server".into(),
        ),
        (
            {
                let server = ca.vouched_for(|params| params.is_ca = IsCa::NoCa);
                server.good().with(&server)
            },
            "is signed by somebody who is no authority".into(),
        ),
        (
            {
                let elsewhere = GeneralSubtree::DnsName("a.test".to_owned());
                let constraints = NameConstraints {
                    permitted_subtrees: vec![elsewhere],
                    excluded_subtrees: vec![],
                };
                let between = ca.vouched_for(|params| params.name_constraints = Some(constraints));
                between.good().with(&between)
            },
            "is for a name that the authority above it may not vouch for".into(),
        ),
        (
            {
                let odd = ca.vouched_for(|params| {
                    let mut extension =
                        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 1], vec![5, 0]);
                    extension.set_criticality(true);
                    params.custom_extensions.push(extension);
                });
                odd.good().with(&odd)
            },
            ", or one above it, is refused: unsupported critical extension".into(),
        ),
    ] {
        let space = if text.starts_with(',') { "" } else { " " };
        assert_eq!(refusal(&ca, shows, "localhost"), format!("{names}{space}{text}"));
    }
}

#[test]
fn what_it_is_for_instead() {
    let ca = Ca::new();
    let client_only = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    let shows = ca.issue(&["localhost"], client_only);
    let text = "the certificate (for localhost) is not for servers, but for clients";
    assert_eq!(refusal(&ca, shows, "localhost"), text);
    let between = ca.vouched_for(client_only);
    let shows = between.issue(&["localhost"], |_| {}).with(&between);
    let text =
        "an authority above the certificate (for localhost) is not for servers, but for clients";
    assert_eq!(refusal(&ca, shows, "localhost"), text);
}

#[test]
fn that_it_is_one_above_the_servers_own() {
    let ca = Ca::new();
    let between = ca.vouched_for(|params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let text = refusal(&ca, between.good().with(&between), "localhost");
    let start =
        "an authority above the certificate (for localhost, 127.0.0.1) expired on 2002-01-01";
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn a_configuration_of_ones_own_is_told_as_much_as_its_verifier_says() {
    let ca = Ca::new();
    let mut session = Session::new(config(|tls| {
        tls.client_config(own(&ca));
    }))
    .unwrap();
    let mut refusal = |shows: Identity| {
        let server = TlsServer::start(shows);
        told(&session.request(server.named_url("/")).unwrap_err(), "localhost")
    };
    let stranger = refusal(Ca::called("a stranger").good());
    assert_eq!(stranger, "the certificate is signed by an authority that is not trusted");
    let wrong = refusal(ca.wrong_name());
    assert_eq!(wrong, "the certificate is for elsewhere.test, not for localhost");
    let expired = refusal(ca.expired());
    assert!(expired.starts_with("a certificate expired on 2002-01-01 00:00:00 UTC"), "{expired}");
}

/// Whoever made a certificate chose every byte of its names, and how many there are.
#[test]
fn hostile_names_are_made_visible_and_few() {
    let ca = Ca::new();
    let hostile =
        ["\x1b[31mred", "a\r\nb", "\u{9b}2Jc", "\u{202e}tset.d", "e\u{7}\u{8}\0\u{2028}f"];
    let long = "x".repeat(5_000);
    for names in [
        hostile.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(),
        vec![long; 5],
        (0..2_000).map(|n| format!("{n}.test")).collect(),
        vec!["(\")\\".to_owned(), String::new(), "\u{ff}".to_owned()],
    ] {
        for expired in [false, true] {
            let shows = ca.issue(&[], |params| {
                params.custom_extensions.push(subject_alt_names(&names));
                if expired {
                    params.not_before = date_time_ymd(2001, 1, 1);
                    params.not_after = date_time_ymd(2002, 1, 1);
                }
            });
            let error = get(&ca, shows, "api.test").unwrap_err();
            let source = error.source().expect("a source");
            let texts = [
                error.message(),
                error.to_string(),
                format!("{error:?}"),
                format!("{error:#?}").replace('\n', ""),
                source.to_string(),
                format!("{source:?}"),
            ];
            for text in texts {
                assert!(text.len() < 1_500, "{} bytes: {text}", text.len());
                let bad = text.contains(|c: char| {
                    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                });
                assert!(!bad, "{text:?}");
            }
            let text = error.message();
            assert!(names.len() == 5 || names.len() < 4 || text.contains(", 1995 more"), "{text}");
        }
    }
}

/// The extension as bytes, since no maker of certificates would write such names.
fn subject_alt_names(names: &[String]) -> CustomExtension {
    let element = |tag: u8, content: Vec<u8>| {
        let length = u32::try_from(content.len()).expect("a short one").to_be_bytes();
        let length: Vec<u8> = length.into_iter().skip_while(|&byte| byte == 0).collect();
        let length = match length[..] {
            [] => vec![0],
            [short @ 0..=0x7f] => vec![short],
            _ => [vec![0x80 | length.len() as u8], length].concat(),
        };
        [vec![tag], length, content].concat()
    };
    let names: Vec<u8> =
        names.iter().flat_map(|name| element(0x82, name.as_bytes().to_vec())).collect();
    CustomExtension::from_oid_content(&[2, 5, 29, 17], element(0x30, names))
}

#[test]
fn that_there_is_no_tls_at_all_or_too_old_a_one() {
    let hello = |version: &[u8; 2]| {
        let hello = [&version[..], &[7; 32], b"\0\0\x2f\0"].concat();
        [b"\x16", &version[..], b"\0\x2a\x02\0\0\x26", &hello[..]].concat()
    };
    for (bytes, text) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            r#"127.0.0.1 does not speak TLS here, its answer begins with "HTTP/1.1 400 Bad": that is plain http"#,
        ),
        (
            b"SSH-2.0-x\x1b[31m\r\n".to_vec(),
            r#"127.0.0.1 does not speak TLS here, its answer begins with "SSH-2.0-x\x1b[31m\r\n""#,
        ),
        (
            b"220 mail.test ESMTP\r\n".to_vec(),
            r#"127.0.0.1 does not speak TLS here, its answer begins with "220 mail.test ES""#,
        ),
        (hello(&[3, 0]), "127.0.0.1 speaks neither TLS 1.2 nor TLS 1.3"),
        (hello(&[3, 1]), "127.0.0.1 speaks neither TLS 1.2 nor TLS 1.3"),
        (hello(&[3, 2]), "127.0.0.1 speaks neither TLS 1.2 nor TLS 1.3"),
        (b"\x15\x03\x01\0\x02\x02\x46".to_vec(), "127.0.0.1 speaks neither TLS 1.2 nor TLS 1.3"),
        (
            b"\x15\x03\x03\0\x02\x02\x70".to_vec(),
            "127.0.0.1 refused the handshake: unrecognised name",
        ),
        (
            b"\x15\x03\x03\0\x02\x02\x28".to_vec(),
            "127.0.0.1 refused the handshake: handshake failure",
        ),
        (b"\x15\x03\x03\0\x02\x02\xee".to_vec(), "127.0.0.1 refused the handshake: alert 238"),
    ] {
        let server = Script::new().send(&bytes).serve();
        let error =
            trusting(&Ca::new()).request(server.url("/").replace("http", "https")).unwrap_err();
        assert_eq!(told(&error, "127.0.0.1"), text);
        assert!(error.source().is_some_and(|source| source.is::<rustls::Error>()), "{error:?}");
    }
    for (script, text) in [
        (Script::new().close(), "127.0.0.1 closed the connection without an answer"),
        (Script::new().send("\x16\x03").close(), "127.0.0.1 closed the connection in the middle"),
    ] {
        let server = script.serve();
        let error =
            trusting(&Ca::new()).request(server.url("/").replace("http", "https")).unwrap_err();
        assert!(told(&error, "127.0.0.1").starts_with(text), "{error}");
    }
}
