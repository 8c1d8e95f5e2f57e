//! Memory that is given back is used again, and shows nothing of what it held.

use super::*;
use fetchpool::{Buffers, Pool};
use std::thread;
use std::time::Instant;
use support::script::{Gate, ok};

/// A server with bodies of the sizes that the paths say, all of one letter, by length or in chunks.
fn site() -> Server {
    Script::site(|request| {
        let target = request.target();
        let mut parts = target[1..].split('/');
        let size: usize = parts.next().unwrap().parse().unwrap();
        let letter = parts.next().unwrap().as_bytes()[0];
        let body = vec![letter; size];
        match parts.next() {
            None => ok(body),
            Some(_) => framings("200 OK", "", &body)[1].clone(),
        }
    })
}

#[test]
fn a_body_takes_the_memory_that_was_given_back() {
    let (server, buffers) = (site(), Buffers::new());
    let mut session = session(|config| config.buffers = Some(buffers.clone()));
    let mut place = None;
    for _ in 0..4 {
        let body = session.request(server.url("/1000000/a")).unwrap().into_bytes();
        assert_eq!(body, vec![b'a'; 1_000_000]);
        let here = body.as_ptr() as usize;
        assert_eq!(*place.get_or_insert(here), here, "the same memory each time");
        buffers.give_back(body);
    }
}

#[test]
fn nothing_of_an_earlier_body_shows_in_a_later_one() {
    let (server, buffers) = (site(), Buffers::new());
    let mut session = session(|config| config.buffers = Some(buffers.clone()));
    for chunked in ["", "/chunked"] {
        for size in [0, 1, 20_000, 60_000, 99_999, 100_000, 100_001, 300_000] {
            buffers.give_back(vec![b's'; 100_000]);
            let response = session.request(server.url(&format!("/{size}/b{chunked}"))).unwrap();
            let body = response.into_bytes();
            assert!(body == vec![b'b'; size], "{size}{chunked}: {} bytes", body.len());
            assert!(body.capacity() / 2 <= size.max(64 << 10), "{size}: {}", body.capacity());
        }
    }
}

#[test]
fn a_small_body_of_no_known_length_does_not_hold_the_memory_of_a_large_one() {
    let (server, buffers) = (site(), Buffers::new());
    let mut session = session(|config| config.buffers = Some(buffers.clone()));
    buffers.give_back(vec![b's'; 1_000_000]);
    let body = session.request(server.url("/20000/b/chunked")).unwrap().into_bytes();
    assert!(body == vec![b'b'; 20_000] && body.capacity() < 50_000, "{}", body.capacity());
    // It is there for the next.
    let body = session.request(server.url("/900000/b/chunked")).unwrap().into_bytes();
    assert!(body.capacity() == 1_000_000 && body == vec![b'b'; 900_000], "{}", body.capacity());
}

#[test]
fn nothing_of_an_earlier_body_shows_in_one_that_breaks_off() {
    for bytes in framings("200 OK", "", &[b'b'; 100_000]) {
        let server = once(&bytes[..70_000]);
        let buffers = Buffers::new();
        buffers.give_back(vec![b's'; 100_000]);
        let mut session = session(|config| config.buffers = Some(buffers));
        let response = match session.request(server.url("/")) {
            Err(error) => error.into_response().unwrap(),
            Ok(until_close) => until_close,
        };
        let body = response.into_bytes();
        assert!(body.len() > 60_000 && body.iter().all(|byte| *byte == b'b'));
    }
}

#[cfg(feature = "gzip")]
#[test]
fn nothing_of_an_earlier_body_shows_in_one_that_is_decoded() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&[b'b'; 90_000]).unwrap();
    let coded = encoder.finish().unwrap();
    let server = once(support::script::reply("200 OK", "Content-Encoding: gzip\r\n", coded));
    let buffers = Buffers::new();
    buffers.give_back(vec![b's'; 100_000]);
    let mut session = session(|config| config.buffers = Some(buffers));
    assert_eq!(session.request(server.url("/")).unwrap().bytes(), [b'b'; 90_000]);
}

#[test]
fn the_limit_holds_in_memory_that_is_larger() {
    for bytes in framings("200 OK", "", &[b'b'; 50_001]) {
        let (server, buffers) = (once(&bytes), Buffers::new());
        buffers.give_back(vec![b's'; 100_000]);
        let mut session = session(|config| {
            config.buffers = Some(buffers);
            config.limits.body_bytes = 50_000;
        });
        let error = session.request(server.url("/")).unwrap_err();
        assert_eq!(error.kind(), fetchpool::ErrorKind::TooLarge);
        assert!(error.response().unwrap().bytes().iter().all(|byte| *byte == b'b'));
    }
}

