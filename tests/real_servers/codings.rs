//! Brotli and zstd as other servers and compressors make them.

use fetchpool::Request;

use super::support::{fetch, setting};

/// What `lines.txt` is.
fn lines() -> String {
    (0..65_536).map(|line| format!("line {line:010}\n")).collect()
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn brotli_by_node_is_undone() {
    let response = fetch(format!("{}/br", setting("NODE")));
    assert_eq!(response.header("content-encoding"), Some("br"));
    assert!(response.text() == lines());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn brotli_by_httpbin_is_undone() {
    let response = fetch(format!("{}/brotli", setting("HTTPBIN")));
    assert_eq!(response.header("content-encoding"), Some("br"));
    let told: serde_json::Value = response.json().expect("JSON");
    assert_eq!(told["brotli"], true);
    assert_eq!(told["headers"]["Accept-Encoding"], "gzip, deflate, br, zstd");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn zstd_by_its_own_program_is_undone() {
    let url = format!("{}/zstd/lines.txt", setting("NGINX"));
    let response = fetch(&*url);
    assert_eq!(response.header("content-encoding"), Some("zstd"));
    assert!(response.text() == lines());
    // A part of it is no such body.
    let part = fetch(Request::get(&*url).header("Range", "bytes=0-3"));
    assert_eq!((part.status(), part.bytes()), (206, &b"(\xb5/\xfd"[..]));
}
