//! The rules, one by one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::bench::{Bench, Kept, PATIENCE, expect};
use crate::pool::job_queue::claim::{Claim, Claimed};
use crate::pool::job_queue::types::{Lease, Nack, Settled, Submitted, Ticket};

/// A rule: its name, what it says, and how it is tested.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) check: fn(&Bench<'_>) -> Kept,
}

macro_rules! rules {
    ($($name:ident: $text:literal,)*) => {
        /// All of them.
        pub(super) const RULES: &[Rule] =
            &[$(Rule { name: stringify!($name), text: $text, check: $name }),*];
    };
}

rules! {
    whole: "a job comes out as it was put in, with its key, as delivery 1",
    once: "each job is claimed once, and then there are none",
    shared: "claims from several threads at once give each job to one of them",
    empty: "an open queue without jobs is Empty, after no more than the wait",
    closed: "a closed queue gives what is in it, is not Closed before all is settled, and then is",
    refuses: "a closed queue takes no more jobs in",
    wakes: "closing wakes a claim that waits",
    over: "a claim that nobody waits for any more returns within a second or so",
    acked: "a job that is acknowledged does not come again",
    lapsed: "a job that is not settled comes again when its lease has run out, with a new ticket",
    stale: "an old ticket settles nothing, and does no harm to the newer delivery",
    settled_once: "a delivery is settled once",
    unknown: "a ticket that was never given settles nothing",
    extended: "an extended lease lasts longer",
    not_extended: "a delivery that is settled is not extended",
    retried: "what goes back with a delay comes again, not earlier, and counts as delivered",
    released: "what goes back as not tried comes again, and does not count as delivered",
    dead: "a dead letter does not come again",
    duplicate: "of two jobs of one key one is enough, if the engine says so",
}

fn whole(bench: &Bench<'_>) -> Kept {
    let job = bench.claimed("one")?;
    let found = || format!("{job:?}");
    expect(job.request().url() == "http://conformance.invalid/one", found)?;
    expect(job.own_key() == Some("one") && job.number() == 1, found)
}

fn once(bench: &Bench<'_>) -> Kept {
    let names = ["a", "b", "c", "d", "e"];
    names.iter().try_for_each(|name| bench.put(name))?;
    let mut keys = BTreeSet::new();
    for _ in names {
        let job = bench.job()?;
        bench.ack(job.ticket())?;
        keys.extend(job.own_key().map(str::to_owned));
    }
    expect(keys.len() == names.len(), || format!("the jobs {keys:?} of {names:?}"))?;
    bench.nothing_for(SHORT)
}

fn shared(bench: &Bench<'_>) -> Kept {
    let jobs: BTreeSet<String> = (0..40).map(|n| format!("job{n}")).collect();
    jobs.iter().try_for_each(|name| bench.put(name))?;
    let claim_all = || -> Kept<Vec<String>> {
        let mut keys = Vec::new();
        loop {
            match bench.claim(SHORT)? {
                Claimed::Job(job) => {
                    bench.ack(job.ticket())?;
                    keys.push(job.own_key().unwrap_or_default().to_owned());
                }
                Claimed::Empty | Claimed::Closed => return Ok(keys),
            }
        }
    };
    let all: Vec<Kept<Vec<String>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(claim_all)).collect();
        let died = |_| Err("it panicked".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect()
    });
    let mut keys = Vec::new();
    for claimed in all {
        keys.extend(claimed?);
    }
    let distinct: BTreeSet<String> = keys.iter().cloned().collect();
    let found = || format!("{} jobs, {} of them different", keys.len(), distinct.len());
    expect(keys.len() == jobs.len() && distinct == jobs, found)
}

fn empty(bench: &Bench<'_>) -> Kept {
    let start = Instant::now();
    for wait in [Duration::ZERO, SHORT] {
        let claimed = bench.claim(wait)?;
        expect(matches!(claimed, Claimed::Empty), || format!("{claimed:?}"))?;
    }
    expect(start.elapsed() < PATIENCE, || format!("it took {:?}", start.elapsed()))
}

