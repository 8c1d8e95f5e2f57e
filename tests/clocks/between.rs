//! What lies between two exchanges of a request, or of a session, is no part of either: nothing moves
//! there, and that is neither a stall nor too slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fetchpool::{Clock, LowSpeed, Pool, RetryPolicy, Session, SessionConfig};

use crate::farm::within;
use crate::lookups::few;
use crate::peer::{CARRIERS, Carrier, Peer};
use crate::support::script::{Script, ok, redirect};
use crate::trial::{LONG, RATE, SHORT, for_each_at_once};

/// The clocks over one exchange.
const CLOCKS: [Clock; 3] = [Clock::FirstByte, Clock::Stall, Clock::LowSpeed];

/// More than any of them allows.
const LONGER: Duration = Duration::from_millis(300);

/// Settings with one of these clocks, whose limit is [`SHORT`], and with a resolver that takes
/// longer to find this.
fn config(clock: Clock, address: SocketAddr) -> SessionConfig {
    let mut config = SessionConfig::new();
    match clock {
        Clock::FirstByte => config.first_byte_timeout = Some(SHORT),
        Clock::Stall => config.stall_timeout = Some(SHORT),
        _ => config.low_speed = Some(LowSpeed::new(RATE, SHORT)),
    }
    config.resolver = Some(Arc::new(move |_: &str, _: u16| {
        thread::sleep(LONGER);
        Ok(vec![address])
    }));
    config
}

/// That each of these requests of one session comes to an end, one after the other.
fn arrive(config: SessionConfig, urls: Vec<String>, what: &str) {
    let what = what.to_owned();
    let mut session = Session::new(config).unwrap();
    within(LONG, move || {
        for url in urls {
            match session.request(&url) {
                Ok(response) => assert_eq!(response.text(), "end", "{what}: {url}"),
                Err(error) => panic!("{what}: {}, {:?}", error.message(), error.timings()),
            }
        }
    });
}

/// A plain server that sends everybody there.
fn moved(to: String) -> Peer {
    Carrier::Plain.serve(move |line| {
        line.head()?;
        line.send(redirect(302, &to))?;
        line.silence()
    })
}

#[test]
fn a_kept_connection_that_nobody_uses_is_neither_a_stall_nor_too_slow() {
    let cases = CARRIERS.iter().flat_map(|&carrier| CLOCKS.map(|clock| (carrier, clock)));
    for_each_at_once(cases, |(carrier, clock)| {
        let peer = carrier.serve(|line| {
            loop {
                line.head()?;
                line.send(ok("end"))?;
            }
        });
        let mut config = config(clock, peer.address());
        carrier.trust(&mut config);
        let (mut session, url) = (Session::new(config).unwrap(), peer.url("/"));
        within(LONG, move || {
            assert_eq!(session.request(&url).unwrap().text(), "end");
            thread::sleep(LONGER);
            let response = session.request(&url);
            let response = response.unwrap_or_else(|e| panic!("{carrier:?}: {}", e.message()));
            assert!(response.timings().reused);
        });
    });
}

#[test]
fn the_look_up_for_a_redirect_is_neither_a_stall_nor_too_slow() {
    let _few = few();
    let end = Script::site(|_| ok("end"));
    let peer = moved("http://next-hop.between.test/".to_owned());
    for_each_at_once(CLOCKS, |clock| {
        arrive(config(clock, end.address()), vec![peer.url("/")], clock.as_str());
    });
}

#[test]
fn the_look_up_for_a_second_connection_is_neither_a_stall_nor_too_slow() {
    let _few = few();
    for_each_at_once(CLOCKS, |clock| {
        // The first connection ends when it is asked for the second time.
        let peer = Carrier::Plain.serve(|line| {
            line.head()?;
            line.send(ok("end"))?;
            line.head().map(drop)
        });
        let url = format!("http://{}.twice.test/", clock.as_str().replace('_', "-"));
        arrive(config(clock, peer.address()), vec![url.clone(), url], clock.as_str());
        assert_eq!(peer.connections(), 2);
    });
}

#[test]
fn the_look_up_for_a_retry_is_neither_a_stall_nor_too_slow() {
    let _few = few();
    for_each_at_once(CLOCKS, |clock| {
        let peer = Carrier::Plain.serve(|line| {
            line.head()?;
            // The first connection ends within its answer.
            if line.number == 0 { line.send("HTTP/1.1 200") } else { line.send(ok("end")) }
        });
        let url = format!("http://{}.retry.test/", clock.as_str().replace('_', "-"));
        let pool = Pool::builder().session(config(clock, peer.address()));
        let pool = pool.retry(RetryPolicy::new(1));
        let (mut responses, mut exceptions) = within(LONG, move || pool.map([url]));
        assert!(exceptions.next().is_none_or(|e| panic!("{clock:?}: {}", e.message())));
        assert_eq!(responses.next().unwrap().text(), "end");
        assert_eq!(peer.connections(), 2);
    });
}

#[cfg(feature = "tls")]
#[test]
fn the_handshake_for_a_redirect_is_neither_a_stall_nor_too_slow() {
    let end = Carrier::Tls.serve(|line| {
        line.pause(LONGER)?;
        line.head()?;
        line.send(ok("end"))?;
        line.silence()
    });
    let peer = moved(end.url("/"));
    for_each_at_once(CLOCKS, |clock| {
        let mut config = config(clock, end.address());
        Carrier::Tls.trust(&mut config);
        arrive(config, vec![peer.url("/")], clock.as_str());
    });
}
