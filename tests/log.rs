//! What is written to the log (feature `log`): each step of a request, and no secret.

mod support;

use std::sync::{Mutex, OnceLock, PoisonError};

use fetchpool::{CancelToken, Pool, Request, RetryPolicy, SessionConfig};
use support::script::{Script, ok, redirect, reply};

/// Keeps every line of the crate. There is one log to a process, and so one test.
struct Lines(Mutex<Vec<String>>);

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        assert_eq!(record.target(), "fetchpool");
        assert_eq!(record.level(), log::Level::Debug);
        let line = record.args().to_string();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn flush(&self) {}
}

#[test]
fn every_step_is_a_debug_line_and_no_line_has_a_secret() {
    static LINES: OnceLock<Lines> = OnceLock::new();
    let lines = LINES.get_or_init(|| Lines(Mutex::default()));
    log::set_logger(lines).expect("the first logger");
    log::set_max_level(log::LevelFilter::Trace);

    let server = Script::new()
        .reply(redirect(302, "http://ann:hunter2@127.0.0.1:1/gone?key=kept"))
        .reply(reply("503 Busy", "Retry-After: 0\r\nSet-Cookie: hunter2\r\n", "hunter2"))
        .reply(ok("hunter2"))
        .serve();
    let url = |path| server.url(path).replace("http://", "http://ann:hunter2@");
    let token = CancelToken::new();
    token.cancel();
    let mut config = SessionConfig::new();
    config.header("Authorization", "Bearer hunter2").header("Cookie", "id=hunter2");
    let (responses, exceptions) =
        Pool::builder().num_threads(1).session(config).retry(RetryPolicy::new(1)).map([
            Request::post(url("/first")).body("hunter2"),
            Request::get(url("/second")).header("X-Api-Key", "hunter2"),
            Request::get(url("/third")).cancel_token(&token),
            Request::get("http://ann:hunter2@/"),
        ]);
    assert_eq!((responses.count(), exceptions.count()), (1, 3));

    let lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    let all = lines.join("\n");
    assert!(!all.contains("hunter2"), "{all}");
    for step in [
        "job 0: POST http://127.0.0.1",
        "connected to",
        "302 leads from",
        "job 0: connection failed while connecting for http://127.0.0.1:1/gone?key=kept",
        "job 1 is tried again in",
        "job 1: 200",
        "job 2: cancelled",
        "job 3: invalid URL",
    ] {
        assert!(all.contains(step), "there is no line for {step:?} in\n{all}");
    }
}
