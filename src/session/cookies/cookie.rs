//! One cookie, read out of a jar.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::entry::Entry;
use crate::message::REDACTED;

/// A cookie that a [`CookieJar`](crate::CookieJar) holds.
///
/// `Debug` does not show the value, which is a credential more often than not.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    value: String,
    domain: String,
    path: String,
    host_only: bool,
    secure: bool,
    http_only: bool,
    expires: Option<SystemTime>,
}

impl Cookie {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as the server wrote it: quotes stay, nothing is decoded.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The domain, in lower case and without a dot in front. Whether its subdomains get the cookie,
    /// too, is [`host_only`](Self::host_only).
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The path at and below which it is sent.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether only the host itself gets it, and none of its subdomains.
    #[must_use]
    pub const fn host_only(&self) -> bool {
        self.host_only
    }

    /// Whether it is sent over https only.
    #[must_use]
    pub const fn secure(&self) -> bool {
        self.secure
    }

    /// Whether scripts in a page must not see it. Kept for those who ask; here it changes nothing.
    #[must_use]
    pub const fn http_only(&self) -> bool {
        self.http_only
    }

    /// When it ends; `None` if it lasts as long as its jar.
    #[must_use]
    pub const fn expires(&self) -> Option<SystemTime> {
        self.expires
    }
}

impl From<&Entry> for Cookie {
    fn from(entry: &Entry) -> Self {
        let time = |millis: i64| {
            UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
        };
        Self {
            name: entry.name().to_owned(),
            value: entry.value().to_owned(),
            domain: entry.domain().to_owned(),
            path: entry.path().to_owned(),
            host_only: entry.is_host_only(),
            secure: entry.is_secure(),
            http_only: entry.is_http_only(),
            expires: entry.expires().and_then(time),
        }
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name)
            .field("value", &REDACTED)
            .field("domain", &self.domain)
            .field("path", &self.path)
            .field("host_only", &self.host_only)
            .field("secure", &self.secure)
            .field("http_only", &self.http_only)
            .field("expires", &self.expires)
            .finish()
    }
}
