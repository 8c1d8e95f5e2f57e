//! Request methods.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::is_token;

/// A request method: one of the usual ones, or any other token (RFC 9110 §9.1).
///
/// Methods are case-sensitive; `get` is not `GET`. As `requests` does, [`Method::from_str`] and
/// [`Request::new`](crate::Request::new) turn letters into upper case, so that a list written by
/// hand may say `get`.
///
/// # Examples
///
/// ```
/// use fetchpool::Method;
///
/// assert_eq!("get".parse::<Method>()?, Method::GET);
/// assert_eq!("purge".parse::<Method>()?.as_str(), "PURGE");
/// assert!("GET /\r\n".parse::<Method>().is_err());
/// # Ok::<(), fetchpool::InvalidMethod>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Method(Cow<'static, str>);

macro_rules! usual {
    ($($name:ident)*) => {
        impl Method {
            $(
                #[doc = concat!("The method `", stringify!($name), "`.")]
                pub const $name: Self = Self(Cow::Borrowed(stringify!($name)));
            )*

            fn usual(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

usual! { GET HEAD POST PUT PATCH DELETE OPTIONS TRACE }

impl Method {
    /// The method as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether sending the request twice does no more than sending it once (RFC 9110 §9.2.2).
    /// An unknown method is not held to be so.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        matches!(self.as_str(), "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE")
    }

    /// Whether a request by this method usually has a body, and so says `Content-Length: 0`
    /// where it has none (RFC 9110 §8.6).
    pub(crate) fn expects_body(&self) -> bool {
        matches!(self.as_str(), "POST" | "PUT" | "PATCH")
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = InvalidMethod;

    fn from_str(name: &str) -> Result<Self, InvalidMethod> {
        if let Some(method) = Self::usual(name) {
            return Ok(method);
        }
        if !is_token(name.as_bytes()) {
            return Err(InvalidMethod(name.escape_debug().take(40).collect()));
        }
        let upper = name.to_ascii_uppercase();
        Ok(Self::usual(&upper).unwrap_or(Self(Cow::Owned(upper))))
    }
}

/// A method that is not a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMethod(String);

impl fmt::Display for InvalidMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "method \"{}\" is not a token (RFC 9110 section 9.1)", self.0)
    }
}

impl std::error::Error for InvalidMethod {}
