//! Whether a request is tried again, and after how long. Pure: all that it hangs on is an argument.

use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Fault, Phase};
use crate::message::{Request, Response, RetryPolicy};

/// A try that is over, and what is known when it is.
#[derive(Clone, Copy)]
pub(super) struct Tried<'a> {
    pub(super) policy: &'a RetryPolicy,
    /// How often the request has been tried again so far.
    pub(super) retries: u32,
    pub(super) request: &'a Request,
    pub(super) result: Result<&'a Response, &'a Error>,
    /// What is left for the request of its time, and for all; `None` if there is no end to it.
    pub(super) left: Option<Duration>,
    /// From 0 to 1.
    pub(super) random: f64,
    /// For a `Retry-After` that is a date.
    pub(super) now: SystemTime,
}

impl Tried<'_> {
    /// How long to wait before the next try; `None` if the result stands.
    pub(super) fn wait(&self) -> Option<Duration> {
        if self.retries >= self.policy.max_retries() || !self.may_be_sent_again() {
            return None;
        }
        let reason = match self.result {
            Ok(response) => Reason::Status(response),
            Err(error) => Reason::of(error),
        };
        let is_one = match reason {
            Reason::Status(response) => self.policy.is_for_status(response.status()),
            // Code or a file of its own has failed it; or it was called off.
            Reason::Failure(error) if error.fault() == Fault::Caller => false,
            Reason::Failure(error) => {
                let wanted = self.policy.is_for_kind(error.kind());
                wanted.unwrap_or_else(|| is_mendable(error))
            }
        };
        if !is_one {
            return None;
        }
        let asked_for = match reason {
            Reason::Status(response) => response.retry_after(self.now),
            Reason::Failure(_) => None,
        };
        let wait = match asked_for {
            Some(wait) => self.policy.obeyed(wait),
            None => part(self.policy.longest_wait(self.retries), self.random),
        };
        self.is_in_time(wait).then_some(wait)
    }

    /// Whether it does no harm to send the request twice, and can be done.
    fn may_be_sent_again(&self) -> bool {
        let answer = self.result.map_or_else(Error::response, Some);
        let harmless = self.request.method().is_idempotent()
            || self.policy.is_for_unsafe()
            || self.result.is_err_and(was_not_sent);
        harmless
            && self.request.content().0.can_be_sent()
            && !answer.is_some_and(Response::was_handed_over)
    }

    /// Whether there will be time for a try. No answer comes in less than a round trip, which is what
    /// opening a connection took, if one was opened and not only tried to be.
    fn is_in_time(&self, wait: Duration) -> bool {
        let Some(left) = self.left else { return true };
        let round_trip = match self.result {
            Ok(response) => response.timings().connect,
            Err(error) if is_before_sending(error) => Duration::ZERO,
            Err(error) => error.timings().connect,
        };
        left.checked_sub(wait).is_some_and(|left| left > round_trip)
    }
}

/// So much of a time. Not `mul_f64`, which panics where the result is rounded to more than the
/// longest time there is.
fn part(of: Duration, random: f64) -> Duration {
    Duration::try_from_secs_f64(of.as_secs_f64() * random.clamp(0.0, 1.0)).unwrap_or(of).min(of)
}

/// Why a request may be tried again.
enum Reason<'a> {
    /// What was answered, by the server or by a proxy in its place.
    Status(&'a Response),
    Failure(&'a Error),
}

impl<'a> Reason<'a> {
    fn of(error: &'a Error) -> Self {
        match error.response() {
            // Another response than that is one that broke off.
            Some(response) if matches!(error.kind(), ErrorKind::Status | ErrorKind::Proxy) => {
                Self::Status(response)
            }
            _ => Self::Failure(error),
        }
    }
}

/// What a second try may mend, if nobody says otherwise.
fn is_mendable(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Dns
        | ErrorKind::Connect
        | ErrorKind::Io
        | ErrorKind::Closed
        | ErrorKind::Timeout => true,
        ErrorKind::Tls | ErrorKind::Proxy => error.fault() == Fault::Network,
        _ => false,
    }
}

/// Whether no server can have seen the request: there was no connection to send it over.
fn was_not_sent(error: &Error) -> bool {
    // A proxy's answer may be that of the server to which it has handed it on.
    !error.was_sent() && error.response().is_none() && is_before_sending(error)
}

