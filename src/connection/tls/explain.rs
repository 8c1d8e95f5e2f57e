//! Why a handshake failed, told to people: what was wrong with which certificate, for which name.

use std::mem::discriminant;

use rustls::{AlertDescription, CertificateError, Error, ExtendedKeyPurpose, PeerIncompatible};

use super::client_auth::Client;
use super::date::{date, distance};
use super::pins::WrongPin;
use super::verifier::Shown;
use crate::message::TlsVersion;

/// What there is to tell a story of.
pub(super) struct Refused<'a> {
    /// Whom the handshake was with.
    pub(super) host: &'a str,
    /// What the server showed, if it was that which was refused.
    pub(super) shown: Option<&'a Shown>,
    /// The first bytes that it sent.
    pub(super) opening: &'a [u8],
    /// What it got of us.
    pub(super) client: Client,
    /// The versions that were offered, first and last; `None` if a configuration of the caller's
    /// says which.
    pub(super) versions: Option<(TlsVersion, TlsVersion)>,
}

impl Refused<'_> {
    /// Says everything that the error says, or is `None`.
    pub(super) fn explain(&self, error: &Error) -> Option<String> {
        let host = self.host;
        Some(match error {
            Error::InvalidCertificate(error) => self.certificate(error)?,
            Error::NoCertificatesPresented => format!("{host} sent no certificate"),
            Error::InvalidMessage(_) if !is_tls(self.opening) => {
                let begin = self.opening.escape_ascii();
                let hint =
                    if self.opening.starts_with(b"HTTP/") { ": that is plain http" } else { "" };
                format!("{host} does not speak TLS here, its answer begins with \"{begin}\"{hint}")
            }
            Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => self.no_version(),
            Error::AlertReceived(alert) => {
                let name = name(*alert);
                let told = self.client.told(*alert, &name, host);
                told.unwrap_or_else(|| format!("{host} refused the handshake: {name}"))
            }
            _ => return None,
        })
    }

    /// Says that the server closed the connection, and when.
    pub(super) fn closed(&self) -> String {
        let when = if self.opening.is_empty() { "without an answer" } else { "in the middle" };
        format!("{} closed the connection {when}", self.host)
    }

    fn no_version(&self) -> String {
        let host = self.host;
        match self.versions {
            Some((first, last)) if first == last => {
                format!("{host} does not speak {first}, and the settings allow nothing else")
            }
            Some(_) => format!("{host} speaks neither TLS 1.2 nor TLS 1.3"),
            None => format!("{host} speaks no version of TLS that the client_config allows"),
        }
    }

    fn certificate(&self, error: &CertificateError) -> Option<String> {
        let host = self.host;
        let (own, whose) = (self.own(), self.whose(error));
        Some(match error {
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names = list(presented).unwrap_or_else(|| "no name or address".to_owned());
                format!("the certificate is for {names}, not for {host}")
            }
            CertificateError::NotValidForName => format!("the certificate is not for {host}"),
            CertificateError::ExpiredContext { time, not_after } => format!(
                "{whose} expired on {}, {} ago (the clock here says {})",
                date(*not_after),
                distance(*time, *not_after),
                date(*time)
            ),
            CertificateError::NotValidYetContext { time, not_before } => format!(
                "{whose} is not valid before {}, {} from now (the clock here says {})",
                date(*not_before),
                distance(*time, *not_before),
                date(*time)
            ),
            CertificateError::UnknownIssuer if self.is_self_signed() => {
                format!("{own} is self-signed, and nobody who is trusted vouches for it")
            }
            CertificateError::UnknownIssuer => {
                format!("{own} is signed by an authority that is not trusted{}", self.sent())
            }
            CertificateError::BadSignature => {
                format!("{own}, or one above it, is not signed by the key of its authority")
            }
            CertificateError::InvalidPurposeContext { presented, .. } => {
                let uses: Vec<_> = presented.iter().take(NAMES).map(purpose).collect();
                format!("{whose} is not for servers, but for {}", uses.join(", "))
            }
            CertificateError::BadEncoding => format!("{own}, or one above it, cannot be read"),
            CertificateError::Other(other) if other.0.is::<WrongPin>() => other.to_string(),
            // An error of the library below: a name in camel case.
            CertificateError::Other(other) => match other.to_string().as_str() {
                "CaUsedAsEndEntity" => format!("{own} is that of an authority, not of a server"),
                "EndEntityUsedAsCa" => format!("{own} is signed by somebody who is no authority"),
                "NameConstraintViolation" => {
                    format!("{own} is for a name that the authority above it may not vouch for")
                }
                other => format!("{own}, or one above it, is refused: {}", words(other)),
            },
            _ => return None,
        })
    }

    /// The server's own certificate.
    fn own(&self) -> String {
        match self.shown.map(|shown| list(&shown.names)) {
            None => "the certificate".to_owned(),
            Some(None) => "the certificate (for no name)".to_owned(),
            Some(Some(names)) => format!("the certificate (for {names})"),
        }
    }

    fn is_self_signed(&self) -> bool {
        self.shown.is_some_and(|shown| shown.alone.is_ok())
    }

    /// The certificate that the error is about: the server's own, if the fault is its own, or one
    /// above it.
    fn whose(&self, error: &CertificateError) -> String {
        match self.shown.map(|shown| &shown.alone) {
            Some(Err(Error::InvalidCertificate(alone)))
                if discriminant(alone) == discriminant(error) =>
            {
                self.own()
            }
            Some(_) => format!("an authority above {}", self.own()),
            None => "a certificate".to_owned(),
        }
    }

    fn sent(&self) -> String {
        match self.shown.map(|shown| shown.certificates) {
            None => String::new(),
            Some(1) => "; it came alone, and one in between may be missing".to_owned(),
            Some(count) => format!("; {count} certificates came"),
        }
    }
}

