//! The work: requests in, results out as they finish, an exit status at the end.

use std::io::{self, IsTerminal as _};
use std::iter;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use fetchpool::PoolBuilder;

use crate::args::Args;
use crate::feed::Feed;
use crate::finished::{Finished, Left};
use crate::interrupt::Interrupt;
use crate::jsonl::Jsonl;
use crate::store::Store;
use crate::terminal::Terminal;
use crate::{Status, Usage, complain, input, settings};

/// Fetches what the arguments and the input say.
pub(crate) fn run(args: &Args) -> Result<Status, Usage> {
    let pool = settings::pool(args)?;
    let store = args.output.as_deref().map(|folder| Store::open(folder, args.range_resume));
    let store = store.transpose()?;
    let feed = start_feed(args)?;

    let mut unsaved = false;
    let mut save = |finished: &Finished<'_>| {
        // Before the line is printed: who reads the line may open the file.
        if let Some(Err(message)) = store.as_ref().map(|store| store.save(finished)) {
            complain(&message);
            unsaved = true;
        }
    };
    // A body that is printed as well has to be in memory.
    let streamed = store.as_ref().filter(|_| !args.body);
    let stdout = io::stdout();
    let status = if args.jsonl || !stdout.is_terminal() {
        let mut jsonl = Jsonl::new(stdout.lock(), args.body);
        drive(pool, args, &feed, streamed, |finished| {
            save(finished);
            jsonl.print(finished)
        })?
    } else {
        let total = args.input.is_none().then_some(args.urls.len() as u64);
        let mut terminal = Terminal::new(stdout, total);
        let status = drive(pool, args, &feed, streamed, |finished| {
            save(finished);
            terminal.print(finished)
        })?;
        terminal.sum_up();
        status
    };
    Ok(if unsaved && status == Status::Ok { Status::Failed } else { status })
}

/// The requests of the arguments, and a thread that reads the others.
fn start_feed(args: &Args) -> Result<Arc<Feed>, Usage> {
    let input = args.input.as_deref().map(input::open).transpose()?;
    let form = settings::form(args);
    let arguments = args
        .urls
        .iter()
        .zip(0..)
        .map(|(url, index)| input::from_argument(index, url, form.as_ref()));
    let feed = Arc::new(Feed::new(arguments));
    match input {
        None => feed.close(None),
        Some(input) => {
            let (feed, next_index) = (Arc::clone(&feed), args.urls.len() as u64);
            // Nobody joins it: it may be waiting for a stdin that never ends.
            thread::Builder::new()
                .name("fetchpool-input".into())
                .spawn(move || input::read(input, &feed, next_index, form.as_ref()))
                .map_err(|error| Usage(format!("no thread for the input: {error}")))?;
        }
    }
    Ok(feed)
}

/// Runs the feed through a pool, and gives each result to `print` when it is ready. Bodies go to
/// the store, if there is one.
///
/// Ends when the feed is closed and drained, when a signal, a failure or the deadline says so, or
/// when `print` fails: quietly if its reader has gone away, for that reader has what it wanted.
pub(crate) fn drive(
    pool: PoolBuilder,
    args: &Args,
    feed: &Arc<Feed>,
    store: Option<&Store>,
    mut print: impl FnMut(&Finished<'_>) -> io::Result<()>,
) -> Result<Status, Usage> {
    let started = Instant::now();
    let interrupt = Interrupt::catch(feed)?;
    let store = store.cloned();
    let jobs = Arc::clone(feed).jobs().map(move |request| match &store {
        Some(store) => store.receive(request),
        None => request,
    });
    let pool = pool.job_queue(jobs).cancel_token(interrupt.token()).build();
    let pool = pool.map_err(|error| settings::refused(&error))?;

    let mut failed = false;
    let mut settle = |finished: &Finished<'_>| {
        failed |= finished.result.is_err();
        print(finished)
    };
    let printed =
        pool.outcomes().try_for_each(|outcome| settle(&Finished::of(&outcome))).and_then(|()| {
            // Ended early, the pool leaves what it did not take. The reader of the input stops.
            feed.stop();
            let late = args.deadline.is_some_and(|limit| started.elapsed() >= limit);
            let left = if late && !interrupt.happened() { Left::Late } else { Left::Cancelled };
            // What a worker had in its hand comes before what no worker had.
            let mut unstarted = pool.close().chain(iter::once_with(|| feed.leftovers()).flatten());
            unstarted.try_for_each(|request| settle(&Finished::never_started(&request, left)))
        });
    // Also what was never read has no answer.
    failed |= printed.is_ok() && !feed.is_read_whole();
    if let Err(error) = printed {
        feed.stop();
        drop(pool.cancel());
        if error.kind() != io::ErrorKind::BrokenPipe {
            complain(&format!("stdout: {error}"));
            failed = true;
        }
    }
    let fault = feed.fault();
    if let Some(fault) = &fault {
        complain(&format!("the input: {fault}"));
    }
    Ok(match () {
        () if interrupt.happened() => Status::Cancelled,
        () if fault.is_some() => Status::Unreadable,
        () if failed => Status::Failed,
        () => Status::Ok,
    })
}
