//! Who asks, and for what.

#[cfg(feature = "digest")]
use crate::message::Target;

/// A user and a password. Has no `Debug`: neither is to be shown.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::session) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// A request, as far as a proof of who asks depends on it.
#[cfg(feature = "digest")]
#[derive(Clone, Copy)]
pub(in crate::session) struct Asked<'a> {
    pub(in crate::session) method: &'a str,
    pub(in crate::session) target: &'a Target,
    /// `None` for a body that is not at hand as bytes.
    pub(in crate::session) body: Option<&'a [u8]>,
}
