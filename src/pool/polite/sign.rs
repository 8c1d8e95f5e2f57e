//! What the end of a try says about the origin.

use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Fault, Phase};
use crate::message::{Clock, Origin, Response};

/// How an origin has borne a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Sign {
    /// It answered, whatever became of the answer.
    Good,
    /// It has too much to do (429, 503), and may have said for how long.
    Slow(Option<Duration>),
    /// It does not say for how long it has too much to do (503): it may as well be down.
    Overloaded,
    /// It cannot be reached, does not answer, or answers that it cannot (500, 502, 504).
    Failed,
    /// It was not the origin that ended it.
    Nothing,
}

impl Sign {
    /// `now` is for a `Retry-After` that is a date, and `cap` the longest that is waited for.
    pub(in crate::pool) fn of(
        result: &Result<Response, Error>,
        now: SystemTime,
        cap: Duration,
    ) -> Self {
        match result {
            Ok(response) => Self::of_response(response, now, cap),
            Err(error) => Self::of_error(error, now, cap),
        }
    }

    fn of_response(response: &Response, now: SystemTime, cap: Duration) -> Self {
        let first = response.history().first();
        if first.is_some_and(|hop| leads_away(hop.url(), response.url())) {
            return Self::Good;
        }
        let wait = || response.retry_after(now).map(|wait| wait.min(cap));
        match response.status() {
            429 => Self::Slow(wait()),
            503 => wait().map_or(Self::Overloaded, |wait| Self::Slow(Some(wait))),
            500 | 502 | 504 => Self::Failed,
            ..500 => Self::Good,
            _ => Self::Nothing,
        }
    }

    fn of_error(error: &Error, now: SystemTime, cap: Duration) -> Self {
        if error.fault() == Fault::Caller {
            return Self::Nothing;
        }
        // The origin itself has answered: it sent the request to another one.
        let first = error.history().first();
        if first.is_some_and(|hop| leads_away(hop.url(), error.url().unwrap_or_default())) {
            return Self::Good;
        }
        match error.kind() {
            // What the pool's deadline ends, and what a proxy does not do, is no fault of the origin.
            ErrorKind::Timeout if error.clock() == Some(Clock::Deadline) => Self::Nothing,
            ErrorKind::Timeout if error.phase() == Some(Phase::Proxy) => Self::Nothing,
            ErrorKind::Dns
            | ErrorKind::Connect
            | ErrorKind::Tls
            | ErrorKind::Timeout
            | ErrorKind::Io
            | ErrorKind::Closed
            | ErrorKind::Protocol => Self::Failed,
            ErrorKind::Status
            | ErrorKind::TooLarge
            | ErrorKind::TooManyRedirects
            | ErrorKind::Redirect
            | ErrorKind::Decode => {
                error.response().map_or(Self::Good, |found| Self::of_response(found, now, cap))
            }
            ErrorKind::InvalidUrl
            | ErrorKind::InvalidRequest
            | ErrorKind::Forbidden
            | ErrorKind::Proxy
            | ErrorKind::Cancelled
            | ErrorKind::CircuitOpen
            | ErrorKind::Panic => Self::Nothing,
        }
    }
}

