//! What a seed stands for: the jobs, the pool, who reads it and how it ends.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use fetchpool::{
    CancelToken, OnError, Outcome, Pool, PoolBuilder, Request, Resolver, RetryPolicy, SessionConfig,
};

use crate::server::{Server, answer, body};
use crate::support::dead::Dead;
use crate::support::farm::refused;
use crate::watch::{Ledger, Watch, panic_on_purpose};

/// A number that looks random, and is the same for the same seed (splitmix64).
pub(crate) const fn dice(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Throws the dice, one after the other.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    /// One of so many.
    const fn of(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x1234_5678_9abc_def1);
        dice(self.0) % sides
    }

    const fn one_in(&mut self, sides: u64) -> bool {
        self.of(sides) == 0
    }

    const fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.of(most - least + 1)
    }
}

/// A batch.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    seed: u64,
    pub(crate) jobs: u64,
    threads: usize,
    source: Source,
    /// The window, if the order is kept.
    ordered: Option<usize>,
    capacity: Option<usize>,
    budget: Option<u64>,
    retries: u32,
    rate: Option<f64>,
    timeout: Duration,
    deadline: Option<Duration>,
    on_error: OnError,
    hook: Hook,
    /// One call of the observer in so many panics.
    observer_panics: u64,
    /// This token is cancelled after so long.
    pub(crate) token_after: Option<(usize, Duration)>,
    reading: Reading,
    /// Outcomes that are read before the end is made.
    read_first: usize,
    reader_is_slow: bool,
    pub(crate) ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// An iterator that knows its length.
    List,
    /// One that does not.
    Lazy,
    /// One that is wrong about it.
    Lying,
    /// One that waits now and then.
    Slow,
    /// One that panics half way.
    Panicking,
    /// A channel of which somebody else has the other end.
    Live,
}

/// What the initializer does.
#[derive(Clone, Copy, Debug)]
enum Hook {
    Nothing,
    FailsSometimes,
    PanicsSometimes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Outcomes,
    ResponsesFirst,
    ExceptionsFirst,
    BothAtOnce,
    AfterJoining,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    ByItself,
    Close,
    Drain,
    Cancel,
    /// From another thread, while this one reads.
    CancelFromAside,
    Drop,
}

/// What a job carries, to be recognised by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag {
    pub(crate) number: u64,
}

impl Tag {
    pub(crate) fn of(request: &Request) -> Option<Self> {
        request.tag_ref::<Self>().copied()
    }
}

/// How many jobs the pool has taken out of its source.
#[derive(Clone, Default)]
pub(crate) struct Pulls(Arc<AtomicU64>);

impl Pulls {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Something that becomes a request, or panics on its way.
struct Draft(Option<Request>, u64);

impl From<Draft> for Request {
    fn from(Draft(request, kind): Draft) -> Self {
        request.unwrap_or_else(|| panic_on_purpose(kind))
    }
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice(dice(seed));
        let d = &mut dice;
        let threads = d.between(1, 8) as usize;
        Self {
            seed,
            jobs: d.between(30, 120),
            threads,
            source: match d.of(10) {
                0..=3 => Source::List,
                4..=5 => Source::Lazy,
                6 => Source::Lying,
                7 => Source::Slow,
                8 => Source::Panicking,
                _ => Source::Live,
            },
            ordered: d.one_in(3).then(|| d.between(1, 30) as usize),
            capacity: d.one_in(2).then(|| d.between(1, 20) as usize),
            budget: d.one_in(3).then(|| d.between(0, 300_000)),
            retries: if d.one_in(3) { d.between(1, 2) as u32 } else { 0 },
            rate: d.one_in(6).then_some(1_500.0),
            timeout: Duration::from_millis(d.between(60, 250)),
            deadline: d.one_in(7).then(|| Duration::from_millis(d.between(1, 150))),
            on_error: match d.of(8) {
                0 => OnError::Stop,
                1 => OnError::StopAfter(d.between(2, 20)),
                _ => OnError::Continue,
            },
            hook: match d.of(8) {
                0 => Hook::FailsSometimes,
                1 => Hook::PanicsSometimes,
                _ => Hook::Nothing,
            },
            observer_panics: [0, 25, 100][d.of(3) as usize],
            token_after: d.one_in(2).then(|| (d.of(4) as usize, Duration::from_millis(d.of(40)))),
            reading: match d.of(5) {
                0 => Reading::Outcomes,
                1 => Reading::ResponsesFirst,
                2 => Reading::ExceptionsFirst,
                3 => Reading::BothAtOnce,
                _ => Reading::AfterJoining,
            },
            read_first: d.of(40) as usize,
            reader_is_slow: d.one_in(3),
            ending: match d.of(10) {
                0..=2 => Ending::ByItself,
                3 => Ending::Close,
                4 => Ending::Drain,
                5..=6 => Ending::Cancel,
                7 => Ending::CancelFromAside,
                _ => Ending::Drop,
            },
        }
    }

