//! Properties of plain values.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use fetchpool::internals::{self, ParsedUrl, parse_date};

use super::plain;

/// A URL that is accepted prints as one that parses to the same, and what goes into the head and
/// to the look-up holds nothing that another reader would take apart once more.
pub fn message_target(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let parsed = ParsedUrl::parse(text);
    assert_eq!(ParsedUrl::parse_behind("http://h/", text), parsed, "{text:?}");
    let Some(url) = parsed else { return };
    // Whatever has the same origin, and whatever is of another.
    let behind = ParsedUrl::parse_behind(text, text);
    assert_eq!(behind.as_ref().map(ParsedUrl::printed), Some(url.printed()), "{text:?}");
    assert_eq!(behind.as_ref(), Some(&url), "{text:?}");
    let printed = url.printed();
    let again = ParsedUrl::parse(printed[2]);
    assert_eq!(again.as_ref().map(ParsedUrl::printed), Some(printed), "from {text:?}");
    assert_eq!(again.as_ref().map(ParsedUrl::origin), Some(url.origin()), "from {text:?}");
    assert!(url.origin_is_stable(), "{url:?} from {text:?}");
    assert_eq!(plain::origin(printed[2]), Some(url.origin()), "from {text:?}");

    let [authority, path, _] = printed;
    assert!(path.starts_with('/') && !path.contains('#'), "{path:?} from {text:?}");
    assert!(path.bytes().chain(authority.bytes()).all(|b| b.is_ascii_graphic()), "{url:?}");
    let (_, host, _) = url.origin();
    match url.host() {
        (Some(ip), _) => {
            assert_eq!(host.trim_matches(['[', ']']).parse::<IpAddr>(), Ok(ip), "from {text:?}");
        }
        (None, name) => {
            assert!(name == host && plain::is_host_name(name), "{name:?} from {text:?}");
        }
    }
}

/// A `Retry-After`, with the `Date` of its response in a second line and the number of minutes
/// since 1970 in a third: digits are seconds, and anything else is a date or nothing. What is a
/// date is what another reader, `httpdate`, takes for one, and the same second; but that one has
/// no second that leaps, wants the right day of the week, and has two digits of a year always mean
/// the same century.
pub fn retry_after(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let (value, date) = (lines.next().unwrap_or_default(), lines.next());
    let minutes = lines.next().and_then(|minutes| minutes.parse::<u32>().ok());
    let now = i64::from(minutes.unwrap_or_default()) * 60;
    let wait = internals::retry_after(value, date, now);
    for text in [Some(value), date].into_iter().flatten() {
        check_date(text, now);
    }
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let significant = value.trim_start_matches('0');
        let wait = wait.expect("digits are seconds").as_secs().to_string();
        assert!(wait.trim_start_matches('0') == significant || significant.len() > 19, "{value}");
    } else {
        let start = date.and_then(|date| parse_date(date, now)).unwrap_or(now);
        // A date that is past asks for nothing.
        let seconds = parse_date(value, now).and_then(|then| u64::try_from(then - start).ok());
        let seconds = seconds.filter(|seconds| *seconds > 0);
        assert_eq!(wait, seconds.map(Duration::from_secs), "{value:?}");
    }
}

fn check_date(text: &str, now: i64) {
    let ours = parse_date(text, now);
    let theirs = httpdate::parse_http_date(text).ok().filter(|_| text == text.trim());
    match (ours, theirs) {
        (None, None) => {}
        // The other does not look at every byte of the old forms.
        (None, Some(theirs)) => assert!(!forms(theirs).contains(&text.to_owned()), "{text:?}"),
        (Some(ours), theirs) => {
            let age = u64::try_from(ours).map(Duration::from_secs);
            let same = age.map(|age| SystemTime::UNIX_EPOCH + age);
            let has_short_year = text.contains('-');
            if has_short_year {
                assert!((ours - now).abs() <= 51 * 366 * 24 * 3600, "{text:?} at {now}");
            }
            if same.ok() == theirs || ours < 0 || text.contains(":60") {
                return;
            }
            assert!(theirs.is_none() || has_short_year, "{text:?} is {theirs:?}");
            // Printed, it is the same but for the day of the week.
            let printed = httpdate::fmt_http_date(same.unwrap());
            let mut parts = printed.split(' ').skip(1);
            assert!(
                parts.all(|part| {
                    let part = part.strip_prefix('0').unwrap_or(part);
                    text.contains(part)
                        || has_short_year && text.contains(&part[part.len() - 2..])
                        || part == "GMT"
                }),
                "{text:?} is {printed:?}"
            );
        }
    }
}

/// The three forms of a date.
fn forms(time: SystemTime) -> [String; 3] {
    const DAYS: [&str; 7] =
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let imf = httpdate::fmt_http_date(time);
    let parts: Vec<&str> = imf.split([',', ' ']).collect();
    let [name, _, day, month, year, clock, _] = parts[..] else { panic!("{imf}") };
    let long = DAYS.iter().find(|long| long.starts_with(name)).unwrap();
    let rfc_850 = format!("{long}, {day}-{month}-{} {clock} GMT", &year[2..]);
    let asctime = format!("{name} {month} {:>2} {clock} {year}", day.trim_start_matches('0'));
    [imf, rfc_850, asctime]
}
