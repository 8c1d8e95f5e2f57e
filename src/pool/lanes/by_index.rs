//! A map by the place of a job in the input.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Such a map. It need not be guarded against keys that somebody chose: these are counted here.
pub(super) type ByIndex<T> = HashMap<u64, T, BuildHasherDefault<Spread>>;

/// Spreads numbers, most of which are in a row, over all of the hash.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn write_u64(&mut self, number: u64) {
        // The upper half of the product depends on all bits below: where many jobs wait, those that
        // are left of a row may be any.
        let product = u128::from(self.0 ^ number).wrapping_mul(GOLDEN);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The golden ratio of 2^64, as Fibonacci hashing has it: odd, and without a pattern.
const GOLDEN: u128 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn numbers_in_a_row_and_every_so_many_of_them_are_spread() {
        let build = BuildHasherDefault::<Spread>::default();
        for step in (0..40).map(|bits| 1_u64 << bits).chain([3, 10, 96, 1000]) {
            let mut low = vec![0_u32; 1024];
            let mut high = vec![0_u32; 128];
            for number in (0..4096_u64).map(|n| n * step) {
                let hash = build.hash_one(number);
                low[(hash % 1024) as usize] += 1;
                high[(hash >> 57) as usize] += 1;
            }
            let most = (low.into_iter().max(), high.into_iter().max());
            assert!(most.0 <= Some(20) && most.1 <= Some(96), "{step}: {most:?}");
        }
    }
}
