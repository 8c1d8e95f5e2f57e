//! Counts that always add up.

/// How far a pool has come: [`Pool::stats`](crate::Pool::stats).
///
/// All counts are of one moment, and at every moment these hold:
///
/// - `pulled = delayed + in_flight + buffered + delivered`: a job that was taken is in one place;
/// - `responses + failed = buffered + delivered`: an outcome is one or the other.
///
/// But for `queued`, `delayed`, `in_flight` and `buffered` no count ever falls.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Jobs that the pool has in hand and no worker has begun: those that it looks ahead at, and
    /// those that a rate or the politeness to their origins holds back. They are not taken yet:
    /// [`Pool::close`](crate::Pool::close) hands them back.
    pub queued: u64,
    /// Jobs that were taken: a worker has begun them, or a token has ended them before.
    pub pulled: u64,
    /// Jobs that wait to be tried again.
    pub delayed: u64,
    /// Jobs that a worker has.
    pub in_flight: u64,
    /// Jobs that have their outcome, which has not been read yet.
    pub buffered: u64,
    /// Jobs whose outcome was given to the caller.
    pub delivered: u64,
    /// Outcomes that are responses.
    pub responses: u64,
    /// Outcomes that are exceptions.
    pub failed: u64,
    /// Of those, outcomes of jobs that were cancelled.
    pub cancelled: u64,
    /// Tries after the first that were begun.
    pub retried: u64,
    /// Bytes of the bodies of all outcomes, decoded, wherever they went.
    pub bytes: u64,
    /// Connections that were opened.
    pub connections_opened: u64,
    /// Requests sent over a connection that was open already.
    pub connections_reused: u64,
    /// What a [`JobQueue`](crate::JobQueue) could not do: claims, settlements and extensions that
    /// failed, each try of them.
    pub queue_errors: u64,
    /// Deliveries of a `JobQueue` whose lease was lost: jobs that somebody else may have done, too.
    pub stale: u64,
}

/// Where a job is. It is always in one place, and every change moves it from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Queued,
    Delayed,
    InFlight,
    Buffered,
    Delivered,
}

impl Stats {
    /// Jobs that were taken and have no outcome yet.
    #[must_use]
    pub const fn unfinished(&self) -> u64 {
        self.delayed.saturating_add(self.in_flight)
    }

    /// A job goes from one place to another; it is taken when it leaves the first one.
    pub(super) const fn shift(&mut self, from: Place, to: Place) {
        let left = match self.place(from) {
            Some(place) => {
                *place = place.saturating_sub(1);
                0
            }
            None => 1,
        };
        self.pulled = self.pulled.saturating_add(left);
        if let Some(place) = self.place(to) {
            *place = place.saturating_add(1);
        }
    }

    /// Where those of a place are counted. Those that are queued are counted where they are.
    const fn place(&mut self, place: Place) -> Option<&mut u64> {
        match place {
            Place::Queued => None,
            Place::Delayed => Some(&mut self.delayed),
            Place::InFlight => Some(&mut self.in_flight),
            Place::Buffered => Some(&mut self.buffered),
            Place::Delivered => Some(&mut self.delivered),
        }
    }
}
