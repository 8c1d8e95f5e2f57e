//! Client certificates and keys that cannot be used, and that no key is ever said.

use std::error::Error as _;

use fetchpool::{Error, ErrorKind, Fault, Phase, Session, TlsConfig};

use super::keys::{ENCRYPTED, ENCRYPTED_OLD, RSA};
use super::support::tls::{Ca, pem};
use super::{TemporaryFile, config};

/// The error of a session with these settings, and all that it says of itself.
#[track_caller]
fn fault(set: impl FnOnce(&mut TlsConfig)) -> (Error, String) {
    let config = config(set);
    let mut said = format!("{config:?}{config:#?}");
    let error = Session::new(config).expect_err("no session");
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Caller), "{error:?}");
    assert_eq!((error.phase(), error.url()), (Some(Phase::Setup), None));
    said += &format!("{error}{error:?}{error:#?}{}", error.message());
    let mut source = error.source();
    while let Some(error) = source {
        said += &format!("{error}{error:?}{error:#?}");
        source = error.source();
    }
    (error, said)
}

/// Whether a text holds one of these, as text or as the list of its bytes.
fn tells(said: &str, secrets: &[&str]) -> bool {
    secrets.iter().any(|secret| {
        let list: Vec<_> = secret.bytes().map(|byte| byte.to_string()).collect();
        said.contains(secret) || said.contains(&list.join(", "))
    })
}

/// The lines of a key's base64, but for the first one, which many keys of a kind begin with.
fn lines(key: &str) -> Vec<&str> {
    key.split(['\n', ' ']).filter(|line| line.len() > 20 && !line.contains('-')).skip(1).collect()
}

#[test]
fn a_key_of_another_certificate_is_refused_by_name() {
    let ca = Ca::new();
    let (me, you) = (ca.good(), ca.good());
    let (error, _) = fault(|tls| {
        tls.client_cert_pem(me.chain_pem(), you.key_pem());
    });
    assert!(
        error.message().contains(
            "the key in the PEM text of the client key does not belong to the certificate in the \
             PEM text of the client certificate"
        ),
        "{}",
        error.message()
    );
    let (error, _) = fault(|tls| {
        tls.client_cert_pem(me.chain_pem(), RSA);
    });
    assert!(error.message().contains("does not belong"), "{}", error.message());
    // The authority's first: the order matters.
    let (error, _) = fault(|tls| {
        tls.client_cert_pem(ca.pem() + &me.chain_pem(), me.key_pem());
    });
    assert!(error.message().contains("the first one, if it holds several"), "{}", error.message());
}

#[test]
fn a_key_that_is_encrypted_is_refused_with_what_to_do() {
    let me = Ca::new().good();
    for key in [ENCRYPTED, ENCRYPTED_OLD] {
        let (error, _) = fault(|tls| {
            tls.client_cert_pem(me.chain_pem(), key);
        });
        let told = "the key in the PEM text of the client key is encrypted: decrypt it first";
        assert!(error.message().contains(told), "{}", error.message());
    }
}

#[test]
fn what_is_missing_or_broken_is_told_and_where() {
    let me = Ca::new().good();
    let (chain, key) = (me.chain_pem(), me.key_pem());
    for (certificate, key, told) in [
        ("", key.as_str(), "the PEM text of the client certificate holds no certificate"),
        ("nonsense", &key, "the PEM text of the client certificate holds no certificate"),
        (&key, &key, "the PEM text of the client certificate holds no certificate"),
        (&chain, "", "the PEM text of the client key holds no private key"),
        (&chain, &chain, "the PEM text of the client key holds no private key"),
        (
            &chain,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n",
            "the PEM text of the client key is not PEM: a section has no end",
        ),
        (
            &chain,
            "-----BEGIN PRIVATE KEY-----\nA?!A\n-----END PRIVATE KEY-----\n",
            "the PEM text of the client key is not PEM: a section is not base64",
        ),
        (
            &chain,
            &pem("PRIVATE KEY", b"no key"),
            "the key in the PEM text of the client key is none that can be used",
        ),
        (
            &pem("CERTIFICATE", b"no certificate"),
            &key,
            "the PEM text of the client certificate holds a bad certificate",
        ),
    ] {
        let (error, _) = fault(|tls| {
            tls.client_cert_pem(certificate, key);
        });
        assert!(error.message().contains(told), "{}", error.message());
    }
}

