//! How much memory a batch takes at most, by the number of its jobs, read as they complete. Each
//! batch runs in a process of its own, against a server in another one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fetchpool::Pool;
use support::{Server, is_quick};

mod support;

const WORKERS: usize = 16;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => {
            println!("{}", Server::start(Duration::ZERO).url());
            // The parent ends it.
            std::thread::park();
        }
        ["fetch", url, jobs] => {
            let (url, jobs) = ((*url).to_owned(), jobs.parse::<usize>().unwrap());
            let queue = (0..jobs).map(move |n| format!("{url}{n}"));
            let pool = Pool::builder().num_threads(WORKERS).job_queue(queue).build().unwrap();
            assert_eq!(pool.responses().count(), jobs);
            println!("{}", peak_kib());
        }
        _ => compare(),
    }
}

fn compare() {
    support::print_machine();
    if !cfg!(target_os = "linux") {
        println!("pool_memory: nothing measured, since only Linux tells a process's peak");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let mut server =
        Command::new(&program).arg("serve").stdout(Stdio::piped()).spawn().expect("a server");
    let url = first_line(&mut server);
    let (sizes, rounds) =
        if is_quick() { (&[100, 1_000][..], 1) } else { (&[10_000, 100_000, 1_000_000][..], 3) };
    let mut least = 0;
    for &jobs in sizes {
        let mut peaks: Vec<u64> = (0..rounds)
            .map(|_| {
                let mut client = Command::new(&program);
                let client = client.args(["fetch", url.trim(), &jobs.to_string()]);
                let mut client = client.stdout(Stdio::piped()).spawn().expect("a client");
                let peak = first_line(&mut client).trim().parse().expect("a number");
                assert!(client.wait().unwrap().success());
                peak
            })
            .collect();
        peaks.sort_unstable();
        let peak = peaks[peaks.len() / 2];
        least = if least == 0 { peak } else { least };
        println!(
            "pool_memory {jobs:>9} jobs, {WORKERS} workers  {:>6.2} MiB peak, {:.2} times the \
             first ({} to {} KiB, {rounds} rounds)",
            peak as f64 / 1024.0,
            peak as f64 / least as f64,
            peaks[0],
            peaks[peaks.len() - 1],
        );
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

/// The most memory that this process has had at a time.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
