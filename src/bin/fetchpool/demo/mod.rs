//! `--demo`: the whole way of a batch on one machine, without the internet.
//!
//! A server on loopback, some thousand requests of every kind against it, and a check that each
//! came back as the server meant it.

mod report;
mod routes;
mod server;

use std::io::{self, Write as _};
use std::sync::Arc;

use fetchpool::{Request, Response};

use self::report::Report;
use self::routes::Route;
use self::server::Server;
use crate::args::Args;
use crate::feed::Feed;
use crate::finished::Finished;
use crate::jsonl::Jsonl;
use crate::progress::Progress;
use crate::style::Style;
use crate::{Status, Usage, complain, input, run, settings};

/// Runs the demo: a picture and a report for a person, or lines with `--jsonl`.
pub(crate) fn run(args: &Args) -> Result<Status, Usage> {
    let server = Server::start()
        .map_err(|error| Usage(format!("the demo's server cannot be started: {error}")))?;
    let threads = args.threads.unwrap_or(THREADS);
    let pool = settings::pool(args)?.num_threads(threads);
    let feed = Arc::new(Feed::new((0..JOBS).map(|index| job(&server, index))));
    feed.close(None);

    let mut report = Report::new(JOBS);
    let mut out = io::stdout();
    let status = if args.jsonl {
        let mut jsonl = Jsonl::new(out.lock(), args.body);
        run::drive(pool, args, &feed, None, |finished| {
            report.record(finished, judge(finished));
            jsonl.print(finished)
        })?
    } else {
        let _ = writeln!(out, "\n  {}\n", server.introduce(JOBS, threads));
        let progress = Progress::new(Some(JOBS));
        let status = run::drive(pool, args, &feed, None, |finished| {
            progress.step(finished.result.is_ok());
            report.record(finished, judge(finished));
            Ok(())
        })?;
        progress.clear();
        // Nobody is left to be told if stdout is closed.
        let _ = write!(out, "{}", report.tell(Style::of(&out), server.counts()));
        status
    };
    let surprises = report.surprises();
    if args.jsonl && surprises > 0 {
        complain(&format!("demo: {surprises} of {JOBS} jobs did not come back as expected"));
    }
    Ok(if status == Status::Ok && surprises > 0 { Status::Failed } else { status })
}

fn job(server: &Server, index: u64) -> Request {
    input::from_argument(index, &server.url(&Route::of(index).path(index)), None)
}

/// What is wrong with a result, if anything is.
fn judge(finished: &Finished<'_>) -> Result<(), String> {
    let route = Route::of(finished.index);
    match &finished.result {
        Ok(response) => expect(route, finished.index, response),
        Err(failure) => Err(format!("{}: {}", failure.kind.as_str(), failure.message)),
    }
}

fn expect(route: Route, index: u64, response: &Response) -> Result<(), String> {
    if response.status() != route.status() {
        return Err(format!("status {}, not {}", response.status(), route.status()));
    }
    if response.history().len() != route.hops(index) {
        return Err(format!("{} redirects, not {}", response.history().len(), route.hops(index)));
    }
    if response.bytes() != route.body(index) {
        return Err(format!(
            "a body of {} bytes that is not what was sent",
            response.bytes().len()
        ));
    }
    Ok(())
}

/// Enough to see connections kept and the machine at work, few enough to be over at once.
const JOBS: u64 = 4_000;

/// More than most machines have processors: the threads mostly wait.
const THREADS: usize = 16;
