//! Times beyond the clock, and no time at all.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fetchpool::{Clock, LowSpeed, Pool, Request, RetryPolicy, Session, SessionConfig};

use crate::farm::{timed, within};
use crate::lookups::few;
use crate::peer::{CARRIERS, Carrier, Peer};
use crate::support::script::{Script, ok, redirect, reply};
use crate::trial::{LONG, ran_out};

/// Sets one setting.
type Set = fn(&mut SessionConfig, Duration);

/// Every setting of a session that is a time.
const SETTINGS: &[(&str, Set)] = &[
    ("timeout", |config, time| config.timeout = Some(time)),
    ("connect_timeout", |config, time| config.connect_timeout = Some(time)),
    ("dns_timeout", |config, time| config.dns_timeout = Some(time)),
    ("first_byte_timeout", |config, time| config.first_byte_timeout = Some(time)),
    ("stall_timeout", |config, time| config.stall_timeout = Some(time)),
    ("low_speed", |config, time| config.low_speed = Some(LowSpeed::new(1, time))),
    ("low_speed, the most", |config, time| config.low_speed = Some(LowSpeed::new(u64::MAX, time))),
    ("idle_timeout", |config, time| config.idle_timeout = time),
];

/// Times that no clock can add to what it is now, and some that it can just about.
fn beyond() -> [Duration; 8] {
    let seconds =
        [u64::MAX, u64::MAX / 2, u64::MAX / 2 - (1 << 40), u64::MAX / 4, 1 << 32, 1 << 31];
    let [a, b, c, d, e, f] = seconds.map(Duration::from_secs);
    [Duration::MAX, Duration::from_secs_f64(1e19), a, b, c, d, e, f]
}

/// Times in which nothing can be done.
const NOTHING: [Duration; 2] = [Duration::ZERO, Duration::from_nanos(1)];

/// A server for which everybody has to wait a little: for the answer, and within it.
fn waiting(carrier: Carrier) -> Peer {
    carrier.serve(|line| {
        loop {
            let pause = Duration::from_millis(5);
            let answer = match line.head()?.as_str() {
                "/redirect" => redirect(302, "/end"),
                _ => ok("end"),
            };
            line.pause(pause)?;
            let (start, rest) = answer.split_at(answer.len() - 1);
            line.send(start)?;
            line.pause(pause)?;
            line.send(rest)?;
        }
    })
}

/// A session's settings in which the name of every host is that of this server.
fn config(carrier: Carrier, peer: &Peer) -> SessionConfig {
    let mut config = SessionConfig::new();
    carrier.trust(&mut config);
    let address = peer.address();
    config.resolver = Some(Arc::new(move |_: &str, _: u16| {
        thread::sleep(Duration::from_millis(5));
        Ok(vec![address])
    }));
    config.timeout = Some(LONG);
    config
}

#[test]
fn a_time_beyond_the_clock_is_no_limit_whatever_it_is_for() {
    let _few = few();
    let site = Script::site(|_| ok("end"));
    for (name, set) in SETTINGS {
        for time in beyond() {
            let mut config = SessionConfig::new();
            let address = site.address();
            config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
            set(&mut config, time);
            let mut session = Session::new(config).unwrap();
            let reused = within(LONG, move || {
                [(); 2].map(|()| {
                    let job = Request::put("http://beyond.test/").body("up").timeout(time);
                    session.request(job).unwrap().timings().reused
                })
            });
            assert_eq!(reused, [false, true], "{name} of {time:?}");
        }
    }
}

#[test]
fn all_times_beyond_the_clock_at_once_are_no_limits() {
    let _few = few();
    for &carrier in CARRIERS {
        let peer = waiting(carrier);
        let builders: Vec<_> = beyond()
            .map(|time| {
                let mut config = config(carrier, &peer);
                SETTINGS.iter().for_each(|(_, set)| set(&mut config, time));
                let url = match carrier {
                    Carrier::Plain => peer.url_at("beyond.test", "/redirect"),
                    // The certificate is for the address.
                    #[cfg(feature = "tls")]
                    Carrier::Tls => peer.url("/redirect"),
                };
                let jobs = [(); 3].map(|()| Request::post(&url).body("up").timeout(time));
                let pool = Pool::builder().num_threads(2).session(config).deadline(time);
                (time, pool.retry(RetryPolicy::new(1)).job_queue(jobs))
            })
            .into();
        within(LONG, move || {
            for (time, builder) in builders {
                let pool = builder.build().unwrap();
                for outcome in pool.outcomes() {
                    assert_eq!(outcome.result().unwrap().text(), "end", "{carrier:?}, {time:?}");
                }
                assert!(pool.drain(time), "{carrier:?}, {time:?}");
            }
        });
    }
}

