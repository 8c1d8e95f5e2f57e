//! How long it takes to write a request's head: ns a head, and bytes a second. It is written into
//! memory that stays, as a connection's does.

use divan::counter::BytesCount;
use fetchpool::internals::Writer;

mod support;

fn main() {
    support::run_divan();
}

/// What a session sends by itself.
const DEFAULT: [(&str, &str); 3] =
    [("User-Agent", "fetchpool/0.1.0"), ("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate")];

#[divan::bench]
fn get_of_3_fields(bencher: divan::Bencher<'_, '_>) {
    write(bencher, ["GET", "/index.html", "www.example.com"], None, &DEFAULT);
}

/// As a call of some programming interface is.
#[divan::bench]
fn post_of_11_fields(bencher: divan::Bencher<'_, '_>) {
    let mut fields = DEFAULT.to_vec();
    fields.extend([
        ("Authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA.2YotnFZFEjr1zCsicMWpAA"),
        ("Cookie", "session=31d4d96e407aad42; theme=dark; seen=2026-11-22"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("Accept-Language", "en-GB, en;q=0.8, de;q=0.5"),
        ("Cache-Control", "no-cache"),
        ("If-None-Match", "W/\"7fc3ffe062f7a4b1\""),
        ("Referer", "https://www.example.com/a/page?of=it"),
        ("X-Request-Id", "6f1c7d84-7d06-4f0a-9d19-6c9d7a0b7f11"),
    ]);
    let target = "/v2/things/4711/parts?limit=100&after=eyJpZCI6NDcxMX0&fields=id,name,size";
    write(bencher, ["POST", target, "api.example.com:8443"], Some(1234), &fields);
}

#[divan::bench]
fn get_of_100_fields(bencher: divan::Bencher<'_, '_>) {
    let names: Vec<String> = (0..100).map(|number| format!("X-Field-{number}")).collect();
    let fields: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), "a value of thirty characters...")).collect();
    write(bencher, ["GET", "/", "www.example.com"], None, &fields);
}

fn write(
    bencher: divan::Bencher<'_, '_>,
    parts: [&str; 3],
    length: Option<usize>,
    fields: &[(&str, &str)],
) {
    let mut writer = Writer::default();
    let bytes = writer.write(parts, length, false, fields).unwrap().len();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        let written = writer.write(divan::black_box(parts), length, false, fields);
        assert_eq!(written.map(<[u8]>::len), Some(bytes));
    });
}
