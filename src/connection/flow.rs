//! How the bytes of an exchange must move: the first in time, none too long after the one before,
//! and not too few over a while.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::deadline::Expired;
use crate::message::Clock;

/// The least that a transfer must move: so many bytes a second, on average over a window.
///
/// It is counted from the moment there is a connection for the request, over what is sent and what
/// is received, heads and TLS records included, and anew for each hop of a redirect; waiting for the
/// response counts, too, as it does for curl's `--speed-limit`. The average is looked at ten times in
/// a window: windows below some 50 ms are coarse. A window of no length, or no bytes a second, is no
/// rule.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowSpeed {
    /// Fewer bytes a second than this are too few.
    pub bytes_per_second: u64,
    /// Over how long.
    pub window: Duration,
}

impl LowSpeed {
    /// At least so many bytes a second, on average over every such window.
    #[must_use]
    pub const fn new(bytes_per_second: u64, window: Duration) -> Self {
        Self { bytes_per_second, window }
    }
}

/// Watches over the bytes of one exchange. Used by one thread, through shared references.
#[derive(Debug)]
pub(crate) struct Flow {
    first_byte: Option<Duration>,
    stall: Option<Duration>,
    /// In a box: hardly anybody asks for it, and whoever waits has this on its stack.
    speed: Option<Box<Speed>>,
    stage: Cell<Stage>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// There is no connection yet.
    Idle,
    /// Bytes are due at any time; when the last one came.
    Moving(Instant),
    /// The request is out and its answer is due; since when.
    Waiting(Instant),
}

impl Flow {
    pub(crate) fn new(
        first_byte: Option<Duration>,
        stall: Option<Duration>,
        low_speed: Option<LowSpeed>,
    ) -> Self {
        Self {
            first_byte,
            stall,
            speed: low_speed.and_then(Speed::new).map(Box::new),
            stage: Cell::new(Stage::Idle),
        }
    }

    /// Whether there is anything to watch.
    const fn is_idle(&self) -> bool {
        self.first_byte.is_none() && self.stall.is_none() && self.speed.is_none()
    }

    /// The exchange begins.
    pub(super) fn begin(&self) {
        self.enter(Stage::Moving, true);
    }

    /// A new connection is being opened: nothing is due on it yet.
    pub(super) fn rest(&self) {
        self.stage.set(Stage::Idle);
        if let Some(speed) = &self.speed {
            speed.mark.set(None);
        }
    }

    /// The request is out.
    pub(super) fn sent(&self) {
        self.enter(Stage::Waiting, false);
    }

    /// A byte of the answer has come.
    pub(super) fn answered(&self) {
        if matches!(self.stage.get(), Stage::Waiting(_)) {
            self.enter(Stage::Moving, false);
        }
    }

    /// So many bytes went over the socket.
    pub(super) fn moved(&self, bytes: usize) {
        if self.is_idle() {
            return;
        }
        if let Stage::Moving(_) = self.stage.get() {
            self.stage.set(Stage::Moving(Instant::now()));
        }
        if let Some(speed) = &self.speed {
            speed.add(bytes);
        }
    }

    /// The exchange was kept from going on, by us, for so long.
    pub(super) fn pause(&self, pause: Duration) {
        let later = |at: Instant| at.checked_add(pause).unwrap_or(at);
        self.stage.set(match self.stage.get() {
            Stage::Idle => Stage::Idle,
            Stage::Moving(at) => Stage::Moving(later(at)),
            Stage::Waiting(at) => Stage::Waiting(later(at)),
        });
        if let Some(speed) = &self.speed {
            speed.mark.set(speed.mark.get().map(later));
        }
    }

    /// Does some work of ours: no byte can move meanwhile.
    pub(super) fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.is_idle() {
            return work();
        }
        let started = Instant::now();
        let done = work();
        self.pause(started.elapsed());
        done
    }

    /// How long the next byte may take at most.
    pub(super) fn left(&self, now: Instant) -> Result<Option<Duration>, Expired> {
        let (since, limit, clock) = match self.stage.get() {
            Stage::Idle => return Ok(None),
            Stage::Moving(at) => (at, self.stall, Clock::Stall),
            Stage::Waiting(at) => (at, self.first_byte, Clock::FirstByte),
        };
        let left = match limit {
            None => None,
            Some(limit) => match limit.checked_sub(now.saturating_duration_since(since)) {
                Some(left) if !left.is_zero() => Some(left),
                _ => return Err(Expired { clock, limit, rate: None }),
            },
        };
        let look = self.speed.as_ref().map_or(Ok(None), |speed| speed.left(now))?;
        Ok(match (left, look) {
            (Some(left), Some(look)) => Some(left.min(look)),
            (left, look) => left.or(look),
        })
    }

    fn enter(&self, stage: fn(Instant) -> Stage, anew: bool) {
        if self.is_idle() {
            return;
        }
        let now = Instant::now();
        self.stage.set(stage(now));
        if let Some(speed) = self.speed.as_ref().filter(|_| anew) {
            speed.begin(now);
        }
    }
}

/// The average over the last window, kept in ten slots of it.
#[derive(Debug)]
struct Speed {
    rule: LowSpeed,
    slot: Duration,
    slots: Cell<[u64; SLOTS]>,
    /// Slots that have passed since the beginning.
    passed: Cell<usize>,
    /// When the current slot began.
    mark: Cell<Option<Instant>>,
}

