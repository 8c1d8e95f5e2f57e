//! What a hostile server costs: the peak memory of a client under each bomb is no more than its
//! limit on bodies and eight mebibytes.
//!
//! The servers play their scripts here, and each client runs in a process of its own: this same
//! program, told by its environment what to fetch. `--nocapture` prints the figures.
#![cfg(target_os = "linux")]

mod support;

use std::io::Read as _;
#[cfg(feature = "gzip")]
use std::io::Write as _;
use std::process::Command;

use fetchpool::{Body, Request, Session, SessionConfig};

use support::script::{Script, Server, reply};

/// What a peak may be above the limit.
const SLACK: usize = 8 << 20;
/// A size that is far above every limit on heads and framing.
const ENDLESS: usize = 4 << 20;

/// A name, what a client gets, and the answer that it gets it from, made when it is needed: some
/// are large.
type Bomb = (&'static str, Result<usize, &'static str>, Box<dyn FnOnce() -> Vec<u8>>);

const TOO_LARGE: Result<usize, &'static str> = Err("too_large");
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// What needs no body.
fn heads() -> Vec<Bomb> {
    let endless = |name, start: &str, piece: &'static str| -> Bomb {
        let start = start.as_bytes().to_vec();
        (
            name,
            TOO_LARGE,
            Box::new(move || [start, piece.as_bytes().repeat(ENDLESS / piece.len())].concat()),
        )
    };
    let redirect = "HTTP/1.1 302 Found\r\nLocation: /ok\r\nTransfer-Encoding: chunked\r\n\r\n";
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n";
    let mut bombs = vec![
        endless("a head without end", "HTTP/1.1 200 OK\r\nX: ", "x"),
        endless("fields without end", "HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        endless("names without end", "HTTP/1.1 200 OK\r\n", "x"),
        endless("folded lines without end", "HTTP/1.1 200 OK\r\nX: y\r\n", " z\r\n"),
        endless("a status line without end", "HTTP/1.1 200 ", "x"),
        endless("interim responses without end", "", "HTTP/1.1 100 Go on\r\n\r\n"),
        endless("chunk extensions without end", &format!("{CHUNKED}1;"), "x"),
        endless("zeros of a chunk size without end", CHUNKED, "0"),
        endless("trailers without end", &format!("{CHUNKED}0\r\n"), "X: y\r\n"),
        endless("an impossible length", length, "x"),
        endless("a redirect with a body without end", redirect, "8\r\nxxxxxxxx\r\n"),
    ];
    if let Some((.., expected, _)) = bombs.last_mut() {
        *expected = Ok(2);
    }
    bombs
}

/// Bodies at the limit, and beyond it.
fn bodies(limit: usize) -> Vec<Bomb> {
    let plain = |name, expected, head: &str, size: usize, end: &'static str| -> Bomb {
        let mut bytes = head.as_bytes().to_vec();
        let answer = move || {
            bytes.resize(bytes.len() + size, b'x');
            bytes.extend(end.as_bytes());
            bytes
        };
        (name, expected, Box::new(answer))
    };
    let chunks = |name, expected, size: usize, count: usize| -> Bomb {
        let chunk = format!("{size:x}\r\n{}\r\n", "x".repeat(size));
        let answer = move || format!("{CHUNKED}{}0\r\n\r\n", chunk.repeat(count)).into_bytes();
        (name, expected, Box::new(answer))
    };
    let over = limit + ENDLESS;
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {limit}\r\n\r\n");
    let chunk = format!("{CHUNKED}{limit:x}\r\n");
    let endless_chunk = format!("{CHUNKED}7fffffffffffffff\r\n");
    vec![
        plain("a body of the limit, with a length", Ok(limit), &length, limit, ""),
        plain("a body of the limit, in one chunk", Ok(limit), &chunk, limit, "\r\n0\r\n\r\n"),
        plain("a body of the limit, until the close", Ok(limit), UNTIL_CLOSE, limit, ""),
        plain("a body without end", TOO_LARGE, UNTIL_CLOSE, over, ""),
        plain("a chunk without end", TOO_LARGE, &endless_chunk, over, ""),
        chunks("chunks without end", TOO_LARGE, 1024, over >> 10),
        chunks("chunks of one byte", Ok(100_000), 1, 100_000),
    ]
}