fn closed(bench: &Bench<'_>) -> Kept {
    let first = bench.claimed("one")?;
    bench.put("two")?;
    bench.queue.close();
    bench.extend(first.ticket())?;
    let second = bench.job()?;
    bench.ack(second.ticket())?;
    let early = bench.claim(Duration::ZERO)?;
    let is_early = matches!(early, Claimed::Closed);
    expect(!is_early, || "Closed, while a job was leased that may come again".into())?;
    if bench.ack(first.ticket())? != Settled::Done {
        return Err("a lease was lost that had just been extended".into());
    }
    let start = Instant::now();
    loop {
        match bench.claim(SHORT)? {
            Claimed::Closed => return Ok(()),
            Claimed::Empty if start.elapsed() < PATIENCE => {}
            other => return Err(format!("{other:?}, where all was settled")),
        }
    }
}

fn refuses(bench: &Bench<'_>) -> Kept {
    bench.queue.close();
    match bench.try_submit("late") {
        Err(_) => Ok(()),
        Ok(submitted) => Err(format!("a job was taken in: {submitted:?}")),
    }
}

fn wakes(bench: &Bench<'_>) -> Kept {
    let start = Instant::now();
    let claimed = thread::scope(|scope| {
        let waits = scope.spawn(|| bench.claim(AWAKE.saturating_mul(2)));
        thread::sleep(SHORT);
        bench.queue.close();
        waits.join().unwrap_or_else(|_| Err("it panicked".into()))
    })?;
    let found = || format!("{claimed:?} after {:?}", start.elapsed());
    let in_time = start.elapsed() < AWAKE;
    expect(in_time && matches!(claimed, Claimed::Closed | Claimed::Empty), found)
}

fn over(bench: &Bench<'_>) -> Kept {
    let (start, over) = (Instant::now(), AtomicBool::new(false));
    let claimed = thread::scope(|scope| {
        let want = Claim::new(AWAKE.saturating_mul(2)).over(&over);
        let waits = scope.spawn(move || bench.queue.claim(&want));
        thread::sleep(SHORT);
        over.store(true, Ordering::Release);
        waits.join()
    });
    let in_time = start.elapsed() < AWAKE;
    let found = || format!("{claimed:?} after {:?}", start.elapsed());
    expect(in_time && matches!(claimed, Ok(Ok(Claimed::Empty))), found)
}

fn acked(bench: &Bench<'_>) -> Kept {
    let job = bench.claimed("one")?;
    let settled = bench.ack(job.ticket())?;
    expect(settled == Settled::Done, || format!("ack: {settled:?}"))?;
    bench.nothing_for(bench.lease.saturating_mul(2))
}

fn lapsed(bench: &Bench<'_>) -> Kept {
    let (start, first) = (Instant::now(), bench.claimed("one")?);
    let second = bench.job()?;
    let took = start.elapsed();
    expect(took >= bench.lease.mul_f64(0.9), || format!("it came again after {took:?}"))?;
    let found = || format!("first {first:?}, then {second:?}");
    let same = second.own_key() == first.own_key() && second.ticket() != first.ticket();
    expect(same && second.number() == 2, found)
}

fn stale(bench: &Bench<'_>) -> Kept {
    let first = bench.claimed("one")?;
    let second = bench.job()?;
    let old = first.ticket();
    for (what, settled) in [
        ("ack", bench.ack(old)?),
        ("nack", bench.nack(old, Nack::Retry { after: Duration::ZERO })?),
        ("release", bench.nack(old, Nack::Release { after: Duration::ZERO })?),
        ("dead letter", bench.nack(old, Nack::Dead { reason: "conformance".into() })?),
    ] {
        expect(settled == Settled::Stale, || format!("{what} with the old ticket: {settled:?}"))?;
    }
    let lease = bench.extend(old)?;
    expect(lease == Lease::Lost, || format!("extend with the old ticket: {lease:?}"))?;
    let lease = bench.extend(second.ticket())?;
    expect(lease != Lease::Lost, || "the newer delivery was lost by that".into())?;
    let settled = bench.ack(second.ticket())?;
    expect(settled == Settled::Done, || format!("ack of the newer delivery: {settled:?}"))?;
    bench.nothing_for(bench.lease.saturating_mul(2))
}

