//! `SessionThread`: one worker, for a program that arranges its own queues.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    ErrorKind, HookResult, Request, RetryPolicy, SessionConfig, SessionThread, ThreadException,
    ThreadResponse,
};

use crate::farm::{Echo, Farm, within};

/// The usual patience for what must come.
const LIMIT: Duration = Duration::from_secs(10);

/// Threads over one job queue, and the ends of all queues.
struct Desk {
    jobs: Sender<Request>,
    threads: Vec<SessionThread>,
    responses: Receiver<ThreadResponse>,
    exceptions: Receiver<ThreadException>,
}

impl Desk {
    fn new<R: HookResult + 'static>(
        threads: usize,
        hook: impl Fn(&mut SessionConfig) -> R + Clone + Send + Sync + 'static,
    ) -> Self {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let (response, responses) = mpsc::channel();
        let (exception, exceptions) = mpsc::channel();
        let spawn = |_| {
            let (response, exception) = (response.clone(), exception.clone());
            SessionThread::spawn(Arc::clone(&queue), response, exception, hook.clone()).unwrap()
        };
        let threads = (0..threads).map(spawn).collect();
        Self { jobs, threads, responses, exceptions }
    }

    /// Closes the job queue, joins the threads, and gives all that came.
    fn finish(self) -> (Vec<ThreadResponse>, Vec<ThreadException>) {
        let Self { jobs, threads, responses, exceptions } = self;
        drop(jobs);
        within(LIMIT, move || threads.into_iter().for_each(SessionThread::join));
        (responses.iter().collect(), exceptions.iter().collect())
    }
}

#[test]
fn a_job_is_tried_again_in_its_place() {
    let farm = Farm::new();
    let desk = Desk::new(1, |session| {
        let soon = Duration::from_millis(1);
        session.retry = Some(RetryPolicy::new(2).backoff(soon, soon));
    });
    let jobs = ["/series/mends/503,503,200", "/series/stays/0", "/ok/1"];
    for job in jobs {
        desk.jobs.send(Request::get(farm.url(job)).tag(job)).unwrap();
    }
    let (responses, exceptions) = desk.finish();
    let told: Vec<_> = responses
        .iter()
        .map(|response| {
            let tag = *response.tag::<&str>().unwrap();
            (tag, response.status(), response.attempts().len())
        })
        .collect();
    assert_eq!(told, [(jobs[0], 200, 2), (jobs[2], 200, 0)]);
    assert_eq!(exceptions[0].kind(), ErrorKind::Closed);
    let waited: Vec<_> =
        exceptions[0].attempts().iter().filter_map(|attempt| attempt.waited()).collect();
    assert_eq!(waited.len(), 2, "{:?}", exceptions[0].attempts());
}

#[test]
fn several_threads_share_one_queue() {
    let farm = Farm::new();
    let desk = Desk::new(3, |_| ());
    for n in 0..60 {
        let url = if n % 4 == 0 { "no URL".into() } else { farm.url(&format!("/ok/{n}")) };
        desk.jobs.send(Request::get(url).tag(n)).unwrap();
    }
    let (responses, exceptions) = desk.finish();
    assert_eq!((responses.len(), exceptions.len()), (45, 15));
    for response in responses {
        assert_eq!(response.text(), response.tag::<i32>().unwrap().to_string());
    }
    for exception in exceptions {
        assert_eq!(exception.kind(), ErrorKind::InvalidUrl);
        assert_eq!(exception.tag::<i32>().unwrap() % 4, 0);
    }
}

#[test]
fn several_threads_work_at_once() {
    let farm = Farm::new();
    let desk = Desk::new(3, |_| ());
    for n in 0..3 {
        desk.jobs.send(Request::get(farm.url(&format!("/gate/{n}")))).unwrap();
    }
    farm.wait_at_gate(3);
    farm.open_gate();
    let (responses, _) = desk.finish();
    assert_eq!(responses.len(), 3);
}

#[test]
fn an_empty_queue_is_not_the_end_and_a_closed_one_is() {
    let farm = Farm::new();
    let desk = Desk::new(1, |_| ());
    for n in 0..3 {
        desk.jobs.send(Request::get(farm.url(&format!("/ok/{n}")))).unwrap();
        assert_eq!(desk.responses.recv_timeout(LIMIT).unwrap().text(), n.to_string());
        assert!(desk.threads[0].is_alive());
    }
    drop(desk.jobs);
    let patience = Instant::now() + LIMIT;
    while desk.threads[0].is_alive() {
        assert!(Instant::now() < patience, "alive after its queue was closed");
        thread::yield_now();
    }
}

#[test]
fn jobs_that_wait_when_the_queue_closes_are_done() {
    let farm = Farm::new();
    let desk = Desk::new(1, |_| ());
    for n in 0..20 {
        desk.jobs.send(Request::get(farm.url(&format!("/gate/{n}")))).unwrap();
    }
    farm.wait_at_gate(1);
    farm.open_gate();
    let (responses, exceptions) = desk.finish();
    assert_eq!((responses.len(), exceptions.len()), (20, 0));
}

#[test]
fn the_initializer_sets_up_the_session() {
    let farm = Farm::new();
    let desk = Desk::new(2, |session: &mut SessionConfig| {
        session.header("X-Set", "here");
    });
    for _ in 0..4 {
        desk.jobs.send(Request::get(farm.url("/echo"))).unwrap();
    }
    let (responses, _) = desk.finish();
    assert_eq!(responses.len(), 4);
    for response in responses {
        assert_eq!(Echo::of(response.bytes()).header("x-set"), ["here"]);
    }
}

#[test]
fn an_initializer_that_fails_is_the_exception_of_every_job() {
    let failing = Desk::new(2, |_: &mut SessionConfig| Err("not today"));
    let panicking = Desk::new(2, |_: &mut SessionConfig| -> () { panic!("not today") });
    for desk in [failing, panicking] {
        for n in 0..10 {
            desk.jobs.send(Request::get(format!("http://a.test/{n}"))).unwrap();
        }
        let (responses, exceptions) = desk.finish();
        assert_eq!((responses.len(), exceptions.len()), (0, 10));
        for exception in exceptions {
            assert!(exception.message().contains("not today"), "{}", exception.message());
        }
    }
}

#[test]
fn a_thread_whose_outcomes_nobody_wants_ends_all_the_same() {
    let farm = Farm::new();
    let Desk { jobs, threads, responses, exceptions } = Desk::new(2, |_| ());
    drop((responses, exceptions));
    for n in 0..10 {
        // A thread may stop taking jobs that it can tell nobody about.
        let _ = jobs.send(Request::get(farm.url(&format!("/ok/{n}"))));
    }
    drop(jobs);
    within(LIMIT, move || threads.into_iter().for_each(SessionThread::join));
}
