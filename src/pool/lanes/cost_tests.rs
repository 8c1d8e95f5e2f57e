//! What very many origins cost: how many lanes are looked at for a job, and what is kept of those that
//! have nothing to do.

use std::time::Duration;

use super::*;
use crate::message::{RetryPolicy, Target};
use crate::pool::polite::Politeness;

const ORIGINS: usize = 100_000;
/// How long a rate of one a second is remembered: the interval, and by how much a start may be late.
const REMEMBERED: Duration = Duration::from_millis(1005);

/// So many origins that may be asked once a second each, and one job for each.
fn crawl(window: usize, now: Instant) -> Lanes<usize> {
    let mut hosts = Hosts::default();
    hosts.set_every(Politeness::new().rate(1.0));
    let mut lanes = Lanes::new(window, hosts, Some(1));
    for origin in 0..ORIGINS {
        let target = Target::parse(&format!("http://h{origin}.test/")).unwrap();
        let lane = lanes.lane_for(Some(&target));
        lanes.put(lane, origin as u64, Times::default(), origin, now);
    }
    lanes
}

/// Each lane that is looked at is marked, until it is no longer open.
fn looked_at(lanes: &Lanes<usize>) -> usize {
    lanes.lanes.iter().flatten().filter(|lane| lane.seen.is_some()).count()
}

fn start(lanes: &mut Lanes<usize>, held: &mut Held, now: Instant) -> (usize, Ticket) {
    let next = lanes.take(held, now, true, lanes.window).expect("a lane is open");
    let Go::Start(ticket) = next.go else { panic!("nothing is refused") };
    (next.item, ticket)
}

#[test]
fn of_many_open_lanes_no_more_than_64_or_half_a_window_are_looked_at_for_a_job() {
    let now = Instant::now();
    for (window, most) in [(1, 1), (16, 16), (64, 64), (128, 64), (1000, 500)] {
        let mut lanes = crawl(window, now);
        let mut workers: Vec<Held> = (0..8).map(|_| Held::default()).collect();
        for (n, held) in workers.iter_mut().enumerate() {
            let (_, _ticket) = start(&mut lanes, held, now);
            // The lane of the job that went is held back by its rate now, and marked no longer. What
            // was marked before is among the first, and so within the next window again.
            assert_eq!(looked_at(&lanes), most - 1, "for the job {n} of {window}");
        }
    }
}

#[test]
fn of_a_hundred_thousand_origins_nothing_is_left_once_their_rates_would_let_anything_pass() {
    let began = Instant::now();
    let mut lanes = crawl(64, began);
    let (mut held, mut now) = (Held::default(), began);
    let ration = RetryPolicy::new(1).budget(0.5, 1).ration().unwrap();
    for n in 0..ORIGINS {
        now = began + Duration::from_micros(n as u64);
        let (_, ticket) = start(&mut lanes, &mut held, now);
        lanes.requested(ticket);
        if n >= ORIGINS - 10 {
            assert!(lanes.may_retry(ticket, ration));
        }
        lanes.end(ticket, Sign::Good, now);
        lanes.hold(&mut held, [], now);
    }
    assert!(lanes.is_empty());
    assert_eq!(lanes.count(), ORIGINS, "each has its rate to remember");
    // They go as they come to be of no use, and not all at once at the end.
    lanes.advance(began + REMEMBERED + Duration::from_micros(ORIGINS as u64 / 2 - 1));
    assert_eq!(lanes.count(), ORIGINS / 2);
    lanes.advance(now + REMEMBERED);
    assert_eq!(lanes.count(), 10, "what their budgets gave is to be remembered");
    lanes.advance(now + Duration::from_secs(60));
    assert_eq!(lanes.count(), 0);
    let tables = (lanes.by_origin.len(), lanes.resting.len(), lanes.jobs.len());
    assert_eq!(tables, (0, 0, 0), "no table keeps what the lanes have let go");
    assert_eq!((lanes.next_time(), lanes.ready()), (None, 0));
    // And their places are used again.
    let places = lanes.lanes.len();
    for origin in 0..ORIGINS {
        let target = Target::parse(&format!("http://other{origin}.test/")).unwrap();
        lanes.lane_for(Some(&target));
    }
    assert_eq!((lanes.count(), lanes.lanes.len()), (ORIGINS, places));
}

#[test]
fn a_lane_is_small() {
    let (lane, gate) = (size_of::<Option<Lane>>(), size_of::<crate::pool::polite::Gate>());
    println!("{lane} bytes for a lane, and {gate} more where anything holds it back");
    assert!(lane <= 256 && gate <= 160, "{lane} and {gate} bytes");
}