#[test]
fn a_drain_without_a_limit_or_without_a_time_is_no_panic() {
    let site = Script::site(|_| ok("end"));
    for time in beyond() {
        let (builder, url) = (Pool::builder().num_threads(1).deadline(time), site.url("/"));
        within(LONG, move || {
            let pool = builder.job_queue([url]).build().unwrap();
            assert!(pool.outcomes().next().is_some());
            for nothing in NOTHING {
                let _ = pool.drain(nothing);
            }
            assert!(pool.drain(time));
        });
    }
}

#[test]
fn no_time_at_all_is_a_timeout_of_that_very_clock() {
    let _few = few();
    let expected: &[(&str, Set, Clock)] = &[
        ("timeout", SETTINGS[0].1, Clock::Request),
        ("connect_timeout", SETTINGS[1].1, Clock::Connect),
        ("dns_timeout", SETTINGS[2].1, Clock::Dns),
        ("first_byte_timeout", SETTINGS[3].1, Clock::FirstByte),
        ("stall_timeout", SETTINGS[4].1, Clock::Stall),
    ];
    let peer = waiting(Carrier::Plain);
    for (name, set, clock) in expected {
        for time in NOTHING {
            let mut config = config(Carrier::Plain, &peer);
            set(&mut config, time);
            let url = peer.url_at("nothing.test", "/");
            let pool = Pool::builder().num_threads(1).session(config);
            let (responses, exceptions) = within(LONG, move || pool.map([url.clone(), url]));
            assert_eq!(responses.len(), 0, "{name} of {time:?}");
            for exception in exceptions {
                ran_out(&exception, *clock, &format!("{name} of {time:?}"));
            }
        }
    }
}

#[test]
fn a_look_up_without_any_time_is_a_timeout_however_quick_its_answer() {
    let _few = few();
    let site = Script::site(|_| ok("end"));
    let address = site.address();
    let mut config = SessionConfig::new();
    config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
    config.dns_timeout = Some(Duration::ZERO);
    let jobs: Vec<String> = (0..100).map(|n| format!("http://n{n}.quick.test/")).collect();
    let pool = Pool::builder().num_threads(2).session(config);
    let (responses, exceptions) = within(LONG, move || pool.map(jobs));
    assert_eq!((responses.len(), exceptions.len()), (0, 100));
    exceptions.for_each(|exception| ran_out(&exception, Clock::Dns, "no time"));
}

#[test]
fn a_request_without_any_time_is_a_timeout_and_the_next_one_is_not() {
    for &carrier in CARRIERS {
        let peer = waiting(carrier);
        let job = Request::get(peer.url("/"));
        let jobs = [job.clone().timeout(NOTHING[0]), job.clone().timeout(NOTHING[1]), job];
        let pool = Pool::builder().num_threads(1).session(config(carrier, &peer));
        let (mut responses, exceptions) = within(LONG, move || pool.map(jobs));
        assert_eq!(responses.next().unwrap().index(), 2);
        assert_eq!(exceptions.len(), 2);
        exceptions.for_each(|exception| ran_out(&exception, Clock::Request, "no time"));
    }
}

#[test]
fn a_low_speed_window_of_no_length_is_no_rule_and_no_panic() {
    let peer = waiting(Carrier::Plain);
    for (rate, time) in [(1, NOTHING[0]), (u64::MAX, NOTHING[0]), (u64::MAX, NOTHING[1])] {
        let mut config = config(Carrier::Plain, &peer);
        config.low_speed = Some(LowSpeed::new(rate, time));
        let (pool, url) = (Pool::builder().session(config), peer.url("/"));
        let (responses, exceptions) = within(LONG, move || pool.map([url]));
        assert_eq!(responses.len() + exceptions.len(), 1);
        assert!(responses.len() == 1 || !time.is_zero(), "{rate} in {time:?}");
        exceptions.for_each(|exception| ran_out(&exception, Clock::LowSpeed, "no time"));
    }
}

