//! Redirects and retries: many exchanges, and one time for all of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fetchpool::{Clock, Phase, Pool, Request, Resolver, RetryPolicy, SessionConfig};

use crate::dead;
use crate::farm::{timed, within};
use crate::lookups::few;
use crate::peer::{CARRIERS, Carrier, Peer};
use crate::support::script::{ok, redirect, reply};
use crate::trial::{LONG, SHORT, Trial, for_each_at_once, ran_out, side_by_side};

/// How long each hop takes: much less than any limit here.
const HOP: Duration = Duration::from_millis(50);

/// A resolver that takes as long as a hop.
fn slow(address: SocketAddr) -> Arc<dyn Resolver> {
    Arc::new(move |_: &str, _: u16| {
        thread::sleep(HOP);
        Ok(vec![address])
    })
}

/// Redirects from each host to the next, so many times, with a pause before each answer.
fn hosts(hops: usize) -> Peer {
    Carrier::Plain.serve(move |line| {
        let hop: usize = line.head()?.trim_matches('/').parse().unwrap_or_default();
        line.pause(HOP)?;
        if hop == hops {
            return line.send(ok("end"));
        }
        let next = hop + 1;
        let location = format!("http://hop{next}.of{hops}.test/{next}");
        line.send(redirect(302, &location))
    })
}

#[test]
fn one_time_covers_a_chain_of_redirects() {
    let peers = CARRIERS.iter().map(|&carrier| {
        let peer = carrier.serve(|line| {
            loop {
                line.head()?;
                line.pause(HOP)?;
                line.send(redirect(302, "/on"))?;
            }
        });
        (carrier, peer)
    });
    let peers: Vec<_> = peers.collect();
    side_by_side(peers.iter().flat_map(|(carrier, peer)| {
        [Clock::Request, Clock::Deadline].map(|clock| {
            Trial::new(clock, Phase::Waiting, peer.url("/"))
                .named(format!("{carrier:?}"))
                // Between two hops, which takes next to no time.
                .or(Phase::Sending)
                .or(Phase::Redirecting)
                .set(|config| {
                    carrier.trust(config);
                    config.limits.redirects = 100_000;
                })
        })
    }));
}

#[test]
fn one_time_covers_a_chain_of_redirects_with_a_look_up_and_a_connection_for_each() {
    let _few = few();
    let peer = hosts(usize::MAX);
    side_by_side([Clock::Request, Clock::Deadline].map(|clock| {
        Trial::new(clock, Phase::Waiting, format!("http://{}.of.test/0", clock.as_str()))
            .or(Phase::Dns)
            .or(Phase::Connect)
            .or(Phase::Sending)
            .or(Phase::Redirecting)
            .set(|config| {
                config.resolver = Some(slow(peer.address()));
                config.dns_cache = None;
                config.limits.redirects = 100_000;
            })
    }));
}

#[test]
fn the_limit_of_a_phase_is_for_each_hop() {
    let _few = few();
    let peer = hosts(4);
    let mut config = SessionConfig::new();
    config.resolver = Some(slow(peer.address()));
    config.dns_cache = None;
    config.dns_timeout = Some(SHORT);
    config.connect_timeout = Some(SHORT);
    config.first_byte_timeout = Some(SHORT);
    let (pool, url) = (Pool::builder().session(config), "http://first.of4.test/0");
    let (mut responses, mut exceptions) = within(LONG, move || pool.map([url]));
    assert!(exceptions.next().is_none_or(|e| panic!("{}, {:?}", e.message(), e.timings())));
    let timings = *responses.next().unwrap().timings();
    assert!(timings.dns >= HOP * 5 && timings.waiting >= HOP * 5, "{timings:?}");
}

/// Says that it is overloaded, and to come again at once.
fn overloaded() -> Vec<u8> {
    reply("503 Service Unavailable", "Retry-After: 0\r\n", "")
}

#[test]
fn a_retry_has_only_the_time_that_is_left() {
    for_each_at_once([Clock::Request, Clock::Deadline], |clock| {
        let peer = Carrier::Plain.serve(|line| {
            for _ in 0..2 {
                line.head()?;
                line.pause(HOP)?;
                line.send(overloaded())?;
            }
            line.head()?;
            line.silence()
        });
        let mut config = SessionConfig::new();
        let mut builder = Pool::builder().num_threads(1).retry(RetryPolicy::new(9));
        match clock {
            Clock::Request => config.timeout = Some(SHORT),
            _ => builder = builder.deadline(SHORT),
        }
        let (builder, url) = (builder.session(config), peer.url("/"));
        let ((_, mut exceptions), took) = timed(|| within(LONG, move || builder.map([url])));
        let exception = exceptions.next().unwrap();
        ran_out(&exception, clock, "the third try");
        assert_eq!(exception.phase(), Some(Phase::Waiting));
        assert_eq!(peer.connections(), 1, "the third try is on the connection of the first");
        assert!(took >= SHORT && took < SHORT + Duration::from_secs(2), "{took:?}");
    });
}

#[test]
fn retries_without_end_end_with_the_timeout_and_with_the_deadline() {
    let peer = Carrier::Plain.serve(|line| {
        loop {
            line.head()?;
            line.pause(HOP)?;
            line.send(overloaded())?;
        }
    });
    for_each_at_once([Clock::Request, Clock::Deadline], |clock| {
        let mut builder = Pool::builder().num_threads(1).retry(RetryPolicy::new(u32::MAX));
        let mut job = Request::get(peer.url("/"));
        match clock {
            Clock::Request => job = job.timeout(SHORT),
            _ => builder = builder.deadline(SHORT),
        }
        let ((responses, exceptions), took) = timed(|| within(LONG, move || builder.map([job])));
        assert_eq!(responses.len() + exceptions.len(), 1);
        // A retry that could not begin in time is not made: then the last result stands.
        assert!(responses.into_iter().all(|response| response.status() == 503));
        exceptions.for_each(|exception| ran_out(&exception, clock, "the last try"));
        assert!(took >= SHORT - HOP && took < SHORT + Duration::from_secs(2), "{took:?}");
    });
}

#[test]
fn retries_of_a_connection_that_never_comes_about_end_with_the_timeout() {
    let [dead, ..] = dead::addresses();
    let mut config = SessionConfig::new();
    config.connect_timeout = Some(HOP);
    config.timeout = Some(SHORT);
    let builder = Pool::builder().num_threads(1).session(config).retry(RetryPolicy::new(u32::MAX));
    let url = format!("http://{dead}/");
    let ((_, mut exceptions), took) = timed(|| within(LONG, move || builder.map([url])));
    let exception = exceptions.next().unwrap();
    let clock = exception.clock().unwrap();
    // The time of the last try, or of all of them.
    assert!(matches!(clock, Clock::Connect | Clock::Request), "{exception}");
    ran_out(&exception, clock, "the last try");
    assert_eq!(exception.phase(), Some(Phase::Connect));
    assert!(took >= HOP && took < SHORT + Duration::from_secs(2), "{took:?}");
}
