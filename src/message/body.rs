//! What a request carries.

use std::fmt;
use std::sync::Arc;

/// The body of a request: bytes that are shared, never copied, when the request is cloned,
/// repeated after a redirect, or handed from thread to thread.
///
/// # Examples
///
/// ```
/// use fetchpool::Body;
///
/// let body = Body::from(vec![0_u8; 1 << 20]);
/// let same = body.clone(); // no copy of the megabyte
/// assert_eq!(same.len(), 1 << 20);
/// assert_eq!(Body::from("text").as_bytes(), b"text");
/// ```
#[derive(Clone, Default)]
pub struct Body(Option<Arc<Vec<u8>>>);

impl Body {
    /// A request without a body. That is not the same as an empty one: a POST of an empty body
    /// says `Content-Length: 0`.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is a body, be it of no bytes.
    #[must_use]
    pub const fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// The bytes; none at all where there is no body.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Body {
    /// The length: the bytes may be secret, and many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            None => f.write_str("Body(none)"),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Some(Arc::new(bytes)))
    }
}

impl From<Arc<Vec<u8>>> for Body {
    fn from(bytes: Arc<Vec<u8>>) -> Self {
        Self(Some(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl<const N: usize> From<&[u8; N]> for Body {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.to_vec().into()
    }
}
