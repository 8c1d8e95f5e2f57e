//! Connections to a socket in the file system.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::connectors::Connectors;
use super::patience::Patience;
use super::pipe::Pipe;
use super::race::{Goal, News, Race};
use super::times::Times;
use crate::error::{Error, ErrorKind, Phase};

/// Connects to a socket in the file system. Where its queue is full this may wait for ever and
/// cannot be woken, so that it is another thread that does it.
pub(super) fn dial(
    path: &Arc<Path>,
    patience: &Patience<'_>,
    times: &mut Times<'_>,
) -> Result<Pipe, Error> {
    let connected = connect(path, patience);
    patience.interrupt.watch_nothing();
    times.lap(|timings| &mut timings.connect);
    connected.map_err(|error| {
        // Quoted and escaped, as a name may have anything in it.
        let detail = format!("no connection to the socket {path:?}");
        patience.error(error, Phase::Connect, ErrorKind::Connect, detail)
    })
}

fn connect(path: &Arc<Path>, patience: &Patience<'_>) -> io::Result<Pipe> {
    patience.left()?;
    let race = Race::new(patience);
    let attempt = race.attempt(0, Goal::Unix(Arc::clone(path)));
    CONNECTORS.run_later(&attempt)?;
    let news = race.wait(None, patience);
    if news.is_err() {
        CONNECTORS.withdraw(&attempt);
    }
    match news? {
        News::Won(won) => Ok(won.pipe),
        News::Failed(failed) => Err(failed
            .into_iter()
            .next()
            .map_or_else(|| io::ErrorKind::Other.into(), |(_, error)| error)),
        News::Nothing => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Of the whole process. One takes microseconds, but for a server that takes no more.
static CONNECTORS: Connectors = Connectors::new(64);
