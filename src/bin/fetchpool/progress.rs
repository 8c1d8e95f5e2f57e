//! A bar on stderr while the work goes on. Where stderr is no terminal nothing is drawn.

use std::cell::Cell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::units;

/// How far the batch has come.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    failed: Cell<u64>,
}

impl Progress {
    /// A bar if it is known how many there will be, or else a count that runs.
    pub(crate) fn new(total: Option<u64>) -> Self {
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), BAR),
            None => (ProgressBar::new_spinner(), COUNT),
        };
        // The templates are constants; without one of them the plain style does as well.
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("done", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&units::count(state.pos()));
            })
            .with_key("all", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&units::count(state.len().unwrap_or_default()));
            })
            .with_key("speed", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}/s", units::count(state.per_sec().round() as u64));
            })
            .progress_chars("=> ");
        bar.set_style(style);
        bar.enable_steady_tick(REDRAW);
        Self { bar, failed: Cell::new(0) }
    }

    /// One more is done.
    pub(crate) fn step(&self, ok: bool) {
        self.bar.inc(1);
        if !ok {
            self.failed.set(self.failed.get() + 1);
            self.bar.set_message(format!("  {} failed", units::count(self.failed.get())));
        }
    }

    /// Takes the bar away for as long as something else is printed.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

const BAR: &str = "[{bar:32}] {done}/{all}  {speed}  {eta} left{msg}";
const COUNT: &str = "{spinner} {done} done  {speed}  {elapsed}{msg}";

/// The least time between two pictures, so that drawing costs nothing against fetching.
const REDRAW: Duration = Duration::from_millis(100);
