//! A server that sends one byte at a time: every byte comes in time, the whole never.

use std::io::Write as _;
use std::time::Duration;

use fetchpool::{Clock, Phase};

use crate::peer::{CARRIERS, Carrier, Peer};
use crate::trial::{Trial, side_by_side};

/// What comes behind each byte.
const PAUSE: Duration = Duration::from_millis(10);

/// What comes at once, and what is then repeated byte by byte.
type Drip = (&'static [u8], &'static [u8]);

const HEAD: &[Drip] = &[
    (b"", b"HTTP/1.1 200 O"),
    (b"HTTP/1.1 200 ", b"O"),
    (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"),
];

const BODY: &[Drip] = &[
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
    (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1869f\r\n", b"x"),
];

const CHUNKS: &[Drip] = &[
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"T: t\r\n"),
];

/// A server that drips this, however long it is listened to.
fn dripping(carrier: Carrier, (start, drop): Drip) -> Peer {
    carrier.serve(move |line| {
        line.head()?;
        line.send(start)?;
        line.drip_on(drop, PAUSE)
    })
}

/// That each of these drips is ended by each of these clocks in its phase, plain and over TLS.
fn end(clocks: &[Clock], drips: impl Iterator<Item = (Phase, Drip)> + Clone) {
    let peers: Vec<_> = CARRIERS
        .iter()
        .flat_map(|&carrier| drips.clone().enumerate().map(move |(n, drip)| (carrier, n, drip)))
        // Handshakes cost more than all the rest: over TLS it is every other one.
        .filter(|(carrier, n, _)| *carrier == Carrier::Plain || n % 2 == 0)
        .map(|(carrier, _, drip)| (carrier, drip))
        .map(|(carrier, (phase, drip))| (carrier, phase, drip, dripping(carrier, drip)))
        .collect();
    side_by_side(peers.iter().flat_map(|(carrier, phase, (start, drop), peer)| {
        clocks.iter().map(move |&clock| {
            Trial::new(clock, *phase, peer.url("/"))
                .named(format!("{carrier:?} {}|{}", start.escape_ascii(), drop.escape_ascii()))
                .set(|config| carrier.trust(config))
        })
    }));
}

#[test]
fn the_timeout_and_the_deadline_end_a_head_that_drips() {
    end(&[Clock::Request, Clock::Deadline], HEAD.iter().map(|&drip| (Phase::Waiting, drip)));
}

#[test]
fn the_timeout_and_the_deadline_end_a_body_that_drips() {
    end(&[Clock::Request, Clock::Deadline], BODY.iter().map(|&drip| (Phase::Receiving, drip)));
}

#[test]
fn the_timeout_and_the_deadline_end_chunk_framing_that_drips() {
    end(&[Clock::Request, Clock::Deadline], CHUNKS.iter().map(|&drip| (Phase::Receiving, drip)));
}

#[test]
fn low_speed_ends_every_drip() {
    let heads = HEAD.iter().map(|&drip| (Phase::Waiting, drip));
    let bodies = BODY.iter().chain(CHUNKS).map(|&drip| (Phase::Receiving, drip));
    end(&[Clock::LowSpeed], heads.chain(bodies));
}

#[test]
fn a_drip_is_no_stall() {
    let peers = CARRIERS.iter().flat_map(|&carrier| {
        [(HEAD[2], Phase::Waiting), (BODY[0], Phase::Receiving), (CHUNKS[0], Phase::Receiving)]
            .map(|(drip, phase)| (carrier, dripping(carrier, drip), phase))
    });
    let peers: Vec<_> = peers.collect();
    side_by_side(peers.iter().map(|(carrier, peer, phase)| {
        let trial = Trial::new(Clock::Request, *phase, peer.url("/")).named(format!("{carrier:?}"));
        trial.limit(Duration::from_millis(500)).set(|config| {
            carrier.trust(config);
            config.stall_timeout = Some(Duration::from_millis(300));
        })
    }));
}

#[test]
fn a_drip_in_the_head_has_its_first_byte_in_time() {
    let peers = [HEAD[0], HEAD[4]].map(|drip| dripping(Carrier::Plain, drip));
    side_by_side(peers.iter().map(|peer| {
        let trial = Trial::new(Clock::Request, Phase::Waiting, peer.url("/"));
        let trial = trial.limit(Duration::from_millis(400));
        trial.set(|config| config.first_byte_timeout = Some(Duration::from_millis(200)))
    }));
}

#[test]
fn every_clock_of_the_whole_ends_a_compressed_body_that_drips() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(&[b'x'; 5000]).unwrap();
    let gzip = gzip.finish().unwrap();
    let fields = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", gzip.len());
    let serve = |&carrier: &Carrier| {
        let (head, gzip) = (format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), gzip.clone());
        let peer = carrier.serve(move |line| {
            line.head()?;
            line.send(&head)?;
            line.drip(&gzip, PAUSE)
        });
        (carrier, peer)
    };
    let peers: Vec<_> = CARRIERS.iter().map(serve).collect();
    side_by_side(peers.iter().flat_map(|(carrier, peer)| {
        [Clock::Request, Clock::Deadline, Clock::LowSpeed].map(|clock| {
            let trial = Trial::new(clock, Phase::Receiving, peer.url("/"));
            trial.named(format!("{carrier:?}")).set(|config| carrier.trust(config))
        })
    }));
}

#[test]
fn the_timeout_and_the_deadline_end_redirects_with_bodies_that_drip() {
    let head = b"HTTP/1.1 302 Found\r\nLocation: /on\r\nContent-Length: 99999\r\n\r\n";
    let peer = dripping(Carrier::Plain, (head, b"x"));
    side_by_side([Clock::Request, Clock::Deadline].map(|clock| {
        Trial::new(clock, Phase::Receiving, peer.url("/"))
            // How much of such a body is read before a new connection is opened is not promised.
            .or(Phase::Waiting)
            .or(Phase::Redirecting)
            .or(Phase::Sending)
            .or(Phase::Connect)
            .set(|config| config.limits.redirects = 100_000)
    }));
}

#[cfg(feature = "tls")]
mod records {
    use super::*;
    use crate::support::script::ok;

    /// An answer in a TLS record of which the bytes come one by one.
    fn peer() -> Peer {
        Carrier::Plain.serve(|line| line.drip_a_record(&ok([b'x'; 5000]), PAUSE))
    }

    /// The head is in the same record, so that nothing is known of it until that is whole.
    fn trial(clock: Clock, peer: &Peer) -> Trial {
        let url = peer.url("/").replace("http:", "https:");
        Trial::new(clock, Phase::Waiting, url).set(|config| Carrier::Tls.trust(config))
    }

    #[test]
    fn every_clock_of_the_whole_ends_a_tls_record_that_drips() {
        let peer = peer();
        let clocks = [Clock::Request, Clock::Deadline, Clock::LowSpeed];
        side_by_side(clocks.map(|clock| trial(clock, &peer)));
    }

    #[test]
    fn a_tls_record_that_drips_has_no_first_byte_before_it_is_whole() {
        trial(Clock::FirstByte, &peer()).run();
    }

    #[test]
    fn a_tls_record_that_drips_is_no_stall_as_its_bytes_do_move() {
        let peer = peer();
        let trial = trial(Clock::Request, &peer).limit(Duration::from_millis(500));
        trial.set(|config| config.stall_timeout = Some(Duration::from_millis(300))).run();
    }
}
