//! Whether a job is tried again, and when. Pure decisions.

use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Fault};
use crate::message::{Request, Response};

/// Whether a job that failed is tried again, and after how long.
///
/// Tried again is what a second try may mend: a connection that could not be opened or broke, a
/// time-out of one phase, and the statuses 408, 425, 429, 500, 502, 503 and 504; and only where
/// sending the request twice does no more than sending it once (GET, HEAD, PUT, DELETE, OPTIONS,
/// TRACE: RFC 9110 §9.2.2) or nothing was sent yet, and where its body can be sent again
/// ([`Body`](crate::Body) says which can). A body of which a writer or function of the caller's has
/// seen a part is not sent for again. A TLS handshake that fails is not tried again.
///
/// At most 16 jobs for each thread wait to be tried again; while there are as many, no further job
/// is taken from the queue.
///
/// While the only worker waits in an iterator of the caller's own, nothing is tried again.
///
/// The wait grows exponentially, with full jitter: a random time up to 200 ms before the first
/// retry, 400 ms before the second and so on, up to 60 s. A `Retry-After`, in seconds or as a date,
/// is obeyed up to the same cap. Waiting jobs take no worker. The wait counts inside the request's
/// timeout, and a retry that could not begin before that ends, or before the pool's deadline, is
/// not made: the last result stands.
///
/// # Examples
///
/// ```
/// use fetchpool::{Pool, RetryPolicy};
///
/// let pool = Pool::builder().retry(RetryPolicy::new(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    max_retries: u32,
}

impl RetryPolicy {
    /// At most so many tries after the first.
    #[must_use]
    pub const fn new(max_retries: u32) -> Self {
        Self { max_retries }
    }

    /// How long to wait before the next try; `None` if the result stands. `random` is between 0
    /// and 1, `now` for a `Retry-After` that is a date.
    pub(super) fn wait(
        &self,
        retries: u32,
        request: &Request,
        result: &Result<Response, Error>,
        random: f64,
        now: SystemTime,
    ) -> Option<Duration> {
        if retries >= self.max_retries || !request.content().0.can_be_sent() {
            return None;
        }
        let answered = result.as_ref().map_or_else(Error::response, Some);
        if answered.is_some_and(Response::was_handed_over) {
            return None;
        }
        let response = match result {
            Ok(response) => Some(response),
            // Code or a file of its own has failed it.
            Err(error) if error.fault() == Fault::Caller => return None,
            Err(error) => match error.kind() {
                ErrorKind::Connect | ErrorKind::Dns if !error.was_sent() => None,
                ErrorKind::Connect
                | ErrorKind::Dns
                | ErrorKind::Io
                | ErrorKind::Closed
                | ErrorKind::Timeout
                    if request.method().is_idempotent() =>
                {
                    None
                }
                // The request itself has not been sent, but for a 407.
                ErrorKind::Proxy if error.response().is_some() => error.response(),
                ErrorKind::Proxy
                    if error.fault() == Fault::Network
                        && (!error.was_sent() || request.method().is_idempotent()) =>
                {
                    None
                }
                ErrorKind::Status => error.response(),
                _ => return None,
            },
        };
        if let Some(response) = response {
            if !RETRIED_STATUSES.contains(&response.status()) || !request.method().is_idempotent() {
                return None;
            }
            if let Some(wait) = response.retry_after(now) {
                return Some(wait.min(MAX_WAIT));
            }
        }
        let factor = 2_u32.saturating_pow(retries);
        Some(FIRST_WAIT.saturating_mul(factor).min(MAX_WAIT).mul_f64(random.clamp(0.0, 1.0)))
    }
}

