//! The least that must move: just enough passes, too little is cut when its window is over.

use std::time::{Duration, Instant};

use fetchpool::{Clock, LowSpeed, Phase, Pool, SessionConfig};

use crate::farm::{timed, within};
use crate::peer::{CARRIERS, Carrier, Peer};
use crate::support::script::ok;
use crate::trial::{LONG, RATE, SHORT, Trial, for_each_at_once, ran_out, side_by_side};

/// A server that sends this much at once, and then so many bytes a second for a while. When it is
/// held up it makes up for it.
fn flowing(carrier: Carrier, burst: usize, rate: u64, length: Duration) -> Peer {
    carrier.serve(move |line| {
        line.head()?;
        let bytes = |time: Duration| (time.as_millis() * u128::from(rate) / 1000) as usize;
        let total = bytes(length);
        line.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", burst + total))?;
        line.send(vec![b'x'; burst])?;
        let (started, mut sent) = (Instant::now(), 0);
        while sent < total {
            line.pause(Duration::from_millis(10))?;
            let due = bytes(started.elapsed()).min(total);
            line.send(vec![b'x'; due - sent])?;
            sent = due;
        }
        line.silence()
    })
}

#[test]
fn what_is_just_fast_enough_passes() {
    let window = Duration::from_millis(400);
    for_each_at_once(CARRIERS, |&carrier| {
        let peer = flowing(carrier, 0, RATE * 3 / 2, window * 2);
        let mut config = SessionConfig::new();
        carrier.trust(&mut config);
        config.low_speed = Some(LowSpeed::new(RATE, window));
        let (pool, url) = (Pool::builder().session(config), peer.url("/"));
        let (_, mut exceptions) = within(LONG, move || pool.map([url]));
        assert!(exceptions.next().is_none_or(|e| panic!("{carrier:?}: {}", e.message())));
    });
}

#[test]
fn what_is_too_slow_is_cut_when_its_window_is_over() {
    let limit = Duration::from_millis(400);
    // Over TLS each piece is longer.
    let peers = CARRIERS.iter().map(|&carrier| match carrier {
        Carrier::Plain => (carrier, flowing(carrier, 0, RATE * 3 / 4, LONG)),
        #[cfg(feature = "tls")]
        Carrier::Tls => (carrier, flowing(carrier, 0, RATE / 4, LONG)),
    });
    let peers: Vec<_> = peers.collect();
    side_by_side(peers.iter().map(|(carrier, peer)| {
        let trial = Trial::new(Clock::LowSpeed, Phase::Receiving, peer.url("/"));
        trial.named(format!("{carrier:?}")).limit(limit).set(|config| carrier.trust(config))
    }));
}

#[test]
fn what_becomes_too_slow_is_cut_a_window_later_however_much_came_before() {
    // What came in the slot of the burst leaves the window one slot after it.
    let peer = flowing(Carrier::Plain, 1 << 20, RATE / 2, LONG);
    let trial = Trial::new(Clock::LowSpeed, Phase::Receiving, peer.url("/"));
    trial.after(SHORT / 5).run();
}

#[test]
fn what_goes_on_slowly_after_it_was_fast_for_long_is_cut() {
    let fast = SHORT * 3 / 2;
    let peer = Carrier::Plain.serve(move |line| {
        line.head()?;
        line.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        let started = Instant::now();
        while started.elapsed() < fast {
            line.send([b'x'; 1000])?;
            line.pause(Duration::from_millis(10))?;
        }
        line.drip_on("x", Duration::from_millis(10))
    });
    let mut config = SessionConfig::new();
    config.low_speed = Some(LowSpeed::new(RATE, SHORT));
    let (pool, url) = (Pool::builder().session(config), peer.url("/"));
    let ((_, mut exceptions), took) = timed(|| within(LONG, move || pool.map([url])));
    let exception = exceptions.next().unwrap();
    ran_out(&exception, Clock::LowSpeed, "it was fast");
    // While it was fast it was ten times as fast as needed: a tenth of the window more is enough.
    assert!(took >= fast + SHORT / 2 && took < fast + SHORT + Duration::from_secs(2), "{took:?}");
}

#[test]
fn waiting_for_the_answer_is_too_slow() {
    let peers = CARRIERS.iter().map(|&carrier| {
        let peer = carrier.serve(|line| {
            line.head()?;
            line.silence()
        });
        (carrier, peer)
    });
    let peers: Vec<_> = peers.collect();
    side_by_side(peers.iter().map(|(carrier, peer)| {
        let trial = Trial::new(Clock::LowSpeed, Phase::Waiting, peer.url("/"));
        trial.named(format!("{carrier:?}")).set(|config| carrier.trust(config))
    }));
}

#[test]
fn what_is_over_before_a_window_is_fast_enough() {
    let peer = Carrier::Plain.serve(|line| {
        line.head()?;
        line.pause(Duration::from_millis(50))?;
        line.send(ok("short"))
    });
    let mut config = SessionConfig::new();
    config.low_speed = Some(LowSpeed::new(RATE, Duration::from_secs(5)));
    let (pool, url) = (Pool::builder().session(config), peer.url("/"));
    let (mut responses, _) = within(LONG, move || pool.map([url]));
    assert_eq!(responses.next().unwrap().text(), "short");
}
