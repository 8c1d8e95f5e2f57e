//! Why a cookie is not taken.

use std::fmt;

/// The rule that speaks against it. The cookie itself is not told: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Nameless,
    ControlByte,
    TooLong,
    OtherDomain,
    PublicSuffix,
    SecureOverHttp,
    Prefix,
    SecureExists,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nameless => "it has no name and `=` (RFC 6265 section 5.2)",
            Self::ControlByte => "it holds a control byte",
            Self::TooLong => "name and value are longer than 4096 bytes",
            Self::OtherDomain => "its Domain is not one of the URL's host",
            Self::PublicSuffix => "its Domain is a public suffix",
            Self::SecureOverHttp => "it is Secure, and the URL is not https",
            Self::Prefix => "it is not what the prefix of its name demands",
            Self::SecureExists => "there is a Secure one of its name, and the URL is not https",
        })
    }
}
