//! The head of a response, as a function sees it that decides where the body goes.

use std::fmt;

use super::Headers;

/// The head of a response whose body has not been read: what a function given to
/// [`Request::receive_by`](super::Request::receive_by) decides by.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub struct ResponseHead<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a Headers,
    pub(crate) url: &'a str,
    pub(crate) length: Option<u64>,
}

impl<'a> ResponseHead<'a> {
    /// The status code, 200 to 999.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is below 400.
    #[must_use]
    pub const fn ok(&self) -> bool {
        self.status < 400
    }

    /// The header fields.
    #[must_use]
    pub const fn headers(&self) -> &'a Headers {
        self.headers
    }

    /// The first value of a header field, the name in any letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)
    }

    /// The URL that answered: behind every redirect, without user information.
    #[must_use]
    pub const fn url(&self) -> &'a str {
        self.url
    }

    /// How many bytes of body are announced, as they are sent: before any content coding is undone.
    #[must_use]
    pub const fn content_length(&self) -> Option<u64> {
        self.length
    }
}

impl fmt::Debug for ResponseHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
