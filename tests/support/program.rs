//! The program `fetchpool`, run as other programs run it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// No test waits longer than this for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A run that is over.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Of stdout, where they are JSON.
    pub(crate) lines: Vec<Value>,
}

impl Ran {
    pub(crate) fn in_order(&self) -> Vec<&Value> {
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_by_key(|line| line["index"].as_u64());
        lines
    }
}

/// Runs the program to its end.
pub(crate) fn fetchpool(arguments: &[&str], input: &[u8]) -> Ran {
    to_the_end(Running::start(arguments), input)
}

/// The same in an environment that has these of the variables of proxies, and no others.
pub(crate) fn fetchpool_where(variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fetchpool"));
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command.envs(variables.iter().copied()).args(arguments);
    to_the_end(Running::of(command), b"")
}

fn to_the_end(mut running: Running, input: &[u8]) -> Ran {
    let mut stdin = running.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A program that does not want its input may close it.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let mut stdout = String::new();
    while let Some(line) = running.next_line() {
        stdout.push_str(&line);
    }
    let (status, stderr) = running.wait();
    writer.join().expect("a thread that cannot panic");
    let lines = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ran { status, stdout, stderr, lines }
}

/// A run that goes on.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    /// `None` once it was closed.
    pub(crate) lines: Option<Receiver<String>>,
    pub(crate) stderr: Receiver<String>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fetchpool"));
        command.args(arguments);
        Self::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (line, lines) = mpsc::sync_channel(0);
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        thread::spawn(move || {
            loop {
                let mut text = Vec::new();
                let read = stdout.read_until(b'\n', &mut text).unwrap_or(0);
                // The pipe is closed when nobody receives any more.
                if read == 0 || line.send(String::from_utf8_lossy(&text).into_owned()).is_err() {
                    return;
                }
            }
        });
        let (said, stderr) = mpsc::channel();
        let mut pipe = child.stderr.take().expect("a pipe");
        thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text);
            let _ = said.send(text);
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines: Some(lines), stderr }
    }

    /// The next line with its end, or `None` when stdout is closed.
    pub(crate) fn next_line(&mut self) -> Option<String> {
        match self.lines.as_ref()?.recv_timeout(LIMIT) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no line within {LIMIT:?}"),
        }
    }

    pub(crate) fn line(&mut self) -> Value {
        let line = self.next_line().expect("another line");
        serde_json::from_str(&line).expect("a line of JSON")
    }

    /// All lines that are still to come, until stdout is closed.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        let lines = std::iter::from_fn(|| self.next_line());
        lines.map(|line| serde_json::from_str(&line).expect("a line of JSON")).collect()
    }

    pub(crate) fn try_write(&mut self, text: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush())
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.try_write(text).expect("the program reads");
    }

    pub(crate) fn close_stdout(&mut self) {
        self.lines = None;
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Closes stdin, and waits.
    pub(crate) fn end(mut self) -> (i32, String) {
        self.stdin = None;
        self.wait()
    }

    /// Exit status and stderr.
    pub(crate) fn wait(mut self) -> (i32, String) {
        let stderr = self.stderr.recv_timeout(LIMIT).expect("the program ends in time");
        let status = self.child.wait().expect("it was started here");
        (status.code().expect("it ended by itself"), stderr)
    }

    /// Exit status and everything that a terminal was shown, without its colours.
    pub(crate) fn shown(mut self) -> (i32, String) {
        let shown: String = std::iter::from_fn(|| self.next_line()).collect();
        (self.wait().0, shown)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only where a test failed is it still there.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for one test, gone with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("a file for the test");
        path.to_str().expect("a plain name").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
