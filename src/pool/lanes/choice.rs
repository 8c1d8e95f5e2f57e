//! Which lane a worker serves best.

use super::lane::Lane;
use super::place::LaneId;
use super::ticket::Held;

/// The lanes that were looked at, in the order of their oldest jobs: the first of each kind.
#[derive(Default)]
pub(super) struct Choice {
    /// The worker has a connection there.
    pub(super) mine: Option<LaneId>,
    /// Nobody has.
    nobodys: Option<LaneId>,
    /// There are few.
    few: Option<LaneId>,
    oldest: Option<LaneId>,
    /// Jobs that need no connection: they go when it is their turn, not before.
    homeless: Option<LaneId>,
}

impl Choice {
    /// Looks at one more lane, which is within the window or beyond it.
    pub(super) fn look_at(
        &mut self,
        id: LaneId,
        lane: &Lane,
        held: &Held,
        is_near: bool,
        many: usize,
    ) {
        self.oldest = self.oldest.or(Some(id));
        if lane.origin.is_none() {
            self.homeless = self.homeless.or(Some(id));
            return;
        }
        let place = self.homeless.unwrap_or(id);
        if is_near && self.mine.is_none() && held.lanes.contains(&id) {
            self.mine = Some(place);
        }
        if is_near && self.nobodys.is_none() && lane.holders == 0 {
            self.nobodys = Some(place);
        }
        if self.few.is_none() && lane.holders < many {
            self.few = Some(place);
        }
    }

    pub(super) fn made(self) -> Option<LaneId> {
        self.mine.or(self.nobodys).or(self.few).or(self.oldest)
    }
}
