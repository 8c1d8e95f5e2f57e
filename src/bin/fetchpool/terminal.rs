//! Results for a person: one short line each, a bar while it runs, a summary behind it.

use std::io::{self, Stdout, Write as _};

use crate::finished::Finished;
use crate::progress::Progress;
use crate::style::{Style, escape};
use crate::summary::Summary;
use crate::units;

/// Lines on stdout, bar and summary on stderr.
#[derive(Debug)]
pub(crate) struct Terminal {
    out: Stdout,
    style: Style,
    progress: Progress,
    summary: Summary,
}

impl Terminal {
    pub(crate) fn new(out: Stdout, total: Option<u64>) -> Self {
        let style = Style::of(&out);
        Self { out, style, progress: Progress::new(total), summary: Summary::new() }
    }

    pub(crate) fn print(&mut self, finished: &Finished<'_>) -> io::Result<()> {
        self.summary.record(finished);
        let line = line(self.style, finished);
        let mut out = self.out.lock();
        self.progress.step(finished.result.is_ok());
        self.progress.aside(|| writeln!(out, "{line}").and_then(|()| out.flush()))
    }

    pub(crate) fn sum_up(self) {
        self.progress.clear();
        let mut err = io::stderr();
        let text = self.summary.tell(Style::of(&err));
        // Nobody is left to be told if stderr is closed.
        let _ = write!(err, "{text}");
    }
}

/// `200   12.3 ms   1.02 KiB  http://h/a -> http://h/b`, or `fail  connect  http://h/: message`.
fn line(style: Style, finished: &Finished<'_>) -> String {
    let url = escape(&finished.url);
    let asked = match finished.method {
        "GET" => String::new(),
        method => format!("{} ", escape(method)),
    };
    match &finished.result {
        Ok(response) => {
            let status = format!("{:>4}", response.status());
            let status = match response.status() {
                200..=299 => style.good(&status),
                500.. => style.bad(&status),
                _ => style.odd(&status),
            };
            let time = units::time(response.elapsed());
            let size = units::bytes(response.body_len());
            let went = match response.history() {
                [] => String::new(),
                _ => style.faint(&format!(" -> {}", escape(response.url()))),
            };
            format!("{status} {time:>9} {size:>10}  {asked}{url}{went}")
        }
        Err(failure) => {
            let (kind, message) = (failure.kind.as_str(), escape(&failure.message));
            // Most messages name the URL themselves.
            let what = if message.contains(url.as_ref()) { "".into() } else { format!("{url}: ") };
            format!("{} {kind:<20}  {asked}{what}{message}", style.bad("fail"))
        }
    }
}

#[cfg(test)]
mod tests {
    use fetchpool::{ErrorKind, Request};

    use super::*;
    use crate::finished::Failure;
    use crate::finished::Left;

    #[test]
    fn a_failure_is_one_line_without_commands_for_the_terminal() {
        let request = Request::put("http://h/\x1b[2J");
        let message = "bad\r\nbytes \u{9b}2J".to_owned();
        let result = Err(Failure { kind: ErrorKind::Protocol, message });
        let finished = Finished { result, ..Finished::never_started(&request, Left::Cancelled) };
        assert_eq!(
            line(Style::PLAIN, &finished),
            "fail protocol              PUT http://h/\\u{1b}[2J: bad\\r\\nbytes \\u{9b}2J"
        );
    }

    #[test]
    fn a_message_that_names_the_url_is_not_told_it_twice() {
        let request = Request::get("http://h/");
        let message = "no answer from http://h/".to_owned();
        let result = Err(Failure { kind: ErrorKind::Timeout, message });
        let finished = Finished { result, ..Finished::never_started(&request, Left::Cancelled) };
        assert_eq!(
            line(Style::PLAIN, &finished),
            "fail timeout               no answer from http://h/"
        );
    }
}
