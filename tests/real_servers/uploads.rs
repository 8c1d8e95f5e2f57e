//! Bodies that are sent while they are read, to a server that counts them, and to Node and httpbin.

use std::io::Read;
use std::process::Command;
use std::time::Duration;

use fetchpool::{Body, Request};
use serde_json::Value;

use super::support::{fetch, session, setting};

const BLOCK: usize = 1 << 20;

/// So many mebibytes, each other than the one before it.
struct Pattern {
    block: Vec<u8>,
    at: usize,
    length: usize,
}

impl Pattern {
    fn new(mebibytes: usize) -> Self {
        let block = (0..BLOCK).map(|n| (n ^ n >> 8 ^ n >> 16) as u8).collect();
        Self { block, at: 0, length: mebibytes * BLOCK }
    }

    fn crc(mebibytes: usize) -> u32 {
        let mut pattern = Self::new(mebibytes);
        let mut crc = flate2::Crc::new();
        for number in 0..mebibytes {
            pattern.number(number);
            crc.update(&pattern.block);
        }
        crc.sum()
    }

    fn number(&mut self, number: usize) {
        self.block[..8].copy_from_slice(&(number as u64).to_be_bytes());
    }
}

impl Read for Pattern {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let inside = self.at % BLOCK;
        if inside == 0 {
            self.number(self.at / BLOCK);
        }
        let count = room.len().min(BLOCK - inside).min(self.length - self.at);
        room[..count].copy_from_slice(&self.block[inside..inside + count]);
        self.at += count;
        Ok(count)
    }
}

/// What the sink says of a body.
fn sink(body: impl Into<Body>, change: impl FnOnce(Request) -> Request) -> Value {
    let request = Request::post(format!("{}/", setting("SINK"))).timeout(Duration::from_secs(120));
    let response = fetch(change(request.body(body)));
    assert_eq!(response.status(), 200);
    response.json().expect("JSON")
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_reader_comes_whole_with_a_length_or_in_chunks() {
    let crc = Pattern::crc(5);
    let length = 5 * BLOCK as u64;
    let sized = sink(Body::sized_reader(Pattern::new(5), length), |request| request);
    assert_eq!((&sized["bytes"], &sized["crc32"]), (&length.into(), &crc.into()));
    assert_eq!((&sized["chunked"], &sized["expect"]), (&false.into(), &Value::Null));
    let chunked = sink(Body::reader(Pattern::new(5)), |request| request);
    assert_eq!((&chunked["bytes"], &chunked["crc32"]), (&length.into(), &crc.into()));
    assert_eq!(chunked["chunked"], true);
    let asked = |request: Request| request.expect_continue(Duration::from_secs(5));
    let expected = sink(Body::sized_reader(Pattern::new(5), length), asked);
    assert_eq!((&expected["crc32"], &expected["expect"]), (&crc.into(), &"100-continue".into()));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn an_answer_that_comes_before_the_body_is_read_is_the_response() {
    let url = format!("{}/refuse", setting("SINK"));
    let asked = Request::post(&*url)
        .body(Body::sized_reader(Pattern::new(50), 50 * BLOCK as u64))
        .expect_continue(Duration::from_secs(10));
    assert_eq!(fetch(asked).status(), 413);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn node_echoes_what_came_in_chunks() {
    let request = Request::post(format!("{}/echo", setting("NODE")));
    let response = fetch(request.body(Body::reader(Pattern::new(3))));
    let mut sent = Vec::new();
    Pattern::new(3).read_to_end(&mut sent).unwrap();
    assert!(response.bytes() == sent);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_reader_of_256_mib_takes_no_more_than_16_mib_of_memory() {
    const CHILD: &str = "FETCHPOOL_REAL_CHILD";
    let name = "uploads::a_reader_of_256_mib_takes_no_more_than_16_mib_of_memory";
    if std::env::var_os(CHILD).is_none() {
        // In a process of its own, for the other tests take memory as well.
        let mut command = Command::new(std::env::current_exe().unwrap());
        let command = command.args(["--exact", name, "--ignored", "--nocapture"]).env(CHILD, "1");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    session().request(format!("{}/", setting("SINK"))).expect("a response");
    let before = peak();
    let told = sink(Body::reader(Pattern::new(256)), |request| request);
    let above = peak() - before;
    assert_eq!((&told["bytes"], &told["chunked"]), (&(256 << 20).into(), &true.into()));
    assert!(above < 16 << 10, "{above} KiB more");
    assert_eq!(told["crc32"], Pattern::crc(256));
}

/// Of this process so far, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
