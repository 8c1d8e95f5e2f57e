//! One job that is over, as every way of printing sees it: secrets are gone here, once.

use std::borrow::Cow;

use fetchpool::{Error, ErrorKind, Outcome, Request, Response};
use serde_json::Value;

use crate::input::Ticket;

/// A job and what became of it.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    pub(crate) id: &'a Value,
    pub(crate) index: u64,
    pub(crate) method: &'a str,
    /// As given, without user information.
    pub(crate) url: Cow<'a, str>,
    pub(crate) result: Result<&'a Response, Failure>,
}

/// Why there is no response.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

/// Why a job was never started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    Cancelled,
    Late,
}

impl<'a> Finished<'a> {
    pub(crate) fn of(outcome: &'a Outcome) -> Self {
        let result = match outcome {
            Outcome::Response(response) => Ok(&**response),
            Outcome::Exception(exception) => Err(Failure::of(exception)),
        };
        Self::new(outcome.request(), outcome.index(), result)
    }

    /// A job that was read, and that a pool which ended early never took.
    pub(crate) fn never_started(request: &'a Request, left: Left) -> Self {
        let (kind, message) = match left {
            Left::Cancelled => (ErrorKind::Cancelled, "cancelled before it was started"),
            Left::Late => (ErrorKind::Timeout, "the deadline passed before it was started"),
        };
        Self::new(request, 0, Err(Failure { kind, message: message.to_owned() }))
    }

    /// The URL as it will be shown of a request that gets a response.
    pub(crate) fn url_of(request: &'a Request) -> Cow<'a, str> {
        without_userinfo(request, true)
    }

    fn new(request: &'a Request, index: u64, result: Result<&'a Response, Failure>) -> Self {
        let parsed = result.as_ref().err().is_none_or(Failure::came_after_parsing);
        let ticket = request.tag_ref::<Ticket>();
        Self {
            id: ticket.map_or(&Value::Null, |ticket| &ticket.id),
            index: ticket.map_or(index, |ticket| ticket.index),
            method: request.method().as_str(),
            url: without_userinfo(request, parsed),
            result,
        }
    }
}

impl Failure {
    fn of(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.message() }
    }

    /// Whether the URL is known to be one: these kinds arise before it is looked at, or while.
    fn came_after_parsing(&self) -> bool {
        !matches!(
            self.kind,
            ErrorKind::Cancelled
                | ErrorKind::InvalidRequest
                | ErrorKind::InvalidUrl
                | ErrorKind::Panic
                | ErrorKind::Timeout
        )
    }
}

/// The URL as it was given, if it surely holds no password, or else as the library shows it.
///
/// A URL that is none may hold one anywhere in front of its last `@`: `http://u:p/w@h/` has the
/// host `u` and the port `p`, which is not what its writer meant.
fn without_userinfo(request: &Request, parsed: bool) -> Cow<'_, str> {
    let url = request.url();
    if !url.contains('@') || (parsed && userinfo_is_absent(url)) {
        Cow::Borrowed(url)
    } else {
        Cow::Owned(request.redacted_url())
    }
}

/// Whether a URL that parses has no user information for certain. It is looked for at its usual
/// place only; the unusual ways to write an authority (`http:\\h`, `http:h`) are not certain.
fn userinfo_is_absent(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    ["http", "https"].iter().any(|usual| scheme.eq_ignore_ascii_case(usual))
        && !authority.is_empty()
        && !authority.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_as_given_but_for_its_user_information() {
        for (given, parsed, shown) in [
            ("http://Host/a?b=c@d", true, "http://Host/a?b=c@d"),
            ("HTTP://h", true, "HTTP://h"),
            ("http://u:hunter2@h/a", true, "http://h/a"),
            ("http:\\\\u:hunter2@h/", true, "http://h/"),
            ("http:u:hunter2@h/", true, "http://h/"),
            ("not a url", false, "not a url"),
            ("", false, ""),
        ] {
            assert_eq!(without_userinfo(&Request::get(given), parsed), shown, "{given}");
        }
    }

    #[test]
    fn a_url_that_is_none_shows_nothing_that_may_be_a_password() {
        for given in ["http://u:hunter2/hunter2@h/", "u:hunter2@h", "ftp://u:hunter2@h/"] {
            let request = Request::get(given);
            let shown = without_userinfo(&request, false);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn what_was_never_started_is_cancelled_under_its_own_index() {
        let request = Request::post("http://h/").tag(Ticket { id: 7.into(), index: 3 });
        let finished = Finished::never_started(&request, Left::Cancelled);
        assert_eq!((finished.id, finished.index, finished.method), (&7.into(), 3, "POST"));
        assert!(finished.result.is_err_and(|failure| failure.kind == ErrorKind::Cancelled));
    }
}
