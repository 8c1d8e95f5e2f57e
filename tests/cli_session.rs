//! The command line's sessions: proxies, certificates, cookies, hosts laid down, forms and files.
//!
//! `tests/cli.rs` has the lines and the other options, `tests/cli_control.rs` order and clocks.
#![cfg(all(feature = "cli", unix))]

mod support;

#[path = "cli_session/certificates.rs"]
mod certificates;
#[path = "cli_session/cookies.rs"]
mod cookies;
#[path = "cli_session/files.rs"]
mod files;
#[path = "cli_session/forms.rs"]
mod forms;
#[path = "cli_session/proxies.rs"]
mod proxies;
#[path = "cli_session/resume.rs"]
mod resume;
#[path = "cli_session/usage.rs"]
mod usage;
#[path = "cli_session/way.rs"]
mod way;

use std::fs;

use serde_json::Value;

use support::program::{Folder, Ran, fetchpool};

/// The status of a response, or the kind of a failure.
fn told(line: &Value) -> String {
    match &line["status"] {
        Value::Null => line["error"]["kind"].as_str().expect("a kind").to_owned(),
        status => status.to_string(),
    }
}

/// What became of each line, in the order of the input.
fn all_told(ran: &Ran) -> Vec<String> {
    ran.in_order().into_iter().map(told).collect()
}

/// That a run was refused before anything was done, and why.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let ran = fetchpool(arguments, b"");
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
    assert!(!ran.stderr.is_empty() && !ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran.stderr
}

/// The names in a folder, in order.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(&folder.0).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    names.sort();
    names
}

fn path(folder: &Folder) -> &str {
    folder.0.to_str().expect("a plain name")
}

fn read(folder: &Folder, name: &str) -> Vec<u8> {
    fs::read(folder.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Bytes of which no part looks like another.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}
