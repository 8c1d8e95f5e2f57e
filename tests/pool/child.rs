//! A test in a process of its own, where it alone owns the threads and the memory.

use std::process::Command;

/// Runs the body in a child process: this same test binary, asked for this one test.
///
/// `name` is the test's path, as `cargo test` prints it.
#[track_caller]
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    const CHILD: &str = "FETCHPOOL_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{failed}", output.status);
    assert!(said.contains("1 passed"), "no test is called {name}:\n{said}");
    println!("{said}");
}
