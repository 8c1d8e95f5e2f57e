//! Decides whether a response sends us elsewhere, and what goes along. Pure: a head in, the next
//! hop or none out.

use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Method, Target, redact};
use crate::wire::ResponseHead;

/// One exchange in a chain of redirects.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) method: Method,
    pub(super) target: Target,
    /// Whether the request's body, and the fields that describe it, go along.
    pub(super) with_body: bool,
    /// Whether credentials go along. Once the chain has left the origin of the job's URL they are
    /// gone for good: a way back may be the other origin's doing (CVE-2024-45336).
    pub(super) with_credentials: bool,
}

impl Step {
    /// The first exchange, to the job's own URL.
    pub(super) const fn first(method: Method, target: Target) -> Self {
        Self { method, target, with_body: true, with_credentials: true }
    }
}

/// Where the response sends us, or `None` to hand it to the caller: it is no redirect, or its
/// `Location` is missing or empty.
///
/// # Errors
///
/// Kind `redirect` for a `Location` that is there twice with different values, or leads nowhere that
/// we go: not a URL, neither `http` nor `https`.
pub(super) fn next_step(step: &Step, head: &ResponseHead) -> Result<Option<Step>, Error> {
    if !matches!(head.status, 301..=303 | 307 | 308) {
        return Ok(None);
    }
    let mut locations = head.headers.get_all("location");
    let Some(location) = locations.next() else { return Ok(None) };
    // Twice the same is a proxy's doing, and clear. Of two that differ, also of an empty one and
    // another, one may be somebody else's.
    if locations.any(|other| other != location) {
        return Err(bad("there is more than one Location, and they differ".into()));
    }
    if location.is_empty() {
        return Ok(None);
    }
    let target = step.target.join(location).map_err(|error| {
        // Cut off only then: a password is told by the `@` behind it.
        let shown: String = redact(location).chars().take(200).collect();
        bad(format!("Location \"{shown}\": {error}"))
    })?;
    let method = method_after(head.status, &step.method);
    Ok(Some(Step {
        // As `requests` has it: also where the method stays, as that of a PUT does by 301.
        with_body: step.with_body && matches!(head.status, 307 | 308),
        with_credentials: step.with_credentials && target.same_origin(&step.target),
        method,
        target,
    }))
}

/// The method of the next request, as `requests` has it (RFC 9110 §15.4 leaves it open): 303
/// becomes GET, 302 as well, 301 does so for POST; HEAD stays HEAD, and 307 and 308 change
/// nothing.
fn method_after(status: u16, method: &Method) -> Method {
    match status {
        302 | 303 if *method != Method::HEAD => Method::GET,
        301 if *method == Method::POST => Method::GET,
        _ => method.clone(),
    }
}

fn bad(detail: String) -> Error {
    Error::new(ErrorKind::Redirect, detail).during(Phase::Redirecting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Headers, Version};

    fn head(status: u16, locations: &[&str]) -> ResponseHead {
        let mut headers = Headers::new();
        for location in locations {
            headers.append("Location", location).unwrap();
        }
        ResponseHead { status, version: Version::Http11, reason: "".into(), headers }
    }

    fn step(method: Method, url: &str) -> Step {
        Step::first(method, Target::parse(url).unwrap())
    }

    #[test]
    fn methods_and_bodies_follow_the_rules_of_requests() {
        for (status, from, to) in [
            (301, Method::POST, Method::GET),
            (301, Method::PUT, Method::PUT),
            (301, Method::GET, Method::GET),
            (302, Method::POST, Method::GET),
            (302, Method::PUT, Method::GET),
            (302, Method::HEAD, Method::HEAD),
            (303, Method::DELETE, Method::GET),
            (303, Method::HEAD, Method::HEAD),
            (307, Method::POST, Method::POST),
            (308, Method::PATCH, Method::PATCH),
        ] {
            let next = next_step(&step(from.clone(), "http://a/"), &head(status, &["/b"]));
            let next = next.unwrap().unwrap();
            assert_eq!(next.method, to, "{status} {from}");
            assert_eq!(next.with_body, status > 303, "{status} {from}");
        }
    }

    #[test]
    fn a_body_that_was_dropped_does_not_come_back() {
        let first = step(Method::POST, "http://a/");
        let second = next_step(&first, &head(303, &["/b"])).unwrap().unwrap();
        let third = next_step(&second, &head(307, &["/c"])).unwrap().unwrap();
        assert!(!third.with_body);
    }

    #[test]
    fn credentials_stay_with_scheme_host_and_port_and_never_come_back() {
        for (from, location, stay) in [
            ("https://a/", "/b", true),
            ("https://a/", "https://a:443/", true),
            ("https://A/", "https://a/", true),
            ("https://a/", "https://user:pw@a/", true),
            ("https://a/", "https://b/", false),
            ("https://a/", "https://sub.a/", false),
            ("https://a/", "https://a:444/", false),
            ("https://a/", "http://a/", false),
            ("https://a/", "http://a:443/", false),
            ("http://a/", "https://a/", false),
            ("http://a/", "//b/", false),
            ("http://a/", "http://a./", false),
        ] {
            let next = next_step(&step(Method::GET, from), &head(302, &[location]));
            let next = next.unwrap().unwrap();
            assert_eq!(next.with_credentials, stay, "{from} -> {location}");
            let back = next_step(&next, &head(302, &[from])).unwrap().unwrap();
            let same = next_step(&back, &head(302, &["/again"])).unwrap().unwrap();
            assert_eq!(same.with_credentials, stay, "{from} -> {location} -> {from} -> /again");
        }
    }

    #[test]
    fn only_redirects_with_a_location_are_followed() {
        for status in [200, 201, 300, 304, 305, 306, 309, 404] {
            let next = next_step(&step(Method::GET, "http://a/"), &head(status, &["/b"]));
            assert!(next.unwrap().is_none(), "{status}");
        }
        for locations in [&[][..], &[""][..]] {
            let next = next_step(&step(Method::GET, "http://a/"), &head(302, locations));
            assert!(next.unwrap().is_none(), "{locations:?}");
        }
    }

    #[test]
    fn a_location_that_leads_nowhere_is_an_error_that_tells_it_without_passwords() {
        for location in ["ftp://a/", "file:///etc/passwd", "http://", "data:,x", "javascript:1"] {
            let error = next_step(&step(Method::GET, "http://a/"), &head(302, &[location]));
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Redirect, "{location}");
        }
        let error = next_step(&step(Method::GET, "http://a/"), &head(302, &["ftp://u:hunter2@a/"]));
        assert!(!error.unwrap_err().message().contains("hunter2"));
        let error = next_step(&step(Method::GET, "http://a/"), &head(302, &["/b", "/c"]));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Redirect);
        let error = next_step(&step(Method::GET, "http://a/"), &head(302, &["", "/c"]));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Redirect);
        let twice = next_step(&step(Method::GET, "http://a/"), &head(302, &["/b", "/b"]));
        assert!(twice.unwrap().is_some());
    }
}
