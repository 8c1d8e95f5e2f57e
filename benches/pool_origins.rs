//! Many origins: how many connections a pool opens, and what a request costs it, where each worker
//! has connections of its own. And whether choosing jobs by their origins costs time where the
//! answers are slow and of every size.
//!
//! The origins run in a process of their own and count what is opened to them; each client runs in
//! another one, since its CPU time is what is compared. Rounds are played in turns. With
//! `--also NAME=PROGRAM`, behind a `--`, another program takes part: it is called as this one is,
//! `PROGRAM fetch WAY THREADS BATCHES JOBS CA`, gets the URLs that are the lines of JOBS so often
//! with nothing kept in between, and prints how many it got, its CPU time and its wall time in
//! milliseconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use fetchpool::{Pool, SessionConfig};
use origins::{Counts, Origins};
use support::is_quick;

#[path = "support/origins.rs"]
mod origins;
mod support;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", kind, count, ca] => origins::serve(kind, count.parse().unwrap(), ca),
        ["fetch", way, threads, batches, jobs, ca] => {
            let look_ahead = (*way == IN_ORDER).then_some(1);
            fetch(look_ahead, threads.parse().unwrap(), batches.parse().unwrap(), jobs, ca);
        }
        _ => compare(),
    }
}

/// Gets every job of the list, so many times from the start.
fn fetch(look_ahead: Option<usize>, threads: usize, batches: usize, jobs: &str, ca: &str) {
    let jobs: Vec<String> = fs::read_to_string(jobs).unwrap().lines().map(str::to_owned).collect();
    let (mut got, mut wall) = (0, 0.0);
    let before = cpu_ms();
    for batch in 0..batches {
        let config = config(ca, batch);
        let queue = jobs.clone();
        let began = Instant::now();
        let mut pool = Pool::builder().num_threads(threads).session(config).job_queue(queue);
        if let Some(jobs) = look_ahead {
            pool = pool.look_ahead(jobs);
        }
        let pool = pool.build().unwrap();
        got += pool.responses().filter(|response| response.status() == 200).count();
        wall += began.elapsed().as_secs_f64() * 1e3;
    }
    println!("{got} {:.0} {wall:.1}", cpu_ms() - before);
}

/// Those who have the same TLS settings share their sessions, so no two batches have.
#[cfg(feature = "tls-no-provider")]
fn config(ca: &str, batch: usize) -> SessionConfig {
    let mut config = SessionConfig::new();
    let pem = fs::read_to_string(ca).unwrap();
    if !pem.is_empty() {
        config.tls.add_root_pem(format!("# batch {batch}\n{pem}"));
    }
    config
}

#[cfg(not(feature = "tls-no-provider"))]
fn config(_: &str, _: usize) -> SessionConfig {
    SessionConfig::new()
}

/// The CPU time of this process, all its threads included. Its unit is 10 ms.
fn cpu_ms() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The name in front may have spaces in it.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap() * 10.0).sum()
}

/// A list of jobs, and how it is worked off.
struct List {
    name: &'static str,
    origins: usize,
    is_tls: bool,
    threads: usize,
    /// From the origins' URLs.
    jobs: fn(&[String]) -> Vec<String>,
    /// What no client can be faster than, if that is known.
    ideal: fn(&[String], usize) -> Option<f64>,
}

const LISTS: [List; 5] = [
    List {
        name: "50 origins over TLS, shuffled",
        origins: 50,
        is_tls: true,
        threads: 16,
        jobs: shuffled,
        ideal: |_, _| None,
    },
    List {
        name: "50 origins over TLS, 40 jobs in a row for each",
        origins: 50,
        is_tls: true,
        threads: 16,
        jobs: by_origin,
        ideal: |_, _| None,
    },
    List {
        name: "50 origins, shuffled",
        origins: 50,
        is_tls: false,
        threads: 16,
        jobs: shuffled,
        ideal: |_, _| None,
    },
    List {
        name: "50 origins, 40 jobs in a row for each",
        origins: 50,
        is_tls: false,
        threads: 16,
        jobs: by_origin,
        ideal: |_, _| None,
    },
    List {
        name: "10 origins, 200 B to 2 MiB, 0 to 30 ms",
        origins: 10,
        is_tls: false,
        threads: 32,
        jobs: mixed,
        ideal: |jobs, threads| Some(delays_alone(jobs, threads)),
    },
];

/// 40 jobs of 1 KiB for each origin, one origin after the other.
fn by_origin(urls: &[String]) -> Vec<String> {
    let each = if is_quick() { 4 } else { 40 };
    urls.iter().flat_map(|url| (0..each).map(move |_| format!("{url}/1024/0"))).collect()
}

/// The same in an order that is always the same one.
fn shuffled(urls: &[String]) -> Vec<String> {
    let mut jobs = by_origin(urls);
    let mut random = Random(9);
    for last in (1..jobs.len()).rev() {
        jobs.swap(last, random.below(last + 1));
    }
    jobs
}

/// Sizes of which most are small, and delays of which all are as likely.
fn mixed(urls: &[String]) -> Vec<String> {
    let mut random = Random(10);
    (0..if is_quick() { 64 } else { 3_000 })
        .map(|_| {
            let url = &urls[random.below(urls.len())];
            let size = 200.0 * 10_485.0_f64.powf((random.below(1_000) as f64 / 999.0).powi(4));
            format!("{url}/{size:.0}/{}", random.below(31))
        })
        .collect()
}

