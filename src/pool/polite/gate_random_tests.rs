//! What holds for a gate whatever happens: random settings, starts, ends and times.

use std::time::{Duration, Instant};

use super::super::{Adaptive, CircuitBreaker, Gate, GateState, Pass, Politeness, Sign};

/// Splitmix64: small, and the same everywhere for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.below(1 << 32)).unwrap()) / f64::from(u32::MAX)
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()].clone()
    }

    fn time(&mut self) -> Duration {
        let longest = self.of(&[1, 1000, 100_000, 2_000_000, 70_000_000]);
        Duration::from_micros(self.below(longest + 1))
    }
}

struct Settings {
    rate: Option<f64>,
    max: Option<usize>,
    is_adaptive: bool,
    failures: Option<u32>,
    open_for: Duration,
    all: Politeness,
}

fn settings(random: &mut Random) -> Settings {
    let rate = random.of(&[None, Some(0.3), Some(3.0), Some(50.0), Some(5000.0), Some(1e-300)]);
    let max = random.of(&[None, Some(1), Some(3)]);
    let failures = random.of(&[None, Some(1), Some(3)]);
    let is_adaptive = random.below(2) == 0;
    // The longest is as good as for ever.
    let open_for =
        random.of(&[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3_000_000_000)]);
    let mut all = Politeness::new().jitter(random.of(&[0.0, 0.5]));
    if let Some(rate) = rate {
        all = all.rate(rate);
    }
    if let Some(max) = max {
        all = all.max_concurrent(max);
    }
    if let Some(failures) = failures {
        all = all.circuit_breaker(CircuitBreaker::new(failures).open_for(open_for));
    }
    if is_adaptive {
        all = all.adaptive(Adaptive::new().min_rate(random.of(&[0.1, 2.0])));
    }
    Settings { rate, max, is_adaptive, failures, open_for, all }
}

const SIGNS: [Sign; 9] = [
    Sign::Good,
    Sign::Good,
    Sign::Good,
    Sign::Slow(None),
    Sign::Slow(Some(Duration::from_millis(300))),
    Sign::Slow(Some(Duration::from_secs(20))),
    Sign::Overloaded,
    Sign::Failed,
    Sign::Nothing,
];

/// What the test itself keeps count of, to hold the gate to it.
struct World {
    settings: Settings,
    now: Instant,
    running: Vec<(Instant, Pass)>,
    starts: Vec<Instant>,
    hold: Instant,
    /// No try may start before, for the circuit; and since when one at a time may.
    open_until: Option<Instant>,
    failures: u32,
    success: Option<Instant>,
    probe: Option<Instant>,
    last: Instant,
}

impl World {
    fn new(settings: Settings) -> Self {
        let now = Instant::now();
        Self {
            settings,
            now,
            running: Vec::new(),
            starts: Vec::new(),
            hold: now,
            open_until: None,
            failures: 0,
            success: None,
            probe: None,
            last: now,
        }
    }

    /// A try starts: no limit is broken by it.
    fn start(&mut self, pass: Pass) {
        let now = self.now;
        assert!(self.settings.max.is_none_or(|max| self.running.len() < max), "too many at a time");
        assert!(now >= self.hold, "before the wait that was asked for was over");
        if let Some(until) = self.open_until {
            assert!(now >= until, "the circuit is open");
            assert_eq!(self.probe, None, "a second try while the circuit is half-open");
            self.probe = Some(now);
        }
        if let Some(rate) = self.settings.rate {
            let late = Duration::from_millis(5).min(Duration::from_secs_f64(rate.recip().min(1.0)));
            for (n, earlier) in (1..).zip(self.starts.iter().rev().take(100)) {
                // Nothing is longer than a century.
                let least = (f64::from(n) / rate).min(3e9);
                let took = now.duration_since(*earlier) + late + Duration::from_micros(1);
                assert!(took.as_secs_f64() >= least, "{n} starts in {took:?}");
            }
        }
        self.last = now;
        self.starts.push(now);
        self.running.push((now, pass));
    }

