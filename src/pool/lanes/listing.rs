//! Which lanes are open, which open later, and which are answered without being sent to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::lane::Lane;
use super::place::{LaneId, Place};

/// All lanes that are listed.
#[derive(Debug, Default)]
pub(super) struct Listing {
    open: BTreeMap<u64, Open>,
    later: BTreeSet<(Instant, LaneId)>,
    refused: BTreeMap<u64, LaneId>,
    /// How many jobs are in lanes that are open or refused.
    ready: usize,
    /// How many were, and have gone.
    gone: u64,
}

/// A lane that is open, under its oldest job.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: LaneId,
    /// Its jobs need no connection.
    pub(super) is_homeless: bool,
    /// How many jobs had been started when it was looked at first, or when that job came if that was later.
    pub(super) since: Option<u64>,
}

impl Listing {
    /// Lists a lane there, with so many jobs, and no longer where it was.
    pub(super) fn put(&mut self, id: LaneId, lane: &mut Lane, place: Place, jobs: usize) {
        if lane.place != place {
            match lane.place {
                Place::Nowhere => {}
                Place::Open(first) => drop(self.open.remove(&first)),
                Place::Later(at) => drop(self.later.remove(&(at, id))),
                Place::Refused(first) => drop(self.refused.remove(&first)),
            }
            match place {
                Place::Nowhere => {}
                Place::Open(first) => {
                    let is_homeless = lane.origin.is_none();
                    self.open.insert(first, Open { id, is_homeless, since: None });
                }
                Place::Later(at) => drop(self.later.insert((at, id))),
                Place::Refused(first) => drop(self.refused.insert(first, id)),
            }
            lane.place = place;
        }
        let counts = matches!(place, Place::Open(_) | Place::Refused(_));
        let jobs = if counts { jobs } else { 0 };
        self.ready = self.ready.saturating_sub(lane.counted).saturating_add(jobs);
        let gone = u64::try_from(lane.counted.saturating_sub(jobs)).unwrap_or(u64::MAX);
        self.gone = self.gone.saturating_add(gone);
        lane.counted = jobs;
    }

    pub(super) const fn ready(&self) -> usize {
        self.ready
    }

    /// How many jobs were ready, and are no more: they were started, or taken out, or held back.
    pub(super) const fn gone(&self) -> u64 {
        self.gone
    }

    /// The lanes that are open, that with the oldest job first.
    pub(super) fn open(&self) -> impl ExactSizeIterator<Item = LaneId> {
        self.open.values().map(|open| open.id)
    }

    pub(super) fn open_mut(&mut self) -> impl Iterator<Item = &mut Open> {
        self.open.values_mut()
    }

    pub(super) fn first_refused(&self) -> Option<LaneId> {
        self.refused.first_key_value().map(|(_, id)| *id)
    }

    /// When the next lane opens.
    pub(super) fn first_time(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    /// A lane that should have opened by now.
    pub(super) fn first_due(&self, now: Instant) -> Option<LaneId> {
        self.later.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }
}
