//! How long it takes to read a response's head from a buffer: ns a head, and bytes a second.

use std::fmt::Write;

use divan::counter::BytesCount;
use fetchpool::internals::Reader;

mod support;

fn main() {
    support::run_divan();
}

const SMALL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

/// What a web server behind a content network sends.
const TYPICAL: &str = "HTTP/1.1 200 OK\r\n\
    Server: nginx\r\n\
    Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n\
    Content-Type: application/json; charset=utf-8\r\n\
    Content-Length: 1234\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: public, max-age=60, s-maxage=60\r\n\
    ETag: W/\"7fc3ffe062f7a4b1\"\r\n\
    Vary: Accept, Authorization, Cookie, Accept-Encoding\r\n\
    X-Request-Id: 6f1c7d84-7d06-4f0a-9d19-6c9d7a0b7f11\r\n\
    Strict-Transport-Security: max-age=31536000; includeSubdomains; preload\r\n\
    X-Content-Type-Options: nosniff\r\n\
    \r\n";

#[divan::bench]
fn small_of_1_field(bencher: divan::Bencher<'_, '_>) {
    read(bencher, SMALL, 1);
}

#[divan::bench]
fn typical_of_11_fields(bencher: divan::Bencher<'_, '_>) {
    read(bencher, TYPICAL, 11);
}

#[divan::bench]
fn large_of_100_fields(bencher: divan::Bencher<'_, '_>) {
    let mut head = String::from("HTTP/1.1 200 OK\r\n");
    for number in 0..100 {
        write!(head, "X-Field-{number}: a value of thirty characters...\r\n").unwrap();
    }
    head.push_str("\r\n");
    read(bencher, &head, 100);
}

fn read(bencher: divan::Bencher<'_, '_>, head: &str, fields: usize) {
    let mut reader = Reader::default();
    bencher.counter(BytesCount::of_str(head)).bench_local(|| {
        let read = reader.read(true, divan::black_box(head.as_bytes()), usize::MAX);
        assert_eq!(read, Some((fields, 0)));
    });
}
