//! The workers of a pool: how they start, what they have in common, and how they are ended.

use std::io;
use std::sync::{Arc, Weak};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::claim::{Claim, Desk, Seat};
use super::engine::Office;
use super::job::Job;
use super::lanes::{Held, Lanes};
use super::ledger::Rules;
use super::outcome::Outcome;
use super::parked::Parked;
use super::polite::{Hosts, Pace, Sign};
use super::queue::Source;
use super::roll::Roll;
use super::schedule::{Ended, Next, Schedule};
use super::setup::Setup;
use super::share::{Share, Waker};
use super::stats::Place;
use super::stop::Stop;
use super::worker::{Waits, Worker};
use crate::catch::catch;
use crate::connection::{Abandon, Interrupt};
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{
    Afterwards, CancelToken, OnCancel, Ration, Request, Response, Timings, Watch,
};
use crate::observer::Observed;
use crate::session::Traffic;

/// Settings of a pool that have been checked.
pub(super) struct Plan {
    pub(super) threads: usize,
    pub(super) stack_size: Option<usize>,
    pub(super) hosts: Hosts,
    pub(super) seed: Option<u64>,
    pub(super) pace: Option<Pace>,
    pub(super) budget: Budget,
    pub(super) setup: Setup,
    pub(super) rules: Rules,
    pub(super) office: Option<Arc<Office>>,
}

/// What the workers have in common.
pub(super) struct Crew {
    pub(super) schedule: Arc<Schedule>,
    setup: Setup,
    stack_size: Option<usize>,
    pub(super) roll: Roll,
    /// Where the jobs come from an engine.
    pub(super) office: Option<Arc<Office>>,
}

impl Crew {
    /// Starts the workers that there are jobs for. If not one can be started, the jobs come back.
    pub(super) fn start(
        jobs: Box<dyn Source>,
        plan: Plan,
    ) -> Result<Arc<Self>, (Error, Box<dyn Source>)> {
        let lanes = Lanes::new(plan.rules.look_ahead, plan.hosts, plan.seed);
        let (schedule, initial) =
            Schedule::new(jobs, plan.threads, lanes, plan.pace, plan.budget, plan.rules);
        let crew = Arc::new(Self {
            schedule: Arc::new(schedule),
            setup: plan.setup,
            stack_size: plan.stack_size,
            roll: Roll::default(),
            office: plan.office,
        });
        for started in 0..initial {
            if let Err(error) = crew.start_worker() {
                if started == 0 {
                    let fault = Error::new(ErrorKind::Io, "no thread can be started");
                    return Err((fault.because(error), crew.schedule.take_source()));
                }
                // Those that have started do all the work.
                crew.could_not_start(initial.saturating_sub(started));
                break;
            }
        }
        Ok(crew)
    }

    fn start_worker(self: &Arc<Self>) -> io::Result<()> {
        self.roll.start(|id, interrupt| {
            let mut builder = Builder::new().name(format!("fetchpool-{id}"));
            if let Some(bytes) = self.stack_size {
                builder = builder.stack_size(bytes);
            }
            let crew = Arc::clone(self);
            builder.spawn(move || crew.work(id, interrupt))
        })
    }

    /// The life of a worker.
    fn work(self: Arc<Self>, id: usize, interrupt: Interrupt) {
        let berth = Arc::new(Berth { crew: Arc::downgrade(&self), id, seat: Seat::default() });
        let held = Held::default();
        let mut leaving = Leaving { crew: &self, berth: &berth, held, is_counted: true };
        interrupt.on_abandon(Arc::clone(&berth) as Arc<dyn Abandon>);
        let waker = Arc::new(Waker::of(&self.schedule));
        let mut worker = Worker::new(&self.setup, interrupt);
        while !berth.seat.is_lost() {
            let news = worker.idle_origins(leaving.held.is_in_doubt());
            let watcher = |index, request: &Request| self.watch(index, request);
            let taken = match self.schedule.next(&mut leaving.held, news, &watcher) {
                Next::Job(taken) => taken,
                Next::TimeIsUp => {
                    self.stop(Stop::Deadline);
                    continue;
                }
                Next::StartAnother => {
                    if self.start_worker().is_err() {
                        self.could_not_start(1);
                    }
                    continue;
                }
                Next::End => {
                    leaving.is_counted = false;
                    return;
                }
            };
            let (index, ticket) = (taken.job.index, taken.job.ticket);
            let claim = Claim::new(taken.job, &berth.seat, &self);
            drop(taken.watch);
            let mut began = taken.at;
            if taken.start_another {
                if self.start_worker().is_err() {
                    self.could_not_start(1);
                }
                // The time that it took is not the job's.
                began = Instant::now();
            }
            let share = Share::new(&self.schedule, index, &waker);
            let may_retry = |ration: Ration| {
                ticket.is_some_and(|ticket| self.schedule.may_retry(ticket, ration))
            };
            let waits = Waits::Parked(&may_retry);
            let batch = self.schedule.rules.deadline;
            worker.serve(claim, began, batch, Some(&share), waits);
        }
    }

