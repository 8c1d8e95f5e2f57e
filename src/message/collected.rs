//! The body of a response, in memory that is used again.

use std::fmt;
use std::mem;
use std::ops::Deref;

use super::buffers::{Buffers, Home};

/// The bytes of a body. Dropped, their memory goes back to where the next body may take it.
#[derive(Default)]
pub(crate) struct Collected {
    bytes: Vec<u8>,
    /// Where the body begins in them.
    start: usize,
    home: Home,
}

impl Collected {
    /// What stands behind the first `start` bytes; the memory goes to `buffers` one day.
    pub(crate) fn new(bytes: Vec<u8>, start: usize, buffers: Option<&Buffers>) -> Self {
        let home = buffers.map(|buffers| buffers.home(bytes.len())).unwrap_or_default();
        Self { bytes, start, home }
    }

    /// The bytes, as the caller's own.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        let mut bytes = mem::take(&mut self.bytes);
        bytes.drain(..self.start.min(bytes.len()));
        bytes
    }
}

impl From<Vec<u8>> for Collected {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes, 0, None)
    }
}

impl Deref for Collected {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl Clone for Collected {
    fn clone(&self) -> Self {
        Self { bytes: self.to_vec(), start: 0, home: self.home.clone() }
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        if self.bytes.capacity() > 0 {
            self.home.give_back(mem::take(&mut self.bytes));
        }
    }
}

impl fmt::Debug for Collected {
    /// How many there are; the bytes may be secret, and many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collected({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_stands_behind_its_start() {
        for (bytes, start, body) in
            [(&b"abcd"[..], 0, &b"abcd"[..]), (b"abcd", 3, b"d"), (b"", 3, b"")]
        {
            let collected = Collected::new(bytes.to_vec(), start, None);
            assert_eq!(&*collected, body);
            assert_eq!(collected.clone().into_vec(), body);
            assert_eq!(collected.into_vec(), body);
        }
    }

    #[test]
    fn a_dropped_body_brings_its_memory_back_and_one_that_was_taken_does_not() {
        let buffers = Buffers::new();
        let body = || Collected::new(vec![7; 20 << 10], 48, Some(&buffers));
        let taken = body().into_vec();
        assert!(buffers.take(20 << 10).is_none());
        drop(body().clone());
        let (first, second) = (buffers.take(19 << 10), buffers.take(19 << 10));
        let [first, second] = [first, second].map(|taken| taken.map(|(bytes, _)| bytes.len()));
        assert_eq!(first.map(|length| length + 48), second);
        assert_eq!(taken.len() + 48, 20 << 10);
    }
}
