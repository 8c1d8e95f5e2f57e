//! What one slow origin costs the others: nine origins alone, and the same nine between whose jobs
//! stand as many for a tenth that may be asked once a second. Nobody may sleep on its account.

use std::time::{Duration, Instant};

use fetchpool::{Politeness, Pool};
use origins::Origins;
use support::is_quick;

#[path = "support/origins.rs"]
mod origins;
mod support;

const WORKERS: usize = 16;
const FAST: usize = 9;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", kind, count, ca] => origins::serve(kind, count.parse().unwrap(), ca),
        _ => compare(),
    }
}

fn compare() {
    support::print_machine();
    if !cfg!(target_os = "linux") {
        println!("pool_polite: nothing measured, since elsewhere loopback has one address");
        return;
    }
    let ca = std::env::temp_dir().join(format!("pool_polite.{}", std::process::id()));
    let mut origins = Origins::start(FAST + 1, false, &ca);
    let _ = std::fs::remove_file(ca);
    let (rounds, jobs) = if is_quick() { (1, 20) } else { (7, 1_000) };
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (with_slow, rates) in rates.iter_mut().enumerate() {
            rates.push(rate(&origins.urls[..FAST + with_slow], jobs));
        }
    }
    // Without this the limit might not have been there at all.
    let asked = origins.counts();
    for (rates, name) in rates.iter_mut().zip(["nine alone", "beside a slow one"]) {
        rates.sort_by(f64::total_cmp);
        println!(
            "pool_polite {name:<20} {:>6.0} requests/s median ({:.0} to {:.0}, {rounds} runs of \
             {} jobs)",
            rates[rounds / 2],
            rates[0],
            rates[rounds - 1],
            FAST * jobs,
        );
    }
    assert_eq!((asked.full, asked.resumed), (0, 0), "this is measured without TLS");
    println!(
        "pool_polite the nine have {:.1} % of the throughput that they have alone; {} connections",
        100.0 * rates[1][rounds / 2] / rates[0][rounds / 2],
        asked.connections,
    );
}

/// Requests a second of the first nine of these origins, each of which takes 5 ms for an answer.
fn rate(urls: &[String], jobs: usize) -> f64 {
    let lap: Vec<String> = urls.iter().map(|url| format!("{url}/1024/5")).collect();
    let queue = (0..lap.len() * jobs).map(move |job| lap[job % lap.len()].clone());
    let mut pool = Pool::builder().num_threads(WORKERS).job_queue(queue);
    if let Some(slow) = urls.get(FAST) {
        let host = slow.trim_start_matches("http://");
        pool = pool.politeness_for(host, Politeness::new().rate(1.0));
    }
    let began = Instant::now();
    let pool = pool.build().unwrap();
    let is_slow =
        |url: &str| urls.get(FAST).is_some_and(|slow| url.starts_with(&format!("{slow}/")));
    let (mut fast, mut slow) = (0, 0);
    let mut responses = pool.responses();
    while fast < FAST * jobs {
        let response = responses.next().unwrap();
        assert_eq!(response.status(), 200);
        if is_slow(response.url()) { slow += 1 } else { fast += 1 }
    }
    let took = began.elapsed();
    // One at once, and one each second.
    assert!(slow <= 1 + took.as_secs(), "{slow} slow ones in {took:?}");
    assert!(took > Duration::from_millis(5));
    drop(responses);
    pool.cancel();
    fast as f64 / took.as_secs_f64()
}
