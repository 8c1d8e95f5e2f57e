//! The initializer and the auth generator: when they run, what they are given, how they fail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use fetchpool::{
    Auth, ErrorKind, Exceptions, Pool, Responses, SessionConfig, ThreadException, ThreadResponse,
};

use crate::farm::{Echo, Farm, within};

/// The usual patience for a batch that must end.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn the_initializer_runs_once_in_each_worker() {
    let farm = Farm::new();
    let runs = Arc::new(Mutex::new(HashMap::<ThreadId, usize>::new()));
    let counts = Arc::clone(&runs);
    // Four stand at the gate, so that each of the four workers has a job; then forty more come.
    let jobs: Vec<String> = (0..44).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let pool = Pool::builder()
        .num_threads(4)
        .initializer(move |_: &mut SessionConfig| {
            *counts.lock().unwrap().entry(thread::current().id()).or_default() += 1;
        })
        .job_queue(jobs)
        .build()
        .unwrap();
    farm.wait_at_gate(4);
    farm.open_gate();
    assert_eq!(within(LIMIT, move || pool.responses().count()), 44);
    let runs = runs.lock().unwrap();
    assert_eq!(runs.len(), 4);
    assert!(runs.values().all(|&times| times == 1), "{runs:?}");
}

#[test]
fn the_initializer_comes_before_the_first_job() {
    let farm = Farm::new();
    let (responses, _) = Pool::builder()
        .num_threads(3)
        .initializer(|session: &mut SessionConfig| {
            session.header("X-Set", "early").user_agent("hooked/1").param("lang", "en");
        })
        .map((0..12).map(|_| farm.url("/echo")));
    assert_eq!(responses.len(), 12);
    for response in responses {
        let echo = Echo::of(response.bytes());
        assert_eq!(echo.header("x-set"), ["early"]);
        assert_eq!(echo.header("user-agent"), ["hooked/1"]);
        assert_eq!(echo.target(), "/echo?lang=en");
    }
}

#[test]
fn the_initializer_may_return_a_result() {
    let farm = Farm::new();
    let (responses, exceptions) = Pool::builder()
        .initializer(|session: &mut SessionConfig| -> Result<(), String> {
            session.header("X-Set", "well");
            Ok(())
        })
        .map([farm.url("/echo")]);
    assert_eq!((responses.len(), exceptions.len()), (1, 0));
}

#[test]
fn the_initializer_changes_what_the_pools_session_settings_gave() {
    let farm = Farm::new();
    let mut config = SessionConfig::new();
    config.header("X-Given", "kept").header("X-Set", "by the settings");
    let (mut responses, _) = Pool::builder()
        .session(config)
        .initializer(|session: &mut SessionConfig| {
            session.header("X-Set", "by the hook");
        })
        .map([farm.url("/echo")]);
    let echo = Echo::of(responses.next().unwrap().bytes());
    assert_eq!(echo.header("x-given"), ["kept"]);
    assert_eq!(echo.header("x-set"), ["by the hook"]);
}

#[test]
fn initializer_with_gets_its_arguments() {
    let farm = Farm::new();
    let args = ("secret".to_owned(), 42);
    let (responses, _) = Pool::builder()
        .num_threads(2)
        .initializer_with(args, |session: &mut SessionConfig, (key, page): &(String, i32)| {
            session.header("X-Key", key).param("page", page);
        })
        .map((0..6).map(|_| farm.url("/echo")));
    assert_eq!(responses.len(), 6);
    for response in responses {
        let echo = Echo::of(response.bytes());
        assert_eq!(echo.header("x-key"), ["secret"]);
        assert_eq!(echo.target(), "/echo?page=42");
    }
}

#[test]
fn the_auth_generator_comes_after_the_initializer() {
    let farm = Farm::new();
    let (mut responses, _) = Pool::builder()
        .num_threads(1)
        // The order in which they are given does not matter.
        .auth_generator(|session: &mut SessionConfig| {
            assert!(session.headers.contains("X-First"), "the initializer has not run");
            session.header("X-Both", "auth").auth(Auth::bearer("token"));
        })
        .initializer(|session: &mut SessionConfig| {
            session.header("X-First", "1").header("X-Both", "init");
        })
        .map([farm.url("/echo")]);
    let echo = Echo::of(responses.next().unwrap().bytes());
    assert_eq!(echo.header("x-first"), ["1"]);
    assert_eq!(echo.header("x-both"), ["auth"]);
    assert_eq!(echo.header("authorization"), ["Bearer token"]);
}

