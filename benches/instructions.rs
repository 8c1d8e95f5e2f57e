//! How many instructions a request costs, which a busy machine does not change: the exchange in
//! memory, without a socket, and the whole of it through a session and a pool.
//!
//! The program starts itself again under `valgrind --tool=callgrind`, with few and with many
//! requests; what they differ by is what the requests cost. For a session and a pool the server is
//! in a process of its own. What the kernel does is not seen. Each number is held against the budget in
//! `budgets.txt`. Where there is no `valgrind` the bench says so and does nothing, and with
//! `--budget` it fails.

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use fetchpool::internals::{Reader, Writer};
use fetchpool::{Pool, Session};

use budgets::Verdict;

#[path = "support/budgets.rs"]
mod budgets;
#[path = "support/nginx.rs"]
mod nginx;
mod support;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => {
            println!("{}", nginx::start(1024));
            // The parent ends it.
            std::thread::park();
        }
        ["run", case, url, count] => run(case, url, count.parse().unwrap()),
        _ => return compare(),
    }
    ExitCode::SUCCESS
}

const CASES: [&str; 4] = ["request head", "response", "session", "pool of 1"];

fn run(case: &str, url: &str, count: usize) {
    match case {
        "request head" => {
            let fields =
                [("User-Agent", "fetchpool/0.1.0"), ("Accept", "*/*"), ("Accept-Encoding", "gzip")];
            let mut writer = Writer::default();
            for _ in 0..count {
                let target = black_box(["GET", "/1k.bin", "127.0.0.1:8080"]);
                assert!(black_box(writer.write(target, None, false, &fields)).is_some());
            }
        }
        "response" => {
            let answer = nginx::answer(1024);
            let mut reader = Reader::default();
            for _ in 0..count {
                let read = reader.read(false, black_box(&answer), usize::MAX);
                assert_eq!(read, Some((8, 1024)));
            }
        }
        "session" => {
            let mut session = Session::default();
            for _ in 0..count {
                assert_eq!(session.request(url).unwrap().bytes().len(), 1024);
            }
        }
        "pool of 1" => {
            let url: &'static str = url.to_owned().leak();
            let jobs = (0..count).map(move |_| url);
            let pool = Pool::builder().num_threads(1).job_queue(jobs).build().unwrap();
            assert_eq!(pool.responses().count(), count);
        }
        _ => panic!("no case {case}"),
    }
}

fn compare() -> ExitCode {
    support::print_machine();
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("instructions: 0 counted, since valgrind is not installed");
        return budgets::nothing_measured();
    }
    let program = std::env::current_exe().unwrap();
    let mut server =
        Command::new(&program).arg("serve").stdout(Stdio::piped()).spawn().expect("a server");
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let (few, many) = (100, 1_100);
    let verdicts = CASES.map(|case| {
        let [few_cost, many_cost] = [few, many].map(|count| count_of(case, url.trim(), count));
        let each = (many_cost - few_cost) / f64::from(many - few);
        Verdict::relative(&format!("instructions {case}"), each, margin(case))
    });
    server.kill().unwrap();
    server.wait().unwrap();
    budgets::conclude(&verdicts)
}

/// What a number may be off, as a part of its budget.
fn margin(case: &str) -> f64 {
    match (budgets::is_their_compiler(), case) {
        (false, _) => 0.25,
        // Who sleeps when is not the same each time.
        (true, "pool of 1") => 0.05,
        (true, _) => 0.03,
    }
}

/// The instructions of a whole run.
fn count_of(case: &str, url: &str, count: u32) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["run", case, url, &count.to_string()])
        .output()
        .expect("valgrind");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {}\n{said}", output.status);
    let number = said.lines().find_map(|line| line.split_once("Collected : ")?.1.parse().ok());
    number.unwrap_or_else(|| panic!("{said}"))
}
