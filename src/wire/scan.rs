//! Looking for a byte, eight at a time.

/// Where the first such byte stands.
pub(super) fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let pattern = u64::from_ne_bytes([wanted; 8]);
    let mut before: usize = 0;
    for word in words {
        // A byte that is wanted is zero now. Taking one from each borrows from above it, and sets its
        // highest bit; what lies above the first of them may be set as well, and does not count.
        let unlike = u64::from_le_bytes(*word) ^ pattern;
        let found = unlike.wrapping_sub(EACH_LOWEST) & !unlike & EACH_HIGHEST;
        if found != 0 {
            let at = found.trailing_zeros() / u8::BITS;
            return usize::try_from(at).ok().map(|at| before.saturating_add(at));
        }
        before = before.saturating_add(word.len());
    }
    let at = rest.iter().position(|&byte| byte == wanted)?;
    Some(before.saturating_add(at))
}

const EACH_LOWEST: u64 = u64::from_ne_bytes([0x01; 8]);
const EACH_HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_is_found_wherever_it_stands() {
        for len in 0..70 {
            let mut bytes = alloc::vec![b'x'; len];
            assert_eq!(find(&bytes, b'\n'), None, "{len}");
            for at in (0..len).rev() {
                bytes[at] = b'\n';
                assert_eq!(find(&bytes, b'\n'), Some(at), "{at} of {len}");
            }
        }
    }

    #[test]
    fn a_byte_that_is_nearly_the_same_is_not_found() {
        for near in (0..=255).filter(|&byte| byte != b'\n') {
            assert_eq!(find(&[near; 24], b'\n'), None, "{near}");
            let mut bytes = [near; 24];
            bytes[13] = b'\n';
            assert_eq!(find(&bytes, b'\n'), Some(13), "{near}");
        }
    }
}
