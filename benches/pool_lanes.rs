//! What very many origins cost a job: to put it in, take it and end it, by a clock of the bench's own and
//! without a worker; and how much memory an origin keeps that has nothing to do.

use fetchpool::internals::{Crawl, Crowd};

mod support;

const COUNTS: [usize; 3] = [1, 1_000, 100_000];

fn main() {
    support::print_machine();
    let is_quick = support::is_quick();
    // First of all, while no other run has left memory behind that could be used again.
    idle_memory(if is_quick { 1_000 } else { 100_000 });
    let (runs, jobs) = if is_quick { (1, 1_000) } else { (15, 200_000) };
    for (crowd, name) in [
        (Crowd::Waiting, "waiting for their rates"),
        (Crowd::Open, "open"),
        (Crowd::Idle, "idle but for one"),
    ] {
        for origins in COUNTS {
            let mut crawl = Crawl::new(origins, crowd);
            let name = format!("{origins} origins, {name}");
            support::measure(&name, "ns/job", (runs, jobs), support::nanoseconds, |jobs| {
                assert!((0..jobs).all(|_| crawl.turn()), "a job waits that could run");
            });
        }
    }
}

/// Once each has had its turn, all are remembered, and none has anything to do.
fn idle_memory(origins: usize) {
    let mut crawl = Crawl::new(origins, Crowd::Idle);
    let before = resident_kib();
    (0..origins).for_each(|_| assert!(crawl.turn(), "a job waits that could run"));
    let kib = resident_kib().saturating_sub(before);
    let kept = crawl.lanes();
    assert!(kept > origins / 10 * 9, "{kept} lanes are left");
    println!(
        "{:<36} {:>9} bytes/origin ({kib} KiB for {kept})",
        "an idle origin",
        kib * 1024 / kept
    );
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().trim_end_matches(" kB").parse().unwrap()
}
