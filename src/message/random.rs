//! Bits that nobody else can foretell, without a dependency.
//!
//! The standard library seeds its hash maps from the system's source of randomness, once for each
//! thread, and hashes by `SipHash`, which is a pseudo-random function under a key that stays secret:
//! so what comes out of a fresh key is not foretold from what came out before. Good for boundaries
//! and nonces; no key is made of it.
//!
//! Beside them, numbers that anybody who knows the seed can foretell: for waits that are to be the
//! same in each run.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// 64 random bits.
pub(crate) fn bits() -> u64 {
    // The key differs at each call.
    RandomState::new().hash_one(0)
}

/// 32 random letters of hexadecimal.
pub(crate) fn token() -> String {
    format!("{:016x}{:016x}", bits(), bits())
}

/// A number from 0 to 1. With a seed it is the same for the same numbers, and says nothing of those
/// for others: what it is for is not changed by which thread asks first. Without, it is random.
pub(crate) fn unit(seed: Option<u64>, of: [u64; 3]) -> f64 {
    let mixed = |seed| of.into_iter().fold(mix(seed), |state, number| mix(state ^ number));
    let bits = seed.map_or_else(bits, mixed);
    let half = u32::try_from(bits >> 32).unwrap_or_default();
    f64::from(half) / f64::from(u32::MAX)
}

/// What the first of the three numbers is, so that waits of different sorts are not alike.
pub(crate) const FOR_RETRY: u64 = 1;
pub(crate) const FOR_JITTER: u64 = 2;

/// Spreads what differs in any bit over all bits: the finish of `SplitMix64` (Steele, Lea and Flood,
/// 2014), whose every output comes of one input only. Nothing secret is made of it.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(STEP);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// 2^64 over the golden ratio, made odd.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_tokens_are_the_same_and_each_has_its_length() {
        let tokens: HashSet<String> = (0..1000).map(|_| token()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|token| token.len() == 32));
    }

    #[test]
    fn a_seed_gives_the_same_numbers_and_each_its_own() {
        let numbers = |seed| -> Vec<f64> {
            let of = (0..100).flat_map(|index| (0..10).map(move |number| [1, index, number]));
            of.map(|of| unit(Some(seed), of)).collect()
        };
        let first = numbers(7);
        assert_eq!(first, numbers(7));
        let all: HashSet<u64> =
            first.iter().chain(&numbers(8)).map(|number| number.to_bits()).collect();
        assert_eq!(all.len(), 2_000, "none is the same as another");
        assert!(first.iter().all(|number| (0.0..=1.0).contains(number)));
        let mean = first.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        for tenth in 0..10 {
            let range = f64::from(tenth) / 10.0..f64::from(tenth + 1) / 10.0;
            let count = first.iter().filter(|number| range.contains(number)).count();
            assert!((60..140).contains(&count), "{count} in {range:?}");
        }
    }

    #[test]
    fn the_order_of_the_numbers_is_part_of_what_they_are() {
        let unit = |of| unit(Some(0), of);
        assert_ne!(unit([1, 2, 3]), unit([1, 3, 2]));
        assert_ne!(unit([1, 2, 3]), unit([2, 1, 3]));
        assert_ne!(unit([0, 0, 0]), 0.0);
    }

    #[test]
    fn without_a_seed_no_number_comes_again() {
        let numbers: HashSet<u64> = (0..100).map(|_| unit(None, [0; 3]).to_bits()).collect();
        assert!(numbers.len() > 95, "{}", numbers.len());
    }

    /// The first outputs for the seed 1234567, as other implementations of it give them.
    #[test]
    fn the_mixer_is_that_of_split_mix_64() {
        let seed = 1_234_567_u64;
        let outputs = [0, 1, 2].map(|step: u64| mix(seed.wrapping_add(STEP.wrapping_mul(step))));
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
