//! The Basic scheme (RFC 7617).

use crate::message::base64;

/// The field's value; `None` for a user with a colon.
pub(super) fn field(user: &[u8], password: &[u8]) -> Option<String> {
    let pair = || [user, b":", password].concat();
    (!user.contains(&b':')).then(|| format!("Basic {}", base64(&pair())))
}

/// Why such a user is refused.
pub(super) const COLON: &str = "holds a colon (RFC 7617 section 2)";
