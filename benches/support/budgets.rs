//! The stored budgets, and whether what was measured keeps to them.

#![allow(dead_code, reason = "the test and each bench use their own part of this")]

use std::fmt;
use std::process::{Command, ExitCode};

const STORED: &str = include_str!("../budgets.txt");

/// What one budget says of a number that was measured. Prints as a line for people.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    name: String,
    measured: f64,
    stored: f64,
    /// How far it may be off.
    margin: f64,
}

impl Verdict {
    /// Holds what was measured against the budget of this name. It may be off by so much, in the
    /// same unit.
    pub(crate) fn new(name: &str, measured: f64, margin: f64) -> Self {
        let stored = stored(name).parse().expect("a number");
        Self { name: name.to_owned(), measured, stored, margin }
    }

    /// The same, with a margin that is a part of the budget: 0.03 is three in a hundred.
    pub(crate) fn relative(name: &str, measured: f64, part: f64) -> Self {
        let verdict = Self::new(name, measured, 0.0);
        Self { margin: verdict.stored * part, ..verdict }
    }

    fn is_kept(&self) -> bool {
        self.measured <= self.stored + self.margin
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, measured, stored, margin } = self;
        write!(f, "{name:<28} {measured:>9.2}, budget {stored} and {margin:.2} of margin")?;
        match self.is_kept() {
            false => write!(f, ": TOO MUCH"),
            // A regression could eat up what was gained, and nobody would see it.
            true if *measured < stored - margin => write!(f, ": lower it in benches/budgets.txt"),
            true => Ok(()),
        }
    }
}

/// Whether what was measured keeps to every budget. Prints them.
pub(crate) fn are_kept(verdicts: &[Verdict]) -> bool {
    verdicts.iter().for_each(|verdict| println!("{verdict}"));
    verdicts.iter().all(Verdict::is_kept)
}

/// Whether a bench is to fail where a budget is broken: with `--budget`. Otherwise it only prints.
pub(crate) fn are_demanded() -> bool {
    std::env::args().any(|arg| arg == "--budget")
}

/// What a bench exits with that measured these.
pub(crate) fn conclude(verdicts: &[Verdict]) -> ExitCode {
    let are_kept = are_kept(verdicts);
    if are_kept || !are_demanded() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What it exits with if it could not measure at all.
pub(crate) fn nothing_measured() -> ExitCode {
    if are_demanded() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether the compiler that is here is the one that the instructions were counted with.
pub(crate) fn is_their_compiler() -> bool {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&version).split(' ').nth(1) == Some(stored("rustc"))
}

fn stored(name: &str) -> &'static str {
    let value = |line: &'static str| line.strip_prefix(name)?.strip_prefix("  ");
    STORED.lines().find_map(value).unwrap_or_else(|| panic!("no budget for {name}")).trim()
}