    /// A job that waits can be ended by its token.
    fn watch(self: &Arc<Self>, index: u64, request: &Request) -> Option<Watch> {
        let token = request.own_cancel_token()?;
        let held = Waiting { crew: Arc::downgrade(self), index };
        Some(token.watch(Arc::new(held) as Arc<dyn OnCancel>))
    }

    /// Keeps a job until it is due to be tried again; its token can still end it.
    fn hold(self: &Arc<Self>, job: Box<Job>, due: Instant, ended: Ended) {
        let (index, request) = (job.index, Arc::clone(&job.request));
        let watch = self.watch(index, &request);
        let parked = Parked { job, place: Place::InFlight, watch };
        if let Some((parked, stop)) = self.schedule.park(parked, due, ended) {
            return self.turn_away(parked, stop);
        }
        // Cancelled before it could be found there?
        if request.own_cancel_token().is_some_and(CancelToken::is_cancelled) {
            self.let_go(index);
        }
    }

    /// A job that waits was cancelled.
    fn let_go(&self, index: u64) {
        if let Some(parked) = self.schedule.unpark(index) {
            self.turn_away(parked, Stop::Cancelled);
        }
    }

    /// Takes no more jobs; answers those that wait here, unless the pool is merely closed.
    pub(super) fn stop(&self, stop: Stop) {
        if let Some(office) = &self.office {
            office.close();
        }
        for parked in self.schedule.stop(stop) {
            self.turn_away(parked, stop);
        }
    }

    /// How long it is until the pool's time is up, or that of a job that waits to be tried again;
    /// `None` if there is no end to that. Where no worker is here to see such an end, this sees it.
    pub(super) fn left(&self) -> Option<Duration> {
        if !self.schedule.has_times() {
            return None;
        }
        let now = Instant::now();
        let whole = self.schedule.rules.deadline.left(now).unwrap_or_else(|_| {
            self.stop(Stop::Deadline);
            None
        });
        let parked = self.schedule.left_for_parked(now);
        if parked.is_some_and(|left| left.is_zero()) {
            for Parked { job, place, watch, .. } in self.schedule.take_expired(now) {
                drop(watch);
                let expired = job.deadline.expired();
                let error = Error::expired(expired.clock, expired.to_string());
                let error = error.at(job.request.url());
                self.settle(job, Err(error), place, Traffic::default());
            }
        }
        whole.into_iter().chain(parked).min()
    }

    /// Answers a job that waited, and is not to be sent any more.
    fn turn_away(&self, parked: Parked, stop: Stop) {
        let Parked { job, place, watch, .. } = parked;
        drop(watch);
        let error = stop.error(self.schedule.rules.deadline).at(job.request.url());
        self.settle(job, Err(error), place, Traffic::default());
    }

    /// Hands an outcome over; the observer hears of it first.
    fn settle(
        &self,
        job: Box<Job>,
        result: Result<Response, Error>,
        from: Place,
        traffic: Traffic,
    ) {
        self.hand_over(job, result, from, traffic, false);
    }

    /// The same. `here`: a queue engine may be waited for.
    fn hand_over(
        &self,
        mut job: Box<Job>,
        result: Result<Response, Error>,
        from: Place,
        traffic: Traffic,
        here: bool,
    ) {
        let result = match &job.delivery {
            Some(delivery) => delivery.explain(result),
            None => result,
        };
        let ended = job.ticket.take().map(|ticket| (ticket, ticket.sign_of(&result)));
        let result = self.observe(&job, result);
        match &result {
            Ok(response) => debug!("job {}: {}", job.index, response.status()),
            Err(error) => debug!("job {}: {}", job.index, error.message()),
        }
        if let Some(delivery) = &mut job.delivery {
            let over = self.schedule.stopped() > Some(Stop::Closed);
            delivery.finish(result.as_ref().err(), over, here);
        }
        if self.schedule.settle(from, Outcome::of(job, result), traffic, ended) {
            debug!("there were too many failures");
            self.cancel(Stop::Failures);
        }
    }

