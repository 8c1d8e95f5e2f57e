//! How long things took, in memory that does not grow with how many there were.
//!
//! A histogram with 64 steps to each doubling, as `HdrHistogram` has it: a percentile is at most
//! 1/64 above the true one, and a million requests take the memory of one.

use std::time::Duration;

/// Times that were measured.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    /// How many times fell into each step.
    steps: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self { steps: vec![0; step(u64::MAX) + 1], count: 0, longest: Duration::ZERO }
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.steps[step(nanos(time))] += 1;
        self.count += 1;
        self.longest = self.longest.max(time);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }

    /// The time within which this part of all were done: the nearest rank, as `sort` would give
    /// it, rounded up to the end of its step.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let rank = (self.count as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (step, &count) in self.steps.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(last_of(step)).min(self.longest);
            }
        }
        self.longest
    }
}

/// The step that a time falls into: below 64 each number has its own; above, the six bits behind
/// the highest one tell.
fn step(nanos: u64) -> usize {
    let shift = nanos.max(STEPS).ilog2() - STEPS.ilog2();
    (u64::from(shift) * STEPS + (nanos >> shift)) as usize
}

/// The longest time that falls into a step.
fn last_of(step: usize) -> u64 {
    let step = step as u64;
    let shift = (step / STEPS).saturating_sub(1);
    let first = (step - shift * STEPS) << shift;
    first + ((1 << shift) - 1)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Steps to each doubling.
const STEPS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_the_step_that_says_so() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for time in edges.chain([u64::MAX, 100_000, 12_345_678]) {
            let last = last_of(step(time));
            assert!(time <= last, "{time} lies behind its step, which ends at {last}");
            assert_eq!(step(last), step(time));
            assert!(last - time <= time / 64, "the step of {time} is too wide: it ends at {last}");
        }
    }

    #[test]
    fn steps_follow_each_other_without_a_gap() {
        for number in 0..2_000 {
            assert_eq!(step(last_of(number) + 1), number + 1);
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list_within_one_step() {
        let mut latencies = Latencies::new();
        let mut sorted: Vec<u64> = (0..10_000).map(|n: u64| n * 7_919 % 10_007 * 1_000).collect();
        for &nanos in &sorted {
            latencies.record(Duration::from_nanos(nanos));
        }
        sorted.sort_unstable();
        for (percent, at) in [(50.0, 4_999), (90.0, 8_999), (99.0, 9_899), (100.0, 9_999)] {
            let (exact, told) = (sorted[at], nanos(latencies.percentile(percent)));
            assert!(
                (exact..=exact + exact / 64).contains(&told),
                "p{percent}: {told}, not {exact}"
            );
        }
        assert_eq!(nanos(latencies.longest()), sorted[9_999]);
    }

    #[test]
    fn one_time_is_every_percentile_and_none_is_zero() {
        let mut latencies = Latencies::new();
        assert!(latencies.is_empty());
        assert_eq!(latencies.percentile(50.0), Duration::ZERO);
        latencies.record(Duration::MAX);
        latencies.record(Duration::MAX);
        for percent in [0.0, 1.0, 50.0, 100.0] {
            assert!(latencies.percentile(percent) >= Duration::from_nanos(u64::MAX));
        }
    }
}