/// Seconds that the delays take, dealt in order to so many workers.
fn delays_alone(jobs: &[String], threads: usize) -> f64 {
    let mut busy_until = vec![0_u64; threads];
    for job in jobs {
        let delay: u64 = job.rsplit('/').next().unwrap().parse().unwrap();
        *busy_until.iter_mut().min().unwrap() += delay;
    }
    *busy_until.iter().max().unwrap() as f64 / 1e3
}

/// The same numbers on every machine (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// Somebody who takes part, and what came of each round.
struct Runner {
    name: String,
    program: PathBuf,
    rounds: Vec<Round>,
}

struct Round {
    counts: Counts,
    cpu_us: f64,
    wall_s: f64,
}

fn compare() {
    support::print_machine();
    if !cfg!(target_os = "linux") {
        println!("pool_origins: nothing measured, since elsewhere loopback has one address");
        return;
    }
    let (rounds, batches) = if is_quick() { (1, 1) } else { (5, 5) };
    for list in LISTS {
        if list.is_tls && !cfg!(feature = "tls") {
            continue;
        }
        let files = Files::new();
        let mut origins = Origins::start(list.origins, list.is_tls, &files.ca);
        let jobs = (list.jobs)(&origins.urls);
        fs::write(&files.jobs, jobs.join("\n")).unwrap();
        let mut runners = runners();
        for _ in 0..rounds {
            for runner in &mut runners {
                runner.play(&list, jobs.len(), batches, &files, &mut origins);
            }
        }
        println!("\n{}: {} jobs, {} threads", list.name, jobs.len(), list.threads);
        let ideal = (list.ideal)(&jobs, list.threads);
        for runner in &runners {
            runner.print(ideal);
        }
    }
}

/// This crate, with a look ahead and without, and who is named by `--also NAME=PROGRAM`.
fn runners() -> Vec<Runner> {
    let args: Vec<String> = std::env::args().collect();
    let also = args.windows(2).filter(|pair| pair[0] == "--also").map(|pair| {
        let (name, program) = pair[1].split_once('=').expect("NAME=PROGRAM");
        (name.to_owned(), PathBuf::from(program))
    });
    let program = std::env::current_exe().unwrap();
    let ours = ["fetchpool", IN_ORDER].map(|name| (name.to_owned(), program.clone()));
    let all = ours.into_iter().chain(also);
    all.map(|(name, program)| Runner { name, program, rounds: Vec::new() }).collect()
}

impl Runner {
    fn play(
        &mut self,
        list: &List,
        jobs: usize,
        batches: usize,
        files: &Files,
        origins: &mut Origins,
    ) {
        origins.counts();
        let output = Command::new(&self.program)
            .args(["fetch", &self.name])
            .args([list.threads.to_string(), batches.to_string()])
            .args([&files.jobs, &files.ca])
            .output()
            .expect("a client");
        let told = String::from_utf8(output.stdout).unwrap();
        let numbers: Vec<f64> =
            told.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [got, cpu_ms, wall_ms] = numbers[..] else { panic!("{}: {told}", self.name) };
        assert_eq!(got, (jobs * batches) as f64, "{}: some failed", self.name);
        let counts = origins.counts();
        let each = |count: u64| count.div_ceil(batches as u64);
        self.rounds.push(Round {
            counts: Counts {
                connections: each(counts.connections),
                full: each(counts.full),
                resumed: each(counts.resumed),
            },
            cpu_us: cpu_ms * 1e3 / got,
            wall_s: wall_ms / 1e3 / batches as f64,
        });
    }

    fn print(&self, ideal: Option<f64>) {
        let median = |of: fn(&Round) -> f64| {
            let mut numbers: Vec<f64> = self.rounds.iter().map(of).collect();
            numbers.sort_by(f64::total_cmp);
            (numbers[numbers.len() / 2], numbers[0], numbers[numbers.len() - 1])
        };
        let (connections, least, most) = median(|round| round.counts.connections as f64);
        let (full, ..) = median(|round| round.counts.full as f64);
        let (resumed, ..) = median(|round| round.counts.resumed as f64);
        let (cpu, cpu_least, cpu_most) = median(|round| round.cpu_us);
        let (wall, ..) = median(|round| round.wall_s);
        print!(
            "  {:<16} {connections:>5.0} connections ({least:.0} to {most:.0}), {full:.0} full and \
             {resumed:.0} resumed handshakes, {cpu:>6.1} us of CPU a request ({cpu_least:.1} to \
             {cpu_most:.1}), {wall:.3} s",
            self.name,
        );
        match ideal {
            Some(ideal) => println!(", {:.2} times the ideal", wall / ideal),
            None => println!(),
        }
    }
}

/// The way of this crate that takes the jobs in their order.
const IN_ORDER: &str = "jobs in order";

/// What the processes tell each other, until it is dropped.
struct Files {
    folder: PathBuf,
    jobs: PathBuf,
    ca: PathBuf,
}

impl Files {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("pool_origins.{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let within = |name: &str| -> PathBuf { Path::new(&folder).join(name) };
        Self { jobs: within("jobs"), ca: within("ca.pem"), folder: folder.clone() }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
