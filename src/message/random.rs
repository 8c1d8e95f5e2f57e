//! Bits that nobody else can foretell, without a dependency.
//!
//! The standard library seeds its hash maps from the system's source of randomness, once for each
//! thread, and hashes by `SipHash`, which is a pseudo-random function under a key that stays secret:
//! so what comes out of a fresh key is not foretold from what came out before. Good for boundaries
//! and nonces; no key is made of it.

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
}
