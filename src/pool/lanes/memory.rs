//! Which origins have a lane, and when it is forgotten.

use std::time::Instant;

use super::lane::Lane;
use super::place::LaneId;
use super::{Lanes, at};
use crate::message::{Origin, Target};
use crate::pool::polite::Gate;

impl<T> Lanes<T> {
    /// The lane of an origin; a new one, if it has none.
    pub(in crate::pool) fn lane_for(&mut self, target: Option<&Target>) -> LaneId {
        if let Some(id) = self.recent.guess(target)
            && let Some(Some(lane)) = self.lanes.get(id.0)
            && match (&lane.origin, target) {
                (Some(origin), Some(target)) => origin.contains(target),
                (None, None) => true,
                _ => false,
            }
        {
            return id;
        }
        match (&mut self.asked, target) {
            (Some(asked), Some(target)) => asked.set(target),
            (asked, target) => *asked = target.map(Target::origin),
        }
        let id = match self.by_origin.get(&self.asked) {
            Some(id) => *id,
            None => self.add_lane(self.asked.clone()),
        };
        self.recent.note(target, id);
        id
    }

    fn add_lane(&mut self, origin: Option<Origin>) -> LaneId {
        let politeness =
            origin.as_ref().and_then(|origin| self.hosts.of(&origin.host, origin.port));
        let lane = Lane::new(origin.clone(), politeness.map(Gate::new));
        let id = match self.free.pop() {
            Some(id) => id,
            None => LaneId(self.lanes.len()),
        };
        match self.lanes.get_mut(id.0) {
            Some(place) => *place = Some(lane),
            None => self.lanes.push(Some(lane)),
        }
        self.by_origin.insert(origin, id);
        id
    }

    /// How many lanes there are.
    #[cfg(any(test, fuzzing, fetchpool_internals))]
    pub(in crate::pool) fn count(&self) -> usize {
        self.lanes.iter().flatten().count()
    }

    /// A lane that has something to do does not rest.
    pub(super) fn wake(&mut self, id: LaneId) {
        if let Some(lane) = at(&mut self.lanes, id)
            && let Some(until) = lane.resting.take()
        {
            self.resting.remove(&(until, id));
        }
    }

    /// Forgets a lane that has nothing to do and nothing to remember; or sees to it that this is done
    /// when it has not.
    pub(super) fn rest(&mut self, id: LaneId, now: Instant) {
        let Some(lane) = at(&mut self.lanes, id) else { return };
        let until = lane.rests_until(now);
        if lane.resting != until
            && let Some(before) = lane.resting.take()
        {
            self.resting.remove(&(before, id));
        }
        let Some(until) = until else { return };
        if until > now {
            lane.resting = Some(until);
            self.resting.insert((until, id));
            return;
        }
        let forgotten = self.lanes.get_mut(id.0).and_then(Option::take);
        if let Some(lane) = forgotten {
            self.by_origin.remove(&lane.origin);
        }
        self.free.push(id);
    }
}