impl Speed {
    /// A window of no length, or one that nothing can be less than, is no rule.
    fn new(rule: LowSpeed) -> Option<Self> {
        let slot = rule.window / 10;
        if slot.is_zero() || rule.bytes_per_second == 0 {
            return None;
        }
        let slots = Cell::new([0; SLOTS]);
        Some(Self { rule, slot, slots, passed: Cell::new(0), mark: Cell::new(None) })
    }

    fn begin(&self, now: Instant) {
        self.slots.set([0; SLOTS]);
        self.passed.set(0);
        self.mark.set(Some(now));
    }

    fn add(&self, bytes: usize) {
        let mut slots = self.slots.get();
        if let Some(slot) = slots.get_mut(self.passed.get() % SLOTS) {
            *slot = slot.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        self.slots.set(slots);
    }

    /// How long until the average must be looked at again; an error if it is too low.
    fn left(&self, now: Instant) -> Result<Option<Duration>, Expired> {
        let Some(mut mark) = self.mark.get() else { return Ok(None) };
        while let Some(end) = mark.checked_add(self.slot)
            && end <= now
        {
            let passed = self.passed.get().saturating_add(1);
            let mut slots = self.slots.get();
            if passed >= SLOTS {
                let sum = slots.iter().fold(0, |sum: u64, slot| sum.saturating_add(*slot));
                let least = u128::from(self.rule.bytes_per_second)
                    .saturating_mul(self.rule.window.as_nanos());
                if u128::from(sum).saturating_mul(1_000_000_000) < least {
                    return Err(Expired {
                        clock: Clock::LowSpeed,
                        limit: self.rule.window,
                        rate: Some(self.rule.bytes_per_second),
                    });
                }
            }
            if let Some(slot) = slots.get_mut(passed % SLOTS) {
                *slot = 0;
            }
            self.slots.set(slots);
            self.passed.set(passed);
            mark = end;
            self.mark.set(Some(mark));
        }
        let slots_left = SLOTS.saturating_sub(self.passed.get()).max(1);
        let wait = self.slot.saturating_mul(u32::try_from(slots_left).unwrap_or(1));
        let passed = now.saturating_duration_since(mark);
        Ok(Some(wait.saturating_sub(passed).max(Duration::from_millis(1))))
    }
}

const SLOTS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn flow(first_byte: Option<u64>, stall: Option<u64>, speed: Option<u64>) -> (Flow, Instant) {
        let low = speed.map(|rate| LowSpeed::new(rate, MS(1000)));
        let flow = Flow::new(first_byte.map(MS), stall.map(MS), low);
        flow.begin();
        (flow, Instant::now())
    }

    #[test]
    fn nothing_is_due_where_nothing_was_asked_for() {
        let (flow, now) = flow(None, None, None);
        assert_eq!(flow.left(now + MS(1_000_000)), Ok(None));
    }

    #[test]
    fn waiting_for_the_first_byte_is_no_stall_and_a_stall_is_not_the_first_byte() {
        let (flow, now) = flow(Some(5_000), Some(1_000), None);
        assert_eq!(flow.left(now + MS(2_000)).unwrap_err().clock, Clock::Stall);
        flow.sent();
        assert!(flow.left(now + MS(2_000)).is_ok());
        assert_eq!(flow.left(now + MS(6_000)).unwrap_err().clock, Clock::FirstByte);
        flow.answered();
        assert_eq!(flow.left(now + MS(2_000)).unwrap_err().clock, Clock::Stall);
    }

    #[test]
    fn a_transfer_is_too_slow_when_the_last_window_was() {
        let (flow, now) = flow(None, None, Some(100));
        let speed = flow.speed.as_ref().unwrap();
        for slot in 1..30 {
            speed.add(10);
            assert!(flow.left(now + MS(slot * 100 + 5)).is_ok(), "just fast enough at {slot}");
        }
        assert!(flow.left(now + MS(3_005)).is_err(), "and then a slot without a byte");
    }

    #[test]
    fn the_first_window_is_waited_for() {
        let (flow, now) = flow(None, None, Some(1));
        let left = flow.left(now + MS(5)).unwrap().unwrap();
        assert!(left > MS(900) && left <= MS(1_000), "{left:?}");
        assert!(flow.left(now + MS(990)).is_ok());
        let told = flow.left(now + MS(1_001)).unwrap_err();
        assert_eq!((told.clock, told.limit, told.rate), (Clock::LowSpeed, MS(1000), Some(1)));
    }

    #[test]
    fn a_pause_of_ours_counts_for_nothing() {
        let (flow, now) = flow(None, Some(1_000), Some(100));
        flow.pause(MS(5_000));
        assert!(flow.left(now + MS(5_500)).is_ok());
        assert!(flow.left(now + MS(6_100)).is_err());
    }

    #[test]
    fn while_a_connection_is_opened_nothing_is_due() {
        let (flow, now) = flow(Some(100), Some(100), Some(100));
        flow.rest();
        assert_eq!(flow.left(now + MS(5_000)), Ok(None));
        flow.begin();
        assert!(flow.left(now + MS(5_000)).is_err());
    }

    #[test]
    fn windows_beyond_the_clock_are_no_limit() {
        let low = LowSpeed::new(u64::MAX, Duration::MAX);
        let flow = Flow::new(Some(Duration::MAX), Some(Duration::MAX), Some(low));
        flow.begin();
        assert!(flow.left(Instant::now() + MS(1_000_000)).is_ok());
    }
}
