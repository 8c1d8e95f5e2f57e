//! Which lane is chosen, by tables of what there is.

use std::time::Instant;

use super::table_tests::Step::{self, End, Hold, Put, Take};
use super::table_tests::{Play, play, play_at_once, puts, target};
use super::*;
use crate::message::Target;
use crate::pool::polite::Politeness;

#[test]
fn a_worker_prefers_its_own_origins_then_nobodys_then_those_of_few_then_the_oldest() {
    let few = [
        [Put(0, 'a', 0), Put(1, 'b', 0), Put(2, 'c', 0), Hold(0, "c")],
        [Hold(1, "a"), Take(0, 2), Take(2, 1), Take(3, 0)],
    ];
    play_at_once("its own, nobody's, few", 64, &few.concat());
    let many = [
        [Put(0, 'a', 0), Put(1, 'b', 0), Hold(1, "a"), Hold(2, "a")],
        [Hold(3, "a"), Hold(4, "ab"), Take(0, 1), Take(5, 0)],
    ];
    play_at_once("few before older ones of many, and these last", 64, &many.concat());
}

#[test]
fn of_those_that_few_hold_it_prefers_the_one_with_most_jobs_for_each_connection() {
    // So many jobs for a and b in turn, and workers that hold connections to them.
    for (jobs, holders, taken) in [
        ([1, 1], [1, 1], 'a'),
        ([1, 2], [1, 1], 'b'),
        ([2, 1], [2, 1], 'a'),
        ([2, 1], [3, 1], 'b'),
        ([4, 1], [3, 1], 'a'),
        ([8, 1], [4, 1], 'b'),
        ([1, 8], [1, 4], 'a'),
    ] {
        let mut steps: Vec<Step<'_>> =
            puts(0..jobs[0], 'a').chain(puts(50..50 + jobs[1], 'b')).collect();
        steps.extend((1..=holders[0]).map(|worker| Hold(worker, "a")));
        steps.extend((1..=holders[1]).map(|worker| Hold(4 + worker, "b")));
        steps.push(Take(0, if taken == 'a' { 0 } else { 50 }));
        play_at_once(&format!("{jobs:?} jobs, {holders:?} connections"), 64, &steps);
    }
    // Beyond a window and a half it is the first of them.
    let mut steps: Vec<Step<'_>> =
        puts(0..3, 'a').chain(puts(10..12, 'b')).chain(puts(20..23, 'c')).collect();
    steps.extend((1..=4).map(|worker| Hold(worker, "a")));
    steps.extend([Hold(5, "b"), Hold(6, "c"), Take(0, 10)]);
    play_at_once("far ones", 2, &steps);
}

#[test]
fn nobodys_are_looked_for_among_the_jobs_of_a_window_and_a_half_and_its_own_of_four() {
    for (first, holds, taken) in [(7, "b", 10), (8, "b", 0), (2, "", 10), (3, "", 0)] {
        let mut steps: Vec<Step<'_>> = puts(0..first, 'a').collect();
        steps.extend([Put(10, 'b', 0), Hold(0, holds), Hold(1, "a"), Take(0, taken)]);
        play_at_once(&format!("{first} before, {holds:?}"), 2, &steps);
    }
    // What few hold is looked for farther away.
    for (first, taken) in [(7, 10), (8, 0)] {
        let mut steps: Vec<Step<'_>> = puts(0..first, 'a').collect();
        steps.push(Put(10, 'b', 0));
        steps.extend((1..=4).map(|worker| Hold(worker, "a")));
        steps.push(Take(0, taken));
        play_at_once(&format!("{first} of many"), 2, &steps);
    }
}

#[test]
fn more_jobs_are_wanted_where_others_hold_connections_to_all_that_is_here_and_the_worker_holds_none()
 {
    // Windows of four: how many jobs and holders a and b have, what a worker holds, what it wants.
    for (jobs, holders, mine, wanted) in [
        ([1, 1], [1, 1], "", 2),
        ([1, 1], [0, 1], "", 0),
        ([1, 1], [4, 0], "", 0),
        ([1, 1], [1, 1], "b", 0),
        ([1, 1], [1, 1], "z", 2),
        ([0, 0], [1, 1], "", 0),
        ([9, 0], [1, 0], "", 2),
        ([5, 4], [1, 1], "", 2),
        ([5, 5], [1, 1], "", 0),
        ([5, 5], [3, 4], "", 0),
        ([5, 4], [1, 4], "", 2),
        ([5, 5], [4, 4], "", 4),
        ([8, 7], [4, 5], "", 4),
        ([8, 8], [4, 4], "", 0),
    ] {
        let mut steps: Vec<Step<'_>> =
            puts(0..jobs[0], 'a').chain(puts(50..50 + jobs[1], 'b')).collect();
        steps.extend((1..=holders[0]).map(|worker| Hold(worker, "a")));
        steps.extend((1..=holders[1]).map(|worker| Hold(4 + worker, "b")));
        steps.push(Hold(0, mine));
        let case = format!("{jobs:?} held by {holders:?}, and {mine:?}");
        let mut play = Play::new(4, Politeness::new());
        // Both have been seen.
        for letter in ['a', 'b'] {
            play.lanes.lane_for(target(letter).as_ref());
        }
        steps.iter().for_each(|step| play.step(*step, Instant::now(), None));
        let rivals = play.lanes.rivals(&play.workers[0].0);
        assert_eq!(play.lanes.wants_more(rivals), wanted, "{case}");
    }
    // What needs no connection has no rivals, also while another worker answers such a job.
    let steps =
        [Put(0, 'a', 0), Put(1, '-', 0), Put(2, '-', 0), Hold(1, "a"), Take(1, 0), Take(2, 1)];
    let play = play_at_once("no URLs", 4, &steps);
    assert_eq!(play.lanes.rivals(&play.workers[0].0), None);
}