#[test]
fn the_highest_low_speed_is_a_timeout_and_no_panic() {
    let peer = Carrier::Plain.serve(|line| line.silence());
    for window in [1, 50].map(Duration::from_millis) {
        let mut config = config(Carrier::Plain, &peer);
        config.low_speed = Some(LowSpeed::new(u64::MAX, window));
        let (pool, url) = (Pool::builder().session(config), peer.url("/"));
        let (_, mut exceptions) = within(LONG, move || pool.map([url]));
        ran_out(&exceptions.next().unwrap(), Clock::LowSpeed, "nothing is so fast");
    }
}

#[test]
fn no_idle_time_at_all_is_a_connection_for_each_request() {
    let peer = waiting(Carrier::Plain);
    for time in NOTHING {
        let mut config = config(Carrier::Plain, &peer);
        config.idle_timeout = time;
        let (pool, url) = (Pool::builder().num_threads(1).session(config), peer.url("/"));
        let (responses, _) = within(LONG, move || pool.map([url.clone(), url]));
        let reused: Vec<bool> = responses.map(|response| response.timings().reused).collect();
        assert_eq!(reused, [false, false], "{time:?}");
    }
}

#[test]
fn no_time_for_anything_is_a_timeout() {
    let _few = few();
    for &carrier in CARRIERS {
        let peer = waiting(carrier);
        for time in NOTHING {
            let mut config = config(carrier, &peer);
            SETTINGS.iter().for_each(|(_, set)| set(&mut config, time));
            let jobs = [peer.url("/"), peer.url_at("nothing.test", "/")];
            let pool = Pool::builder().num_threads(2).session(config);
            let (_, exceptions) = within(LONG, move || pool.map(jobs));
            assert_eq!(exceptions.len(), 2);
            assert!(exceptions.into_iter().all(|exception| exception.is_timeout()));
        }
    }
}

#[test]
fn a_deadline_of_no_time_is_the_outcome_of_every_job() {
    let peer = waiting(Carrier::Plain);
    for time in NOTHING {
        let jobs: Vec<Request> = (0..5).map(|n| Request::get(peer.url("/")).tag(n)).collect();
        let (pool, again) = (Pool::builder().deadline(time), jobs.clone());
        let (responses, exceptions) = within(LONG, move || pool.map(again));
        assert_eq!((responses.len(), exceptions.len()), (0, 5), "{time:?}");
        exceptions.for_each(|exception| ran_out(&exception, Clock::Deadline, "no time"));

        let pool = Pool::builder().deadline(time).job_queue(jobs);
        within(LONG, move || {
            let pool = pool.build().unwrap();
            let mut count = 0;
            for outcome in pool.outcomes() {
                ran_out(&outcome.result().unwrap_err(), Clock::Deadline, "no time");
                count += 1;
            }
            assert_eq!(count + pool.close().count(), 5, "{time:?}");
        });
    }
}

#[test]
fn a_retry_after_beyond_the_clock_is_no_panic_and_no_wait_beyond_the_timeout() {
    for seconds in ["18446744073709551615", "10000000000000000000", "99999999999999999999999", "0"]
    {
        let busy = reply("503 Busy", &format!("Retry-After: {seconds}\r\n"), "");
        let site = Script::site(move |_| busy.clone());
        let pool = Pool::builder().retry(RetryPolicy::new(2));
        let job = Request::get(site.url("/")).timeout(Duration::from_secs(5));
        let ((mut responses, _), took) = timed(|| within(LONG, move || pool.map([job])));
        assert_eq!(responses.next().unwrap().status(), 503, "{seconds}");
        assert!(took < Duration::from_secs(5), "{seconds}: {took:?}");
    }
}

#[test]
fn a_retry_with_a_timeout_beyond_the_clock_is_no_panic() {
    let peer = Carrier::Plain.serve(|line| {
        line.head()?;
        line.send(if line.number == 0 {
            reply("503 Busy", "Retry-After: 0\r\n", "")
        } else {
            ok("end")
        })
    });
    let pool = Pool::builder().retry(RetryPolicy::new(2)).deadline(Duration::MAX);
    let job = Request::get(peer.url("/")).timeout(Duration::MAX);
    let (mut responses, _) = within(LONG, move || pool.map([job]));
    assert_eq!(responses.next().unwrap().text(), "end");
}