const RETRIED_STATUSES: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];
const FIRST_WAIT: Duration = Duration::from_millis(200);
const MAX_WAIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Headers, Received, Timings, Version};

    fn response(status: u16, retry_after: Option<&str>) -> Result<Response, Error> {
        let mut headers = Headers::new();
        if let Some(value) = retry_after {
            headers.append("Retry-After", value).unwrap();
        }
        Ok(Response {
            status,
            version: Version::Http11,
            reason: String::new(),
            headers,
            url: String::new(),
            history: Vec::new(),
            elapsed: Duration::ZERO,
            timings: Timings::default(),
            peer: None,
            tls: None,
            body: Vec::new(),
            received: Received::default(),
        })
    }

    fn refusal(status: u16) -> Result<Response, Error> {
        Err(Error::new(ErrorKind::Proxy, "").with_response(response(status, None).unwrap()))
    }

    fn failure(kind: ErrorKind) -> Result<Response, Error> {
        Err(Error::new(kind, ""))
    }

    #[test]
    fn only_what_a_second_try_may_mend_is_tried_again() {
        let policy = RetryPolicy::new(1);
        let get = Request::get("u");
        let post = Request::post("u");
        for (result, get_again, post_again) in [
            (response(200, None), false, false),
            (response(404, None), false, false),
            (response(503, None), true, false),
            (response(429, None), true, false),
            (failure(ErrorKind::Connect), true, true),
            (failure(ErrorKind::Dns), true, true),
            (failure(ErrorKind::Closed), true, false),
            (failure(ErrorKind::Io), true, false),
            (failure(ErrorKind::Timeout), true, false),
            (failure(ErrorKind::Protocol), false, false),
            (failure(ErrorKind::Tls), false, false),
            (Err(Error::new(ErrorKind::Connect, "").at_proxy(&"p")), true, true),
            (Err(Error::new(ErrorKind::Closed, "").at_proxy(&"p")), true, true),
            (Err(Error::new(ErrorKind::Tls, "").at_proxy(&"p")), false, false),
            (failure(ErrorKind::Proxy), false, false),
            (refusal(503), true, false),
            (refusal(407), false, false),
            (failure(ErrorKind::InvalidUrl), false, false),
            (failure(ErrorKind::Cancelled), false, false),
        ] {
            assert_eq!(
                policy.wait(0, &get, &result, 1.0, SystemTime::UNIX_EPOCH).is_some(),
                get_again,
                "GET {result:?}"
            );
            assert_eq!(
                policy.wait(0, &post, &result, 1.0, SystemTime::UNIX_EPOCH).is_some(),
                post_again,
                "POST {result:?}"
            );
        }
    }

    #[test]
    fn a_body_that_is_gone_is_not_sent_again_and_one_that_failed_to_be_read_neither() {
        let policy = RetryPolicy::new(1);
        let wait = |request: &Request, result| {
            policy.wait(0, request, &result, 1.0, SystemTime::UNIX_EPOCH).is_some()
        };
        let put = Request::put("u").body(Body::reader(&b"x"[..]));
        assert!(wait(&put, response(503, None)), "nothing was read of it yet");
        std::io::Read::read(&mut put.content().0.open().unwrap(), &mut [0]).unwrap();
        assert!(!wait(&put, response(503, None)));
        assert!(!wait(&put, failure(ErrorKind::Connect)));
        let put = Request::put("u").body("x");
        assert!(!wait(&put, Err(Error::unread(std::io::ErrorKind::TimedOut.into()))));
    }

    #[test]
    fn a_post_that_was_redirected_is_not_sent_again_because_its_second_hop_failed() {
        let policy = RetryPolicy::new(1);
        let failed = || Err(Error::new(ErrorKind::Connect, "").after_sending());
        assert_eq!(
            policy.wait(0, &Request::post("u"), &failed(), 1.0, SystemTime::UNIX_EPOCH),
            None
        );
        assert!(
            policy.wait(0, &Request::get("u"), &failed(), 1.0, SystemTime::UNIX_EPOCH).is_some()
        );
    }

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread_at_random() {
        let policy = RetryPolicy::new(u32::MAX);
        let get = Request::get("u");
        let wait = |retries, random| {
            policy
                .wait(retries, &get, &response(503, None), random, SystemTime::UNIX_EPOCH)
                .unwrap()
        };
        assert_eq!(wait(0, 1.0), Duration::from_millis(200));
        assert_eq!(wait(0, 0.5), Duration::from_millis(100));
        assert_eq!(wait(3, 1.0), Duration::from_millis(1600));
        assert_eq!(wait(40, 1.0), Duration::from_secs(60));
        assert_eq!(
            RetryPolicy::new(2).wait(2, &get, &response(503, None), 1.0, SystemTime::UNIX_EPOCH),
            None
        );
    }

    #[test]
    fn retry_after_is_obeyed_up_to_the_cap() {
        let policy = RetryPolicy::new(1);
        let get = Request::get("u");
        let wait = |value| {
            policy.wait(0, &get, &response(503, Some(value)), 0.0, SystemTime::UNIX_EPOCH).unwrap()
        };
        assert_eq!(wait("7"), Duration::from_secs(7));
        assert_eq!(wait("86400"), Duration::from_secs(60));
        assert_eq!(wait("+7"), Duration::ZERO, "not a number of seconds");
        assert_eq!(wait("0"), Duration::ZERO);
        assert_eq!(wait("99999999999999999999999"), Duration::from_secs(60));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:42 GMT"), Duration::from_secs(42));
        assert_eq!(wait("Fri, 02 Jan 1970 00:00:00 GMT"), Duration::from_secs(60));
    }
}
