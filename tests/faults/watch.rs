//! The observer of a batch: counts the outcomes, and panics where the plan says so.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::panic_any;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fetchpool::{Error, Headers, Observed, Observer, Response};

use crate::plan::dice;

/// How often each job was said to be over.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<u64, u32>>>);

impl Ledger {
    pub(crate) fn outcomes(&self) -> BTreeMap<u64, u32> {
        self.0.lock().unwrap().clone()
    }
}

/// Panics when it is dropped, where nobody expects it.
pub(crate) struct Bomb(pub(crate) u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Self(self.0 - 1));
        }
    }
}

/// Panics, with one of several payloads.
pub(crate) fn panic_on_purpose(kind: u64) -> ! {
    match kind % 3 {
        0 => panic!("on purpose"),
        1 => panic_any(Bomb(1)),
        _ => panic_any(Bomb(2)),
    }
}

/// The observer.
pub(crate) struct Watch {
    pub(crate) seed: u64,
    /// One call in so many panics; none if 0.
    pub(crate) panics: u64,
    pub(crate) ledger: Ledger,
    /// Told when the last thread of the pool has let go of this.
    pub(crate) gone: Sender<()>,
}

impl Watch {
    /// Panics now and then, by the job and what is told of it.
    fn stumble(&self, job: &Observed<'_>, step: u64) {
        let index = job.index().unwrap();
        let roll = dice(self.seed ^ (index << 8) ^ step);
        if self.panics > 0 && roll.is_multiple_of(self.panics) {
            panic_on_purpose(roll / self.panics);
        }
    }
}

impl Observer for Watch {
    fn taken(&self, job: &Observed<'_>) {
        self.stumble(job, 1);
    }

    fn attempt(&self, job: &Observed<'_>, _: &str, _: u32) {
        self.stumble(job, 2);
    }

    fn dns(&self, job: &Observed<'_>, _: &str, _: &[SocketAddr], _: Duration) {
        self.stumble(job, 3);
    }

    fn connected(&self, job: &Observed<'_>, _: SocketAddr, _: Duration) {
        self.stumble(job, 4);
    }

    fn head(&self, job: &Observed<'_>, _: u16, _: &Headers) {
        self.stumble(job, 5);
    }

    fn redirect(&self, job: &Observed<'_>, _: u16, _: &str) {
        self.stumble(job, 6);
    }

    fn retry(&self, job: &Observed<'_>, _: u32, _: Duration, _: Result<&Response, &Error>) {
        self.stumble(job, 7);
    }

    fn outcome(&self, job: &Observed<'_>, _: Result<&Response, &Error>) {
        *self.ledger.0.lock().unwrap().entry(job.index().unwrap()).or_default() += 1;
        self.stumble(job, 8);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.gone.send(());
    }
}
