//! Errors where there is a proxy: at it, or behind it.

use std::fmt;

use super::{Error, ErrorKind, Phase};

impl Error {
    /// Says that it happened at this proxy, and not at the target.
    #[must_use]
    pub(crate) fn at_proxy(mut self, proxy: &impl fmt::Display) -> Self {
        let kind = self.0.kind;
        if kind == ErrorKind::Cancelled {
            return self;
        }
        let detail = std::mem::take(&mut self.0.detail);
        let separator = if detail.is_empty() { "" } else { ": " };
        self.0.detail = match kind {
            // A limit, or code of the caller's, is the same wherever it ends a request.
            ErrorKind::Timeout | ErrorKind::TooLarge | ErrorKind::Panic | ErrorKind::Proxy => {
                format!("the proxy {proxy}{separator}{detail}").into()
            }
            _ => format!("the proxy {proxy}: {}{separator}{detail}", kind.phrase()).into(),
        };
        if matches!(
            kind,
            ErrorKind::Dns
                | ErrorKind::Connect
                | ErrorKind::Tls
                | ErrorKind::Io
                | ErrorKind::Closed
                | ErrorKind::Protocol
        ) {
            self.0.fault = Some(self.fault());
            self.0.kind = ErrorKind::Proxy;
        }
        if !matches!(self.0.phase, Some(Phase::Setup | Phase::Dns | Phase::Connect | Phase::Tls)) {
            self.0.phase = Some(Phase::Proxy);
        }
        self
    }

    /// Says that the way to the target led through this proxy.
    #[cfg(feature = "tls-no-provider")]
    #[must_use]
    pub(crate) fn through_proxy(mut self, proxy: &impl fmt::Display) -> Self {
        if self.0.kind == ErrorKind::Tls {
            self.0.detail = format!("{} (through the proxy {proxy})", self.0.detail).into();
        }
        self
    }

    /// Whether a proxy could not be reached, failed or refused.
    #[must_use]
    pub fn is_proxy(&self) -> bool {
        self.kind() == ErrorKind::Proxy
    }
}
