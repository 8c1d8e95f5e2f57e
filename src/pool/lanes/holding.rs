//! Which worker holds connections to which origin.

use std::time::Instant;

use super::place::LaneId;
use super::ticket::Held;
use super::{Lanes, at};
use crate::message::Origin;

impl<T> Lanes<T> {
    /// Notes what a worker holds, now that its last job has ended: all of it.
    pub(in crate::pool) fn hold<'a>(
        &mut self,
        held: &mut Held,
        origins: impl IntoIterator<Item = &'a Origin>,
        now: Instant,
    ) {
        let before = std::mem::take(&mut held.lanes);
        held.trial = None;
        for origin in origins {
            // The lane of an origin that only a redirect led to is not made for it.
            let Some(&id) = self.by_origin.get(&Some(origin.clone())) else { continue };
            if let Some(lane) = at(&mut self.lanes, id)
                && !held.lanes.contains(&id)
            {
                lane.holders = lane.holders.saturating_add(1);
                held.lanes.push(id);
            }
        }
        for id in before {
            self.let_go(id, now);
        }
    }

    fn let_go(&mut self, id: LaneId, now: Instant) {
        if let Some(lane) = at(&mut self.lanes, id) {
            lane.holders = lane.holders.saturating_sub(1);
        }
        self.rest(id, now);
    }

    /// From here on the worker counts as one that holds a connection there.
    pub(super) fn try_to_hold(&mut self, held: &mut Held, id: LaneId) {
        if held.lanes.contains(&id) {
            return;
        }
        if let Some(lane) = at(&mut self.lanes, id) {
            lane.holders = lane.holders.saturating_add(1);
            held.lanes.push(id);
            held.trial = Some(id);
        }
    }
}
