//! A wait for nothing but time, from which another thread can wake.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::connection::{GiveUp, Interrupt};

#[derive(Default)]
pub(super) struct Nap {
    given_up: Mutex<bool>,
    changed: Condvar,
}

impl Nap {
    /// Waits so long, unless the interrupt is raised before.
    pub(super) fn take(length: Duration, interrupt: &Interrupt) {
        let nap = Arc::new(Self::default());
        interrupt.watch_wait(Arc::clone(&nap));
        nap.wait(length);
        interrupt.watch_nothing();
    }

    fn wait(&self, length: Duration) {
        let start = Instant::now();
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        while !*given_up {
            let left = length.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            let woken = self.changed.wait_timeout(given_up, left);
            (given_up, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl GiveUp for Nap {
    fn give_up(&self) {
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}
