//! Pins: which public keys a host may have.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::{Hash, HashAlgorithm};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, OtherError, SignatureScheme,
    SupportedCipherSuite,
};

use super::fault::bad;
use super::name::server_name;
use crate::error::Error;
use crate::message::{Target, base64};

/// A pin as it was given.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) host: String,
    pub(super) key: String,
}

/// A verifier that also wants the server's key to be one of those pinned for its host, whatever
/// the one inside demands.
pub(super) struct Pinned {
    inside: Arc<dyn ServerCertVerifier>,
    /// The hosts, and each key as the base64 of its SHA-256.
    pins: Vec<(ServerName<'static>, String)>,
    sha256: &'static dyn Hash,
}

impl Pinned {
    pub(super) fn new(
        inside: Arc<dyn ServerCertVerifier>,
        pins: &[Pin],
        provider: &CryptoProvider,
    ) -> Result<Self, Error> {
        let pins = pins.iter().map(|pin| Ok((host(&pin.host)?, key(&pin.key)?)));
        let pins = pins.collect::<Result<_, Error>>()?;
        let Some(sha256) = sha256(provider) else {
            return Err(bad("the TLS provider has no SHA-256, by which keys are pinned"));
        };
        Ok(Self { inside, pins, sha256 })
    }

    /// Whether a server of this name may show this certificate.
    fn check(&self, leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), TlsError> {
        let mut pinned = self.pins.iter().filter(|(host, _)| host == name).peekable();
        if pinned.peek().is_none() {
            return Ok(());
        }
        let key = ParsedCertificate::try_from(leaf)?.subject_public_key_info();
        let shown = base64(self.sha256.hash(&key).as_ref());
        if pinned.any(|(_, key)| *key == shown) {
            return Ok(());
        }
        let wrong = WrongPin { host: name.to_str().into_owned(), shown };
        Err(CertificateError::Other(OtherError(Arc::new(wrong))).into())
    }
}

/// A host alone, as it stands in URLs.
fn host(text: &str) -> Result<ServerName<'static>, Error> {
    let bracketed = text.parse::<Ipv6Addr>().map(|ip| format!("[{ip}]"));
    let authority = bracketed.as_deref().unwrap_or(text);
    let is_bare = |c: char| !matches!(c, '/' | '\\' | '@' | '?' | '#') && !c.is_whitespace();
    let target = Target::parse(&format!("https://{authority}/"))
        .ok()
        .filter(|_| authority.chars().all(is_bare))
        .filter(|_| authority.ends_with(']') || !authority.contains(':'));
    match target.map(|target| server_name(&target)) {
        Some(Ok(name)) => Ok(name),
        _ => Err(bad(format!("pins are for a host alone, and \"{text}\" is none"))),
    }
}

/// The base64 of a SHA-256: 43 digits, of which the last one carries four bits, and the padding.
fn key(text: &str) -> Result<String, Error> {
    let digits = match text.strip_prefix("sha256/") {
        // A second slash, or the first digit: the length tells.
        Some(rest) if rest.len() == 45 => rest.strip_prefix('/').unwrap_or(rest),
        Some(rest) => rest,
        None => text,
    };
    let is_digit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let is_good = digits.len() == 44
        && digits.strip_suffix('=').is_some_and(|digits| {
            digits.chars().all(is_digit) && digits.ends_with(|c| "AEIMQUYcgkosw048".contains(c))
        });
    if is_good {
        return Ok(digits.to_owned());
    }
    Err(bad(format!(
        "\"{text}\" is no pin: that is sha256// and the base64 of the 32 bytes of a SHA-256"
    )))
}

/// That of a cipher suite: whoever speaks TLS has it.
fn sha256(provider: &CryptoProvider) -> Option<&'static dyn Hash> {
    let hashes = provider.cipher_suites.iter().map(|suite| match suite {
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
    });
    hashes.into_iter().find(|hash| hash.algorithm() == HashAlgorithm::SHA256)
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verified = self.inside.verify_server_cert(leaf, others, name, ocsp, now)?;
        self.check(leaf, name).map(|()| verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inside.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inside.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inside.supported_verify_schemes()
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("inside", &self.inside).field("pins", &self.pins).finish()
    }
}

/// A server's key is none of those that are pinned for it.
#[derive(Debug)]
pub(super) struct WrongPin {
    host: String,
    shown: String,
}

impl fmt::Display for WrongPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, shown } = self;
        write!(f, "the public key of {host} is sha256//{shown}, and that is not pinned for it")
    }
}

impl std::error::Error for WrongPin {}

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";

    #[test]
    fn a_pin_is_read_as_curl_and_others_write_it() {
        for text in [PIN.to_owned(), format!("sha256//{PIN}"), format!("sha256/{PIN}")] {
            assert_eq!(key(&text).unwrap(), PIN, "{text}");
        }
        let slash = format!("/{}", &PIN[1..]);
        for text in [slash.clone(), format!("sha256/{slash}"), format!("sha256//{slash}")] {
            assert_eq!(key(&text).unwrap(), slash, "{text}");
        }
        for text in [
            "",
            "sha256//",
            &PIN[..43],
            &format!("{PIN}="),
            &format!("sha1//{PIN}"),
            &format!("{PIN};{PIN}"),
            // A digit that carries more than four bits: nobody's encoder writes it.
            &PIN.replace("g=", "h="),
            &PIN.replace('+', "-").replace('/', "_"),
        ] {
            let error = key(text).unwrap_err();
            assert!(error.message().contains("is no pin"), "{error}");
        }
    }

    #[test]
    fn a_host_is_read_as_in_a_url_and_stands_alone() {
        for (text, name) in [
            ("a.test", "a.test"),
            ("A.Test.", "a.test"),
            ("b\u{fc}cher.test", "xn--bcher-kva.test"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("[0:0::1]", "::1"),
        ] {
            assert_eq!(host(text).unwrap().to_str(), name, "{text}");
        }
        for text in [
            "",
            "a.test:443",
            "https://a.test",
            "a.test/x",
            "u@a.test",
            "a b",
            "*.a.test",
            "[::1]:443",
            "a.test?",
        ] {
            let error = host(text).unwrap_err();
            assert!(error.message().contains("is none"), "{text}: {error}");
        }
    }
}