fn is_before_sending(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Proxy => true,
        // By TLS 1.3 a record may be bad long after the handshake.
        _ => matches!(error.phase(), Some(Phase::Dns | Phase::Connect | Phase::Tls | Phase::Proxy)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Headers, Received, ResponseParts, Timings, Version};

    fn response(status: u16, retry_after: Option<&str>) -> Result<Response, Error> {
        let mut headers = Headers::new();
        if let Some(value) = retry_after {
            headers.append("Retry-After", value).unwrap();
        }
        Ok(Response(Box::new(ResponseParts {
            status,
            version: Version::Http11,
            reason: "".into(),
            headers,
            url: String::new(),
            history: Vec::new(),
            elapsed: Duration::ZERO,
            timings: Timings::default(),
            peer: None,
            tls: None,
            body: Vec::new().into(),
            received: Received::default(),
            attempts: Vec::new(),
        })))
    }

    fn status_error(kind: ErrorKind, status: u16) -> Result<Response, Error> {
        Err(Error::new(kind, "").with_response(response(status, None).unwrap()))
    }

    fn failure(kind: ErrorKind) -> Result<Response, Error> {
        Err(Error::new(kind, ""))
    }

    fn during(kind: ErrorKind, phase: Phase) -> Result<Response, Error> {
        Err(Error::new(kind, "").during(phase))
    }

    fn broken(kind: ErrorKind, phase: Phase) -> Error {
        Error::new(kind, "").during(phase).of_the_network()
    }

    /// After the first try, with the longest wait and no end of time.
    fn tried<'a>(
        policy: &'a RetryPolicy,
        request: &'a Request,
        result: &'a Result<Response, Error>,
    ) -> Tried<'a> {
        let now = SystemTime::UNIX_EPOCH;
        let result = result.as_ref();
        Tried { policy, retries: 0, request, result, left: None, random: 1.0, now }
    }

    fn is_again(policy: &RetryPolicy, request: &Request, result: &Result<Response, Error>) -> bool {
        tried(policy, request, result).wait().is_some()
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
            (status_error(ErrorKind::Status, 503), true, false),
            (status_error(ErrorKind::Status, 404), false, false),
            // It broke off, whatever its status was.
            (status_error(ErrorKind::Closed, 404), true, false),
            (status_error(ErrorKind::TooLarge, 503), false, false),
            (failure(ErrorKind::Connect), true, true),
            (failure(ErrorKind::Dns), true, true),
            (failure(ErrorKind::Closed), true, false),
            (failure(ErrorKind::Io), true, false),
            (failure(ErrorKind::Timeout), true, false),
            (during(ErrorKind::Timeout, Phase::Connect), true, true),
            (during(ErrorKind::Timeout, Phase::Tls), true, true),
            (during(ErrorKind::Timeout, Phase::Waiting), true, false),
            (failure(ErrorKind::Protocol), false, false),
            (during(ErrorKind::Tls, Phase::Tls), false, false),
            (Err(broken(ErrorKind::Tls, Phase::Tls)), true, true),
            (Err(broken(ErrorKind::Tls, Phase::Tls).after_sending()), true, false),
            (Err(broken(ErrorKind::Tls, Phase::Tls).at_proxy(&"p")), true, true),
            (Err(Error::new(ErrorKind::Connect, "").at_proxy(&"p")), true, true),
            (Err(Error::new(ErrorKind::Closed, "").at_proxy(&"p")), true, true),
            (Err(Error::new(ErrorKind::Tls, "").at_proxy(&"p")), false, false),
            (failure(ErrorKind::Proxy), false, false),
            (status_error(ErrorKind::Proxy, 503), true, false),
            (status_error(ErrorKind::Proxy, 407), false, false),
            (failure(ErrorKind::InvalidUrl), false, false),
            (failure(ErrorKind::Cancelled), false, false),
            (failure(ErrorKind::Forbidden), false, false),
            (failure(ErrorKind::Panic), false, false),
            (failure(ErrorKind::Decode), false, false),
        ] {
            assert_eq!(is_again(&policy, &get, &result), get_again, "GET {result:?}");
            assert_eq!(is_again(&policy, &post, &result), post_again, "POST {result:?}");
        }
    }

    #[test]
    fn methods_that_may_be_sent_twice_are_those_of_the_rfc_unless_all_are() {
        let (usual, all) = (RetryPolicy::new(1), RetryPolicy::new(1).retry_unsafe(true));
        for (method, again) in [
            ("GET", true),
            ("HEAD", true),
            ("PUT", true),
            ("DELETE", true),
            ("OPTIONS", true),
            ("TRACE", true),
            ("POST", false),
            ("PATCH", false),
            ("LOCK", false),
        ] {
            let request = Request::new(method, "u");
            for result in [response(503, None), failure(ErrorKind::Closed)] {
                assert_eq!(is_again(&usual, &request, &result), again, "{method}");
                assert!(is_again(&all, &request, &result), "{method}");
            }
        }
        assert!(!is_again(&all, &Request::post("u"), &response(404, None)));
    }

    #[test]
    fn statuses_and_kinds_are_those_that_were_asked_for() {
        let get = Request::get("u");
        let policy = || RetryPolicy::new(1);
        for (policy, result, again) in [
            (policy().statuses([404]), response(404, None), true),
            (policy().statuses([202]), response(202, None), true),
            (policy().statuses([404]), response(503, None), false),
            (policy().statuses([]), response(503, None), false),
            (policy().statuses([]), failure(ErrorKind::Closed), true),
            (policy().statuses([407]), status_error(ErrorKind::Proxy, 407), true),
            (policy().retry_kind(ErrorKind::Status, false), response(503, None), false),
            (policy().retry_kind(ErrorKind::Timeout, false), failure(ErrorKind::Timeout), false),
            (policy().retry_kind(ErrorKind::Timeout, false), failure(ErrorKind::Io), true),
            (policy().retry_kind(ErrorKind::Protocol, true), failure(ErrorKind::Protocol), true),
            (policy().retry_kind(ErrorKind::Tls, true), failure(ErrorKind::Tls), true),
            (policy().retry_kind(ErrorKind::Cancelled, true), failure(ErrorKind::Cancelled), false),
            (policy().retry_kind(ErrorKind::Panic, true), failure(ErrorKind::Panic), false),
            (
                policy().retry_kind(ErrorKind::Io, false).retry_kind(ErrorKind::Io, true),
                failure(ErrorKind::Io),
                true,
            ),
        ] {
            assert_eq!(is_again(&policy, &get, &result), again, "{result:?} with {policy:?}");
        }
    }

    #[test]
    fn a_body_that_is_gone_is_not_sent_again_and_one_that_failed_to_be_read_neither() {
        let policy = RetryPolicy::new(1).retry_unsafe(true);
        let put = Request::put("u").body(Body::reader(&b"x"[..]));
        assert!(is_again(&policy, &put, &response(503, None)), "nothing was read of it yet");
        std::io::Read::read(&mut put.content().0.open().unwrap(), &mut [0]).unwrap();
        assert!(!is_again(&policy, &put, &response(503, None)));
        assert!(!is_again(&policy, &put, &failure(ErrorKind::Connect)));
        let put = Request::put("u").body("x");
        let unread = Err(Error::unread(std::io::ErrorKind::TimedOut.into()));
        assert!(!is_again(&policy, &put, &unread));
    }

    #[test]
    fn a_post_that_was_redirected_is_not_sent_again_because_its_second_hop_failed() {
        let policy = RetryPolicy::new(1);
        let failed = Err(Error::new(ErrorKind::Connect, "").after_sending());
        assert!(!is_again(&policy, &Request::post("u"), &failed));
        assert!(is_again(&policy, &Request::get("u"), &failed));
    }

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread_at_random() {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        let (get, failed) = (Request::get("u"), response(503, None));
        let wait = |policy: RetryPolicy, retries, random| {
            Tried { retries, random, ..tried(&policy, &get, &failed) }.wait()
        };
        let usual = || RetryPolicy::new(u32::MAX);
        let own = || usual().backoff(ms(5), ms(30));
        for (policy, retries, random, expected) in [
            (usual(), 0, 1.0, Some(ms(200))),
            (usual(), 0, 0.5, Some(ms(100))),
            (usual(), 0, 0.0, Some(ms(0))),
            (usual(), 3, 1.0, Some(ms(1600))),
            (usual(), 40, 1.0, Some(s(60))),
            (usual(), 40, 7.0, Some(s(60))),
            (own(), 0, 1.0, Some(ms(5))),
            (own(), 2, 1.0, Some(ms(20))),
            (own(), 3, 1.0, Some(ms(30))),
            (usual().backoff(s(9), s(1)), 0, 1.0, Some(s(1))),
            (usual().backoff(s(0), s(1)), 9, 1.0, Some(s(0))),
            (usual().backoff(Duration::MAX, Duration::MAX), 9, 1.0, Some(Duration::MAX)),
            (usual(), 0, f64::NAN, Some(ms(200))),
            (RetryPolicy::new(2), 1, 1.0, Some(ms(400))),
            (RetryPolicy::new(2), 2, 1.0, None),
            (RetryPolicy::new(0), 0, 1.0, None),
        ] {
            let told = format!("{retries} retries, {random}, {policy:?}");
            assert_eq!(wait(policy, retries, random), expected, "{told}");
        }
    }

    #[test]
    fn retry_after_is_obeyed_up_to_the_cap() {
        let get = Request::get("u");
        let wait = |policy: &RetryPolicy, value| {
            let failed = response(503, Some(value));
            Tried { random: 0.0, ..tried(policy, &get, &failed) }.wait().unwrap()
        };
        let usual = |value| wait(&RetryPolicy::new(1), value);
        assert_eq!(usual("7"), Duration::from_secs(7));
        assert_eq!(usual("86400"), Duration::from_secs(60));
        assert_eq!(usual("+7"), Duration::ZERO, "not a number of seconds");
        assert_eq!(usual("0"), Duration::ZERO);
        assert_eq!(usual("99999999999999999999999"), Duration::from_secs(60));
        assert_eq!(usual("Thu, 01 Jan 1970 00:00:42 GMT"), Duration::from_secs(42));
        assert_eq!(usual("Fri, 02 Jan 1970 00:00:00 GMT"), Duration::from_secs(60));
        let hour = RetryPolicy::new(1).retry_after_max(Duration::from_secs(3600));
        assert_eq!(wait(&hour, "900"), Duration::from_secs(900));
        assert_eq!(wait(&hour, "86400"), Duration::from_secs(3600));
        let never = RetryPolicy::new(1).retry_after_max(Duration::ZERO);
        assert_eq!(wait(&never, "900"), Duration::ZERO);
    }

    #[test]
    fn a_retry_that_has_no_time_is_none() {
        let ms = Duration::from_millis;
        let (policy, get) = (RetryPolicy::new(1), Request::get("u"));
        let answered = |connect| {
            let mut response = response(503, None).unwrap();
            response.0.timings.connect = connect;
            Ok(response)
        };
        let closed = |kind, phase, connect| {
            let timings = Timings { connect, ..Timings::default() };
            Err(Error::new(kind, "").during(phase).after(timings))
        };
        // The wait is 200 ms.
        for (result, left, again) in [
            (answered(ms(0)), None, true),
            (answered(ms(0)), Some(ms(201)), true),
            (answered(ms(0)), Some(ms(200)), false),
            (answered(ms(0)), Some(ms(199)), false),
            (answered(ms(0)), Some(ms(0)), false),
            (answered(ms(50)), Some(ms(251)), true),
            (answered(ms(50)), Some(ms(250)), false),
            (closed(ErrorKind::Closed, Phase::Waiting, ms(50)), Some(ms(250)), false),
            (closed(ErrorKind::Closed, Phase::Waiting, ms(50)), Some(ms(251)), true),
            // It never connected: how long that takes is not known.
            (closed(ErrorKind::Timeout, Phase::Connect, ms(50)), Some(ms(201)), true),
            (closed(ErrorKind::Connect, Phase::Connect, ms(50)), Some(ms(201)), true),
        ] {
            let wait = Tried { left, ..tried(&policy, &get, &result) }.wait();
            assert_eq!(wait.is_some(), again, "{result:?} with {left:?} left");
        }
        let later = response(503, Some("2"));
        let left = Some(Duration::from_secs(2));
        assert_eq!(Tried { left, ..tried(&policy, &get, &later) }.wait(), None);
    }
}