/// Coded bodies.
#[cfg(feature = "gzip")]
fn coded(limit: usize) -> Vec<Bomb> {
    let coded = |name, expected, coding: &'static str, body: Vec<u8>| -> Bomb {
        let answer = move || reply("200 OK", &format!("Content-Encoding: {coding}\r\n"), body);
        (name, expected, Box::new(answer))
    };
    // Noise in between, so that the second of two codings finds little to repeat.
    let word = |n: u32| if n % 64 < 8 { n.wrapping_mul(2_654_435_761) } else { 0 };
    let text: Vec<u8> = (0..1 << 18).flat_map(|n| word(n).to_be_bytes()).collect();
    let (text, zeros) = (deflated(&text), deflated(&[0; 1 << 20]));
    let header = |flags: u8| vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
    let over = (limit >> 20) + 4;
    let size = [header(0), text.repeat(over)].concat();
    let ratio = [header(0), zeros.repeat(over)].concat();
    let exact = [text.repeat(limit >> 20), vec![3, 0]].concat();
    let name = [header(8), vec![b'n'; ENDLESS]].concat();
    let unnamed = if limit < ENDLESS { TOO_LARGE } else { Err("decode") };
    vec![
        coded("a coded body of the limit, twice", Ok(limit), "deflate, gzip", gzip(&exact)),
        coded("a coded body of the limit", Ok(limit), "deflate", exact),
        coded("a bomb by size", TOO_LARGE, "gzip", size),
        coded("a bomb in a bomb", TOO_LARGE, "gzip, gzip", gzip(&ratio)),
        coded("a bomb by ratio", TOO_LARGE, "gzip", ratio),
        coded("members", TOO_LARGE, "gzip", gzip(&[7; 100_000]).repeat(over * 11)),
        coded("empty members", Ok(0), "gzip", gzip(b"").repeat(20_000)),
        coded("a gzip name without end in gzip", unnamed, "gzip, gzip", gzip(&name)),
        coded("a gzip name without end", unnamed, "gzip", name),
    ]
}

#[cfg(feature = "gzip")]
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Deflated so that it can stand anywhere in a body, and any number of times.
#[cfg(feature = "gzip")]
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut room = Vec::with_capacity(bytes.len());
    let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
    deflate.compress_vec(bytes, &mut room, flate2::FlushCompress::Full).unwrap();
    room
}

#[cfg(not(feature = "gzip"))]
fn coded(_: usize) -> Vec<Bomb> {
    Vec::new()
}

#[test]
fn a_client_of_64_mib_takes_no_more_than_8_mib_beyond_them_under_any_bomb() {
    let name = "a_client_of_64_mib_takes_no_more_than_8_mib_beyond_them_under_any_bomb";
    measure(name, None, 64 << 20, |_| true);
}

#[test]
fn a_client_of_1_mib_takes_no_more_than_8_mib_beyond_it_under_any_bomb() {
    let name = "a_client_of_1_mib_takes_no_more_than_8_mib_beyond_it_under_any_bomb";
    measure(name, Some(1 << 20), 1 << 20, |_| true);
}

#[test]
fn a_limit_that_is_no_power_of_two_is_kept_as_well() {
    let name = "a_limit_that_is_no_power_of_two_is_kept_as_well";
    // Doubling would end at 64 MiB.
    measure(name, Some(33 << 20), 33 << 20, |bomb| bomb.contains("of the limit"));
}

