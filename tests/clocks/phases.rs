//! The first byte, the time between two bytes, and what the messages say.

use std::time::Duration;

use fetchpool::{Clock, Error, LowSpeed, Phase, Pool, Session, SessionConfig};

use crate::dead;
use crate::farm::within;
use crate::lookups::{Mute, few};
use crate::peer::{CARRIERS, Carrier, Peer};
use crate::support::script::ok;
use crate::trial::{LONG, RATE, SHORT, Trial, for_each_at_once, ran_out, side_by_side};

/// A server that sends this and no more.
fn silent_after(carrier: Carrier, bytes: &'static str) -> Peer {
    carrier.serve(move |line| {
        line.head()?;
        line.send(bytes)?;
        line.silence()
    })
}

/// That an answer that stops after this is ended by this clock, in this phase.
fn ends(set: impl Fn(&mut SessionConfig), cases: &[(Clock, Phase, &'static str)]) {
    let peers: Vec<_> = CARRIERS
        .iter()
        .flat_map(|&carrier| cases.iter().map(move |&case| (carrier, case)))
        .map(|(carrier, case)| (carrier, case, silent_after(carrier, case.2)))
        .collect();
    side_by_side(peers.iter().map(|(carrier, (clock, phase, bytes), peer)| {
        Trial::new(*clock, *phase, peer.url("/")).named(format!("{carrier:?} {bytes:?}")).set(
            |config| {
                carrier.trust(config);
                set(config);
            },
        )
    }));
}

#[test]
fn a_server_that_never_answers_runs_into_the_first_byte_timeout() {
    let set = |config: &mut SessionConfig| config.stall_timeout = Some(SHORT / 4);
    ends(set, &[(Clock::FirstByte, Phase::Waiting, "")]);
}

#[test]
fn one_byte_is_all_that_the_first_byte_timeout_asks_for() {
    let set = |config: &mut SessionConfig| config.first_byte_timeout = Some(SHORT / 2);
    ends(
        set,
        &[
            (Clock::Request, Phase::Waiting, "H"),
            (Clock::Request, Phase::Waiting, "HTTP/1.1 103 Early Hints\r\n\r\n"),
            (Clock::Request, Phase::Receiving, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ],
    );
}

#[test]
fn a_server_that_falls_silent_within_its_answer_is_a_stall() {
    ends(
        |_| {},
        &[
            (Clock::Stall, Phase::Waiting, "HTTP/1.1 200 OK\r\nContent-"),
            (Clock::Stall, Phase::Waiting, "HTTP/1.1 103 Early Hints\r\n\r\n"),
            (Clock::Stall, Phase::Receiving, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            (Clock::Stall, Phase::Receiving, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            (Clock::Stall, Phase::Receiving, "HTTP/1.1 200 OK\r\n\r\nhalf"),
            (
                Clock::Stall,
                Phase::Receiving,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
            ),
            (
                Clock::Stall,
                Phase::Receiving,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            ),
        ],
    );
}

#[test]
fn waiting_for_the_answer_is_no_stall() {
    for_each_at_once(CARRIERS, |&carrier| {
        let peer = carrier.serve(|line| {
            line.head()?;
            line.pause(SHORT * 2)?;
            line.send(ok("late"))
        });
        let mut config = SessionConfig::new();
        carrier.trust(&mut config);
        config.stall_timeout = Some(SHORT);
        let (pool, url) = (Pool::builder().session(config), peer.url("/"));
        let (mut responses, _) = within(LONG, move || pool.map([url]));
        assert_eq!(responses.next().unwrap().text(), "late", "{carrier:?}");
    });
}

#[test]
fn a_kept_connection_on_which_no_answer_comes_is_not_tried_again() {
    let clocks = [Clock::FirstByte, Clock::Request];
    let cases = CARRIERS.iter().flat_map(|&carrier| clocks.map(|clock| (carrier, clock)));
    for_each_at_once(cases, |(carrier, clock)| {
        let peer = carrier.serve(|line| {
            line.head()?;
            line.send(ok("first"))?;
            line.head()?;
            line.silence()
        });
        let mut config = SessionConfig::new();
        carrier.trust(&mut config);
        match clock {
            Clock::FirstByte => config.first_byte_timeout = Some(SHORT),
            _ => config.timeout = Some(SHORT),
        }
        let (mut session, url) = (Session::new(config).unwrap(), peer.url("/"));
        let error = within(LONG, move || {
            assert_eq!(session.request(&url).unwrap().text(), "first");
            session.request(&url).unwrap_err()
        });
        ran_out(&error, clock, "the second");
        assert_eq!(error.phase(), Some(Phase::Waiting));
        assert!(error.timings().reused && error.timings().waiting < SHORT * 2, "{error:?}");
        assert_eq!(peer.connections(), 1, "{carrier:?}, {clock:?}");
    });
}

/// The error of one request with this setting.
fn error_of(clock: Clock, limit: Duration) -> Error {
    let mute = Mute::new();
    let [dead, ..] = dead::addresses();
    let peer = silent_after(Carrier::Plain, if clock == Clock::Stall { "HTTP" } else { "" });
    let mut url = peer.url("/");
    let mut config = SessionConfig::new();
    let mut pool = Pool::builder();
    match clock {
        Clock::Request => config.timeout = Some(limit),
        Clock::Dns => {
            url = "http://name.never.test/".to_owned();
            config.resolver = Some(mute.resolver(*dead));
            config.dns_timeout = Some(limit);
        }
        Clock::Connect => {
            url = format!("http://{dead}/");
            config.connect_timeout = Some(limit);
        }
        Clock::FirstByte => config.first_byte_timeout = Some(limit),
        Clock::Stall => config.stall_timeout = Some(limit),
        Clock::LowSpeed => config.low_speed = Some(LowSpeed::new(RATE, limit)),
        _ => pool = pool.deadline(limit),
    }
    let pool = pool.session(config);
    let (_, mut exceptions) = within(LONG, move || pool.map([url]));
    exceptions.next().unwrap().into_parts().1
}

#[test]
fn every_message_has_the_setting_by_its_name_and_its_value() {
    let _few = few();
    let clocks = [
        Clock::Request,
        Clock::Dns,
        Clock::Connect,
        Clock::FirstByte,
        Clock::Stall,
        Clock::LowSpeed,
        Clock::Deadline,
    ];
    for_each_at_once(clocks, |clock| {
        let error = error_of(clock, SHORT);
        ran_out(&error, clock, "its message");
        let message = error.message();
        assert!(message.contains(clock.as_str()), "no {} in: {message}", clock.as_str());
        assert!(message.contains("200ms"), "no 200ms in: {message}");
    });
}
