//! Memory of bodies that were read, to be used again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// A shelf for the memory of bodies that were read, so that the next ones need none that is new.
///
/// New memory is dear for large bodies: the system hands it out page by page, each one zeroed, which
/// takes longer than the bytes take to come. So the memory of a body comes back here when its
/// [`Response`](crate::Response) is dropped, as long as the session or a clone of this is there; what was
/// taken out of it ([`into_bytes`](crate::Response::into_bytes)) can be [given back](Self::give_back).
///
/// Clones are the same shelf. The workers of a pool have one together, and a session alone has its own,
/// also where none is set. It holds at most so many buffers and bytes, for as long as it is there, and
/// what bodies have taken and not half filled is among them; beyond that those go that have lain there
/// longest, and what is below 16 KiB does not come here at all. Of what a buffer held nothing is seen
/// again: a body ends where its own bytes end. But nor is it wiped out.
///
/// # Examples
///
/// ```
/// use fetchpool::{Buffers, Pool, SessionConfig};
///
/// let buffers = Buffers::with_limits(8, 512 << 20);
/// let mut config = SessionConfig::new();
/// config.buffers = Some(buffers.clone());
/// let pool = Pool::builder().session(config).job_queue(Vec::<String>::new()).build()?;
/// for response in pool.responses() {
///     let bytes: Vec<u8> = response.into_response().into_bytes();
///     println!("{}", bytes.len());
///     buffers.give_back(bytes);
/// }
/// # Ok::<(), fetchpool::Error>(())
/// ```
#[derive(Clone)]
pub struct Buffers(Arc<Shelf>);

struct Shelf {
    max_buffers: usize,
    max_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Each as long as what may be written over without being cleared first. The last to come is the
    /// last: what nobody has taken for long makes room for what is wanted now, also where it is larger.
    buffers: VecDeque<Vec<u8>>,
    /// What they hold together.
    bytes: usize,
    /// What bodies have taken and not half filled.
    lent: usize,
}

impl Buffers {
    /// How many buffers a shelf is for, unless told otherwise.
    pub(crate) const COUNT: usize = 64;

    /// A shelf for 64 buffers and 128 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(Self::COUNT, 128 << 20)
    }

    /// A shelf that keeps nothing: every body has new memory, and gives it back to the system.
    #[must_use]
    pub fn none() -> Self {
        Self::with_limits(0, 0)
    }

    /// A shelf for at most so many buffers, and so many bytes in all.
    #[must_use]
    pub fn with_limits(max_buffers: usize, max_bytes: usize) -> Self {
        Self(Arc::new(Shelf { max_buffers, max_bytes, kept: Mutex::default() }))
    }

    /// Gives the memory of a body back. One below 16 KiB is not worth keeping, and is dropped.
    pub fn give_back(&self, bytes: Vec<u8>) {
        self.0.put(bytes);
    }

    /// Where the memory of a body of so many bytes comes back to. It keeps nothing alive: responses may
    /// outlive all sessions, and then nobody would take what they bring. For what would not be kept it is
    /// nowhere, which spares small bodies the count of references that all workers share.
    pub(super) fn home(&self, length: usize) -> Home {
        if length < LEAST_BYTES { Home::default() } else { Home(Arc::downgrade(&self.0)) }
    }

    /// Memory for so many bytes, but none that is much larger: who holds the body holds all of it.
    pub(crate) fn take(&self, length: usize) -> Option<(Vec<u8>, Lent<'_>)> {
        self.0.take(length, length.saturating_mul(2).saturating_add(1))
    }

    /// Memory for a body that has come to so many bytes, and may go on.
    pub(crate) fn take_at_least(&self, length: usize) -> Option<(Vec<u8>, Lent<'_>)> {
        self.0.take(length, usize::MAX)
    }
}

/// Memory of a shelf that is with a body. As long as this is there it counts as if it lay on the shelf:
/// who announces much and sends little would otherwise get all that shelves can hold, one after another.
pub(crate) struct Lent<'a> {
    shelf: &'a Shelf,
    size: usize,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut kept = self.shelf.lock();
        kept.lent = kept.lent.saturating_sub(self.size);
    }
}

/// A shelf, for who only brings something.
#[derive(Clone, Default)]
pub(super) struct Home(Weak<Shelf>);

impl Home {
    pub(super) fn give_back(&self, bytes: Vec<u8>) {
        if let Some(shelf) = self.0.upgrade() {
            shelf.put(bytes);
        }
    }
}

impl Shelf {
    fn put(&self, bytes: Vec<u8>) {
        let size = size_of(&bytes);
        if bytes.len() < LEAST_BYTES || size > self.max_bytes || self.max_buffers == 0 {
            return;
        }
        let mut gone = Vec::new();
        let mut kept = self.lock();
        kept.bytes = kept.bytes.saturating_add(size);
        kept.buffers.push_back(bytes);
        while kept.buffers.len() > self.max_buffers
            || kept.bytes.saturating_add(kept.lent) > self.max_bytes
        {
            let Some(oldest) = kept.remove(0) else { break };
            gone.push(oldest);
        }
        drop(kept);
        // Giving memory back to the system may take long: not under the lock.
        drop(gone);
    }