#[test]
fn files_are_told_by_their_names() {
    let me = Ca::new().good();
    let certificate = TemporaryFile::new("faults.pem", me.chain_pem());
    let key = TemporaryFile::new("faults.key", me.key_pem());
    let empty = TemporaryFile::new("faults-empty.key", "");
    let missing = std::path::PathBuf::from("/nonexistent/fetchpool/me.key");
    for (certificate, key, wrong) in [
        (&missing, &key.0, &missing),
        (&certificate.0, &missing, &missing),
        (&missing, &missing, &missing),
        (&empty.0, &key.0, &empty.0),
        (&certificate.0, &empty.0, &empty.0),
    ] {
        let (error, _) = fault(|tls| {
            tls.client_cert_files(certificate, key);
        });
        assert!(error.message().contains(&*wrong.to_string_lossy()), "{}", error.message());
    }
}

#[test]
fn no_word_of_a_key_is_said_however_it_is_broken_or_misplaced() {
    let ca = Ca::new();
    let me = ca.good();
    let (chain, key) = (me.chain_pem(), me.key_pem());
    let one_line = key.replace('\n', " ");
    let escaped = key.replace('\n', "\\n");
    let broken = [
        one_line.clone(),
        escaped,
        key.replace("-----END", "----END"),
        key.replace("PRIVATE KEY-----\n", "PRIVATE KEY----\n"),
        key.replacen('M', "!", 1),
        key.replace("-----BEGIN PRIVATE KEY-----\n", "-----BEGIN "),
        key[..key.len() - 40].to_owned(),
        RSA.to_owned(),
        // aws-lc-rs takes a key for what it is, whatever it is called.
        #[cfg(not(all(feature = "aws-lc-rs", not(feature = "tls"))))]
        pem("EC PRIVATE KEY", me.key_der()),
    ];
    for text in &broken {
        let secrets = lines(if text == RSA { RSA } else { &key });
        assert!(!secrets.is_empty());
        for said in [
            fault(|tls| {
                tls.client_cert_pem(chain.as_str(), text.as_str());
            }),
            fault(|tls| {
                tls.client_cert_pem(text.as_str(), chain.as_str());
            }),
            fault(|tls| {
                tls.add_root_pem(text.as_str());
            }),
        ] {
            assert!(!tells(&said.1, &secrets), "{}", said.1);
        }
    }
    let (error, _) = fault(|tls| {
        tls.client_cert_pem(chain.as_str(), one_line.as_str());
    });
    assert!(error.message().contains("is not PEM: it has no line breaks"), "{}", error.message());
}

#[test]
fn settings_and_sessions_with_a_key_do_not_show_it() {
    let ca = Ca::new();
    let me = ca.good();
    let key = me.key_pem();
    let config = config(|tls| {
        tls.add_root_pem(ca.pem()).client_cert_pem(me.chain_pem(), key.as_str());
    });
    assert!(config.tls == config.tls.clone(), "and equal settings are still equal");
    let shown = format!("{config:?} {:#?}", config.tls);
    assert!(shown.contains("client_cert: true"), "{shown}");
    let session = Session::new(config).unwrap();
    let shown = format!("{shown} {session:?} {session:#?}");
    assert!(!tells(&shown, &lines(&key)), "{shown}");
    let bytes = me.key_der()[40..60].iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    assert!(!shown.contains(&bytes), "{shown}");
}
