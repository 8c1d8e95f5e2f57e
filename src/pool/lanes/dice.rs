//! Numbers for what is to be spread at random, repeatable where a seed is given.

use crate::message::random::{self, FOR_JITTER, unit};

/// A sequence of numbers.
#[derive(Debug)]
pub(super) struct Dice {
    seed: u64,
    rolled: u64,
}

impl Dice {
    pub(super) fn new(seed: Option<u64>) -> Self {
        Self { seed: seed.unwrap_or_else(random::bits), rolled: 0 }
    }

    /// The next one, from 0 to 1.
    pub(super) fn roll(&mut self) -> f64 {
        self.rolled = self.rolled.wrapping_add(1);
        unit(Some(self.seed), [FOR_JITTER, self.rolled, 0])
    }
}
