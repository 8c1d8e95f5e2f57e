//! Which lane a worker serves best.

use super::lane::Lane;
use super::place::{LaneId, Place};
use super::ticket::Held;
use super::{Lanes, at};

impl<T> Lanes<T> {
    /// Which of the open lanes a worker should serve.
    pub(super) fn choose(&mut self, held: &Held, window: usize) -> Option<LaneId> {
        let mine = self.first_of(held);
        match mine {
            Some(mine) if self.nothing_goes_before(mine, window) => Some(mine),
            _ => self.look_through(mine, window),
        }
    }

    /// The same by a look at each lane, whatever is known of it.
    #[cfg(test)]
    pub(super) fn choose_thoroughly(&mut self, held: &Held, window: usize) -> Option<LaneId> {
        let mine = self.first_of(held);
        self.look_through(mine, window)
    }

    /// The same, where the first of those that the worker holds is known.
    fn look_through(&mut self, mine: Option<LaneId>, window: usize) -> Option<LaneId> {
        let (starts, gone, patience) = (self.starts, self.listing.gone(), patience(window));
        let mut choice = Choice::default();
        // The jobs of the lanes before this one, which are older for the most part.
        let mut passed = 0_usize;
        for open in self.listing.open_mut().take(lanes_of(window)) {
            let Some(lane) = at(&mut self.lanes, open.id) else { continue };
            let since = *open.since.get_or_insert_with(|| lane.since(starts));
            if starts.saturating_sub(since) >= patience && lane.overtaken(gone, passed) >= patience
            {
                return Some(open.id);
            }
            let is_mine = mine == Some(open.id);
            let is_near = passed < window.saturating_add(window / 2);
            choice.look_at(open.id, lane, is_mine, is_near);
            passed = passed.saturating_add(lane.jobs.len());
            if is_mine || passed >= window.saturating_mul(FAR) {
                break;
            }
        }
        choice.made()
    }

    /// The open lane with the oldest job, of those to whose origins a worker holds connections.
    fn first_of(&self, held: &Held) -> Option<LaneId> {
        let first = |id: &LaneId| match self.lanes.get(id.0)?.as_ref()?.place {
            Place::Open(first) => Some((first, *id)),
            _ => None,
        };
        held.lanes.iter().filter_map(first).min().map(|(_, id)| id)
    }

    /// Whether a lane that a worker holds is the one to serve, by a look at what is known of those before
    /// it: that is so for most jobs, and then no other lane need be touched.
    pub(super) fn nothing_goes_before(&mut self, mine: LaneId, window: usize) -> bool {
        // Otherwise it may be too far away.
        if self.ready() > window.saturating_mul(FAR) {
            return false;
        }
        let (starts, patience) = (self.starts, patience(window));
        for open in self.listing.open_mut().take(lanes_of(window)) {
            if open.id == mine {
                return true;
            }
            let since = || at(&mut self.lanes, open.id).map_or(starts, |lane| lane.since(starts));
            let since = *open.since.get_or_insert_with(since);
            if open.is_homeless || starts.saturating_sub(since) >= patience {
                return false;
            }
        }
        false
    }

    /// How many connections there are at least to each origin that a job is here for, where all of them
    /// are others' and a worker would have to open one more. `None` where it need not, or not all is
    /// looked at.
    pub(in crate::pool) fn rivals(&self, held: &Held) -> Option<usize> {
        // Where no second origin was ever seen there is likely to be none.
        if self.by_origin.len() < 2
            || self.listing.open().len() > lanes_of(self.window)
            || self.first_of(held).is_some()
        {
            return None;
        }
        let mut fewest = None;
        for id in self.listing.open() {
            let lane = self.lanes.get(id.0).and_then(Option::as_ref)?;
            if lane.holders == 0 || lane.origin.is_none() {
                return None;
            }
            fewest = Some(fewest.unwrap_or(lane.holders).min(lane.holders));
        }
        fewest
    }

    /// How many more jobs a worker should have to choose from than a window, where it has these
    /// [`rivals`](Self::rivals): more where there are many for each origin.
    pub(in crate::pool) fn wants_more(&self, rivals: Option<usize>) -> usize {
        let (ready, window) = (self.ready(), self.window);
        match rivals {
            Some(MANY..) if ready < window.saturating_mul(FAR) => window,
            // Not one by one.
            Some(_) if ready < window.saturating_mul(5) / 2 => (window / 2).max(2),
            _ => 0,
        }
    }
}

/// How many jobs are looked at to find one for a worker.
pub(in crate::pool) const WINDOW: usize = 64;
/// Among the jobs of so many windows a worker looks for an origin of its own, or for one of few.
pub(in crate::pool) const FAR: usize = 4;
/// So many connections to an origin are many, as long as there are other origins.
const MANY: usize = 4;

/// In how many lanes that window is looked at: where there are more, most have one job alone, and each
/// look at one more costs as much as one at many jobs.
const fn lanes_of(window: usize) -> usize {
    match window / 2 {
        half if half > LANES => half,
        _ if window < LANES => window,
        _ => LANES,
    }
}

/// The least that half a window comes to.
const LANES: usize = 64;

/// A job that so many younger ones were started before, since it could have been, goes next, the oldest
/// of them first: so none is overtaken by more of them than four windows.
fn patience(window: usize) -> u64 {
    u64::try_from(window.saturating_mul(4)).unwrap_or(u64::MAX)
}

/// The lanes that were looked at, in the order of their oldest jobs: the first of each kind.
#[derive(Default)]
struct Choice {
    /// The worker has a connection there.
    mine: Option<LaneId>,
    /// Nobody has.
    nobodys: Option<LaneId>,
    /// There are few, and most jobs wait for each of them.
    few: Option<Busy>,
    oldest: Option<LaneId>,
    /// Jobs that need no connection: they go when it is their turn, not before.
    homeless: Option<LaneId>,
}

impl Choice {
    /// Looks at one more lane, which is within the window or beyond it.
    fn look_at(&mut self, id: LaneId, lane: &Lane, is_mine: bool, is_near: bool) {
        self.oldest = self.oldest.or(Some(id));
        if lane.origin.is_none() {
            self.homeless = self.homeless.or(Some(id));
            return;
        }
        let place = self.homeless.unwrap_or(id);
        if is_mine {
            self.mine = Some(place);
        }
        if is_near && self.nobodys.is_none() && lane.holders == 0 {
            self.nobodys = Some(place);
        }
        if lane.holders < MANY {
            let busy = Busy { place, jobs: lane.jobs.len(), holders: lane.holders, is_near };
            if self.few.as_ref().is_none_or(|few| busy.is_busier_than(few)) {
                self.few = Some(busy);
            }
        }
    }

    fn made(self) -> Option<LaneId> {
        let few = self.few.map(|few| few.place);
        self.mine.or(self.nobodys).or(few).or(self.oldest)
    }
}

/// How much waits for those who hold connections to an origin.
struct Busy {
    place: LaneId,
    jobs: usize,
    holders: usize,
    is_near: bool,
}

impl Busy {
    fn is_busier_than(&self, older: &Self) -> bool {
        let each = self.jobs.saturating_mul(older.holders);
        self.is_near && each > older.jobs.saturating_mul(self.holders)
    }
}
