//! The rules can fail: each is tried on code that breaks it, and on code that does not.

use std::collections::BTreeSet;

use super::{File, MAX_LINES, dependencies, faults};

/// What is found in a file that has a first line and then this code.
fn found(path: &str, code: &str) -> Vec<String> {
    faults(&File { path: path.to_owned(), text: format!("//! A file.\n{code}") })
}

#[track_caller]
fn good(path: &str, code: &str) {
    assert_eq!(found(path, code), Vec::<String>::new(), "{code}");
}

#[track_caller]
fn bad(path: &str, code: &str, why: &str) {
    let found = found(path, code);
    assert_eq!(found.len(), 1, "{code}: {found:?}");
    assert!(found[0].starts_with(&format!("{path}:2: ")), "{code}: {found:?}");
    assert!(found[0].contains(why), "{code}: {found:?}");
}

#[test]
fn an_import_that_points_up_is_found() {
    let why = "imports point down";
    for code in [
        "use crate::pool::Pool;",
        "use crate::{message::Headers, session::Session};",
        "use crate::{pool};",
        "use crate::pool as lake;",
        "pub(crate) use crate::connection::*;",
        "fn f() { crate::session::go(); }",
        "fn f(s: &crate::session::Session) {}",
        "type T = Vec<crate::error::Error>;",
        "use super::session::Session;",
        "use super::super::super::session::Session;",
        "use self::super::session::Session;",
        "mod tests { use super::super::session::Session; }",
        "mod tests { fn f() { super::super::map::map(); } }",
        "use super::{session::{Session, config}};",
        "macro_rules! m { () => { $crate::session::go() } }",
        "#[cfg(test)] use crate::pool::Pool;",
    ] {
        let found = found("src/wire/mod.rs", code);
        assert!(!found.is_empty() && found[0].contains(why), "{code}: {found:?}");
    }
    bad("src/message/json.rs", "use crate::wire::Head;", "wire is above message");
    bad("src/message/json.rs", "use super::super::error::Error;", "error is above message");
    bad("src/session/coding/gzip.rs", "use super::super::super::pool::P;", "pool is above session");
    bad("src/error.rs", "use super::connection::Connection;", "connection is above error");
    bad("src/pool/mod.rs", "use crate::map::map;", "map is above pool");
}

#[test]
fn the_roof_is_not_a_way_around() {
    bad("src/wire/head.rs", "use crate::Pool;", "name the floor");
    bad("src/wire/head.rs", "use crate::{Pool};", "name the floor");
    bad("src/wire/head.rs", "use super::super::Pool;", "name the floor");
    bad("src/wire/head.rs", "use crate::*;", "everything");
    bad("src/wire/head.rs", "use super::super::*;", "everything");
    bad("src/wire/head.rs", "use crate as house;", "everything");
}

#[test]
fn an_import_that_points_down_or_stays_is_fine() {
    good("src/pool/mod.rs", "use crate::session::{Session, SessionConfig};");
    good("src/map.rs", "use crate::{message::Request, pool::Pool};");
    good(
        "src/connection/tls.rs",
        "use super::stream::Stream;\nuse crate::error::{Error, ErrorKind};",
    );
    good("src/connection/mod.rs", "mod stream;\nuse self::stream::Stream;\nuse stream::Other;");
    good("src/wire/head.rs", "mod tests { use super::super::framing::Framing; use super::*; }");
    good("src/wire/head.rs", "mod tests { mod deep { use super::super::super::limits::Limits; } }");
    good(
        "src/wire/head.rs",
        "pub(crate) struct S; pub(super) fn f() {} pub(in crate::wire) fn g() {}",
    );
    good("src/session/mod.rs", "use std::time::Duration;\nfn f() -> impl Sized + use<> {}");
    good("src/internals.rs", "use crate::wire::Exchange;");
    good("src/lib.rs", "mod pool;\npub use crate::pool::Pool;\npub use session::Session;");
    good("src/bin/fetchpool/main.rs", "use crate::args::Args;\nuse fetchpool::Pool;");
}

