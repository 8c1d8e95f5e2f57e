//! Whom a worker wakes that goes to the source.

use super::*;
use crate::connection::Deadline;
use crate::pool::intake::source;
use crate::pool::polite::Hosts;

#[test]
fn nobody_is_woken_by_a_worker_that_goes_to_the_source_where_there_is_nothing_else_to_do() {
    let rules = Rules {
        room: 8,
        room_ahead: 8,
        look_ahead: 64,
        waiting_capacity: 4096,
        ordered: false,
        deadline: Deadline::never(),
        max_failed: u64::MAX,
    };
    let may_wait = source(std::iter::from_fn(|| None::<Request>));
    let lanes = Lanes::new(64, Hosts::default(), Some(1));
    let (schedule, _) = Schedule::new(may_wait, 2, lanes, None, Budget::new(1), rules);
    schedule.lock().waiting = 1;
    assert!(matches!(schedule.next(&mut Held::default(), None, &|_, _| None), Next::End));
    assert_eq!(schedule.lock().called, 0);
}
