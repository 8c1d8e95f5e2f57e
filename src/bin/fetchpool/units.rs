//! Numbers as people read them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `"1 request"`, `"2 requests"`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A size in binary units, three digits of it.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut size = number as f64 / 1024.0;
    let mut unit = 0;
    // 999.5 and up would be printed with four digits.
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(size), UNITS[unit])
}

/// A time in the unit that fits it, three digits of it.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.000_999_5 {
        format!("{} µs", three_digits(seconds * 1e6))
    } else if seconds < 0.999_5 {
        format!("{} ms", three_digits(seconds * 1e3))
    } else {
        format!("{} s", three_digits(seconds))
    }
}

/// How many of something there were in each second.
pub(crate) fn per_second(number: u64, time: Duration) -> u64 {
    (number as f64 / time.as_secs_f64().max(1e-9)).round() as u64
}

fn three_digits(number: f64) -> String {
    let decimals = match number {
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0, 12, 999, 1000, 123_456, u64::MAX].map(count);
        assert_eq!(shown, ["0", "12", "999", "1,000", "123,456", "18,446,744,073,709,551,615"]);
        assert_eq!((counted(1, "job"), counted(2, "job")), ("1 job".into(), "2 jobs".into()));
    }

    #[test]
    fn sizes_have_three_digits_and_the_unit_that_fits() {
        let shown = [0, 1023, 1024, 10_240, 1_048_500, 1_048_576, u64::MAX].map(bytes);
        assert_eq!(
            shown,
            ["0 B", "1023 B", "1.00 KiB", "10.0 KiB", "1.00 MiB", "1.00 MiB", "16.0 EiB"]
        );
    }

    #[test]
    fn times_have_three_digits_and_the_unit_that_fits() {
        let shown = [0, 1_500, 999_400, 999_600, 12_345_678, 1_234_000_000]
            .map(|nanos| time(Duration::from_nanos(nanos)));
        assert_eq!(shown, ["0.00 µs", "1.50 µs", "999 µs", "1.00 ms", "12.3 ms", "1.23 s"]);
        assert_eq!(time(Duration::from_secs(120)), "120 s");
    }

    #[test]
    fn a_rate_over_no_time_is_not_a_division_by_zero() {
        assert_eq!(per_second(0, Duration::ZERO), 0);
        assert_eq!(per_second(10, Duration::from_secs(4)), 3);
    }
}
