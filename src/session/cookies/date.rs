//! Dates as cookies have them (RFC 6265 §5.1.1): any text with a time, a day, a month and a year.
//!
//! `cookie_store` reads four fixed forms, and servers write many more: other separators, names of
//! days in any language, years of two digits behind spaces. A date that is not understood makes a
//! cookie that was to be deleted live on.

use crate::message::parse_date;

/// Seconds since 1970-01-01 00:00:00 UTC. A zone in the text does not count: it is GMT by
/// definition.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        // Each is looked for in this order, and the first that fits is it.
        if time.is_none() && time_of(token).is_some() {
            time = time_of(token);
        } else if day.is_none() && number(token, 1, 2).is_some() {
            day = number(token, 1, 2);
        } else if month.is_none() && month_of(token).is_some() {
            month = month_of(token);
        } else if year.is_none() {
            year = number(token, 2, 4);
        }
    }
    let (hour, minute, second) = time?;
    let year = match year? {
        year @ 0..=69 => year + 2000,
        year @ 70..=99 => year + 1900,
        year => year,
    };
    if year < 1601 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (day, month) = (day?, month?);
    // The form that HTTP itself reads, which then says whether there is such a day. The name of the
    // day is not believed there.
    let exact = format!("Mon, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT");
    parse_date(&exact, 0)
}

const fn is_delimiter(c: char) -> bool {
    matches!(c, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~')
}

/// `hh:mm:ss`, each of one or two digits, and anything that is no digit behind.
fn time_of(token: &str) -> Option<(u16, u16, u16)> {
    let (hour, rest) = digits(token, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 1, 2)?;
    let (second, _) = digits(rest.strip_prefix(':')?, 1, 2)?;
    Some((hour, minute, second))
}

fn month_of(token: &str) -> Option<&'static str> {
    let start = token.get(..3)?;
    MONTHS.into_iter().find(|month| month.eq_ignore_ascii_case(start))
}

fn number(token: &str, least: usize, most: usize) -> Option<u16> {
    digits(token, least, most).map(|(number, _)| number)
}

/// The number in front, of so many digits and no more; and what stands behind it.
fn digits(text: &str, least: usize, most: usize) -> Option<(u16, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(end)?;
    let number = digits.parse().ok()?;
    (least..=most).contains(&end).then_some((number, rest))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_means_the_same_second() {
        for text in [
            // RFC 9110's three.
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            // Netscape's, and what servers make of them.
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 6 Nov 94 8:49:37 GMT",
            "Sunday, 6-November-1994 08:49:37",
            "06 Nov 1994 08:49:37",
            "1994 Nov 06 08:49:37",
            "Nov 06 08:49:37 1994 GMT",
            "Sun 06-Nov-1994 08:49:37 UTC",
            "Dom, 06/NOV/1994 08:49:37 GMT",
            "Sun,06,nov,1994,08:49:37",
            "  Sun, 06 Nov 1994 08:49:37 GMT  ",
            "Sun, 06 Nov 1994 08:49:37 +0200",
            "Sun, 06 Nov 1994 08:49:37.123Z GMT",
            "Sun, 06th Nov 1994 08:49:37 GMT",
            "\"Sun, 06 Nov 1994 08:49:37 GMT\"",
            "08:49:37 06 Nov 094",
        ] {
            assert_eq!(parse(text), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn years_of_two_digits_are_from_1970_to_2069() {
        let first_of_january = |year: &str| parse(&format!("01-Jan-{year} 00:00:00"));
        for (two, four) in [("70", "1970"), ("99", "1999"), ("00", "2000"), ("69", "2069")] {
            assert!(first_of_january(two).is_some());
            assert_eq!(first_of_january(two), first_of_january(four), "{two}");
        }
        assert_eq!(first_of_january("1970"), Some(0));
        assert_eq!(first_of_january("1969"), Some(-365 * 86_400));
        assert_eq!(parse("31 Dec 9999 23:59:59"), Some(253_402_300_799));
    }

    #[test]
    fn what_lacks_a_part_or_is_no_day_of_the_calendar_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "Thu",
            "06 Nov 1994",
            "06 Nov 08:49:37",
            "Nov 1994 08:49:37",
            "06 1994 08:49:37",
            "06 Nov 1994 08:49",
            "06 Nov 1994 24:00:00",
            "06 Nov 1994 08:60:00",
            "06 Nov 1994 08:49:60",
            "06 Nov 1994 008:49:37",
            "00 Nov 1994 08:49:37",
            "31 Nov 1994 08:49:37",
            "29 Feb 1995 08:49:37",
            "32 Dec 1994 08:49:37",
            "06 Nov 1600 08:49:37",
            "06 Nov 19940 08:49:37",
            "06 N\u{f6}v 1994 08:49:37",
            "1994-11-06T08:49:37Z",
            "\u{2160}6 Nov 1994 08:49:37",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