    fn observe(&self, job: &Job, result: Result<Response, Error>) -> Result<Response, Error> {
        let Some(observer) = &self.setup.config.observer else { return result };
        let observed = Observed::new(Some(job.index), &job.request);
        match catch(|| observer.outcome(&observed, result.as_ref())) {
            Ok(()) => result,
            Err(panicked) => {
                let error = Error::panicked("the observer panicked", &panicked);
                let error = error.at(job.request.url());
                match result.map_or_else(Error::into_response, Some) {
                    Some(response) => Err(error.with_response(response)),
                    None => Err(error),
                }
            }
        }
    }

    /// Takes no more jobs, and ends what each worker waits for. Does not wait.
    pub(super) fn cancel(&self, why: Stop) {
        self.stop(why);
        // Without a lock: a worker that cannot be woken is taken off the roll.
        let interrupts = self.roll.cancel();
        let rest: Vec<Afterwards> = interrupts.iter().filter_map(Interrupt::raise).collect();
        rest.into_iter().for_each(|rest| rest());
    }

    /// Takes no more jobs, and waits for those that were taken, but no longer than this. Whether
    /// they have their outcomes.
    pub(super) fn drain(&self, limit: Duration) -> bool {
        self.stop(Stop::Closed);
        let start = Instant::now();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            // At the pool's own deadline what waits is answered: there may be no worker to see it.
            let wait = self.left().map_or(left, |deadline| left.min(deadline));
            if self.schedule.wait_for_end(wait) {
                return true;
            }
            if start.elapsed() >= limit {
                return false;
            }
        }
    }

    /// Goes on without a worker that cannot be woken; answers for its job, and starts another one
    /// in its place.
    fn go_on_without(self: &Arc<Self>, id: usize, job: Box<Job>, timings: Timings) {
        self.schedule.is_gone(true);
        self.roll.give_up(id);
        let error = Error::new(ErrorKind::Cancelled, "").during(Phase::Connect);
        let mut error = error.at(job.request.url()).after(timings);
        if let Some(began) = job.began {
            error.set_queued(began.saturating_duration_since(job.taken));
        }
        self.settle(job, Err(error), Place::InFlight, Traffic::default());
        self.replace();
    }

    fn replace(self: &Arc<Self>) {
        if self.schedule.wants_another() && self.start_worker().is_err() {
            self.could_not_start(1);
        }
    }

    fn could_not_start(&self, workers: usize) {
        if !self.schedule.could_not_start(workers) {
            self.stop(Stop::NoThread);
        }
    }
}

impl Desk for Arc<Crew> {
    fn deliver(&self, job: Box<Job>, result: Result<Response, Error>, traffic: Traffic) {
        self.hand_over(job, result, Place::InFlight, traffic, true);
    }

    fn park(&self, mut job: Box<Job>, due: Instant, sign: Sign, traffic: Traffic) {
        self.schedule.count(traffic);
        let ended = job.ticket.take().map(|ticket| (ticket, sign));
        self.hold(job, due, ended);
    }
}

/// Where a worker has its job, and who takes it away when the worker cannot be woken.
struct Berth {
    crew: Weak<Crew>,
    id: usize,
    seat: Seat,
}

impl Abandon for Berth {
    fn abandon(&self, timings: Timings) -> Option<Afterwards> {
        // The worker itself keeps the crew alive.
        let crew = self.crew.upgrade()?;
        let (id, job) = (self.id, self.seat.abandon()?);
        Some(Box::new(move || crew.go_on_without(id, job, timings)))
    }
}

/// A job that waits in the schedule, as its token sees it.
struct Waiting {
    crew: Weak<Crew>,
    index: u64,
}

impl OnCancel for Waiting {
    fn cancelled(&self) -> Option<Afterwards> {
        let (crew, index) = (self.crew.upgrade()?, self.index);
        Some(Box::new(move || crew.let_go(index)))
    }
}

/// A pool, as its token sees it.
pub(super) struct Whole(pub(super) Weak<Crew>);

impl OnCancel for Whole {
    fn cancelled(&self) -> Option<Afterwards> {
        let crew = self.0.upgrade()?;
        Some(Box::new(move || crew.cancel(Stop::Cancelled)))
    }
}

/// Takes a worker off the roll when it ends, however it ends.
struct Leaving<'a> {
    crew: &'a Arc<Crew>,
    berth: &'a Berth,
    /// To which origins it has connections.
    held: Held,
    /// Whether the schedule still counts it among those at work.
    is_counted: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Self { crew, berth, held, is_counted } = self;
        let panicked = std::thread::panicking();
        crew.schedule.leave(held);
        if berth.seat.is_lost() {
            crew.schedule.has_ended();
        } else {
            crew.roll.leave(berth.id, panicked);
            if !panicked {
                return;
            }
            // It may be that only what the session had of the caller's panicked, when it was dropped.
            if *is_counted {
                crew.schedule.is_gone(false);
            }
        }
        crew.replace();
    }
}
