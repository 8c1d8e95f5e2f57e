//! How near a pool comes to its ideal: requests a second by the number of workers, against a
//! server that takes 5 ms for each. The ideal is a request in 5 ms for each worker.

use std::time::Duration;

use fetchpool::Pool;
use support::{Server, is_quick, measure, rate};

mod support;

const LATENCY: Duration = Duration::from_millis(5);

fn main() {
    support::print_machine();
    let server = Server::start(LATENCY);
    for workers in [1, 4, 16, 64] {
        let size = if is_quick() { (1, workers * 4) } else { (5, workers * 100) };
        let name = format!("pool_throughput {workers} workers");
        let threads = usize::try_from(workers).unwrap();
        let median = measure(&name, "requests/s", size, rate, |count| {
            let url = server.url();
            let jobs = (0..count).map(move |_| url.clone());
            let pool = Pool::builder().num_threads(threads).job_queue(jobs).build().unwrap();
            assert_eq!(pool.responses().count() as u64, count);
        });
        let ideal = workers as f64 / LATENCY.as_secs_f64();
        println!("{name:<36} {:>9.0} % of the ideal {ideal:.0} requests/s", 100.0 * median / ideal);
    }
}