/// Bodies in brotli and zstd with the largest window there is, and full of it.
#[cfg(all(feature = "brotli", feature = "zstd"))]
fn windows() -> Vec<Bomb> {
    use support::coded::{Brotli, Frame};

    let coded = |name, expected, coding: &'static str, body: Vec<u8>| -> Bomb {
        let answer = move || reply("200 OK", &format!("Content-Encoding: {coding}\r\n"), body);
        (name, expected, Box::new(answer))
    };
    let block = 128 << 10;
    let zeros = |count| (0..count).fold(Frame::new(), |frame, _| frame.run(0, block));
    // The window of brotli grows with what is announced: half of it, and then all.
    let grown = Brotli::new().run(0, 8 << 20).run(0, 1 << 24);
    let large_frame = Frame::with_header(&[0xa0, 1, 0, 128, 0]);
    vec![
        coded("zeros in brotli", TOO_LARGE, "br", Brotli::new().run(0, 1 << 24).end()),
        coded("more zeros in brotli", TOO_LARGE, "br", grown.end()),
        coded("zeros in zstd", TOO_LARGE, "zstd", zeros(100).end()),
        coded("a frame of zstd without end", TOO_LARGE, "zstd", zeros(100_000).cut()),
        coded("a window that is too large", Err("decode"), "zstd", large_frame.end()),
    ]
}

/// What is kept for the window comes on top of the limit; and while it grows there are two of it.
#[cfg(all(feature = "brotli", feature = "zstd"))]
#[test]
fn a_window_takes_no_more_than_24_mib_beyond_the_limit() {
    let name = "a_window_takes_no_more_than_24_mib_beyond_the_limit";
    measure_each(name, Some(1 << 20), (1 << 20) + (16 << 20), || windows().into_iter());
}

#[cfg(feature = "gzip")]
#[test]
fn a_pool_under_many_bombs_takes_no_more_than_its_budget_and_one_body() {
    const BUDGET: usize = 4 << 20;
    const BODY: usize = 16 << 20;
    const THREADS: usize = 8;
    let test = "a_pool_under_many_bombs_takes_no_more_than_its_budget_and_one_body";
    if let Ok(url) = std::env::var(URL) {
        let jobs: Vec<String> = vec![url; 2 * THREADS];
        let pool = fetchpool::Pool::builder()
            .num_threads(THREADS)
            .body_budget(BUDGET as u64)
            .initializer(|config: &mut SessionConfig| config.limits.decompression_ratio = 2000)
            .job_queue(jobs);
        let pool = pool.build().unwrap();
        let lengths = pool.responses().map(|response| response.bytes().len());
        return tell(&Ok(lengths.sum()));
    }
    // Sixteen mebibytes in one packet.
    let body = [deflated(&[0; 1 << 20]).repeat(BODY >> 20), vec![3, 0]].concat();
    assert!(body.len() < 20 << 10, "{}", body.len());
    let bomb = reply("200 OK", "Content-Encoding: deflate\r\n", body);
    let ordinary = peak(test, Ok(4 * THREADS), serve(reply("200 OK", "", "ok")));
    let above = peak(test, Ok(2 * THREADS * BODY), serve(bomb)).saturating_sub(ordinary);
    println!("{:>+9.2} MiB  {THREADS} threads", mebibytes(above));
    assert!(above <= BUDGET + BODY + SLACK, "{} MiB", mebibytes(above));
}

