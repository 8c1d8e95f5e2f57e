//! What a batch came to: counts, rate, bytes, and how long things took.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::finished::Finished;
use crate::latency::Latencies;
use crate::style::Style;
use crate::units;

/// Sums over a batch, in memory that does not grow with it.
#[derive(Debug)]
pub(crate) struct Summary {
    started: Instant,
    /// Responses by the first digit of the status.
    classes: BTreeMap<u16, u64>,
    /// Failures by kind.
    kinds: BTreeMap<&'static str, u64>,
    bytes: u64,
    latencies: Latencies,
}

impl Summary {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            classes: BTreeMap::new(),
            kinds: BTreeMap::new(),
            bytes: 0,
            latencies: Latencies::new(),
        }
    }

    pub(crate) fn record(&mut self, finished: &Finished<'_>) {
        match &finished.result {
            Ok(response) => {
                *self.classes.entry(response.status() / 100).or_default() += 1;
                self.bytes += response.body_len();
                self.latencies.record(response.elapsed());
            }
            Err(failure) => *self.kinds.entry(failure.kind.as_str()).or_default() += 1,
        }
    }

    pub(crate) fn tell(&self, style: Style) -> String {
        self.tell_after(self.started.elapsed(), style)
    }

    fn tell_after(&self, took: Duration, style: Style) -> String {
        let answered: u64 = self.classes.values().sum();
        let failed: u64 = self.kinds.values().sum();
        let done = answered + failed;
        let title = |text: &str| style.strong(&format!("{text:>9}"));
        let mut text = format!(
            "{}  {} in {}, {}/s, {}\n",
            title("done"),
            units::counted(done, "request"),
            units::time(took),
            units::count(units::per_second(done, took)),
            units::bytes(self.bytes),
        );
        if answered > 0 {
            let class = |(class, count): (&u16, &u64)| {
                let told = format!("{class}xx {}", units::count(*count));
                match class {
                    2 => style.good(&told),
                    5.. => style.bad(&told),
                    _ => style.odd(&told),
                }
            };
            let classes: Vec<_> = self.classes.iter().map(class).collect();
            let _ = writeln!(text, "{}  {}", title("status"), classes.join("  "));
        }
        if failed > 0 {
            let kind = |(kind, count): (&&str, &u64)| {
                style.bad(&format!("{kind} {}", units::count(*count)))
            };
            let kinds: Vec<_> = self.kinds.iter().map(kind).collect();
            let _ = writeln!(text, "{}  {}", title("failed"), kinds.join("  "));
        }
        if !self.latencies.is_empty() {
            let _ = writeln!(text, "{}  {}", title("latency"), percentiles(&self.latencies));
        }
        text
    }
}

/// `p50 1.00 ms  p90 2.00 ms  p99 3.00 ms  max 4.00 ms`
fn percentiles(latencies: &Latencies) -> String {
    let mut text = String::new();
    for percent in [50_u8, 90, 99] {
        let time = units::time(latencies.percentile(percent.into()));
        let _ = write!(text, "p{percent} {time}  ");
    }
    let _ = write!(text, "max {}", units::time(latencies.longest()));
    text
}

#[cfg(test)]
mod tests {
    use fetchpool::Request;

    use super::*;
    use crate::finished::Left;

    #[test]
    fn failures_are_counted_by_kind_and_nothing_is_told_of_what_there_was_none_of() {
        let mut summary = Summary::new();
        let request = Request::get("http://h/");
        for _ in 0..1_200 {
            summary.record(&Finished::never_started(&request, Left::Cancelled));
        }
        let told = summary.tell_after(Duration::from_secs(2), Style::PLAIN);
        assert_eq!(
            told,
            "     done  1,200 requests in 2.00 s, 600/s, 0 B\n   failed  cancelled 1,200\n"
        );
    }

    #[test]
    fn percentiles_are_told_in_the_unit_that_fits() {
        let mut latencies = Latencies::new();
        (1..=100).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        let told = percentiles(&latencies);
        assert!(told.starts_with("p50 5") && told.ends_with("max 100 ms"), "{told}");
    }
}
