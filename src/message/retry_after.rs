//! How long a server asks to be left alone.

use std::time::{Duration, SystemTime};

use super::Response;
use super::date::parse_date;

impl Response {
    /// The wait that `Retry-After` asks for (RFC 9110 §10.2.3), in seconds or until a date. A date
    /// is taken by the server's own clock where it tells its time; one that is past asks for
    /// nothing. A number too large to count is the longest time there is.
    pub(crate) fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(seconds).unwrap_or(i64::MAX);
        wait(self.header("retry-after")?, self.header("date"), now)
    }
}

/// `now` is in seconds since 1970-01-01 00:00:00 UTC.
pub(crate) fn wait(value: &str, date: Option<&str>, now: i64) -> Option<Duration> {
    // Not `str::parse` alone, which also takes a sign.
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let then = parse_date(value, now)?;
    let now = date.and_then(|date| parse_date(date, now)).unwrap_or(now);
    let seconds = u64::try_from(then.saturating_sub(now)).ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 784_111_777;
    const LATER: &str = "Sun, 06 Nov 1994 08:50:00 GMT";

    #[test]
    fn a_wait_is_a_number_of_seconds_or_ends_at_a_date() {
        let wait = |value| wait(value, None, NOW);
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("99999999999999999999"), Some(Duration::MAX));
        assert_eq!(wait(LATER), Some(Duration::from_secs(23)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:38 GMT"), Some(Duration::from_secs(1)));
        let past = ["Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"];
        for value in past.into_iter().chain(["", "-1", "+1", "1.5", "1 ", "soon", "\u{663}"]) {
            assert_eq!(wait(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_date_is_taken_by_the_servers_own_clock() {
        let fast = "Sun, 06 Nov 1994 08:49:50 GMT";
        assert_eq!(wait(LATER, Some(fast), NOW), Some(Duration::from_secs(10)));
        assert_eq!(wait(LATER, Some("no date"), NOW), Some(Duration::from_secs(23)));
        assert_eq!(wait("7", Some(fast), NOW), Some(Duration::from_secs(7)));
    }
}
