//! Dates as HTTP writes them (RFC 9110 §5.6.7), as seconds since 1970-01-01 00:00:00 UTC.

/// Reads a date: the form that is sent today, `Sun, 06 Nov 1994 08:49:37 GMT`, or one of the two
/// old ones that must still be read. `now` says which century a year of two digits is of: at most
/// 50 years from now.
///
/// The name of the day must be one, and is not believed; a second 60 is one that leaps.
pub(crate) fn parse_date(text: &str, now: i64) -> Option<i64> {
    let (name, rest) = text.split_once(' ')?;
    let is_day = |name: &str| DAYS.iter().any(|day| day.get(..3) == Some(name));
    let forms: &[&str] = match name.strip_suffix(',') {
        Some(name) if is_day(name) => &["dd bbb yyyy hh:mm:ss GMT"],
        Some(name) if DAYS.contains(&name) => &["dd-bbb-yy hh:mm:ss GMT"],
        None if is_day(name) => &["bbb dd hh:mm:ss yyyy", "bbb  d hh:mm:ss yyyy"],
        _ => return None,
    };
    let form = forms.iter().find(|form| fits(form, rest))?;
    let part = |letter: char| rest.get(form.find(letter)?..=form.rfind(letter)?);
    let number = |letter| part(letter)?.parse::<i64>().ok();
    let month = part('b').and_then(|name| MONTHS.iter().position(|month| *month == name))?;
    let (day, mut year) = (number('d')?, number('y')?);
    if !form.contains("yyyy") {
        let this_year = now.div_euclid(DAY_SECONDS) * 400 / DAYS_OF_400_YEARS + 1970;
        let earliest = this_year - 49;
        year = earliest + (year - earliest).rem_euclid(100);
    }
    let (hour, minute, second) = (number('h')?, number('m')?, number('s')?);
    let first = days_before(year, month);
    // December has 31 days in every year.
    let length = if month == 11 { 31 } else { days_before(year, month + 1) - first };
    if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    (first + day - 1).checked_mul(DAY_SECONDS)?.checked_add((hour * 60 + minute) * 60 + second)
}

/// Whether the text has digits or letters where the form has lower-case ones, and is the same else.
fn fits(form: &str, text: &str) -> bool {
    form.len() == text.len()
        && form.bytes().zip(text.bytes()).all(|(wanted, found)| match wanted {
            b'b' => found.is_ascii_alphabetic(),
            b'a'..=b'z' => found.is_ascii_digit(),
            other => other == found,
        })
}

/// Days from 1970-01-01 to the first day of a month, January being 0, by the Gregorian calendar.
fn days_before(year: i64, month: usize) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_days =
        |years: i64| years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    let is_leap = leap_days(year) != leap_days(year - 1);
    let this_year =
        BEFORE.get(month).copied().unwrap_or_default() + i64::from(is_leap && month > 1);
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969) + this_year
}

const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_SECONDS: i64 = 24 * 3600;
const DAYS_OF_400_YEARS: i64 = 146_097;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-26 00:00:00 UTC.
    const NOW: i64 = 1_795_651_200;

    fn parse(text: &str) -> Option<i64> {
        parse_date(text, NOW)
    }

    #[test]
    fn the_three_forms_mean_the_same_second() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(text), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn the_calendar_is_the_gregorian_one() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
            ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Thu, 26 Nov 2026 00:00:00 GMT", NOW),
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            ("Sat, 01 Jan 0000 00:00:00 GMT", -62_167_219_200),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
        for text in [
            "Thu, 29 Feb 1900 00:00:00 GMT",
            "Thu, 29 Feb 2026 00:00:00 GMT",
            "Thu, 31 Apr 2026 00:00:00 GMT",
            "Thu, 32 Dec 2026 00:00:00 GMT",
            "Thu, 00 Jan 2026 00:00:00 GMT",
            "Thu, 01 Jan 2026 24:00:00 GMT",
            "Thu, 01 Jan 2026 00:60:00 GMT",
            "Thu, 01 Jan 2026 00:00:61 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_at_most_fifty_years_away() {
        let year = |digits: &str| parse(&format!("Friday, 01-Jan-{digits} 00:00:00 GMT"));
        let full = |year: u16| parse(&format!("Fri, 01 Jan {year} 00:00:00 GMT"));
        for (digits, meant) in
            [("26", 2026), ("00", 2000), ("76", 2076), ("77", 1977), ("99", 1999)]
        {
            assert_eq!(year(digits), full(meant), "{digits}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            " ",
            "Sun",
            "Sun,",
            "7",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun,  6 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Now 1994 08:49:37 GMT",
            "Son, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sunday Nov  6 08:49:37 1994",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08-49-37 GMT",
            "Sun, 06 No\u{e4} 1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
