//! The threads of the process that connect where the asking thread must stay awake.
//!
//! The standard library can neither begin a connect without waiting for it nor end one that waits.
//! So where one thread must be at several of them, or at one that may wait for ever, others wait in
//! its place. They start when there is work and end when there has been none for a while.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Something that blocks.
pub(super) trait Errand: Send + Sync {
    /// Does it.
    fn run(&self);

    /// Whom it may wait for without an end. Of those who wait for the same only a few run.
    fn at(&self) -> Option<&Path> {
        None
    }
}

/// Some threads, never more than a certain number.
pub(super) struct Connectors {
    most: usize,
    desk: Mutex<Desk>,
    work: Condvar,
}

struct Desk {
    waiting: VecDeque<Arc<dyn Errand>>,
    /// Of those that run, the ones that may wait without an end.
    endless: Vec<Arc<dyn Errand>>,
    threads: usize,
    idle: usize,
}

impl Connectors {
    pub(super) const fn new(most: usize) -> Self {
        let desk = Desk { waiting: VecDeque::new(), endless: Vec::new(), threads: 0, idle: 0 };
        Self { most, desk: Mutex::new(desk), work: Condvar::new() }
    }

    /// Has the errand run at once, or not at all: `false` if every thread is at another one, and
    /// there can be no more of them.
    pub(super) fn run_now(&'static self, errand: &Arc<dyn Errand>) -> bool {
        let mut desk = self.lock();
        let free = desk.idle > desk.waiting.len() || self.start(&mut desk).is_ok();
        if free {
            self.put(&mut desk, errand);
        }
        free
    }

    /// Has the errand run, be it after others.
    ///
    /// # Errors
    ///
    /// There is no thread, and none can be had.
    #[cfg(unix)]
    pub(super) fn run_later(&'static self, errand: &Arc<dyn Errand>) -> io::Result<()> {
        let mut desk = self.lock();
        if desk.idle <= desk.waiting.len()
            && let Err(error) = self.start(&mut desk)
            && desk.threads == 0
        {
            return Err(error);
        }
        self.put(&mut desk, errand);
        Ok(())
    }

    /// Takes back an errand that has not begun.
    #[cfg(unix)]
    pub(super) fn withdraw(&self, errand: &Arc<dyn Errand>) {
        self.lock().waiting.retain(|waiting| !Arc::ptr_eq(waiting, errand));
    }

    fn put(&self, desk: &mut Desk, errand: &Arc<dyn Errand>) {
        desk.waiting.push_back(Arc::clone(errand));
        self.work.notify_one();
    }

    fn start(&'static self, desk: &mut Desk) -> io::Result<()> {
        if desk.threads >= self.most {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let thread = thread::Builder::new().name("fetchpool-connect".to_owned());
        thread.stack_size(STACK_BYTES).spawn(|| self.work())?;
        desk.threads = desk.threads.saturating_add(1);
        Ok(())
    }

    fn work(&self) {
        let mut desk = self.lock();
        loop {
            if let Some(errand) = desk.next() {
                drop(desk);
                errand.run();
                self.lock().endless.retain(|running| !Arc::ptr_eq(running, &errand));
                // Before the lock: the last of it may be a socket that is to be closed.
                drop(errand);
                desk = self.lock();
                continue;
            }
            desk.idle = desk.idle.saturating_add(1);
            let (woken, timeout) =
                self.work.wait_timeout(desk, IDLE).unwrap_or_else(PoisonError::into_inner);
            desk = woken;
            desk.idle = desk.idle.saturating_sub(1);
            if timeout.timed_out() && desk.waiting.is_empty() {
                desk.threads = desk.threads.saturating_sub(1);
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        // Poison is ignored: no code that can panic runs under it.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// The first that may run.
    fn next(&mut self) -> Option<Arc<dyn Errand>> {
        let may_run = |errand: &Arc<dyn Errand>| {
            let same = |running: &&Arc<dyn Errand>| running.at() == errand.at();
            errand.at().is_none() || self.endless.iter().filter(same).count() < MOST_AT_ONE
        };
        let place = self.waiting.iter().position(may_run)?;
        let errand = self.waiting.remove(place)?;
        if errand.at().is_some() {
            self.endless.push(Arc::clone(&errand));
        }
        Some(errand)
    }
}

/// One who lets everybody wait holds no more threads than this, and so leaves some for others.
const MOST_AT_ONE: usize = 8;
const IDLE: Duration = Duration::from_secs(10);
/// A connect needs a few KiB.
const STACK_BYTES: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;

    /// Counts itself and waits for the gate.
    #[derive(Default)]
    struct Held(AtomicUsize, Mutex<bool>, Condvar);

    impl Held {
        fn wait_for(&self, begun: usize) {
            let started = Instant::now();
            while self.0.load(Ordering::SeqCst) < begun {
                assert!(started.elapsed() < Duration::from_secs(5), "fewer than {begun} began");
                thread::yield_now();
            }
        }

        fn open(&self) {
            *self.1.lock().unwrap() = true;
            self.2.notify_all();
        }
    }

    impl Errand for Held {
        fn run(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
            drop(self.2.wait_while(self.1.lock().unwrap(), |open| !*open));
        }
    }

    #[test]
    fn no_more_run_than_there_may_be_and_none_is_kept_waiting_behind_them() {
        static FEW: Connectors = Connectors::new(3);
        let held = Arc::new(Held::default());
        let errand = Arc::clone(&held) as Arc<dyn Errand>;
        for _ in 0..3 {
            assert!(FEW.run_now(&errand));
        }
        held.wait_for(3);
        assert!(!FEW.run_now(&errand));
        held.open();
        let started = Instant::now();
        while !FEW.run_now(&errand) {
            assert!(started.elapsed() < Duration::from_secs(5), "no thread is free again");
            thread::yield_now();
        }
        held.wait_for(4);
        assert_eq!(FEW.lock().threads, 3, "they are used again");
    }

    #[cfg(unix)]
    #[test]
    fn what_may_wait_is_run_when_there_is_a_thread_unless_it_is_taken_back() {
        static ONE: Connectors = Connectors::new(1);
        let (first, second) = (Arc::new(Held::default()), Arc::new(Held::default()));
        let third = Arc::new(Held::default());
        let errand = |held: &Arc<Held>| Arc::clone(held) as Arc<dyn Errand>;
        ONE.run_later(&errand(&first)).unwrap();
        first.wait_for(1);
        ONE.run_later(&errand(&second)).unwrap();
        ONE.run_later(&errand(&third)).unwrap();
        ONE.withdraw(&errand(&second));
        [&first, &second, &third].into_iter().for_each(|held| held.open());
        third.wait_for(1);
        assert_eq!(second.0.load(Ordering::SeqCst), 0);
    }
}
