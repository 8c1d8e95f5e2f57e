//! Settings of TLS that cannot be used.

use std::error::Error as _;
use std::path::Path;

use fetchpool::{ErrorKind, Fault, Phase, Pool, Session};

use super::support::tls::Ca;
use super::{TemporaryFile, config};

#[test]
fn an_authority_that_cannot_be_read_is_an_error_and_no_panic() {
    let missing = Path::new("/nonexistent/fetchpool/ca.pem");
    let directory = std::env::temp_dir();
    let empty = TemporaryFile::new("empty.pem", "");
    let text = TemporaryFile::new("text.pem", "this is no certificate\n");
    let binary = TemporaryFile::new("binary.pem", [0xff, 0, 0x1b, b'[', b'3', b'1', b'm']);
    for path in [missing, &directory, &empty.0, &text.0, &binary.0] {
        let config = config(|tls| {
            tls.root_pem_file(path);
        });
        let error = Session::new(config).expect_err("no session");
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Caller), "{path:?}");
        assert_eq!((error.phase(), error.url()), (Some(Phase::Setup), None), "{path:?}");
        assert!(error.message().contains(&*path.to_string_lossy()), "{}", error.message());
    }
    let config = config(|tls| {
        tls.root_pem_file(missing);
    });
    let error = Session::new(config).unwrap_err();
    let cause = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
}

#[test]
fn a_text_without_a_certificate_is_an_error() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    for text in ["", "nonsense", broken, open, no_base64] {
        let config = config(|tls| {
            tls.add_root_pem(text);
        });
        let error = Session::new(config).expect_err(text);
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Caller), "{text:?}");
    }
}

#[test]
fn der_that_is_no_certificate_is_an_error() {
    for der in [&b""[..], b"nonsense", &Ca::new().der()[1..]] {
        let config = config(|tls| {
            tls.add_root_der(der);
        });
        assert_eq!(Session::new(config).unwrap_err().kind(), ErrorKind::Tls);
    }
}

#[test]
fn one_bad_authority_beside_a_good_one_is_an_error() {
    let config = config(|tls| {
        tls.add_root_pem(Ca::new().pem()).add_root_pem("nonsense");
    });
    assert_eq!(Session::new(config).unwrap_err().kind(), ErrorKind::Tls);
}

#[test]
fn a_pool_whose_sessions_cannot_be_made_answers_every_job() {
    let unreadable = config(|tls| {
        tls.root_pem_file("/nonexistent/fetchpool/ca.pem");
    });
    let urls = ["https://127.0.0.1:1/a", "https://127.0.0.1:1/b", "http://127.0.0.1:1/c"];
    match Pool::builder().num_threads(2).session(unreadable).job_queue(urls).build() {
        // Told at once is as good.
        Err(error) => assert_eq!(error.kind(), ErrorKind::Tls),
        Ok(pool) => {
            let kinds: Vec<_> = pool
                .outcomes()
                .map(|outcome| outcome.result().map(|_| ()).map_err(|error| error.kind()))
                .collect();
            assert_eq!(kinds, [Err(ErrorKind::Tls); 3]);
        }
    }
}
