//! Which lane an origin had when it was asked for last.

use std::hash::Hasher;

use super::by_index::Spread;
use super::place::LaneId;
use crate::message::Target;

/// A place for each of [`PLACES`] marks of origins. Those of two origins may be the same: who looks up a
/// lane here looks at it, too, and finds that of another origin in the map of all of them, whose hash is
/// safe from whoever chooses names, and takes its time for it.
#[derive(Default)]
pub(super) struct Recent(Vec<Option<LaneId>>);

impl Recent {
    /// What may be the lane of the target's origin, or of what has none.
    pub(super) fn guess(&self, target: Option<&Target>) -> Option<LaneId> {
        self.0.get(place(target)).copied().flatten()
    }

    /// This is its lane.
    pub(super) fn note(&mut self, target: Option<&Target>, lane: LaneId) {
        self.0.resize(PLACES, None);
        if let Some(place) = self.0.get_mut(place(target)) {
            *place = Some(lane);
        }
    }
}

/// Scheme, name and port as they are printed come to this.
fn place(target: Option<&Target>) -> usize {
    let Some(target) = target else { return 0 };
    let mut mark = Spread::default();
    let (words, rest) = target.authority().as_bytes().as_chunks();
    words.iter().for_each(|word| mark.write_u64(u64::from_le_bytes(*word)));
    let rest = rest
        .iter()
        .fold(u64::from(target.is_https()), |rest, byte| rest.wrapping_shl(8) | u64::from(*byte));
    mark.write_u64(rest);
    let [place, ..] = mark.finish().to_le_bytes();
    place.into()
}

/// All values of a byte.
const PLACES: usize = 256;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Instant;

    use super::*;
    use crate::pool::lanes::{Lanes, Times};
    use crate::pool::polite::Hosts;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    fn places(urls: impl Iterator<Item = String>) -> usize {
        let places: HashSet<_> = urls.map(|url| place(Some(&target(&url)))).collect();
        places.len()
    }

    #[test]
    fn origins_that_differ_in_little_have_places_of_their_own_for_the_most_part() {
        // As many as there are places would by chance have 162 of them, and 64 would have 57.
        let most = 256 / 2;
        assert!(places((0..256).map(|n| format!("http://h{n}/"))) > most);
        assert!(places((0..256).map(|n| format!("http://127.0.0.{n}:8080/"))) > most);
        assert!(places((0..256).map(|n| format!("https://127.0.0.1:{}/", 40_000 + n))) > most);
        assert!(places((0..256).map(|n| format!("https://shop-{n:04}.example.com/"))) > most);
        let schemes = ["http", "https"].map(|scheme| format!("{scheme}://h:1/"));
        assert_eq!(places(schemes.into_iter()), 2);
    }

    #[test]
    fn a_lane_that_was_forgotten_is_not_taken_for_that_of_the_origin_that_has_its_number_now() {
        let now = Instant::now();
        let targets = [Some(target("http://h/")), Some(target("http://other/")), None];
        for (forgotten, other) in [(0, 1), (1, 0), (0, 2), (2, 0)] {
            let (forgotten, other) = (targets[forgotten].as_ref(), targets[other].as_ref());
            let mut lanes = Lanes::new(64, Hosts::default(), Some(1));
            let first = lanes.lane_for(forgotten);
            lanes.put(first, 0, Times::default(), (), now);
            lanes.remove(0, now);
            assert_eq!(lanes.count(), 0, "it has nothing to remember");
            let second = lanes.lane_for(other);
            lanes.put(second, 1, Times::default(), (), now);
            assert_eq!(second, first);
            assert_ne!(lanes.lane_for(forgotten), second);
        }
    }
}