    /// Whether the number of jobs that were taken can be counted at their source.
    pub(crate) fn is_counted(&self) -> bool {
        self.source != Source::Live
    }

    /// Whether what was not taken comes back to the last job.
    pub(crate) const fn all_come_back(&self) -> bool {
        // What is in a channel that its sender still fills, and what a dead iterator had left, does
        // not. Neither does a job that panics on its way back.
        !matches!(self.source, Source::Live | Source::Panicking | Source::Lazy)
    }

    pub(crate) fn reads_in_order(&self) -> bool {
        self.ordered.is_some() && matches!(self.reading, Reading::Outcomes | Reading::AfterJoining)
    }

    /// The pool, at work.
    pub(crate) fn pool(
        &self,
        server: &Server,
        tokens: &[CancelToken],
        pulls: &Pulls,
        ledger: &Ledger,
        gone: Sender<()>,
    ) -> Pool {
        let mut session = SessionConfig::new();
        session.timeout = Some(self.timeout);
        session.connect_timeout = Some(self.timeout);
        session.resolver = Some(resolver(self.seed, server.address()));
        let (seed, hook) = (self.seed, self.hook);
        let calls = AtomicU64::new(0);
        let watch = Watch { seed, panics: self.observer_panics, ledger: ledger.clone(), gone };
        let mut builder = Pool::builder()
            .num_threads(self.threads)
            .session(session)
            .observer(watch)
            .on_error(self.on_error)
            .initializer(move |_: &mut SessionConfig| {
                let call = calls.fetch_add(1, Ordering::Relaxed);
                match (hook, dice(seed ^ call) % 2) {
                    (Hook::FailsSometimes, 0) => Err("on purpose"),
                    (Hook::PanicsSometimes, 0) => panic_on_purpose(call),
                    _ => Ok(()),
                }
            });
        if let Some(window) = self.ordered {
            builder = builder.ordered_window(window);
        }
        if let Some(capacity) = self.capacity {
            builder = builder.outcome_capacity(capacity);
        }
        if let Some(budget) = self.budget {
            builder = builder.body_budget(budget);
        }
        if self.retries > 0 {
            builder = builder.retry(RetryPolicy::new(self.retries));
        }
        if let Some(rate) = self.rate {
            builder = builder.rate(rate);
        }
        if let Some(deadline) = self.deadline {
            builder = builder.deadline(deadline);
        }
        self.sourced(builder, server, tokens, pulls).build().unwrap()
    }

    /// The builder with the jobs of this plan.
    fn sourced(
        &self,
        builder: PoolBuilder,
        server: &Server,
        tokens: &[CancelToken],
        pulls: &Pulls,
    ) -> PoolBuilder {
        let port = server.address().port();
        let jobs: Vec<Draft> = (0..self.jobs).map(|n| self.draft(n, port, tokens)).collect();
        let count = pulls.clone();
        let counted = move |draft| {
            count.0.fetch_add(1, Ordering::SeqCst);
            draft
        };
        let (seed, half) = (self.seed, self.jobs / 2);
        match self.source {
            Source::List => builder.job_queue(jobs.into_iter().map(counted)),
            Source::Lazy => builder.job_queue(jobs.into_iter().map(counted).filter(|_| true)),
            Source::Lying => builder.job_queue(Lying(jobs.into_iter().map(counted))),
            Source::Slow => builder.job_queue(jobs.into_iter().enumerate().map(move |(n, job)| {
                if n % 16 == 0 {
                    thread::sleep(Duration::from_millis(2));
                }
                counted(job)
            })),
            Source::Panicking => builder.job_queue((0..).zip(jobs).map(move |(n, job)| {
                let job = counted(job);
                if n == half { panic_on_purpose(seed) } else { job }
            })),
            Source::Live => {
                let (sender, receiver) = sync_channel(3);
                thread::spawn(move || {
                    for Draft(request, _) in jobs {
                        // Fails when nobody listens any more.
                        if sender.send(request.unwrap_or_else(|| "no URL".into())).is_err() {
                            return;
                        }
                    }
                });
                builder.job_queue(receiver)
            }
        }
    }