    /// A try ends: what follows from it.
    fn end(&mut self, began: Instant, sign: Sign) {
        self.last = self.now;
        if let (true, Sign::Slow(Some(wait))) = (self.settings.is_adaptive, sign) {
            self.hold = self.hold.max(self.now + wait);
        }
        let Some(limit) = self.settings.failures else { return };
        let is_probe = self.open_until.is_some() && self.probe == Some(began);
        if is_probe {
            self.probe = None;
        } else if self.open_until.is_some() {
            return;
        }
        match sign {
            Sign::Good => {
                (self.failures, self.success, self.open_until) = (0, Some(self.now), None);
            }
            Sign::Failed | Sign::Overloaded
                if is_probe || self.success.is_none_or(|success| began >= success) =>
            {
                self.failures += 1;
                if self.failures >= limit {
                    self.open_until = Some(self.now + self.settings.open_for);
                }
            }
            _ => {}
        }
    }

    /// The gate has been idle for so long that it has forgotten.
    fn forget(&mut self) {
        let idle = self.now.duration_since(self.last);
        assert!(self.failures == 0 || idle >= Duration::from_secs(60), "failures of {idle:?} ago");
        (self.failures, self.success, self.open_until) = (0, None, None);
    }
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let mut world = World::new(settings(&mut random));
    let mut gate = Gate::new(&world.settings.all);
    // Begins anew at every moment at which the other may be forgotten.
    let mut other = Gate::new(&world.settings.all);
    let mut promised: Option<Instant> = None;
    for _ in 0..300 {
        let state = gate.state(world.now);
        if gate.forget_at(world.now).is_some_and(|at| at <= world.now) {
            assert_eq!(state, GateState::Open, "it would forget that");
            other = Gate::new(&world.settings.all);
            world.forget();
        }
        assert_eq!(other.state(world.now), state, "the one that was made anew");
        match state {
            GateState::Until(at) => {
                assert!(at > world.now, "until what is past");
                assert!(promised.is_none_or(|promised| at <= promised), "later than was said");
                promised = Some(at);
            }
            GateState::Full => assert!(!world.running.is_empty(), "full of nothing"),
            GateState::Refused { until, failures } => {
                assert!(until > world.now, "refused until what is past");
                assert_eq!((Some(until), failures), (world.open_until, world.failures));
                promised = None;
            }
            GateState::Open => {}
        }
        match (state, random.below(3)) {
            (GateState::Open, 0 | 1) => {
                let share = random.share();
                let pass = gate.start(world.now, share);
                other.start(world.now, share);
                world.start(pass);
                promised = None;
            }
            (GateState::Until(at), 0) => {
                world.now = at;
                let after = gate.state(at);
                assert!(!matches!(after, GateState::Until(_)), "{after:?} at what was said");
                continue;
            }
            (GateState::Refused { until, .. }, 0) if until < world.now + Duration::from_secs(9) => {
                world.now = until;
                let after = gate.state(until);
                assert!(!matches!(after, GateState::Refused { .. }), "still refused");
                continue;
            }
            (_, 1) if !world.running.is_empty() => {
                let which = random.below(world.running.len() as u64);
                let (began, pass) = world.running.swap_remove(usize::try_from(which).unwrap());
                let sign = random.of(&SIGNS);
                gate.end(world.now, pass, sign);
                other.end(world.now, pass, sign);
                world.end(began, sign);
                promised = None;
            }
            _ => {}
        }
        world.now += random.time();
    }
}

#[test]
fn no_limit_is_ever_exceeded_and_nothing_is_lost_by_forgetting() {
    for seed in 0..3000 {
        let ran = std::panic::catch_unwind(|| run(seed));
        assert!(ran.is_ok(), "with the seed {seed}");
    }
}
