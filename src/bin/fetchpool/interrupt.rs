//! SIGINT, SIGTERM and SIGHUP: the first cancels what runs, the second ends the program at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fetchpool::CancelToken;

use crate::Usage;
use crate::feed::Feed;

/// 128 and the number of SIGINT, as a shell has it; the other signals end the program in the same
/// way.
pub(crate) const EXIT_STATUS: u8 = 130;

/// Whether the program was asked to end, and what it then ends.
pub(crate) struct Interrupt {
    happened: AtomicBool,
    feed: Arc<Feed>,
    token: CancelToken,
}

impl Interrupt {
    /// Catches the signals from now on. Before there is a pool, so that no request can be on its
    /// way while a signal would still kill the program.
    pub(crate) fn catch(feed: &Arc<Feed>) -> Result<Arc<Self>, Usage> {
        let interrupt = Arc::new(Self {
            happened: AtomicBool::new(false),
            feed: Arc::clone(feed),
            token: CancelToken::new(),
        });
        let caught = Arc::clone(&interrupt);
        watch(move || caught.signal())
            .map_err(|error| Usage(format!("signals cannot be caught: {error}")))?;
        Ok(interrupt)
    }

    /// What a signal cancels: to be given to the pool.
    pub(crate) const fn token(&self) -> &CancelToken {
        &self.token
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
        self.token.cancel();
    }
}

/// Calls this at each signal, but for those that were ignored when the program began: `nohup` and
/// the shell's background jobs have their reasons.
#[cfg(unix)]
fn watch(signal: impl Fn() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP];
    let wanted = wanted.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
    let mut signals = Signals::new(wanted)?;
    let wait = move || signals.forever().for_each(|_| signal());
    std::thread::Builder::new().name("fetchpool-signal".into()).spawn(wait)?;
    Ok(())
}

#[cfg(windows)]
fn watch(signal: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(signal)
}

/// The signals that are ignored, a bit for each from 1 on: `proc_pid_status(5)`. Where the system does
/// not say so, none.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
