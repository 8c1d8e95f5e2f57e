//! SIGINT and SIGTERM: the first cancels what runs, the second ends the program at once.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use fetchpool::Pool;

use crate::Usage;
use crate::feed::Feed;

/// 128 and the number of SIGINT, as a shell has it; SIGTERM ends the program in the same way.
pub(crate) const EXIT_STATUS: u8 = 130;

/// Whether the program was asked to end, and what it then ends.
pub(crate) struct Interrupt {
    happened: AtomicBool,
    feed: Arc<Feed>,
    pool: OnceLock<Arc<Pool>>,
}

impl Interrupt {
    /// Catches the signals from now on. Before there is a pool, so that no request can be on its
    /// way while a signal would still kill the program.
    pub(crate) fn catch(feed: &Arc<Feed>) -> Result<Arc<Self>, Usage> {
        let interrupt = Arc::new(Self {
            happened: AtomicBool::new(false),
            feed: Arc::clone(feed),
            pool: OnceLock::new(),
        });
        let caught = Arc::clone(&interrupt);
        ctrlc::set_handler(move || caught.signal())
            .map_err(|error| Usage(format!("signals cannot be caught: {error}")))?;
        Ok(interrupt)
    }

    /// Cancels this pool when a signal comes, or now if one came already.
    pub(crate) fn cancels(&self, pool: &Arc<Pool>) {
        let _ = self.pool.set(Arc::clone(pool));
        if self.happened() {
            drop(pool.cancel());
        }
    }

    pub(crate) fn happened(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }

    fn signal(&self) {
        if self.happened.swap(true, Ordering::SeqCst) {
            process::exit(EXIT_STATUS.into());
        }
        // The feed first: a worker may be waiting for a line that never comes.
        self.feed.stop();
        if let Some(pool) = self.pool.get() {
            drop(pool.cancel());
        }
    }
}
