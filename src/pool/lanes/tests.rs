//! Who goes next, by a clock of the tests' own.

use std::time::Duration;

use super::*;
use crate::message::Target;

const BASE: Duration = Duration::from_secs(1000);

fn target(origin: usize) -> Target {
    Target::parse(&format!("http://h{origin}.test/")).unwrap()
}

/// A pool whose requests all take as long as a generator says.
struct Sim {
    lanes: Lanes<usize>,
    jobs: std::vec::IntoIter<usize>,
    index: u64,
    window: usize,
    idle: Vec<Vec<usize>>,
    held: Vec<Held>,
    connections: usize,
    seed: u64,
}

impl Sim {
    fn new(jobs: Vec<usize>, workers: usize, window: usize, seed: u64) -> Self {
        Self {
            lanes: Lanes::new(window, Hosts::default(), Some(1)),
            jobs: jobs.into_iter(),
            index: 0,
            window,
            idle: vec![Vec::new(); workers],
            held: (0..workers).map(|_| Held::default()).collect(),
            connections: 0,
            seed,
        }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn wants_more(&self, worker: usize) -> bool {
        self.lanes.wants_more(self.lanes.rivals(&self.held[worker])) > 0
    }

    fn run(&mut self, dial: u64, least: u64, spread: u64) -> usize {
        let start = Instant::now() + BASE;
        let mut busy: std::collections::BinaryHeap<std::cmp::Reverse<(u64, usize)>> =
            (0..self.held.len()).map(|worker| std::cmp::Reverse((0, worker))).collect();
        let mut tickets: Vec<Option<Ticket>> = vec![None; self.held.len()];
        while let Some(std::cmp::Reverse((at, worker))) = busy.pop() {
            let now = start + Duration::from_micros(at);
            if let Some(ticket) = tickets[worker].take() {
                self.lanes.end(ticket, Sign::Good, now);
                let origins: Vec<Origin> =
                    self.idle[worker].iter().map(|origin| target(*origin).origin()).collect();
                self.lanes.hold(&mut self.held[worker], &origins, now);
            }
            while (self.lanes.ready() < self.window || self.wants_more(worker))
                && let Some(origin) = self.jobs.next()
            {
                let lane = self.lanes.lane_for(Some(&target(origin)));
                self.lanes.put(lane, self.index, Times::default(), origin, now);
                self.index += 1;
            }
            let Some(next) = self.lanes.take(&mut self.held[worker], now, true, self.window) else {
                continue;
            };
            let Go::Start(ticket) = next.go else { panic!("nothing is refused") };
            tickets[worker] = Some(ticket);
            let mut takes = least + self.random(spread);
            if let Some(place) = self.idle[worker].iter().position(|o| *o == next.item) {
                self.idle[worker].remove(place);
            } else {
                self.connections += 1;
                takes += dial;
            }
            self.idle[worker].push(next.item);
            if self.idle[worker].len() > 32 {
                self.idle[worker].remove(0);
            }
            busy.push(std::cmp::Reverse((at + takes, worker)));
        }
        self.connections
    }
}

fn by_origin() -> Vec<usize> {
    (0..2000).map(|n| n / 40).collect()
}

fn shuffled(seed: u64) -> Vec<usize> {
    let mut jobs = by_origin();
    let mut dice = Sim::new(Vec::new(), 1, 1, seed);
    for n in (1..jobs.len()).rev() {
        jobs.swap(n, dice.random(n as u64 + 1) as usize);
    }
    jobs
}

/// 2,000 requests of 100 to 300 µs over 50 origins, 16 workers, 800 µs for a new connection.
fn connections(jobs: Vec<usize>, window: usize) -> usize {
    Sim::new(jobs, 16, window, 1).run(800, 100, 200)
}

#[test]
fn with_a_window_connections_are_used_again_without_being_shared() {
    for seed in 1..4 {
        let (without, with) = (connections(shuffled(seed), 1), connections(shuffled(seed), WINDOW));
        println!("{without} connections without a window, {with} with one");
        assert!(without > 700 && with <= 80, "{without}, {with}");
    }
}

#[test]
fn a_list_in_the_order_of_its_origins_is_spread_over_them() {
    let (without, with) = (connections(by_origin(), 1), connections(by_origin(), WINDOW));
    println!("{without} connections without a window, {with} with one");
    assert!(without == 800 && with <= 300, "{without}, {with}");
}
