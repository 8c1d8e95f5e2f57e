//! Whether an origin has become slow.

use std::time::{Duration, Instant};

/// Compares how long tries take with how long they took at best.
///
/// What is compared is the shortest of a round of tries: where an origin has too much to do all of
/// them wait, while some that are slow by nature are not a sign of anything.
pub(super) struct Latency {
    /// The round that goes on: its shortest, in seconds, and how many it has.
    shortest: f64,
    tries: u32,
    best: Option<Best>,
    /// Rounds in a row that were too slow, each begun after the rate had been cut for the last.
    slow: u32,
}

struct Best {
    seconds: f64,
    /// Brought up to date.
    at: Instant,
}

impl Latency {
    pub(super) const fn new() -> Self {
        Self { shortest: f64::INFINITY, tries: 0, best: None, slow: 0 }
    }

    /// A try ended well. Whether the origin has become slow by it, and is to be asked less; what is
    /// told after that is of tries that were begun later.
    pub(super) fn add(&mut self, now: Instant, latency: Duration) -> bool {
        self.shortest = self.shortest.min(latency.as_secs_f64());
        self.tries = self.tries.saturating_add(1);
        if self.tries < ROUND {
            return false;
        }
        let seconds = self.shortest;
        self.begin_round();
        let Some(best) = self.best.as_mut().filter(|best| seconds > best.seconds) else {
            self.best = Some(Best { seconds, at: now });
            self.slow = 0;
            return false;
        };
        let is_slow = seconds > best.seconds * 2.0 && seconds > best.seconds + NOTICEABLE;
        // It forgets slowly: an origin that takes longer than it once did is not slowed down forever.
        let age = now.saturating_duration_since(best.at).as_secs_f64();
        best.seconds += (seconds - best.seconds) * (age / MEMORY).min(1.0);
        best.at = now;
        self.slow = if is_slow { self.slow.saturating_add(1) } else { 0 };
        if self.slow > HELPLESS {
            // Asking less has not helped: it is not the asking.
            best.seconds = seconds;
            self.slow = 0;
            return false;
        }
        is_slow
    }

    /// What has been told does not count with what comes.
    pub(super) const fn begin_round(&mut self) {
        self.shortest = f64::INFINITY;
        self.tries = 0;
    }
}

const ROUND: u32 = 8;
/// In seconds. Less is the weather of a network.
const NOTICEABLE: f64 = 0.020;
/// In seconds.
const MEMORY: f64 = 60.0;
const HELPLESS: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs rounds of tries that take so many ms, a second apart: which of them were too slow.
    fn slow_rounds(rounds: &[[u64; 8]]) -> Vec<usize> {
        let start = Instant::now();
        let mut latency = Latency::new();
        let mut slow = Vec::new();
        for (round, times) in (0..).zip(rounds) {
            let now = start + Duration::from_secs(round);
            for (n, ms) in times.iter().enumerate() {
                if latency.add(now, Duration::from_millis(*ms)) {
                    assert_eq!(n, 7, "only a whole round tells");
                    slow.push(usize::try_from(round).unwrap());
                }
            }
        }
        slow
    }

    #[test]
    fn an_origin_is_slow_when_all_of_it_is() {
        let mixed = [10, 900, 900, 900, 900, 900, 900, 900];
        for (rounds, slow) in [
            (&[[10; 8], [10; 8]][..], &[][..]),
            (&[[10; 8], [29; 8]], &[]),
            (&[[1; 8], [19; 8]], &[]),
            (&[[10; 8], [35; 8]], &[1]),
            (&[[100; 8], [190; 8]], &[]),
            (&[[100; 8], [210; 8], [100; 8], [210; 8]], &[1, 3]),
            (&[mixed, mixed, [10; 8], mixed], &[]),
            (&[[100; 8], [50; 8], [110; 8]], &[2]),
        ] {
            assert_eq!(slow_rounds(rounds), slow, "{rounds:?}");
        }
    }

    #[test]
    fn what_stays_slow_however_little_is_asked_is_so_by_nature() {
        let mut rounds = vec![[10; 8]];
        rounds.extend([[500; 8]; 10]);
        assert_eq!(slow_rounds(&rounds), [1, 2, 3, 4]);
        rounds.extend([[1100; 8]; 1]);
        assert_eq!(slow_rounds(&rounds), [1, 2, 3, 4, 11], "and from then on compared with that");
        let mut rounds = vec![[100; 8]];
        (0..6).for_each(|_| rounds.extend([[300; 8], [150; 8]]));
        assert_eq!(slow_rounds(&rounds), [1, 3, 5, 7, 9, 11], "but asking less helps here");
    }

    #[test]
    fn the_best_is_forgotten_slowly() {
        let start = Instant::now();
        let mut latency = Latency::new();
        let mut round = |at: u64, ms: u64| {
            let now = start + Duration::from_secs(at);
            (0..8).fold(false, |_, _| latency.add(now, Duration::from_millis(ms)))
        };
        assert!(!round(0, 100));
        assert!(!round(30, 180), "the best is 140 ms by now");
        assert!(!round(31, 270));
        assert!(round(32, 300));
    }
}
