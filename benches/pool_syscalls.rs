//! How many system calls a request on a kept connection costs, through a session and a pool.
//!
//! The program starts itself again, as a server in a process of its own and, under `strace -c -f`,
//! as a client that sends few or many requests; what they differ by is what the requests cost.
//! Where there is no `strace` it says so and does nothing. With `--budget` only the session is
//! measured, whose calls no other thread changes, and the bench fails if they are beyond
//! `budgets.txt`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use budgets::Verdict;
use fetchpool::{Pool, Session};
use support::{Server, is_quick};

#[path = "support/budgets.rs"]
mod budgets;
mod support;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => {
            println!("{}", Server::start(Duration::ZERO).url());
            // The parent ends it.
            std::thread::park();
        }
        ["session", url, count] => {
            let mut session = Session::default();
            for _ in 0..count.parse().unwrap() {
                assert!(session.request(*url).unwrap().ok());
            }
        }
        ["pool", workers, url, count] => {
            let (url, count) = ((*url).to_owned(), count.parse::<usize>().unwrap());
            let jobs = (0..count).map(move |_| url.clone());
            let threads = workers.parse().unwrap();
            let pool = Pool::builder().num_threads(threads).job_queue(jobs).build().unwrap();
            assert_eq!(pool.responses().count(), count);
        }
        _ => return compare(),
    }
    ExitCode::SUCCESS
}

fn compare() -> ExitCode {
    support::print_machine();
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        println!("pool_syscalls: 0 calls counted, since strace is not installed");
        return budgets::nothing_measured();
    }
    let (few, many) = if is_quick() { (10, 110) } else { (100, 5_100) };
    let program = std::env::current_exe().unwrap();
    let mut server =
        Command::new(&program).arg("serve").stdout(Stdio::piped()).spawn().expect("a server");
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let ways = [&["session"][..], &["pool", "1"], &["pool", "4"], &["pool", "16"]];
    let ways = if budgets::are_demanded() { &ways[..1] } else { &ways[..] };
    let mut verdicts = Vec::new();
    for way in ways {
        let counts = [few, many].map(|requests| calls(way, url.trim(), requests));
        println!("pool_syscalls {}: calls for each request", way.join(" of "));
        let (mut total, mut options) = (0.0, 0.0);
        for (name, many_calls) in &counts[1] {
            let few_calls = counts[0].get(name).copied().unwrap_or(0.0);
            let each = (many_calls - few_calls) / f64::from(many - few);
            total += each;
            options += if name == "setsockopt" { each } else { 0.0 };
            if each >= 0.005 {
                println!("  {each:>8.2} calls of {name}");
            }
        }
        println!("  {total:>8.2} calls in all");
        if way[0] == "session" {
            verdicts.push(Verdict::new("calls session", total, 0.05));
            verdicts.push(Verdict::new("setsockopt session", options, 0.05));
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    budgets::conclude(&verdicts)
}

/// How often a client calls what, by the table that strace prints.
fn calls(way: &[&str], url: &str, requests: u32) -> BTreeMap<String, f64> {
    let table = std::env::temp_dir().join(format!("pool_syscalls.{}", std::process::id()));
    let client = Command::new("strace")
        .args(["-c", "-f", "-qq", "-U", "calls,name", "-o"])
        .arg(&table)
        .arg(std::env::current_exe().unwrap())
        .args(way)
        .args([url, &requests.to_string()])
        .status()
        .expect("strace");
    assert!(client.success(), "{way:?}: {client}");
    let text = std::fs::read_to_string(&table).unwrap();
    std::fs::remove_file(&table).unwrap();
    let row = |line: &str| {
        let (calls, name) = line.trim().split_once(char::is_whitespace)?;
        let name = name.trim();
        // Neither the sum nor what strace did not see the begin of.
        let is_call =
            name != "total" && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_call.then_some((name.to_owned(), calls.parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}