#[test]
fn with_more_open_lanes_than_are_looked_at_no_more_jobs_are_wanted() {
    for (window, lanes, wants) in [(8, 8, true), (8, 9, false), (128, 64, true), (128, 65, false)] {
        let mut lanes_of_four = Lanes::new(window, Hosts::default(), Some(1));
        let now = Instant::now();
        let targets: Vec<_> =
            (0..lanes).map(|n| Target::parse(&format!("http://h{n}.test/")).unwrap()).collect();
        let origins: Vec<Origin> = targets.iter().map(Target::origin).collect();
        for (index, target) in (0..).zip(&targets) {
            let lane = lanes_of_four.lane_for(Some(target));
            lanes_of_four.put(lane, index, Times::default(), index, now);
        }
        for mut held in (0..4).map(|_| Held::default()) {
            lanes_of_four.hold(&mut held, &origins, now);
        }
        let more = lanes_of_four.wants_more(lanes_of_four.rivals(&Held::default()));
        assert_eq!(more > 0, wants, "{lanes} lanes, a window of {window}");
    }
}

#[test]
fn what_was_there_before_a_job_has_not_overtaken_it() {
    let mut steps: Vec<Step<'_>> = puts(0..100, 'b').chain([Put(200, 'c', 0)]).collect();
    steps.extend(puts(300..450, 'a'));
    steps.extend([Hold(0, "a"), Hold(1, "b"), Hold(2, "c")]);
    // By this one it is overtaken for the first time, and a hundred that are older do not count.
    steps.extend([Take(0, 300), End(0), Hold(0, "a")]);
    for index in 0..100 {
        steps.extend([Take(1, index), End(1), Hold(1, "b")]);
    }
    for index in 301..428 {
        steps.extend([Take(0, index), End(0), Hold(0, "a")]);
    }
    steps.push(Take(0, 200));
    play_at_once("100 before", 32, &steps);
}

#[test]
fn a_lane_that_is_always_open_is_no_reason_to_look_at_all_of_them_as_long_as_its_jobs_are_young() {
    let mut steps = vec![Put(0, 'b', 0), Put(90, 'a', 0), Hold(0, "a"), Take(0, 90), End(0)];
    for index in 1..40 {
        steps.extend([Put(index, 'b', 0), Hold(1, "b"), Take(1, index - 1), End(1)]);
    }
    steps.push(Put(99, 'a', 0));
    let mut play = play_at_once("an open lane", 2, &steps);
    let mine = play.lanes.lane_for(target('a').as_ref());
    assert!(play.lanes.nothing_goes_before(mine, 2));
}

#[test]
fn a_job_is_overtaken_by_no_more_where_lanes_close_and_open_in_between() {
    let mut steps: Vec<Step<'_>> = puts(0..5, 'b').chain([Put(100, 'c', 0)]).collect();
    steps.extend(puts(200..240, 'a'));
    // While one of its jobs is in flight a lane is closed, and what else is in it counts as gone.
    steps.extend([Hold(0, "a"), Hold(1, "b"), Hold(2, "c"), Take(1, 0)]);
    for index in 200..208 {
        steps.extend([Take(0, index), End(0), Hold(0, "a")]);
    }
    steps.push(Take(0, 100));
    let steps: Vec<(u64, Step<'_>)> = steps.into_iter().map(|step| (0, step)).collect();
    play("one at a time", 2, Politeness::new().max_concurrent(1), &steps);
}

#[test]
fn a_job_is_overtaken_by_four_windows_and_no_more() {
    let overtaken = |window: u64, retry_after: Option<u64>| {
        let mut steps = vec![Put(1, 'b', 0)];
        steps.extend(puts(100..100 + 6 * window, 'a'));
        steps.extend([Hold(0, "a"), Hold(1, "b")]);
        for n in 0..4 * window {
            if retry_after == Some(n) {
                steps.push(Put(0, 'b', 0));
            }
            steps.extend([Take(0, 100 + n), End(0), Hold(0, "a")]);
        }
        steps.extend(retry_after.iter().flat_map(|_| [Take(0, 0), End(0), Hold(0, "a")]));
        steps.extend([Take(0, 1), End(0), Hold(0, "a"), Take(0, 100 + 4 * window)]);
        steps
    };
    for window in [2, 16] {
        play_at_once("a job", window as usize, &overtaken(window, None));
        // A retry in front of its lane makes those behind it wait no longer than that either.
        for after in [0, 1, window, 3 * window] {
            let name = format!("a retry after {after}");
            play_at_once(&name, window as usize, &overtaken(window, Some(after)));
        }
    }
}
