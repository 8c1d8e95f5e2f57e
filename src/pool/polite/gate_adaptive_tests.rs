//! How the rate of a gate follows what the origin bears, as tables and against a server with a limit.

use super::*;

#[test]
fn an_origin_that_has_too_much_to_do_is_asked_half_as_often_once_for_all_that_ran() {
    let mut table = vec![(0, Start, Open); 16];
    table.extend([
        // 16 a second, halved.
        (20, End(0, BUSY), Until(145)),
        (25, End(1, BUSY), Until(145)),
        (30, End(2, Sign::Overloaded), Until(145)),
        (35, End(3, Sign::Good), Until(145)),
        (145, Start, Until(270)),
        (150, End(16, BUSY), Until(400)),
        (151, End(4, BUSY), Until(400)),
        (400, Start, Until(650)),
        (650, Start, Until(900)),
    ]);
    check(&Politeness::new().adaptive(Adaptive::new()), &table);
    let table = [(0, Start, Open), (10, End(0, Sign::Overloaded), Until(2010))];
    check(&Politeness::new().adaptive(Adaptive::new()), &table);
}

#[test]
fn what_is_halved_is_the_rate_that_was_made_use_of() {
    let mut table = vec![(0, Start, Open); 20];
    table.extend([
        (20, End(0, BUSY), Until(120)),
        (1020, Start, Until(1120)),
        (2020, Start, Until(2120)),
        (3020, Start, Until(3120)),
        // Two starts within 1.01 s.
        (3030, End(22, BUSY), Until(4040)),
    ]);
    check(&Politeness::new().adaptive(Adaptive::new()), &table);
}

#[test]
fn after_two_cuts_there_is_a_limit_up_to_twice_what_the_first_one_was_for() {
    let mut table = vec![(0, Start, Open); 20];
    table.extend([
        (20, End(0, BUSY), Until(120)),
        (120, Start, Until(220)),
        (130, End(20, BUSY), Until(330)),
    ]);
    let mut clocked = check(&Politeness::new().adaptive(Adaptive::new()), &table);
    // From 5 to 10 a second in ten seconds, and on to 40 by 5 % each second.
    let seconds = gaps(&mut clocked, 330, 90, Sign::Good).len();
    assert!((36..=39).contains(&seconds), "{seconds}");
}

#[test]
fn nothing_starts_before_the_wait_that_was_asked_for_is_over() {
    let mut table = vec![(0, Start, Open); 16];
    table.extend([
        (20, End(0, busy_for(10)), Until(10_020)),
        (30, End(1, busy_for(5)), Until(10_020)),
        (40, End(2, busy_for(20)), Until(20_040)),
        (50, End(3, Sign::Good), Until(20_040)),
        (20_040, Start, Until(20_165)),
        (20_050, End(16, Sign::Slow(Some(Duration::ZERO))), Until(20_300)),
    ]);
    check(&Politeness::new().adaptive(Adaptive::new()), &table);
    let table =
        [(0, Start, Open), (0, Start, Open), (9, End(0, busy_for(9)), Open), (9, Start, Open)];
    check(&Politeness::new().max_concurrent(9), &table);
}

#[test]
fn a_rate_is_cut_no_further_than_to_the_least_and_begins_at_the_one_that_was_set() {
    let adaptive = Adaptive::new().min_rate(0.25);
    check(
        &Politeness::new().rate(2.0).adaptive(adaptive.clone()),
        &[
            (0, Start, Until(500)),
            (10, End(0, BUSY), Until(1010)),
            (1010, Start, Until(2010)),
            (1020, End(1, BUSY), Until(3020)),
            (3020, Start, Until(5020)),
            (3030, End(2, BUSY), Until(7030)),
            (7030, Start, Until(11_030)),
            (7040, End(3, BUSY), Until(11_040)),
            (11_040, Start, Until(15_040)),
            // No errors make it any faster.
            (11_050, End(4, Sign::Failed), Until(15_040)),
            (15_040, Start, Until(19_040)),
            (15_050, End(5, Sign::Nothing), Until(19_040)),
        ],
    );
    // A rate below the least that it adapts to is kept.
    check(
        &Politeness::new().rate(0.1).adaptive(adaptive),
        &[(0, Start, Until(10_000)), (10, End(0, BUSY), Until(10_010))],
    );
}

/// Starts a try as soon as one may, and lets each end so at once: how long it is to the next, in
/// ms at each full second; nothing once there is no limit.
fn gaps(clocked: &mut Clocked, from: u64, seconds: u64, sign: Sign) -> Vec<u64> {
    let mut gaps = Vec::new();
    let mut now = clocked.at(from);
    let mut next = now;
    while now < clocked.at(from + seconds * 1000) {
        match clocked.gate.state(now) {
            GateState::Until(at) => now = at,
            GateState::Open => {
                let pass = clocked.gate.start(now, 0.0);
                clocked.gate.end(now, pass, sign);
                match clocked.gate.state(now) {
                    GateState::Until(at) if now >= next => {
                        let micros = at.duration_since(now).as_micros();
                        gaps.push(u64::try_from((micros + 500) / 1000).unwrap());
                        next += Duration::from_secs(1);
                    }
                    GateState::Until(_) => {}
                    _ => break,
                }
            }
            other => panic!("{other:?}"),
        }
    }
    gaps
}

