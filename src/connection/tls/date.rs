//! A moment as people read it: `2026-11-26 04:00:00 UTC`.

use rustls::pki_types::UnixTime;

/// The moment, in UTC.
pub(super) fn date(moment: UnixTime) -> String {
    let seconds = moment.as_secs();
    let (days, clock) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (clock / HOUR, clock / MINUTE % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// How far apart two moments are, in the largest unit of which there are two.
pub(super) fn distance(one: UnixTime, other: UnixTime) -> String {
    let seconds = one.as_secs().abs_diff(other.as_secs());
    match seconds {
        0 | 1 => "a second".to_owned(),
        2..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / MINUTE),
        7_200..172_800 => format!("{} hours", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}

/// Year, month and day of a day counted from 1970. Years are counted from March, so that the day
/// that is not in every year is the last one, and in eras of 400 years, which are all alike.
const fn civil(days: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    (year + era * 400, month, day)
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The days of 400 years.
const ERA: u64 = 146_097;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_795_665_600, "2026-11-26 04:00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            // The last that a certificate can say.
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(date(at(seconds)), text);
        }
    }

    #[test]
    fn a_distance_is_told_in_one_unit() {
        for (seconds, text) in [
            (0, "a second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_199, "119 minutes"),
            (7_200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(distance(at(1_000), at(1_000 + seconds)), text);
            assert_eq!(distance(at(1_000 + seconds), at(1_000)), text);
        }
    }
}
