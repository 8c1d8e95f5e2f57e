//! What the demo tells at its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::routes::Route;
use super::server::Counts;
use crate::finished::Finished;
use crate::latency::Latencies;
use crate::style::{Style, escape};
use crate::summary::Summary;
use crate::units;

/// Sums by route, and what was not as expected.
#[derive(Debug)]
pub(super) struct Report {
    jobs: u64,
    outcomes: u64,
    routes: BTreeMap<Route, Row>,
    summary: Summary,
    wrong: u64,
    /// The first few, to be shown.
    examples: Vec<String>,
}

#[derive(Debug)]
struct Row {
    jobs: u64,
    bytes: u64,
    latencies: Latencies,
}

impl Report {
    pub(super) fn new(jobs: u64) -> Self {
        Self {
            jobs,
            outcomes: 0,
            routes: BTreeMap::new(),
            summary: Summary::new(),
            wrong: 0,
            examples: Vec::new(),
        }
    }

    pub(super) fn record(&mut self, finished: &Finished<'_>, judgement: Result<(), String>) {
        self.outcomes += 1;
        self.summary.record(finished);
        let row = self.routes.entry(Route::of(finished.index)).or_insert_with(Row::new);
        row.jobs += 1;
        if let Ok(response) = &finished.result {
            row.bytes += response.bytes().len() as u64;
            row.latencies.record(response.elapsed());
        }
        if let Err(why) = judgement {
            self.wrong += 1;
            if self.examples.len() < EXAMPLES {
                self.examples.push(format!("{}: {}", escape(&finished.url), escape(&why)));
            }
        }
    }

    /// Jobs that did not come back, or not as they should have.
    pub(super) fn surprises(&self) -> u64 {
        self.wrong + self.jobs.abs_diff(self.outcomes)
    }

    pub(super) fn tell(&self, style: Style, counts: Counts) -> String {
        let mut text = self.table(style);
        text.push('\n');
        text.push_str(&self.summary.tell(style));
        let _ = writeln!(text, "{}  {}", title(style, "reuse"), reuse(counts));
        let verdict = match self.surprises() {
            0 => style.good("every job came back once, with the answer that the server meant"),
            n => style.bad(&format!("{} came back wrong or not at all", units::counted(n, "job"))),
        };
        let _ = writeln!(text, "{}  {verdict}", title(style, "checked"));
        for example in &self.examples {
            let _ = writeln!(text, "{:9}  {example}", "");
        }
        text.push('\n');
        text
    }

    fn table(&self, style: Style) -> String {
        let head = format!(
            "  {:<18}{:>6}  {:<WIDTH$}{:>11}{:>12}",
            "route", "jobs", "", "bodies", "median"
        );
        let mut text = format!("{}\n", style.faint(&head));
        let most = self.routes.values().map(|row| row.jobs).max().unwrap_or(1);
        for (route, row) in &self.routes {
            let bar = "█".repeat((row.jobs * WIDTH as u64).div_ceil(most) as usize);
            let _ = writeln!(
                text,
                "  {:<18}{:>6}  {}{:>11}{:>12}",
                route.name(),
                units::count(row.jobs),
                // Padded first: escape codes have no width.
                style.good(&format!("{bar:<WIDTH$}")),
                units::bytes(row.bytes),
                units::time(row.latencies.percentile(50.0)),
            );
        }
        text
    }
}

impl Row {
    fn new() -> Self {
        Self { jobs: 0, bytes: 0, latencies: Latencies::new() }
    }
}

/// What keep-alive saved, as the server counted it.
fn reuse(counts: Counts) -> String {
    let Counts { connections, requests } = counts;
    format!(
        "the server saw {} over {}, {} on each",
        units::counted(requests, "request"),
        units::counted(connections, "connection"),
        units::count(requests / connections.max(1)),
    )
}

fn title(style: Style, text: &str) -> String {
    style.strong(&format!("{text:>9}"))
}

/// Surprises that are told one by one.
const EXAMPLES: usize = 5;

/// Of the longest bar.
const WIDTH: usize = 28;

#[cfg(test)]
mod tests {
    use fetchpool::Request;

    use super::*;
    use crate::finished::Left;

    #[test]
    fn a_job_without_an_outcome_is_a_surprise() {
        let mut report = Report::new(3);
        let request = Request::get("http://h/");
        report.record(&Finished::never_started(&request, Left::Cancelled), Ok(()));
        report.record(&Finished::never_started(&request, Left::Cancelled), Err("wrong\x1b".into()));
        assert_eq!(report.surprises(), 2);
        let told = report.tell(Style::PLAIN, Counts { connections: 2, requests: 9 });
        assert!(told.contains("2 jobs came back wrong or not at all"), "{told}");
        assert!(told.contains("http://h/: wrong\\u{1b}"), "{told}");
        assert!(told.contains("9 requests over 2 connections, 4 on each"), "{told}");
    }
}
