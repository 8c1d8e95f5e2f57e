//! What a server wants to know of us, what it gets, and what it says to that.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, SignatureScheme};

/// Hands out our certificate to a server that asks, and takes a note of that: `rustls` tells it
/// nobody else, and a refusal is hard to understand without.
pub(super) struct Resolver(Option<Arc<CertifiedKey>>);

/// Whether a server asked for our certificate, and what it got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// It did not, or is not known to have.
    #[default]
    No,
    /// There is none to show.
    InVain,
    /// The server can make nothing of the kind of key that ours has.
    Unsuited,
    /// It got it.
    Shown,
}

thread_local! {
    // Called from within the reading of a record, on the thread that reads.
    static LAST: Cell<Asked> = const { Cell::new(Asked::No) };
}

impl Asked {
    /// What was asked on this thread since this was called last.
    pub(super) fn take() -> Self {
        LAST.take()
    }
}

impl Resolver {
    pub(super) const fn new(own: Option<Arc<CertifiedKey>>) -> Self {
        Self(own)
    }
}

impl ResolvesClientCert for Resolver {
    /// Whoever the server says that it trusts: many do not say it right, and a certificate that is
    /// refused is told better than one that was never shown.
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        LAST.set(match &self.0 {
            None => Asked::InVain,
            Some(own) if own.key.choose_scheme(schemes).is_none() => Asked::Unsuited,
            Some(_) => Asked::Shown,
        });
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("has_certificate", &self.0.is_some()).finish()
    }
}

/// What one server got of us.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Client {
    pub(super) asked: Asked,
    /// The session has a certificate, and shows it here to a server that asks.
    pub(super) identified: bool,
    /// The session has a certificate, but not for this hop.
    pub(super) withheld: bool,
}

impl Client {
    /// What an alert has to do with our certificate, if anything. `words` are its name.
    pub(super) fn told(self, alert: AlertDescription, words: &str, who: &str) -> Option<String> {
        use AlertDescription as Alert;
        let lack = match self.asked {
            Asked::InVain if self.withheld => {
                ", and that of the session is not for this origin, or not over a redirect to another"
            }
            Asked::InVain => ", and the session has none",
            Asked::Unsuited => ", and takes no signature by the key of the session's",
            Asked::Shown | Asked::No => "",
        };
        match (alert, self.asked) {
            (Alert::CertificateRequired, _) => {
                Some(format!("{who} demands a client certificate{lack}"))
            }
            (_, Asked::No) | (Alert::HandshakeFailure, Asked::Shown) => None,
            (
                Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::DecryptError,
                Asked::Shown,
            ) => Some(format!("{who} refused the client certificate: {words}")),
            // How TLS 1.2 says that a certificate is required (RFC 5246 §7.4.6), and what some
            // servers say in its place.
            (
                Alert::HandshakeFailure
                | Alert::BadCertificate
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied,
                Asked::InVain | Asked::Unsuited,
            ) => Some(format!(
                "{who} refused the handshake ({words}): it asked for a client certificate{lack}"
            )),
            _ => None,
        }
    }
}