/// Whether the redirects have led from one origin to another. From `http` to `https` is another one,
/// too, and has a gate of its own.
fn leads_away(from: &str, to: &str) -> bool {
    match (Origin::parse(from), Origin::parse(to)) {
        (Ok(from), Ok(to)) => from != to,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Headers, Hop, Received, ResponseParts, Timings, Version};

    fn response(status: u16, retry_after: Option<&str>, urls: &[&str]) -> Response {
        let mut headers = Headers::new();
        if let Some(value) = retry_after {
            headers.append("Retry-After", value).unwrap();
        }
        let (url, before) = urls.split_last().unwrap();
        let hop = |url: &&str| Hop { status: 302, url: (*url).into(), headers: Headers::new() };
        Response(Box::new(ResponseParts {
            status,
            version: Version::Http11,
            reason: "".into(),
            headers,
            attempts: Vec::new(),
            url: (*url).into(),
            history: before.iter().map(hop).collect(),
            elapsed: Duration::ZERO,
            timings: Timings::default(),
            peer: None,
            tls: None,
            body: Vec::new().into(),
            received: Received::default(),
        }))
    }

    fn sign(result: Result<Response, Error>) -> Sign {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        Sign::of(&result, now, Duration::from_secs(60))
    }

    fn slow(seconds: u64) -> Sign {
        Sign::Slow(Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn an_answer_says_whether_the_origin_can_bear_it() {
        let date = Some("Sun, 06 Nov 1994 08:50:00 GMT");
        let past = Some("Sun, 06 Nov 1994 08:49:00 GMT");
        for (status, retry_after, expected) in [
            (200, None, Sign::Good),
            (304, None, Sign::Good),
            (404, None, Sign::Good),
            (408, Some("9"), Sign::Good),
            (200, Some("9"), Sign::Good),
            (429, None, Sign::Slow(None)),
            (429, Some("9"), slow(9)),
            (429, Some("0"), slow(0)),
            (429, Some("3600"), slow(60)),
            (429, date, slow(23)),
            (503, None, Sign::Overloaded),
            (503, past, Sign::Overloaded),
            (503, Some("soon"), Sign::Overloaded),
            (503, Some("9"), slow(9)),
            (503, Some("99999999999999999999"), slow(60)),
            (500, Some("9"), Sign::Failed),
            (502, None, Sign::Failed),
            (504, None, Sign::Failed),
            (501, None, Sign::Nothing),
            (599, None, Sign::Nothing),
        ] {
            let given = || response(status, retry_after, &["http://a/"]);
            assert_eq!(sign(Ok(given())), expected, "{status}, {retry_after:?}");
            let error = Error::new(ErrorKind::Status, "").with_response(given());
            assert_eq!(sign(Err(error)), expected, "{status}, {retry_after:?}, as an error");
        }
    }

    #[test]
    fn an_error_says_whose_doing_it_was() {
        let error = |kind| Error::new(kind, "");
        for (error, expected) in [
            (error(ErrorKind::Dns), Sign::Failed),
            (error(ErrorKind::Connect), Sign::Failed),
            (error(ErrorKind::Tls), Sign::Failed),
            (error(ErrorKind::Io), Sign::Failed),
            (error(ErrorKind::Closed), Sign::Failed),
            (error(ErrorKind::Protocol), Sign::Failed),
            (error(ErrorKind::Timeout), Sign::Failed),
            (Error::expired(Clock::Connect, ""), Sign::Failed),
            (Error::expired(Clock::Request, "").during(Phase::Receiving), Sign::Failed),
            (Error::expired(Clock::Connect, "").during(Phase::Proxy), Sign::Nothing),
            (Error::expired(Clock::Deadline, ""), Sign::Nothing),
            // It has answered.
            (error(ErrorKind::TooLarge), Sign::Good),
            (error(ErrorKind::TooManyRedirects), Sign::Good),
            (error(ErrorKind::Redirect), Sign::Good),
            (error(ErrorKind::Decode), Sign::Good),
            (
                error(ErrorKind::Decode).with_response(response(503, None, &["http://a/"])),
                Sign::Overloaded,
            ),
            (
                error(ErrorKind::Closed).with_response(response(200, None, &["http://a/"])),
                Sign::Failed,
            ),
            // It was not asked.
            (error(ErrorKind::Proxy), Sign::Nothing),
            (error(ErrorKind::Connect).at_proxy(&"p"), Sign::Nothing),
            (error(ErrorKind::Tls).during(Phase::Setup), Sign::Nothing),
            (error(ErrorKind::InvalidUrl), Sign::Nothing),
            (error(ErrorKind::InvalidRequest), Sign::Nothing),
            (error(ErrorKind::Forbidden), Sign::Nothing),
            (error(ErrorKind::Cancelled), Sign::Nothing),
            (error(ErrorKind::Panic), Sign::Nothing),
            (error(ErrorKind::CircuitOpen), Sign::Nothing),
            (Error::local("", std::io::ErrorKind::Other.into()), Sign::Nothing),
        ] {
            let shown = format!("{error:?}");
            assert_eq!(sign(Err(error)), expected, "{shown}");
        }
    }

    #[test]
    fn what_happens_at_another_origin_is_not_the_fault_of_the_one_that_led_there() {
        for (urls, is_away) in [
            (["http://a/1", "http://a/2"], false),
            (["http://a/1", "http://a:80/2"], false),
            (["http://a/", "https://a/"], true),
            (["http://a/", "http://b/"], true),
            (["http://a/", "http://a:81/"], true),
        ] {
            let expected = |sign| if is_away { Sign::Good } else { sign };
            let found = response(503, Some("9"), &urls);
            assert_eq!(sign(Ok(found.clone())), expected(slow(9)), "{urls:?}");
            let error = Error::new(ErrorKind::Timeout, "").at(urls[1]);
            let error = error.with_trail(Vec::new(), found.0.history);
            assert_eq!(sign(Err(error)), expected(Sign::Failed), "{urls:?}");
        }
    }
}