#[test]
fn what_is_not_code_does_not_count() {
    good("src/wire/head.rs", "// use crate::pool::Pool;\n/// crate::pool::Pool\nfn f() {}");
    good("src/wire/head.rs", "/* use crate::pool::Pool; /* and */ crate::pool */ fn f() {}");
    good("src/wire/head.rs", r#"const A: &str = "crate::pool \" crate::pool";"#);
    good("src/wire/head.rs", r###"const A: &str = r#"" crate::pool"#;"###);
    good(
        "src/wire/head.rs",
        "const A: &[u8] = b\"flate2::x\"; const B: u8 = b'\\''; const C: char = '\"';",
    );
    // A lifetime is not the start of a character, nor a quote character the start of a string.
    let why = "imports point down";
    bad("src/wire/head.rs", "fn f<'a>(x: &'a crate::pool::Pool) {}", why);
    bad(
        "src/wire/head.rs",
        "const Q: char = '\"'; use crate::pool::Pool; const R: char = '\"';",
        why,
    );
    bad("src/wire/head.rs", "const Q: &str = \"//\"; use crate::pool::Pool;", why);
    bad("src/wire/head.rs", "const Q: &str = \"/*\"; use crate::pool::Pool;", why);
    bad("src/wire/head.rs", "use crate::r#pool::Pool;", why);
}

#[test]
fn a_crate_named_outside_its_door_is_found() {
    bad("src/wire/framing.rs", "use httparse::Status;", "httparse is named in");
    bad("src/wire/framing.rs", "fn f() -> httparse::Status {}", "httparse is named in");
    bad("src/wire/framing.rs", "fn f() -> ::httparse::Status {}", "httparse is named in");
    bad("src/wire/framing.rs", "use httparse as parser;", "httparse is named in");
    bad("src/session/mod.rs", "use flate2::read::GzDecoder;", "flate2 is named in");
    bad("src/connection/stream.rs", "use rustls::Stream;", "rustls is named in");
    bad("src/connection/stream.rs", "use {webpki_roots::TLS};", "webpki_roots is named in");
    bad("src/session/redirect.rs", "fn f(u: &url::Url) {}", "url is named in");
    bad("src/lib.rs", "use url::Url;", "url is named in");
    bad("src/bin/fetchpool/main.rs", "use rustls::Stream;", "rustls is named in");
    bad("src/wire/head.rs", "pub(super) use httparse::Status;", "hand its crate on");
    bad("src/lib.rs", "extern crate rustls;", "hides");

    good("src/wire/head.rs", "use httparse::{Header, Status};\nfn f() { httparse::parse(); }");
    good("src/connection/tls/resume.rs", "use rustls::client::Tls13;");
    // A variable or a field of that name is not the crate; nor is a module of one's own.
    good("src/session/redirect.rs", "fn f(url: &str) { let url = self.url; g(url) }");
    good("src/message/mod.rs", "mod base64;\nfn f() { base64::encode() }");
}

#[test]
fn a_clock_or_a_socket_in_wire_is_found() {
    for code in [
        "use std::net::TcpStream;",
        "use std::{fmt, time::Instant};",
        "fn f() { std::thread::yield_now(); }",
        "use core::time::Duration;",
        "use std::io;",
        "use std::*;",
        "fn f(d: ::std::time::Duration) {}",
    ] {
        bad("src/wire/framing.rs", code, "arithmetic on bytes");
    }
    good("src/wire/framing.rs", "use alloc::vec::Vec;\nuse core::{fmt, mem};");
    good("src/connection/stream.rs", "use std::net::TcpStream;");
}

#[test]
fn the_shape_of_a_file_is_checked() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    assert_eq!(faults(&file("src/map.rs", "fn f() {}\n")).len(), 1);
    assert_eq!(faults(&file("src/map.rs", "")).len(), 1);
    assert_eq!(faults(&file("src/map.rs", "//! Says what it is.\n")).len(), 0);
    let long = |lines: usize| format!("//! Long.\n{}", "\n".repeat(lines - 1));
    assert_eq!(faults(&file("src/map.rs", &long(MAX_LINES))).len(), 0);
    assert_eq!(faults(&file("src/map.rs", &long(MAX_LINES + 1))).len(), 1);
    assert_eq!(faults(&file("src/utils.rs", "//! Says what it is.\n")).len(), 1);
    assert_eq!(faults(&file("src/utils/mod.rs", "//! Says what it is.\n")).len(), 1);
    bad("src/wire/mod.rs", "#[path = \"../pool/mod.rs\"] mod lake;", "hides");
    good("src/wire/mod.rs", "#[path = \"head_tests.rs\"] mod tests;");
    bad("src/wire/mod.rs", "include!(\"../pool/mod.rs\");", "hides");
}

#[test]
fn the_manifest_is_read_right() {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\n# why\nweb-roots = \"1\"\nurl = { version = \"2\" }\n\n[dev-dependencies]\nother = \"1\"\n";
    let expected: BTreeSet<String> = ["url", "web_roots"].map(str::to_owned).into();
    assert_eq!(dependencies(manifest), expected);
}