fn settled_once(bench: &Bench<'_>) -> Kept {
    let job = bench.claimed("one")?;
    bench.ack(job.ticket())?;
    let again = bench.ack(job.ticket())?;
    expect(again != Settled::Done, || "a second ack is Done, too".into())?;
    let back = bench.nack(job.ticket(), Nack::Retry { after: Duration::ZERO })?;
    expect(back != Settled::Done, || "what was acknowledged can be given back".into())?;
    bench.nothing_for(SHORT)
}

fn unknown(bench: &Bench<'_>) -> Kept {
    bench.put("one")?;
    let never = Ticket::new("no ticket that was ever given");
    // That it is no ticket at all may be said by an error.
    let settled = bench.queue.ack(&never);
    expect(!matches!(settled, Ok(Settled::Done)), || "an ack of nothing is Done".into())?;
    let lease = bench.queue.extend(&never, bench.lease);
    expect(!matches!(lease, Ok(Lease::Held(_))), || "a lease of nothing is Held".into())?;
    bench.job().map(drop)
}

fn extended(bench: &Bench<'_>) -> Kept {
    let job = bench.claimed("one")?;
    for _ in 0..4 {
        bench.nothing_for(bench.lease.div_f64(2.0))?;
        let lease = bench.extend(job.ticket())?;
        expect(lease != Lease::Lost, || "Lost, within the lease".into())?;
    }
    let settled = bench.ack(job.ticket())?;
    expect(settled == Settled::Done, || format!("ack after that: {settled:?}"))
}

fn not_extended(bench: &Bench<'_>) -> Kept {
    let job = bench.claimed("one")?;
    bench.ack(job.ticket())?;
    let lease = bench.extend(job.ticket())?;
    expect(lease == Lease::Lost, || format!("{lease:?}"))
}

fn retried(bench: &Bench<'_>) -> Kept {
    let job = bench.claimed("one")?;
    let start = Instant::now();
    let settled = bench.nack(job.ticket(), Nack::Retry { after: bench.lease })?;
    expect(settled == Settled::Done, || format!("nack: {settled:?}"))?;
    let again = bench.job()?;
    let took = start.elapsed();
    expect(took >= bench.lease.mul_f64(0.9), || format!("it came again after {took:?}"))?;
    let same = again.own_key() == job.own_key() && again.number() == 2;
    expect(same && again.ticket() != job.ticket(), || format!("first {job:?}, then {again:?}"))
}

fn released(bench: &Bench<'_>) -> Kept {
    let job = bench.claimed("one")?;
    let settled = bench.nack(job.ticket(), Nack::Release { after: Duration::ZERO })?;
    expect(settled == Settled::Done, || format!("nack: {settled:?}"))?;
    let again = bench.job()?;
    let same = again.own_key() == job.own_key() && again.number() == 1;
    expect(same && again.ticket() != job.ticket(), || format!("first {job:?}, then {again:?}"))
}

fn dead(bench: &Bench<'_>) -> Kept {
    let job = bench.claimed("one")?;
    let settled = bench.nack(job.ticket(), Nack::Dead { reason: "conformance".into() })?;
    expect(settled == Settled::Done, || format!("nack: {settled:?}"))?;
    bench.nothing_for(bench.lease.saturating_mul(2))
}

fn duplicate(bench: &Bench<'_>) -> Kept {
    bench.put("one")?;
    match bench.try_submit("one") {
        Ok(Submitted::Duplicate) => {}
        // An engine that does not look at keys has two jobs, and that is allowed.
        Ok(Submitted::New) => return Ok(()),
        Err(error) => return Err(format!("a job of the same key is an error: {error}")),
    }
    let job = bench.job()?;
    bench.ack(job.ticket())?;
    bench.nothing_for(SHORT)
}

/// How long a rule listens for what should not come, where no lease is about it.
const SHORT: Duration = Duration::from_millis(50);
/// How long a claim may go on waiting for nothing: steps of a second, and a slow machine.
const AWAKE: Duration = Duration::from_secs(3);
