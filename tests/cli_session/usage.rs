//! Options that need each other, or cannot be together, and what is said of all of them.

use super::refused;
use super::support::program::{Folder, fetchpool};
use super::support::script::{Script, ok};

#[test]
fn options_that_contradict_or_need_each_other_are_a_usage_error() {
    let (site, folder) = (Script::site(|_| ok("")), Folder::new("conflicts"));
    let (url, here) = (site.url("/"), super::path(&folder));
    for arguments in [
        &["--proxy", "http://127.0.0.1:1", "--proxy-from-env"][..],
        &["--proxy", "http://127.0.0.1:1", "--proxy", "http://127.0.0.1:2"],
        &["--unix-socket", "/s", "--proxy", "http://127.0.0.1:1"],
        &["--unix-socket", "/s", "--proxy-from-env"],
        &["--unix-socket", ""],
        &["--key", "/k"],
        &["--range-resume"],
        &["--range-resume", "--output", here, "--body"],
        &["--range-resume", "--output", here, "--header", "range: bytes=5-"],
        &["--range-resume", "--output", here, "--header", "IF-Range: \"x\""],
        &["--cookies=yes"],
    ] {
        refused(&[arguments, &[&url]].concat());
    }
    for arguments in [&["--range-resume"][..], &["--form-file", "a=b"], &["--output", here]] {
        refused(&[&["--demo"], arguments].concat());
    }
    assert_eq!(site.connections(), 0);
}

#[test]
fn a_switch_that_is_given_a_value_does_not_repeat_it() {
    for switch in ["--proxy-from-env", "--cookies", "--range-resume", "--insecure"] {
        let said = refused(&[&format!("{switch}=http://ann:hunter2@h"), "http://127.0.0.1:1/"]);
        assert!(said.contains(switch) && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn the_help_mentions_every_option() {
    let ran = fetchpool(&["--help"], b"");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    for option in [
        "--proxy <URL>",
        "--proxy-from-env",
        "--cookies",
        "--output <DIR>",
        "--resolve <HOST:PORT:ADDR[,ADDR]>",
        "--cert <PEM>",
        "--key <PEM>",
        "--form-file <NAME=FILE>",
        "--range-resume",
        "--unix-socket <PATH>",
        "NAME.*.part and NAME.resume",
    ] {
        assert!(ran.stdout.contains(option), "{option}: {}", ran.stdout);
    }
}
