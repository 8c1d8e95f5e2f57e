//! `SSLKEYLOGFILE`: only where it is asked for. Each in a process of its own, whose environment
//! says what a user's would.

use std::fs;
use std::path::Path;
use std::process::Command;

use fetchpool::{Session, SessionConfig, TlsVersion};

use super::support::tls::{Ca, TlsServer};
use super::trusting_config;

const CHILD: &str = "FETCHPOOL_TEST_KEY_LOG";

/// Runs this test again in a child process, with the variable set to this path or not set.
#[track_caller]
fn in_child(name: &str, path: Option<&Path>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    match path {
        Some(path) => command.env("SSLKEYLOGFILE", path),
        None => command.env_remove("SSLKEYLOGFILE"),
    };
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "no test is called {name}:\n{said}");
}

/// One request with these settings.
fn request(set: impl Fn(&mut SessionConfig)) {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut config = trusting_config(&ca);
    set(&mut config);
    let mut session = Session::new(config).expect("settings without a fault");
    assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
}

struct Gone(std::path::PathBuf);

impl Gone {
    fn new(name: &str) -> Self {
        let name = format!("fetchpool-key-log-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        // It may never have been there.
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_variable_alone_writes_nothing() {
    if std::env::var_os(CHILD).is_some() {
        request(|_| {});
        return request(|config| {
            config.tls.key_log_from_env(true).key_log_from_env(false);
        });
    }
    let file = Gone::new("unasked");
    in_child("key_log::the_variable_alone_writes_nothing", Some(&file.0));
    assert!(!file.0.exists());
}

#[test]
fn with_the_variable_and_the_setting_the_secrets_are_written() {
    if std::env::var_os(CHILD).is_some() {
        request(|config| {
            config.tls.key_log_from_env(true);
        });
        return request(|config| {
            config.tls.key_log_from_env(true).max_version(TlsVersion::Tls12);
        });
    }
    let file = Gone::new("asked");
    in_child("key_log::with_the_variable_and_the_setting_the_secrets_are_written", Some(&file.0));
    let written = fs::read_to_string(&file.0).expect("a log of keys");
    for label in ["CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 ", "CLIENT_RANDOM "] {
        let lines = written.lines().filter(|line| line.starts_with(label));
        assert_eq!(lines.count(), 1, "{label}: {written}");
    }
}

#[test]
fn the_setting_alone_writes_nothing_and_does_no_harm() {
    if std::env::var_os(CHILD).is_some() {
        return request(|config| {
            config.tls.key_log_from_env(true);
        });
    }
    in_child("key_log::the_setting_alone_writes_nothing_and_does_no_harm", None);
    // Nor a file that cannot be written.
    let nowhere = Path::new("/nonexistent/fetchpool/keys.log");
    in_child("key_log::the_setting_alone_writes_nothing_and_does_no_harm", Some(nowhere));
}