/// Says what an error behind the handshake means, where it does not say so itself: by TLS 1.3 a
/// server looks at our certificate when the handshake is over on this side.
pub(super) fn in_exchange(error: &Error, client: Client) -> Option<String> {
    match error {
        Error::AlertReceived(alert) => client.told(*alert, &name(*alert), "the server"),
        _ => None,
    }
}

/// An alert as people read it.
fn name(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::Unknown(code) => format!("alert {code}"),
        known => words(&format!("{known:?}")),
    }
}

/// The same error without what could not be shown as it is: the names in a certificate, and lists
/// that are as long as a server likes. What is long all the same is cut, and is text from then on.
pub(super) fn fit_to_be_shown(error: &Error) -> Error {
    let mut fit = error.clone();
    if let Error::InvalidCertificate(error) = &mut fit {
        shorten(error);
    }
    let text = fit.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        None => fit,
        Some((end, _)) => {
            Error::General(format!("{}\u{2026}", text.get(..end).unwrap_or_default()))
        }
    }
}

fn shorten(error: &mut CertificateError) {
    match error {
        CertificateError::NotValidForNameContext { presented, .. } => {
            presented.truncate(NAMES);
            presented.iter_mut().for_each(|name| *name = bare(name));
        }
        CertificateError::InvalidPurposeContext { presented, .. } => presented.truncate(NAMES),
        CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id,
            supported_algorithms,
        } => {
            signature_algorithm_id.truncate(ID_BYTES);
            supported_algorithms.truncate(NAMES);
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => {
            signature_algorithm_id.truncate(ID_BYTES);
            public_key_algorithm_id.truncate(ID_BYTES);
        }
        _ => {}
    }
}

