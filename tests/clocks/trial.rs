//! One request that must run into one clock, and the job behind it.

use std::fmt::Display;
use std::panic;
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    Clock, Error, ErrorKind, Fault, LowSpeed, Outcome, Phase, Pool, Request, SessionConfig, Timings,
};

use crate::farm::within;
use crate::support::script::{Script, ok};

/// A limit short enough for a test and long enough for a slow machine to get to the point.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// How long the limits are that must not be what ends a request, and how long a test waits at all.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// The rate of a trial by [`Clock::LowSpeed`], in bytes a second.
pub(crate) const RATE: u64 = 10_000;

/// How late a clock may be: always, and in the best of three runs. The machine may be busy with
/// something else just then, but not three times in a row.
const LATE: Duration = Duration::from_secs(2);
const BARELY_LATE: Duration = Duration::from_millis(180);

/// A request that must be ended by a certain clock, in a pool of one thread, which then must go on.
#[derive(Clone)]
pub(crate) struct Trial {
    name: String,
    clock: Clock,
    phases: Vec<Phase>,
    limit: Duration,
    /// The clock starts so late at most.
    after: Duration,
    job: Request,
    config: SessionConfig,
}

impl Trial {
    /// The clock's setting is [`SHORT`] and the others are [`LONG`] or none.
    pub(crate) fn new(clock: Clock, phase: Phase, job: impl Into<Request>) -> Self {
        let mut config = SessionConfig::new();
        config.timeout = Some(LONG);
        let job = job.into();
        let (name, phases, after) = (String::new(), vec![phase], Duration::ZERO);
        Self { name, clock, phases, limit: SHORT, after, job, config }
    }

    /// What to call it, if it fails.
    pub(crate) fn named(mut self, name: impl Display) -> Self {
        self.name = name.to_string();
        self
    }

    /// This limit in the place of [`SHORT`].
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// It may as well happen in this phase.
    pub(crate) fn or(mut self, phase: Phase) -> Self {
        self.phases.push(phase);
        self
    }

    /// The clock starts at most so long after the pool.
    pub(crate) fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// Other settings.
    pub(crate) fn set(mut self, change: impl FnOnce(&mut SessionConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// The clock must run out: in the best of three runs in the right phase and hardly too late.
    pub(crate) fn run(self) {
        let what = format!("{:?} in {:?}: {}", self.clock, self.phases, self.name);
        let mut faults = Vec::new();
        while let Err(fault) = self.clone().once(&what) {
            faults.push(fault);
            assert!(faults.len() < 3, "{what}: every time, as in {faults:#?}");
        }
    }

    /// Panics for what must never be; an error is what a machine that is busy may make of it.
    fn once(mut self, what: &str) -> Result<(), String> {
        let mut builder = Pool::builder().num_threads(1);
        match self.clock {
            Clock::Request => self.config.timeout = Some(self.limit),
            Clock::Dns => self.config.dns_timeout = Some(self.limit),
            Clock::Connect => self.config.connect_timeout = Some(self.limit),
            Clock::FirstByte => self.config.first_byte_timeout = Some(self.limit),
            Clock::Stall => self.config.stall_timeout = Some(self.limit),
            Clock::LowSpeed => self.config.low_speed = Some(LowSpeed::new(RATE, self.limit)),
            Clock::Deadline => builder = builder.deadline(self.limit),
            other => panic!("{what}: no setting is known for {other:?}"),
        }
        let site = Script::site(|_| ok("next"));
        let jobs = [self.job, Request::get(site.url("/next")).timeout(LONG)];
        let builder = builder.session(self.config).job_queue(jobs);
        let (first, took, rest, left) = within(LONG, move || {
            let started = Instant::now();
            let pool = builder.build().unwrap();
            let first = pool.outcomes().next();
            let took = started.elapsed();
            let rest: Vec<Outcome> = pool.outcomes().collect();
            (first, took, rest, pool.close().count())
        });

        let first = first.unwrap_or_else(|| panic!("{what}: no outcome"));
        assert_eq!(first.index(), 0, "{what}: {first:?}");
        let timings = *first.timings();
        let error =
            first.result().map_or_else(|error| error, |answer| panic!("{what}: {answer:?}"));
        assert_eq!(timings, *error.timings(), "{what}");
        ran_out(&error, self.clock, what);
        says_how_long(&error, self.clock, self.limit, what);
        assert!(timings.total() <= took, "{what}: {timings:?} in {took:?}");
        assert!(took >= self.limit, "{what}: too early, after {took:?}");

        if self.clock == Clock::Deadline {
            assert!(rest.is_empty(), "{what}: a job was taken after the deadline: {rest:?}");
            assert_eq!(left, 1, "{what}: the next job is handed back");
        } else {
            assert_eq!((rest.len(), left), (1, 0), "{what}: {rest:?}");
            let next = rest.into_iter().next().unwrap().result();
            assert_eq!(next.unwrap_or_else(|e| panic!("{what}: next: {e:?}")).text(), "next");
        }
        let late = (took - self.limit).saturating_sub(self.after);
        assert!(late <= LATE, "{what}: too late, after {took:?}");
        let phase = error.phase().unwrap_or_else(|| panic!("{what}: no phase in {error:?}"));
        let timed = time_of(phase, &timings).is_none_or(|time| !time.is_zero());
        assert!(timed, "{what}: {phase:?} has no time in {timings:?}");
        if !self.phases.contains(&phase) || late > BARELY_LATE {
            return Err(format!("{phase:?}, late by {late:?}: {timings:?}, {error}"));
        }
        Ok(())
    }
}

/// Trials at the same time, each in a pool of its own.
pub(crate) fn side_by_side(trials: impl IntoIterator<Item = Trial>) {
    for_each_at_once(trials, Trial::run);
}

/// Does this for each of them, at the same time.
pub(crate) fn for_each_at_once<T: Send>(
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) + Sync,
) {
    let work = &work;
    thread::scope(|scope| {
        let start = |item| scope.spawn(move || work(item));
        let running: Vec<_> = items.into_iter().map(start).collect();
        for one in running {
            one.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    });
}

/// That the error is a time-out by this clock, in every way in which it says so.
#[track_caller]
pub(crate) fn ran_out(error: &Error, clock: Clock, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Timeout, "{what}: {error:?}");
    assert!(error.is_timeout(), "{what}");
    assert_eq!(error.fault(), Fault::Limit, "{what}: {error:?}");
    assert_eq!(error.clock(), Some(clock), "{what}: {error:?}");
    assert_eq!(error.timings().expired, Some(clock), "{what}: {error:?}");
}

/// That the message has the clock in words, and the value of its setting.
#[track_caller]
pub(crate) fn says_how_long(error: &Error, clock: Clock, limit: Duration, what: &str) {
    let message = error.message();
    let words = clock.as_str().replace('_', " ");
    assert!(message.replace('_', " ").contains(&words), "{what}: no {words:?} in {message}");
    assert!(message.contains(&format!("{limit:?}")), "{what}: no {limit:?} in {message}");
    if clock == Clock::LowSpeed {
        assert!(message.contains(&RATE.to_string()), "{what}: no {RATE} in {message}");
    }
}

/// What the timings say of this phase, if it is timed.
const fn time_of(phase: Phase, timings: &Timings) -> Option<Duration> {
    Some(match phase {
        Phase::Dns => timings.dns,
        Phase::Connect => timings.connect,
        Phase::Tls => timings.tls,
        Phase::Sending => timings.sending,
        Phase::Waiting => timings.waiting,
        Phase::Receiving => timings.receiving,
        _ => return None,
    })
}