#[test]
fn it_grows_by_a_twentieth_each_second_and_has_no_limit_at_twice_what_was_too_much() {
    let adaptive = Politeness::new().adaptive(Adaptive::new());
    let mut table = vec![(0, Start, Open); 20];
    table.push((20, End(0, BUSY), Until(120)));
    let mut clocked = check(&adaptive, &table);
    let gaps_good = gaps(&mut clocked, 120, 60, Sign::Good);
    // 10 a second, and one more each second; 20 after ten seconds, and 5 % more each second then.
    for (second, rate) in [(0, 10.0), (1, 11.0), (5, 15.0), (10, 20.0), (15, 25.7), (20, 33.0)] {
        let gap = 1000.0 / rate;
        let found = f64::from(u32::try_from(gaps_good[second]).unwrap());
        assert!((found - gap).abs() <= gap * 0.04, "after {second} s: {found}, not {gap}");
    }
    assert_eq!(gaps_good.len(), 24, "at 40 a second: {gaps_good:?}");

    let mut clocked = check(&adaptive, &table);
    assert_eq!(gaps(&mut clocked, 120, 30, Sign::Failed), [100; 30], "no error makes it faster");
}

#[test]
fn it_grows_no_higher_than_the_rate_that_was_set_and_not_by_a_pause() {
    let adaptive = Politeness::new().rate(20.0).adaptive(Adaptive::new());
    let mut table: Vec<_> = (0..20).map(|n| (n * 50, Start, Until((n + 1) * 50))).collect();
    table.push((999, End(0, BUSY), Until(1099)));
    let mut clocked = check(&adaptive, &table);
    // Half a minute without a try counts as a second at most.
    clocked.step(30_000, Start);
    clocked.step(30_000, End(20, Sign::Good));
    assert_eq!(clocked.state(30_000), Until(30_091));
    let grown = gaps(&mut clocked, 30_100, 60, Sign::Good);
    assert_eq!((grown[5], grown[9], grown[20], grown[59]), (62, 50, 50, 50), "{grown:?}");
}

#[test]
fn an_origin_that_becomes_slow_is_asked_a_quarter_less_once_in_the_time_it_takes() {
    let adaptive = Politeness::new().adaptive(Adaptive::new());
    let mut clocked = Clocked::new(&adaptive);
    let mut round = |at: u64, tries: std::ops::Range<usize>, latency: u64| {
        for n in tries {
            if n == clocked.tries.len() {
                let now = clocked.at(at);
                let pass = clocked.gate.start(now, 0.0);
                clocked.tries.push(pass);
            }
            clocked.step(at + latency, End(n, Sign::Good));
        }
        clocked.state(at + latency)
    };
    assert_eq!(round(0, 0..8, 100), Open);
    assert_eq!(round(200, 8..16, 190), Open);
    // 24 a second, and a quarter less.
    assert_eq!(round(400, 16..24, 300), Until(756));
    let (state, hardly) = (round(900, 24..31, 500), 1400);
    assert_eq!(state, Open, "{hardly}: no whole round of later ones yet");
}

#[test]
fn a_server_with_a_limit_is_found_out_and_hardly_ever_refuses() {
    for limit in [1.0, 10.0, 100.0] {
        let (mut served, mut refused, mut tokens) = (0_u32, 0_u32, 1.0_f64);
        let mut clocked = Clocked::new(&Politeness::new().adaptive(Adaptive::new()));
        let (mut running, mut late_refused, mut late_served) = (Vec::new(), 0_u32, 0_u32);
        for ms in 0..600_000 {
            tokens = (tokens + limit / 1000.0).min((limit / 10.0).max(1.0));
            let now = clocked.at(ms);
            while running.len() < 16 && clocked.gate.state(now) == GateState::Open {
                let is_served = tokens >= 1.0;
                tokens -= f64::from(u8::from(is_served));
                running.push((ms + 20, clocked.gate.start(now, 0.5), is_served));
            }
            running.retain(|(end, pass, is_served)| {
                if *end > ms {
                    return true;
                }
                clocked.gate.end(now, *pass, if *is_served { Sign::Good } else { BUSY });
                served += u32::from(*is_served);
                refused += u32::from(!is_served);
                if ms >= 60_000 {
                    late_served += u32::from(*is_served);
                    late_refused += u32::from(!is_served);
                }
                false
            });
        }
        let share = f64::from(late_served) / (limit * 540.0);
        let all = format!("{limit}: {served} served, {refused} refused; later {share} of it");
        assert!(share > 0.65, "{all}, and {late_refused} refused");
        // It takes ten seconds to grow to what was too much.
        assert!(late_refused < 540 / 10 * 2, "{all}, and {late_refused} refused");
    }
}