#[test]
fn an_initializer_that_fails_is_the_exception_of_every_job() {
    let lists = batch(|_| Err("no key today"));
    assert_all_failed(lists, "no key today", None);
}

#[test]
fn an_initializer_that_panics_is_the_exception_of_every_job() {
    let lists = batch(|_| -> () { panic!("the hook fell over") });
    assert_all_failed(lists, "the hook fell over", Some(ErrorKind::Panic));
}

#[test]
fn an_auth_generator_that_fails_is_the_exception_of_every_job() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..20).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let lists = within(LIMIT, || {
        Pool::builder().num_threads(2).auth_generator(|_| Err("no token")).map(jobs)
    });
    assert_all_failed(lists, "no token", None);
}

#[test]
fn a_setting_that_cannot_be_sent_is_the_exception_of_every_job() {
    let (responses, exceptions) = batch(|session| {
        session.header("X-Split", "one\r\nX-Two: two");
    });
    assert_eq!((responses.len(), exceptions.len()), (0, 20));
    for exception in exceptions {
        assert_eq!(exception.kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn a_worker_that_could_not_start_takes_nothing_from_the_others() {
    for panics in [false, true] {
        let farm = Farm::new();
        let first = AtomicUsize::new(0);
        let (others_work, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let jobs: Vec<String> = (0..40).map(|n| farm.url(&format!("/gate/{n}"))).collect();
        let pool = Pool::builder()
            .num_threads(4)
            .initializer(move |_| {
                if first.fetch_add(1, Ordering::SeqCst) > 0 {
                    return Ok(());
                }
                // A worker that fails is quick: it would take the whole queue before the others
                // have started.
                let _ = wait.lock().unwrap().recv_timeout(LIMIT);
                if panics { panic!("only here") } else { Err("only here") }
            })
            .job_queue(jobs)
            .build()
            .unwrap();
        farm.wait_at_gate(3);
        others_work.send(()).unwrap();
        let pool = within(LIMIT, move || {
            let exception = pool.get_exception().unwrap();
            assert!(exception.message().contains("only here"), "{}", exception.message());
            pool
        });
        farm.open_gate();
        let (responses, exceptions): (Vec<ThreadResponse>, Vec<ThreadException>) =
            within(LIMIT, move || (pool.responses().collect(), pool.exceptions().collect()));
        assert_eq!(1 + responses.len() + exceptions.len(), 40);
        assert!(responses.len() >= 3);
        for response in responses {
            assert_eq!(response.text(), response.index().to_string());
        }
        for exception in exceptions {
            assert!(exception.message().contains("only here"), "{}", exception.message());
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_ca_file_that_cannot_be_read_is_the_exception_of_every_job() {
    let farm = Farm::with_tls();
    let jobs: Vec<String> = (0..8).map(|n| farm.tls_url(&format!("/ok/{n}"))).collect();
    let (responses, exceptions) = Pool::builder()
        .num_threads(2)
        .initializer(|session: &mut SessionConfig| {
            session.tls.root_pem_file("/no/such/folder/ca.pem");
        })
        .map(jobs);
    assert_eq!((responses.len(), exceptions.len()), (0, 8));
    for exception in exceptions {
        assert!(exception.message().contains("ca.pem"), "{}", exception.message());
    }
}

/// Twenty good jobs on two workers that this hook sets up.
fn batch<R: fetchpool::HookResult + 'static>(
    hook: impl Fn(&mut SessionConfig) -> R + Send + Sync + 'static,
) -> (Responses, Exceptions) {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..20).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let lists = within(LIMIT, || Pool::builder().num_threads(2).initializer(hook).map(jobs));
    assert_eq!(farm.requests(), 0, "nothing is sent by a worker that could not start");
    lists
}

#[track_caller]
fn assert_all_failed(lists: (Responses, Exceptions), why: &str, kind: Option<ErrorKind>) {
    let (responses, exceptions) = lists;
    assert_eq!((responses.len(), exceptions.len()), (0, 20));
    for (n, exception) in exceptions.enumerate() {
        assert_eq!(exception.index(), n as u64);
        assert!(exception.message().contains(why), "{}", exception.message());
        assert!(kind.is_none_or(|kind| exception.kind() == kind), "{:?}", exception.kind());
    }
}
