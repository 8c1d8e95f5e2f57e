//! The verifier of `rustls`, which alone decides, and what is noted of a server that it refuses.

use std::cell::Cell;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// The verifier of `rustls`. Its errors do not say whose certificate they are about, and what a
/// server showed is gone once it is refused; so that is noted on the way.
#[derive(Debug)]
pub(super) struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// What a server showed that was refused.
#[derive(Debug)]
pub(super) struct Shown {
    /// How many certificates it sent.
    pub(super) certificates: usize,
    /// The names in its own, as `rustls` tells them; not yet fit to be shown.
    pub(super) names: Vec<String>,
    /// What is wrong with its own certificate, whoever signed it.
    pub(super) alone: Result<(), Error>,
}

thread_local! {
    // Verification is called from within the reading of a record, on the thread that reads.
    static LAST: Cell<Option<Shown>> = const { Cell::new(None) };
}

impl Shown {
    /// What was shown on this thread by the server that was refused last.
    pub(super) fn take() -> Option<Self> {
        LAST.take()
    }
}

impl Verifier {
    pub(super) const fn new(
        webpki: Arc<WebPkiServerVerifier>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self { webpki, algorithms }
    }

    fn note(&self, leaf: &CertificateDer<'_>, others: usize, now: UnixTime) {
        let Ok(parsed) = ParsedCertificate::try_from(leaf) else { return };
        LAST.set(Some(Shown {
            certificates: others.saturating_add(1),
            names: names(&parsed),
            alone: self.alone(leaf, &parsed, now),
        }));
    }

    /// Verifies a certificate as if it were trusted: it passes if it is signed by itself, and
    /// what else is wrong with it is told before who signed it.
    fn alone(
        &self,
        leaf: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let mut itself = RootCertStore::empty();
        itself.add(leaf.clone().into_owned())?;
        verify_server_cert_signed_by_trust_anchor(parsed, &itself, &[], now, self.algorithms.all)
    }
}

/// The names in a certificate. `rustls` tells them only to who asks for one that is missing.
fn names(certificate: &ParsedCertificate<'_>) -> Vec<String> {
    // Reserved (RFC 6761 §6.4), so that no certificate is for it.
    let Ok(nobody) = ServerName::try_from("nobody.invalid") else { return Vec::new() };
    match verify_server_name(certificate, &nobody) {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        })) => presented,
        _ => Vec::new(),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.webpki
            .verify_server_cert(leaf, others, name, ocsp, now)
            .inspect_err(|_| self.note(leaf, others.len(), now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
