//! A peer that stops reading what is sent to it, or reads it slowly.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fetchpool::{Body, Clock, LowSpeed, Phase, Pool, Request, SessionConfig};

use crate::farm::within;
use crate::peer::{CARRIERS, Carrier, Peer};
use crate::support::script::ok;
use crate::trial::{LONG, SHORT, Trial, for_each_at_once, side_by_side};

/// More than the system takes in while the peer reads nothing.
const LENGTH: usize = 32 << 20;

/// How long the system takes some in: when it has no more room, TCP asks once more after 200 ms, and
/// is given a little.
const TAKEN_IN: Duration = Duration::from_millis(350);

/// So much, shared by all.
fn large() -> Body {
    static LARGE: OnceLock<Arc<Vec<u8>>> = OnceLock::new();
    Arc::clone(LARGE.get_or_init(|| Arc::new(vec![b'x'; LENGTH]))).into()
}

fn upload(peer: &Peer) -> Request {
    Request::post(peer.url("/")).body(large())
}

/// That an upload to this peer is ended by these clocks while it is being sent.
fn end(clocks: &[Clock], peers: &[(Carrier, Peer)], set: impl Fn(&mut SessionConfig)) {
    let set = &set;
    side_by_side(peers.iter().flat_map(|(carrier, peer)| {
        clocks.iter().map(move |&clock| {
            let trial = Trial::new(clock, Phase::Sending, upload(peer));
            let trial = match clock {
                Clock::Stall | Clock::LowSpeed => trial.after(TAKEN_IN),
                _ => trial,
            };
            trial.named(format!("{carrier:?}")).set(|config| {
                carrier.trust(config);
                set(config);
            })
        })
    }));
}

/// Peers that read the head of a request and then nothing.
fn deaf() -> Vec<(Carrier, Peer)> {
    let deaf = |&carrier: &Carrier| {
        let peer = carrier.serve(|line| {
            line.head()?;
            line.silence()
        });
        (carrier, peer)
    };
    CARRIERS.iter().map(deaf).collect()
}

/// Peers that read so much every few milliseconds, for the first part of the upload, and then the
/// rest at once.
fn reading(piece: usize, slowly: usize) -> Vec<(Carrier, Peer)> {
    let reading = |&carrier: &Carrier| {
        let peer = carrier.serve(move |line| {
            line.head()?;
            for _ in 0..slowly / piece {
                line.skip(piece)?;
                line.pause(Duration::from_millis(10))?;
            }
            line.skip(LENGTH - slowly / piece * piece)?;
            line.send(ok("stored"))?;
            line.silence()
        });
        (carrier, peer)
    };
    CARRIERS.iter().map(reading).collect()
}

#[test]
fn a_peer_that_stops_reading_is_ended_by_the_timeout_and_the_deadline() {
    end(&[Clock::Request, Clock::Deadline], &deaf(), |_| {});
}

#[test]
fn a_peer_that_stops_reading_is_a_stall_and_too_slow() {
    end(&[Clock::Stall, Clock::LowSpeed], &deaf(), |_| {});
}

#[test]
fn a_peer_that_stops_reading_is_not_what_the_first_byte_timeout_means() {
    end(&[Clock::Request], &deaf(), |config| {
        config.first_byte_timeout = Some(SHORT * 3 / 4);
        config.connect_timeout = Some(Duration::from_secs(5));
    });
}

#[test]
fn a_peer_that_reads_a_few_bytes_at_a_time_is_ended_by_the_timeout_and_the_deadline() {
    end(&[Clock::Request, Clock::Deadline], &reading(512, LENGTH), |_| {});
}

#[test]
fn a_peer_that_reads_a_few_bytes_at_a_time_is_too_slow() {
    end(&[Clock::LowSpeed], &reading(64, LENGTH), |_| {});
}

#[test]
fn a_slow_upload_that_moves_is_neither_a_stall_nor_too_slow() {
    for_each_at_once(reading(512 << 10, 24 << 20), |(carrier, peer)| {
        let mut config = SessionConfig::new();
        carrier.trust(&mut config);
        config.stall_timeout = Some(SHORT);
        config.low_speed = Some(LowSpeed::new(1 << 20, SHORT * 2));
        let (pool, job) = (Pool::builder().session(config), upload(&peer));
        let (mut responses, mut exceptions) = within(LONG, move || pool.map([job]));
        if let Some(exception) = exceptions.next() {
            panic!("{carrier:?}: {}, {:?}", exception.message(), exception.timings());
        }
        let response = responses.next().unwrap();
        assert_eq!(response.text(), "stored");
        assert!(response.timings().sending > SHORT, "{:?}", response.timings());
    });
}

/// They hold no data, so that whoever waits for some behind them waits for the answer.
#[cfg(feature = "tls")]
#[test]
fn a_flood_of_session_tickets_does_not_hold_an_upload_up() {
    for tickets in [0, 2_000, 5_000] {
        let peer = Carrier::Plain.serve(move |line| line.flood(tickets, LENGTH, &ok("stored")));
        let mut config = SessionConfig::new();
        Carrier::Tls.trust(&mut config);
        config.timeout = Some(LONG / 2);
        let url = peer.url("/").replace("http:", "https:");
        let (pool, job) = (Pool::builder().session(config), Request::post(url).body(large()));
        let (mut responses, mut exceptions) = within(LONG, move || pool.map([job]));
        if let Some(exception) = exceptions.next() {
            panic!("{tickets} tickets: {}, {:?}", exception.message(), exception.timings());
        }
        assert_eq!(responses.next().unwrap().text(), "stored");
    }
}
