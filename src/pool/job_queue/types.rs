//! The words between a pool and a queue engine.

use std::fmt;
use std::time::Duration;

/// Names one delivery of a job, in the engine's own words: a receipt handle, the id of a message
/// with its consumer and count, the row and its version.
///
/// A ticket is for *one delivery*, not for the job. When the lease has run out and the job was
/// delivered anew, the old ticket is worth nothing: the engine answers it with [`Settled::Stale`] or
/// [`Lease::Lost`], and the newer delivery is not touched.
///
/// # Examples
///
/// ```
/// use fetchpool::Ticket;
///
/// assert_eq!(Ticket::new("1526919030474-55/2").as_str(), "1526919030474-55/2");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ticket(Box<str>);

impl Ticket {
    /// A ticket of these words.
    #[must_use]
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into().into_boxed_str())
    }

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.as_str()).finish()
    }
}

/// Whether a delivery is still ours.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is, for so long from now. If nobody extends or settles it until then, the engine delivers
    /// the job anew.
    Held(Duration),
    /// It is not: it ran out, was settled, or was never known. Somebody else may have the job.
    Lost,
}

/// What came of settling a delivery.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is settled as was asked.
    Done,
    /// This very delivery had been settled before, and stays so. An engine that forgets what is
    /// settled may say [`Stale`](Self::Stale) in its place.
    AlreadySettled,
    /// The lease was lost, and nothing was changed: the job has been, or will be, delivered anew.
    /// What came of this delivery does not count.
    Stale,
}

/// How a job that was not done goes back.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nack {
    /// It was tried. The engine delivers it anew, not before `after`, and counts this delivery.
    Retry {
        /// How long it rests.
        after: Duration,
    },
    /// It was not tried. The engine delivers it anew, not before `after`, and does not count this
    /// delivery, where it is able not to.
    Release {
        /// How long it rests: none, if somebody else could do it at once.
        after: Duration,
    },
    /// It is not to be delivered any more, but to be kept aside, for people to look at.
    Dead {
        /// Why, in a sentence.
        reason: String,
    },
}

/// What became of a job that was put into a queue.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It is in.
    New,
    /// A job of the same key is in there already, and is enough.
    Duplicate,
}

/// How much there is in a queue. An engine may guess.
///
/// # Examples
///
/// ```
/// use fetchpool::Depth;
///
/// let depth = Depth::new(3, 0, 1);
/// assert_eq!((depth.ready, depth.total()), (3, 4));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Jobs that can be claimed now.
    pub ready: u64,
    /// Jobs that rest, and can be claimed later.
    pub delayed: u64,
    /// Jobs that somebody has claimed.
    pub leased: u64,
}

impl Depth {
    /// A queue with so many jobs.
    #[must_use]
    pub const fn new(ready: u64, delayed: u64, leased: u64) -> Self {
        Self { ready, delayed, leased }
    }

    /// All jobs that are not done.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ready.saturating_add(self.delayed).saturating_add(self.leased)
    }
}
