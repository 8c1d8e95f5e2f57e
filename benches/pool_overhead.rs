//! What the pool itself costs: ns a job, for jobs that fail at once because their URL is none.

use fetchpool::{Pool, Session, map};
use support::{is_quick, measure, nanoseconds};

mod support;

const URL: &str = "nowhere";

fn main() {
    support::print_machine();
    let size = if is_quick() { (3, 2_000) } else { (11, 100_000) };
    let mut session = Session::default();
    measure("pool_overhead session alone", "ns/job", size, nanoseconds, |count| {
        for _ in 0..count {
            assert!(session.request(URL).is_err());
        }
    });
    for workers in [1, 4, 16] {
        let name = format!("pool_overhead {workers} workers");
        measure(&name, "ns/job", size, nanoseconds, |count| {
            let jobs = (0..count).map(|_| URL);
            let pool = Pool::builder().num_threads(workers).job_queue(jobs).build().unwrap();
            assert_eq!(pool.outcomes().count() as u64, count);
        });
    }
    measure("pool_overhead map", "ns/job", size, nanoseconds, |count| {
        let (responses, exceptions) = map((0..count).map(|_| URL));
        assert_eq!((responses.len(), exceptions.len() as u64), (0, count));
    });
}