    fn draft(&self, number: u64, port: u16, tokens: &[CancelToken]) -> Draft {
        let mut d = Dice(dice(self.seed ^ (number << 20)));
        if d.one_in(50) {
            return Draft(None, number);
        }
        let mut request = Request::get(self.url(number, port)).tag(Tag { number });
        if d.one_in(8) {
            request = request.cancel_token(&tokens[d.of(4) as usize]);
        }
        if d.one_in(20) {
            request = request.timeout(Duration::from_millis(d.of(30)));
        }
        Draft(Some(request), number)
    }

    fn act(&self, number: u64) -> Act {
        let mut d = Dice(dice(self.seed ^ (number << 32)));
        let bytes = if d.one_in(12) { 150_000 } else { d.of(4_000) as usize };
        let upto = d.of(answer(bytes).len() as u64 + 1) as usize;
        match d.of(100) {
            0..=46 => Act::Ok(bytes),
            47..=58 => Act::Reset(upto, bytes),
            59..=67 => Act::Cut(upto, bytes),
            68..=73 => Act::Slow(d.of(20), bytes),
            74..=75 => Act::Drip,
            76..=77 => Act::Silent,
            78..=80 => Act::Garbage,
            81..=85 => Act::Busy,
            86..=91 => Act::Away(bytes),
            92..=94 => Act::Refused,
            95..=96 => Act::NoUrl,
            _ => Act::Ok(bytes),
        }
    }

    fn url(&self, number: u64, port: u16) -> String {
        let mut d = Dice(dice(self.seed ^ (number << 40)));
        let host = format!("h{}.test:{port}", d.of(60));
        match self.act(number) {
            Act::Ok(bytes) => format!("http://{host}/ok/{bytes}"),
            Act::Reset(upto, bytes) => format!("http://{host}/reset/{upto}/{bytes}"),
            Act::Cut(upto, bytes) => format!("http://{host}/cut/{upto}/{bytes}"),
            Act::Slow(ms, bytes) => format!("http://{host}/slow/{ms}/{bytes}"),
            Act::Drip => format!("http://{host}/drip/3/40"),
            Act::Silent => format!("http://{host}/silent"),
            Act::Garbage => format!("http://{host}/garbage"),
            Act::Busy => format!("http://{host}/busy"),
            Act::Away(bytes) => format!("http://{host}/away/{bytes}"),
            Act::Refused => format!("http://{}/", refused()),
            Act::NoUrl => "no URL".into(),
        }
    }

