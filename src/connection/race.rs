//! Attempts to connect that run at the same time, each on a thread of its own, and the first that
//! succeeds.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(unix)]
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connect::connect;
use super::connectors::Errand;
use super::interrupt::GiveUp;
use super::patience::Patience;
use super::pipe::Pipe;

/// The asking thread's end of a race. When it goes, the race is over: who still runs closes what it
/// comes to.
pub(super) struct Race(Arc<Track>);

/// Where the attempts report.
#[derive(Default)]
struct Track {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    won: Option<Won>,
    /// Those that have failed since this was looked at last, by their numbers.
    failed: Vec<(usize, io::Error)>,
    over: bool,
}

/// The attempt that has succeeded.
pub(super) struct Won {
    pub(super) number: usize,
    pub(super) pipe: Pipe,
    /// How long it took, from when it began.
    pub(super) took: Duration,
}

/// What has happened.
pub(super) enum News {
    Won(Won),
    Failed(Vec<(usize, io::Error)>),
    /// It is time.
    Nothing,
}

/// What an attempt connects to.
pub(super) enum Goal {
    /// This address, until then.
    Tcp(SocketAddr, Option<Instant>),
    #[cfg(unix)]
    Unix(Arc<Path>),
}

impl Race {
    pub(super) fn new(patience: &Patience<'_>) -> Self {
        let race = Self(Arc::default());
        race.watch(patience);
        race
    }

    /// From here on the asking thread waits for this race.
    pub(super) fn watch(&self, patience: &Patience<'_>) {
        patience.interrupt.watch_wait(Arc::clone(&self.0));
    }

    /// An attempt, to be run by a thread.
    pub(super) fn attempt(&self, number: usize, goal: Goal) -> Arc<dyn Errand> {
        Arc::new(Attempt { track: Arc::clone(&self.0), number, goal })
    }

    /// Waits for news, at most until then.
    pub(super) fn wait(&self, until: Option<Instant>, patience: &Patience<'_>) -> io::Result<News> {
        let mut state = self.0.lock();
        loop {
            // Who is cancelled is not to have a connection either.
            let left = patience.left()?;
            if let Some(won) = state.won.take() {
                return Ok(News::Won(won));
            }
            if !state.failed.is_empty() {
                return Ok(News::Failed(std::mem::take(&mut state.failed)));
            }
            let pause = until.map(|until| until.saturating_duration_since(Instant::now()));
            if pause.is_some_and(|pause| pause.is_zero()) {
                return Ok(News::Nothing);
            }
            let changed = &self.0.changed;
            state = match [left, pause].into_iter().flatten().min() {
                Some(time) => {
                    changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
                }
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Whether there is news, or was.
    pub(super) fn is_won(&self) -> bool {
        self.0.lock().won.is_some()
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.over = true;
        // One that comes second is closed here, and those that come later where they come from.
        let second = state.won.take();
        drop(state);
        drop(second);
    }
}

impl Track {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: no code that can panic runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GiveUp for Track {
    fn give_up(&self) {
        // Under the lock, or the asker could look at its interrupt just before and sleep just after.
        let _state = self.lock();
        self.changed.notify_all();
    }
}

struct Attempt {
    track: Arc<Track>,
    number: usize,
    goal: Goal,
}

impl Attempt {
    fn connect(&self) -> io::Result<Pipe> {
        match &self.goal {
            Goal::Tcp(address, until) => {
                let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                let limit = left.map(|left| left.saturating_add(SLACK));
                connect(address, limit).map(Pipe::Tcp)
            }
            #[cfg(unix)]
            Goal::Unix(path) => UnixStream::connect(path).map(Pipe::Unix),
        }
    }
}

impl Errand for Attempt {
    fn run(&self) {
        let is_over = |state: &State| state.over || state.won.is_some();
        if is_over(&self.track.lock()) {
            return;
        }
        let began = Instant::now();
        let connected = self.connect();
        let took = began.elapsed();
        let mut state = self.track.lock();
        if is_over(&state) {
            // Closed, if it is a connection, and not under the lock.
            drop(state);
            return;
        }
        match connected {
            Ok(pipe) => state.won = Some(Won { number: self.number, pipe, took }),
            Err(error) => state.failed.push((self.number, error)),
        }
        drop(state);
        self.track.changed.notify_all();
    }

    #[cfg(unix)]
    fn at(&self) -> Option<&Path> {
        match &self.goal {
            Goal::Tcp(..) => None,
            Goal::Unix(path) => Some(path),
        }
    }
}

/// An attempt may take so much longer than there is time, so that it is the asking thread's clock
/// that runs out first, and is told.
const SLACK: Duration = Duration::from_millis(200);