    /// The smallest that has room for so many bytes, if it is below the other size; of several the one
    /// that came last, which may still be in the cache of the CPU.
    fn take(&self, least: usize, below: usize) -> Option<(Vec<u8>, Lent<'_>)> {
        if least < LEAST_BYTES {
            return None;
        }
        let mut kept = self.lock();
        let sizes = kept.buffers.iter().map(Vec::capacity).enumerate().rev();
        let (at, _) = sizes
            .filter(|(_, size)| (least..below).contains(size))
            .min_by_key(|(_, size)| *size)?;
        let taken = kept.remove(at)?;
        let size = size_of(&taken);
        kept.lent = kept.lent.saturating_add(size);
        Some((taken, Lent { shelf: self, size }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, at: usize) -> Option<Vec<u8>> {
        let buffer = self.buffers.remove(at)?;
        self.bytes = self.bytes.saturating_sub(size_of(&buffer));
        Some(buffer)
    }
}

/// What a buffer counts for. A large body begins a little behind the beginning of its memory: of two that
/// are half as large as a shelf both have their place there.
const fn size_of(buffer: &Vec<u8>) -> usize {
    buffer.capacity().saturating_sub(LINE_BYTES)
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Buffers {
    /// How many there are; never what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffers({})", self.0.lock().buffers.len())
    }
}

const LEAST_BYTES: usize = 16 << 10;
/// A line of the CPU's cache.
const LINE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(buffers: &Buffers) -> Vec<usize> {
        let mut sizes: Vec<usize> = buffers.0.lock().buffers.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn as_many_buffers_and_bytes_as_there_may_be_are_kept_and_the_oldest_go() {
        let buffers = Buffers::with_limits(2, 100 << 10);
        for size in [1, (16 << 10) - 1, 20 << 10, 16 << 10, 30 << 10, 101 << 10] {
            buffers.give_back(vec![0; size]);
        }
        assert_eq!(sizes(&buffers), [16 << 10, 30 << 10]);
        buffers.give_back(vec![0; 90 << 10]);
        assert_eq!(sizes(&buffers), [90 << 10]);
    }

    #[test]
    fn large_memory_that_nobody_takes_does_not_keep_out_what_smaller_bodies_bring() {
        let buffers = Buffers::with_limits(8, 1 << 20);
        buffers.give_back(vec![0; 512 << 10]);
        buffers.give_back(vec![0; 512 << 10]);
        for _ in 0..3 {
            buffers.give_back(vec![0; 100 << 10]);
            assert!(buffers.take(100 << 10).is_some());
        }
    }

    #[test]
    fn a_body_gets_memory_of_its_size_and_not_of_twice_that() {
        let buffers = Buffers::new();
        for size in [100 << 10, 40 << 10, 200 << 10] {
            buffers.give_back(vec![0; size]);
        }
        let take = |length: usize| buffers.take(length).map(|(bytes, _)| bytes.len());
        assert_eq!(take(1000), None);
        assert_eq!(take(18 << 10), None, "40 KiB are more than twice as much");
        assert_eq!(take(20 << 10), Some(40 << 10));
        assert_eq!(take(90 << 10), Some(100 << 10));
        assert_eq!(take(201 << 10), None);
        let large = buffers.take_at_least(LEAST_BYTES).map(|(bytes, _)| bytes.len());
        assert_eq!(large, Some(200 << 10));
        assert!(buffers.clone().take_at_least(LEAST_BYTES).is_none());
        assert_eq!(buffers.0.lock().bytes, 0);
    }

    #[test]
    fn of_memory_of_one_size_the_last_that_came_is_the_first_to_be_taken() {
        let buffers = Buffers::new();
        let places = [1, 2, 3].map(|_| {
            let bytes = vec![0; 20 << 10];
            let place = bytes.as_ptr();
            buffers.give_back(bytes);
            place
        });
        for place in places.into_iter().rev() {
            let (bytes, _) = buffers.take(20 << 10).unwrap();
            assert_eq!(bytes.as_ptr(), place);
            std::mem::forget(bytes);
        }
    }

    #[test]
    fn what_a_body_brings_is_kept_as_long_as_somebody_may_take_it() {
        let buffers = Buffers::new();
        assert!(buffers.home(LEAST_BYTES - 1).0.upgrade().is_none());
        let (home, other) = (buffers.home(LEAST_BYTES), buffers.clone());
        drop(buffers);
        home.give_back(vec![0; 20 << 10]);
        assert_eq!(sizes(&other), [20 << 10]);
        drop(other);
        home.give_back(vec![0; 20 << 10]);
        assert_eq!(home.0.strong_count(), 0);
    }
}
