//! Counts that always add up.

/// How far a pool has come: [`Pool::stats`](crate::Pool::stats).
///
/// All counts are of one moment, and at every moment these hold:
///
/// - `pulled = queued + delayed + in_flight + buffered + delivered`: a job is in one place;
/// - `responses + failed = buffered + delivered`: an outcome is one or the other.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Jobs taken from the queue.
    pub pulled: u64,
    /// Jobs that were taken and wait to be started for the first time: where there is a rate and
    /// another job was faster. Mostly a rate holds jobs back before they are taken.
    pub queued: u64,
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
        self.queued.saturating_add(self.delayed).saturating_add(self.in_flight)
    }

    /// A job comes in.
    pub(super) const fn pull(&mut self, to: Place) {
        self.pulled = self.pulled.saturating_add(1);
        let place = self.place(to);
        *place = place.saturating_add(1);
    }

    /// A job goes from one place to another.
    pub(super) const fn shift(&mut self, from: Place, to: Place) {
        let place = self.place(from);
        *place = place.saturating_sub(1);
        let place = self.place(to);
        *place = place.saturating_add(1);
    }

    const fn place(&mut self, place: Place) -> &mut u64 {
        match place {
            Place::Queued => &mut self.queued,
            Place::Delayed => &mut self.delayed,
            Place::InFlight => &mut self.in_flight,
            Place::Buffered => &mut self.buffered,
            Place::Delivered => &mut self.delivered,
        }
    }
}
