//! Memory of bodies that were read, to be used again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A shelf for the memory of bodies that were read, so that the next ones need none that is new.
///
/// New memory is dear for large bodies: the system hands it out page by page, each one zeroed, which
/// takes longer than the bytes take to come. A program that gives bodies back when it is done with
/// them pays that once. Clones are the same shelf: put one into
/// [`SessionConfig::buffers`](crate::SessionConfig::buffers) and keep one to
/// [give back](Self::give_back) to.
///
/// It holds at most so many buffers and bytes; beyond that the smallest go. Of what a buffer held
/// nothing is seen again: a body ends where its own bytes end.
///
/// # Examples
///
/// ```
/// use fetchpool::{Buffers, Pool, SessionConfig};
///
/// let buffers = Buffers::new();
/// let shared = buffers.clone();
/// let pool = Pool::builder()
///     .initializer(move |config: &mut SessionConfig| config.buffers = Some(shared.clone()))
///     .job_queue(Vec::<String>::new())
///     .build()?;
/// for response in pool.responses() {
///     println!("{}", response.bytes().len());
///     buffers.give_back(response.into_response().into_bytes());
/// }
/// # Ok::<(), fetchpool::Error>(())
/// ```
#[derive(Clone)]
pub struct Buffers(Arc<Shelf>);

struct Shelf {
    max_buffers: usize,
    max_bytes: usize,
    /// Each as long as it was when it came: all of that may be written over.
    kept: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// A shelf for 32 buffers and 256 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(32, 256 << 20)
    }

    /// A shelf for at most so many buffers, and so many bytes in all.
    #[must_use]
    pub fn with_limits(max_buffers: usize, max_bytes: usize) -> Self {
        Self(Arc::new(Shelf { max_buffers, max_bytes, kept: Mutex::default() }))
    }

    /// Gives the memory of a body back. One below 16 KiB is not worth keeping, and is dropped.
    pub fn give_back(&self, bytes: Vec<u8>) {
        if bytes.len() < LEAST_BYTES || bytes.capacity() > self.0.max_bytes {
            return;
        }
        let mut gone = Vec::new();
        let mut kept = self.lock();
        kept.push(bytes);
        loop {
            let total = kept.iter().map(Vec::capacity).fold(0, usize::saturating_add);
            if kept.len() <= self.0.max_buffers && total <= self.0.max_bytes {
                break;
            }
            let smallest = (0..kept.len()).min_by_key(|&at| kept.get(at).map(Vec::capacity));
            match smallest {
                Some(at) => gone.push(kept.swap_remove(at)),
                None => break,
            }
        }
        drop(kept);
        // Giving memory back to the system may take long: not under the lock.
        drop(gone);
    }

    /// Memory for a body of this length, if it is known; none that is much larger, for who holds the
    /// body holds all of it.
    pub(crate) fn take(&self, length: Option<usize>) -> Option<Vec<u8>> {
        let mut kept = self.lock();
        let size = |at: &usize| kept.get(*at).map_or(0, Vec::len);
        let fitting = match length {
            Some(length) if length < LEAST_BYTES => None,
            Some(length) => (0..kept.len())
                .filter(|at| {
                    size(at) >= length && kept.get(*at).is_some_and(|b| b.capacity() / 2 <= length)
                })
                .min_by_key(size),
            None => (0..kept.len()).max_by_key(size),
        };
        fitting.map(|at| kept.swap_remove(at))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Buffers {
    /// How many there are; never what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffers({})", self.lock().len())
    }
}

const LEAST_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(buffers: &Buffers) -> Vec<usize> {
        let mut sizes: Vec<usize> = buffers.lock().iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn as_many_buffers_and_bytes_as_there_may_be_are_kept_and_the_smallest_go() {
        let buffers = Buffers::with_limits(2, 100 << 10);
        for size in [1, (16 << 10) - 1, 20 << 10, 16 << 10, 30 << 10, 101 << 10] {
            buffers.give_back(vec![0; size]);
        }
        assert_eq!(sizes(&buffers), [20 << 10, 30 << 10]);
        buffers.give_back(vec![0; 90 << 10]);
        assert_eq!(sizes(&buffers), [90 << 10]);
    }

    #[test]
    fn a_body_gets_memory_of_its_size_and_not_of_twice_that() {
        let buffers = Buffers::new();
        for size in [100 << 10, 40 << 10, 200 << 10] {
            buffers.give_back(vec![0; size]);
        }
        let take = |length: usize| buffers.take(Some(length)).map(|bytes| bytes.len());
        assert_eq!(take(1000), None);
        assert_eq!(take(18 << 10), None, "40 KiB are more than twice as much");
        assert_eq!(take(20 << 10), Some(40 << 10));
        assert_eq!(take(90 << 10), Some(100 << 10));
        assert_eq!(take(201 << 10), None);
        assert_eq!(buffers.clone().take(None).map(|bytes| bytes.len()), Some(200 << 10));
        assert_eq!(buffers.take(None), None);
    }
}