    /// Reads the pool as the plan says, and makes its end: the outcomes, and what was handed back.
    pub(crate) fn read(&self, pool: &Pool) -> (Vec<Outcome>, Option<Vec<Request>>) {
        let slowly = |outcome| {
            if self.reader_is_slow {
                thread::sleep(Duration::from_micros(500));
            }
            outcome
        };
        let early = self.ending != Ending::ByItself;
        let first = if early { self.read_first } else { 0 };
        let mut read: Vec<Outcome> = pool.outcomes().take(first).map(slowly).collect();
        let mut back = match self.ending {
            Ending::Drop => return (read, None),
            Ending::ByItself | Ending::CancelFromAside => None,
            Ending::Close => Some(all_of(pool.close())),
            Ending::Drain => {
                if pool.drain(Duration::from_millis(self.seed % 100)) {
                    Some(all_of(pool.close()))
                } else {
                    Some(all_of(pool.cancel()))
                }
            }
            Ending::Cancel => Some(all_of(pool.cancel())),
        };
        thread::scope(|scope| {
            let aside = (self.ending == Ending::CancelFromAside)
                .then(|| scope.spawn(|| all_of(pool.cancel())));
            match self.reading {
                Reading::Outcomes => read.extend(pool.outcomes().map(slowly)),
                Reading::ResponsesFirst => {
                    read.extend(pool.responses().map(Outcome::Response).map(slowly));
                    read.extend(pool.exceptions().map(Outcome::Exception));
                }
                Reading::ExceptionsFirst => {
                    read.extend(pool.exceptions().map(Outcome::Exception).map(slowly));
                    read.extend(pool.responses().map(Outcome::Response));
                }
                Reading::BothAtOnce => {
                    let other = scope.spawn(|| pool.exceptions().collect::<Vec<_>>());
                    read.extend(pool.responses().map(Outcome::Response).map(slowly));
                    read.extend(other.join().unwrap().into_iter().map(Outcome::Exception));
                }
                Reading::AfterJoining => {
                    pool.join_all();
                    read.extend(pool.outcomes());
                }
            }
            if let Some(aside) = aside {
                back = Some(aside.join().unwrap());
            }
        });
        // What was left; nothing, where everything was taken.
        if back.is_none() {
            back = Some(all_of(pool.close()));
        }
        (read, back)
    }

    /// Whether an outcome can be that of its job.
    pub(crate) fn check(&self, outcome: &Outcome) {
        let index = outcome.index();
        assert!(index < self.jobs, "job {index} of {}", self.jobs);
        let Some(tag) = outcome.tag::<Tag>() else {
            // It never became a request.
            return assert!(!outcome.is_response());
        };
        assert_eq!(tag.number, index, "jobs are counted as they are taken");
        let Outcome::Response(response) = outcome else { return };
        let (status, bytes) = match self.act(index) {
            Act::Ok(bytes) | Act::Slow(_, bytes) | Act::Away(bytes) => (200, bytes),
            // Whole, or it is no response.
            Act::Reset(_, bytes) | Act::Cut(_, bytes) => (200, bytes),
            Act::Drip => (200, 40),
            Act::Busy => {
                assert_eq!((response.status(), response.bytes()), (503, &b"busy"[..]));
                return;
            }
            other => panic!("job {index}, {other:?}, has a response: {response:?}"),
        };
        assert_eq!(response.status(), status, "job {index}");
        assert!(body(bytes).eq(response.bytes().iter().copied()), "body of job {index}");
    }
}

/// What the server does about a job.
#[derive(Clone, Copy, Debug)]
enum Act {
    Ok(usize),
    Reset(usize, usize),
    Cut(usize, usize),
    Slow(u64, usize),
    Drip,
    Silent,
    Garbage,
    Busy,
    Away(usize),
    Refused,
    NoUrl,
}

/// Looks every name up in its own way.
fn resolver(seed: u64, live: SocketAddr) -> Arc<dyn Resolver> {
    Arc::new(move |host: &str, _: u16| {
        let number: u64 = host.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        match number {
            0 => panic_on_purpose(seed),
            1 => Err(std::io::Error::other("no such host, on purpose")),
            2 => {
                thread::sleep(Duration::from_millis(30));
                Ok(vec![live])
            }
            3 => Ok(vec![dead()]),
            4 => Ok(vec![dead(), live]),
            5 => Ok(vec![]),
            _ => Ok(vec![live]),
        }
    })
}

/// An address at which a connect never ends.
fn dead() -> SocketAddr {
    static DEAD: OnceLock<Dead> = OnceLock::new();
    DEAD.get_or_init(Dead::new).address()
}

/// Says it had more than it has.
struct Lying<I>(I);

impl<I: Iterator> Iterator for Lying<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(0))
    }
}

/// All that comes back; what panics on its way is one as well.
fn all_of(mut jobs: impl Iterator<Item = Request>) -> Vec<Request> {
    let mut all = Vec::new();
    loop {
        let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| jobs.next()));
        match next {
            Ok(Some(request)) => all.push(request),
            Ok(None) => return all,
            Err(payload) => {
                // A bomb goes off once more.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(payload)))
                    .map_err(std::mem::forget);
                all.push(Request::get(""));
            }
        }
    }
}