#[test]
fn a_dropped_response_leaves_its_memory_to_the_next_body() {
    for chunked in ["", "/chunked"] {
        let server = site();
        let mut session = session(|_| {});
        let mut place = None;
        for round in 0..4 {
            let response = session.request(server.url(&format!("/1000000/a{chunked}"))).unwrap();
            assert!(response.bytes() == vec![b'a'; 1_000_000], "{chunked}");
            let here = response.bytes().as_ptr() as usize;
            assert_eq!(*place.get_or_insert(here), here, "{chunked}, round {round}");
            // What lies between is not to be had by chance.
            drop(vec![1_u8; 2_000_000]);
        }
    }
}

#[test]
fn what_dropped_responses_leave_is_kept_as_far_as_there_is_a_place_for_it() {
    for (budget, own, kept) in [
        (4_000_000, None, 1..=3),
        (1_000_000, None, 0..=0),
        (4_000_000, Some(Buffers::none()), 0..=0),
        (1_000_000, Some(Buffers::new()), 1..=3),
    ] {
        let (server, seen) = (site(), Arc::new(Mutex::new(None)));
        let mut config = SessionConfig::new();
        config.buffers = own;
        let of_hook = Arc::clone(&seen);
        let pool = Pool::builder()
            .num_threads(1)
            .session(config)
            .body_budget(budget)
            .initializer(move |config: &mut SessionConfig| {
                *of_hook.lock().unwrap() = config.buffers.clone();
            })
            .job_queue(vec![server.url("/1000000/a"); 3])
            .build()
            .unwrap();
        assert_eq!(pool.responses().map(drop).count(), 3);
        let buffers = seen.lock().unwrap().take().unwrap();
        let shown = format!("{buffers:?}");
        assert!(
            kept.map(|count| format!("Buffers({count})")).any(|s| s == shown),
            "{budget}: {shown}"
        );
    }
}

#[test]
fn bodies_that_become_smaller_do_not_go_on_holding_the_memory_of_the_first() {
    let (server, buffers) = (site(), Buffers::new());
    let mut session = session(|config| config.buffers = Some(buffers.clone()));
    for size in [1_000_000, 520_000, 270_000, 140_000, 73_000, 38_000, 20_000] {
        let body = session.request(server.url(&format!("/{size}/a/chunked"))).unwrap().into_bytes();
        assert!(body == vec![b'a'; size], "{size}");
        assert!(body.capacity() / 2 <= size, "{} for {size}", body.capacity());
        buffers.give_back(body);
    }
}

#[test]
fn what_a_body_has_taken_and_not_half_filled_is_still_in_the_bounds_of_the_shelf() {
    let (server, buffers, gate) = (site(), Buffers::with_limits(8, 1_500_000), Gate::new());
    let whole = ok([b'b'; 1_000_000]);
    let slow = Script::new().reply(&whole[..5_000]).wait(&gate).send(&whole[5_000..]).serve();
    let with_buffers = || session(|config| config.buffers = Some(buffers.clone()));
    let kept = || format!("{buffers:?}");
    let mut quick = with_buffers();
    let mut read_and_drop = || drop(quick.request(server.url("/1000000/a")).unwrap());

    read_and_drop();
    assert_eq!(kept(), "Buffers(1)");
    let mut other = with_buffers();
    let url = slow.url("/");
    let borrower = thread::spawn(move || other.request(url).unwrap());
    let began = Instant::now();
    while kept() != "Buffers(0)" && began.elapsed() < PATIENCE {
        thread::yield_now();
    }
    read_and_drop();
    assert_eq!(kept(), "Buffers(0)", "a body that stands still has all that there may be");

    gate.open();
    let response = borrower.join().unwrap();
    assert!(response.bytes() == [b'b'; 1_000_000]);
    read_and_drop();
    assert_eq!(kept(), "Buffers(1)", "the other body is whole, and its owner's affair");
}

#[test]
fn a_shelf_has_a_place_for_as_many_bodies_as_fit_into_it_by_their_lengths() {
    let (server, buffers) = (site(), Buffers::with_limits(8, 2_000_000));
    let mut session = session(|config| config.buffers = Some(buffers.clone()));
    let responses = [(); 3].map(|()| session.request(server.url("/1000000/a")).unwrap());
    drop(responses);
    assert_eq!(format!("{buffers:?}"), "Buffers(2)");
}
