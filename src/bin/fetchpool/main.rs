//! `fetchpool` on the command line: many URLs in, one line for each out.
//!
//! ```text
//! arguments, --input ─▶ input ─▶ feed ─▶ Pool ─▶ run ─▶ jsonl | terminal | demo ─▶ stdout
//!                      (thread)  (bounded)        └─▶ store (--output)
//! ```
//!
//! A line that is read is answered by exactly one line. What stands in the options, the lines
//! that come out and the exit status are an interface that other programs are written against.

mod args;
mod demo;
mod feed;
mod finished;
mod input;
mod interrupt;
mod jsonl;
mod latency;
mod progress;
mod run;
mod settings;
mod store;
mod style;
mod summary;
mod terminal;
mod units;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use self::args::Args;

fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| without_value(error).exit());
    let status = if args.demo { demo::run(&args) } else { run::run(&args) };
    match status {
        Ok(status) => status.into(),
        Err(Usage(message)) => {
            complain(&message);
            ExitCode::from(2)
        }
    }
}

/// How the program ended, as other programs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Every request got a response, whatever its status.
    Ok,
    /// Some request failed, or its result could not be written.
    Failed,
    /// The input could not be read to its end.
    Unreadable,
    /// SIGINT or SIGTERM.
    Cancelled,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Ok => 0,
            Status::Failed => 1,
            Status::Unreadable => 2,
            Status::Cancelled => interrupt::EXIT_STATUS,
        })
    }
}

/// What was asked for cannot be begun: exit status 2, and no request is sent.
#[derive(Debug)]
struct Usage(String);

/// What a switch is given that takes no value (`--proxy-from-env=URL`, `--cookies=ID`) may be a
/// secret, and is not repeated.
fn without_value(mut error: clap::Error) -> clap::Error {
    if error.kind() == ErrorKind::TooManyValues {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    error
}

/// Says something on stderr. Not `eprintln!`, which panics where nobody listens any more.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "fetchpool: {}", style::escape(message));
}