/// What is sent is held in pieces only, however much it is.
#[test]
fn an_upload_of_256_mib_from_a_reader_takes_no_more_than_16_mib() {
    const LENGTH: usize = 256 << 20;
    let test = "an_upload_of_256_mib_from_a_reader_takes_no_more_than_16_mib";
    let reader = || std::io::repeat(b'x').take(LENGTH as u64);
    if let Ok(url) = std::env::var(URL) {
        let chunked = url.ends_with("/chunked");
        let body = match chunked {
            true => Body::reader(reader()),
            false => Body::sized_reader(reader(), LENGTH as u64),
        };
        let request = Request::post(url).body(body);
        let response = Session::default().request(request).map_err(|error| error.message());
        return tell(&response.map(|response| response.bytes().len()));
    }
    // Chunks of 64 KiB, each with its size and two line ends, and the last one.
    let framing = (LENGTH >> 16) * "10000\r\n\r\n".len() + "0\r\n\r\n".len();
    for (path, length) in [("/sized", LENGTH), ("/chunked", LENGTH + framing)] {
        let script = Script::new().request_head().skip(length).send(reply("200 OK", "", "stored"));
        let peak = peak_at(test, Ok(6), &script.serve(), path);
        println!("{:>9.2} MiB  {path}", mebibytes(peak));
        assert!(peak <= 16 << 20, "{path}: {} MiB", mebibytes(peak));
    }
}

/// Runs a client against each bomb that is asked for. `setting` is its `body_bytes`, if it sets that.
#[track_caller]
fn measure(test: &str, setting: Option<u64>, limit: usize, is_asked: fn(&str) -> bool) {
    let bombs = || heads().into_iter().chain(bodies(limit)).chain(coded(limit));
    measure_each(test, setting, limit, || bombs().filter(|(name, ..)| is_asked(name)));
}

#[track_caller]
fn measure_each<B: Iterator<Item = Bomb>>(
    test: &str,
    setting: Option<u64>,
    limit: usize,
    bombs: impl FnOnce() -> B,
) {
    if let Ok(url) = std::env::var(URL) {
        return client(&url, setting);
    }
    let ordinary = peak(test, Ok(2), serve(reply("200 OK", "", "ok")));
    println!("{:>9.2} MiB  an ordinary response", mebibytes(ordinary));
    let mut failed = Vec::new();
    for (name, expected, answer) in bombs() {
        let above = peak(test, expected, serve(answer())).saturating_sub(ordinary);
        println!("{:>+9.2} MiB  {name}", mebibytes(above));
        if above > limit + SLACK {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "more than {} MiB: {failed:?}", mebibytes(limit + SLACK));
}

/// Answers the first request of each connection so, and then waits for the client to go.
fn serve(bytes: Vec<u8>) -> Server {
    let is_redirect = bytes.starts_with(b"HTTP/1.1 302");
    // The next hop is a connection of its own.
    let script = Script::new().reply(bytes).close();
    let script =
        if is_redirect { script.accept().reply(reply("200 OK", "", "ok")) } else { script };
    script.repeat().serve()
}

/// The peak of a client in a process of its own.
#[track_caller]
fn peak(test: &str, expected: Result<usize, &str>, server: Server) -> usize {
    peak_at(test, expected, &server, "/")
}

#[track_caller]
fn peak_at(test: &str, expected: Result<usize, &str>, server: &Server, path: &str) -> usize {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(URL, server.url(path))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = said.lines().find_map(|line| line.strip_prefix("peak "));
    let Some((peak, result)) = told.and_then(|told| told.split_once(' ')) else {
        panic!("{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    };
    assert_eq!(result, format!("{expected:?}"), "of the server's answer");
    peak.parse().unwrap()
}

/// What the process of a client does: a request, and says what it came to and what it took.
fn client(url: &str, body_bytes: Option<u64>) {
    let mut config = SessionConfig::new();
    if let Some(body_bytes) = body_bytes {
        config.limits.body_bytes = body_bytes;
    }
    let result = Session::new(config).unwrap().request(url);
    let result = result.map(|response| response.bytes().len()).map_err(|e| e.kind().to_string());
    tell(&result);
}

fn tell(result: &Result<usize, String>) {
    println!("\npeak {} {result:?}", own_peak());
}

fn own_peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Tells the process of a client what to fetch.
const URL: &str = "FETCHPOOL_TEST_URL";