/// A handful of names from a certificate; `None` if there is none. Whoever made the certificate
/// chose their bytes and their number.
fn list(names: &[String]) -> Option<String> {
    let mut list: Vec<String> = names.iter().take(NAMES).map(|name| bare(name)).collect();
    match names.len().saturating_sub(NAMES) {
        0 => {}
        more => list.push(format!("{more} more")),
    }
    (!list.is_empty()).then(|| list.join(", "))
}

/// `DnsName("a.test")` is how `rustls` tells a name.
fn bare(name: &str) -> String {
    let inner = ["DnsName(\"", "IpAddress(", "UniformResourceIdentifier(\""]
        .iter()
        .find_map(|kind| name.strip_prefix(kind))
        .map_or(name, |rest| rest.trim_end_matches(')').trim_end_matches('"'));
    inner.escape_debug().take(NAME_CHARS).collect()
}

fn purpose(purpose: &ExtendedKeyPurpose) -> String {
    match purpose {
        ExtendedKeyPurpose::ClientAuth => "clients".to_owned(),
        ExtendedKeyPurpose::ServerAuth => "servers".to_owned(),
        ExtendedKeyPurpose::Other(oid) => {
            let oid: Vec<_> = oid.iter().take(NAMES * 4).map(ToString::to_string).collect();
            oid.join(".")
        }
    }
}

/// `HandshakeFailure` as `handshake failure`.
fn words(name: &str) -> String {
    let mut words = String::new();
    let mut small = false;
    for c in name.chars().take(NAME_CHARS) {
        if c.is_uppercase() && small {
            words.push(' ');
        }
        small = c.is_lowercase();
        words.extend(c.to_lowercase().flat_map(char::escape_debug));
    }
    words
}

/// Whether these can be the first bytes of a record (RFC 8446 §5.1).
fn is_tls(opening: &[u8]) -> bool {
    let kind = opening.first().is_none_or(|kind| (20..=24).contains(kind));
    kind && opening.get(1).is_none_or(|&version| version == 3)
}

/// How many names are told, and how much of each.
const NAMES: usize = 5;
const NAME_CHARS: usize = 80;
/// How much of the identifier of an algorithm; those in use have 13 bytes at most, but for RSA-PSS.
const ID_BYTES: usize = 20;
/// How much of an error of `rustls`.
const SHOWN_CHARS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::alg_id::ECDSA_SHA256;

    #[test]
    fn what_is_shown_is_short_however_long_the_lists_of_a_server_are() {
        let long = || vec![255_u8; 300_000];
        let purposes = vec![ExtendedKeyPurpose::Other(vec![usize::MAX; 1_000]); 1_000];
        for (error, keeps_its_kind) in [
            (
                CertificateError::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: long(),
                    supported_algorithms: vec![ECDSA_SHA256; 20],
                },
                true,
            ),
            (
                CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                    signature_algorithm_id: long(),
                    public_key_algorithm_id: long(),
                },
                true,
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: "a.test".try_into().unwrap(),
                    presented: vec!["x".repeat(1_000); 1_000],
                },
                true,
            ),
            (
                CertificateError::InvalidPurposeContext {
                    required: ExtendedKeyPurpose::ServerAuth,
                    presented: purposes,
                },
                false,
            ),
        ] {
            let fit = fit_to_be_shown(&Error::InvalidCertificate(error.clone()));
            let (text, debug) = (fit.to_string(), format!("{fit:?}"));
            assert!(text.chars().count() <= 1_050 && debug.len() <= 2_000, "{text}, {debug}");
            let kept = matches!(&fit, Error::InvalidCertificate(kept)
                if discriminant(kept) == discriminant(&error));
            assert_eq!(kept, keeps_its_kind, "{text}");
        }
        let fit = fit_to_be_shown(&Error::General("\u{e4}".repeat(100_000)));
        assert!(fit.to_string().ends_with("\u{e4}\u{2026}") && fit.to_string().len() < 2_100);
        let short = Error::General("as it was".to_owned());
        assert_eq!(fit_to_be_shown(&short), short);
    }
}
