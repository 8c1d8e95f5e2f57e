//! Addresses that never answer, and handshakes that never end.

use std::net::SocketAddr;
use std::sync::Arc;

use fetchpool::{Clock, Phase, Pool, Resolver, SessionConfig};

use crate::dead;
use crate::farm::{timed, within};
use crate::lookups::few;
use crate::support::script::{Script, ok};
use crate::trial::{LONG, SHORT, Trial, for_each_at_once, side_by_side};

/// The clocks that are over a connection.
const CLOCKS: [Clock; 3] = [Clock::Connect, Clock::Request, Clock::Deadline];

/// A resolver for every name.
fn finds(addresses: Vec<SocketAddr>) -> Arc<dyn Resolver> {
    Arc::new(move |_: &str, _: u16| Ok(addresses.clone()))
}

#[test]
fn the_dead_addresses_of_these_tests_are_dead() {
    for_each_at_once(dead::addresses(), |address| assert!(dead::hangs(address), "{address}"));
}

#[test]
fn dead_addresses_are_ended_by_each_of_the_clocks_over_them() {
    let _few = few();
    let resolver = finds(dead::addresses().to_vec());
    let [dead, ..] = dead::addresses();
    let urls = [
        "http://eight.dead.test/".to_owned(),
        format!("http://{dead}/"),
        #[cfg(feature = "tls")]
        "https://eight.dead.test/".to_owned(),
    ];
    side_by_side(urls.iter().flat_map(|url| {
        CLOCKS.map(|clock| {
            let trial = Trial::new(clock, Phase::Connect, url).named(url);
            trial.set(|config| config.resolver = Some(Arc::clone(&resolver)))
        })
    }));
}

/// That a live address gets its turn within the time for connecting, behind so many dead ones.
fn its_turn_comes(behind: usize) {
    let _few = few();
    let site = Script::site(|_| ok("alive"));
    let mut addresses = dead::addresses()[..7].to_vec();
    addresses.insert(behind, site.address());
    let budget = SHORT * 4;
    let mut config = SessionConfig::new();
    config.resolver = Some(finds(addresses));
    config.connect_timeout = Some(budget);
    let pool = Pool::builder().num_threads(1).session(config);
    let url = format!("http://behind{behind}.dead.test/");
    let ((mut responses, mut exceptions), took) = timed(|| within(LONG, move || pool.map([url])));
    assert!(exceptions.next().is_none_or(|e| panic!("behind {behind}: {}", e.message())));
    let response = responses.next().unwrap();
    assert_eq!(response.text(), "alive");
    let timings = response.timings();
    assert!(timings.dns + timings.connect <= budget, "{timings:?}");
    assert!(timings.total() <= took, "{timings:?} in {took:?}");
}

#[test]
fn a_live_address_gets_its_turn_in_time_wherever_it_is_among_seven_dead_ones() {
    for_each_at_once([0, 1, 4, 7], its_turn_comes);
}

#[cfg(feature = "tls")]
mod handshakes {
    use std::time::Duration;

    use super::*;
    use crate::peer::{Carrier, Peer};

    const PAUSE: Duration = Duration::from_millis(5);

    /// That this is no handshake that would get past any of the clocks.
    fn stalls(peer: &Peer, set: impl Fn(&mut SessionConfig)) {
        let url = peer.url("/").replace("http:", "https:");
        side_by_side(CLOCKS.map(|clock| {
            Trial::new(clock, Phase::Tls, &url).set(|config| {
                Carrier::Tls.trust(config);
                set(config);
            })
        }));
    }

    #[test]
    fn a_server_that_accepts_and_is_silent_is_ended_by_each_of_the_clocks_over_it() {
        stalls(&Carrier::Plain.serve(|line| line.silence()), |_| {});
    }

    #[test]
    fn a_handshake_that_stops_half_way_is_ended_by_each_of_the_clocks_over_it() {
        let peer = Carrier::Plain.serve(|line| {
            let flight = line.first_flight()?;
            line.send(&flight[..flight.len() / 2])?;
            line.silence()
        });
        stalls(&peer, |_| {});
    }

    #[test]
    fn a_handshake_that_drips_is_ended_by_each_of_the_clocks_over_it() {
        let peer = Carrier::Plain.serve(|line| {
            let flight = line.first_flight()?;
            line.drip(flight, PAUSE)?;
            line.silence()
        });
        stalls(&peer, |_| {});
    }

    #[test]
    fn a_handshake_is_not_what_the_stall_and_the_first_byte_timeouts_mean() {
        stalls(&Carrier::Plain.serve(|line| line.silence()), |config| {
            config.stall_timeout = Some(Duration::from_millis(50));
            config.first_byte_timeout = Some(Duration::from_millis(50));
        });
    }

    #[test]
    fn a_slow_handshake_within_its_time_passes() {
        let slow = Duration::from_millis(200);
        let peer = Carrier::Tls.serve(move |line| {
            line.pause(slow)?;
            line.head()?;
            line.send(ok("secure"))
        });
        let mut config = SessionConfig::new();
        Carrier::Tls.trust(&mut config);
        config.connect_timeout = Some(Duration::from_secs(5));
        let (pool, url) = (Pool::builder().session(config), peer.url("/"));
        let (mut responses, _) = within(LONG, move || pool.map([url]));
        let timings = *responses.next().unwrap().timings();
        assert!(timings.tls >= slow && timings.expired.is_none(), "{timings:?}");
    }
}
