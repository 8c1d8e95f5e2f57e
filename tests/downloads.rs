//! Where the bodies of responses go: to memory, a file, a writer, a function, or nowhere; and what is
//! left where they break off.
//!
//! - `places`: every place, by every framing
//! - `choosing`: which body goes where
//! - `files`: a file is there when it is whole, and not before
//! - `callers`: writers and functions that fail
//! - `partial`: an error has what arrived
//! - `limits`: bodies that are too large for where they go
//! - `resume`: going on with what is there
//! - `doubt`: and not with what does not fit
//! - `meddling`: somebody else in the same folder
//! - `pools`: budgets, retries and counts
//! - `buffers`: memory that is given back
//! - `memory`: what a large body takes of it

mod support;

#[path = "downloads/buffers.rs"]
mod buffers;
#[path = "downloads/callers.rs"]
mod callers;
#[path = "downloads/choosing.rs"]
mod choosing;
#[path = "downloads/doubt.rs"]
mod doubt;
#[path = "downloads/files.rs"]
mod files;
#[path = "downloads/limits.rs"]
mod limits;
#[path = "downloads/meddling.rs"]
mod meddling;
#[path = "downloads/memory.rs"]
mod memory;
#[path = "downloads/partial.rs"]
mod partial;
#[path = "downloads/places.rs"]
mod places;
#[path = "downloads/pools.rs"]
mod pools;
#[path = "downloads/resume.rs"]
mod resume;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::{io, process};

use fetchpool::{Error, Receive, Request, Response, Session, SessionConfig};

use support::script::{PATIENCE, Script, Server};

/// A session whose settings differ from the defaults in this, and in a shorter time-out.
fn session(change: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    change(&mut config);
    Session::new(config).expect("settings without a fault")
}

/// One request in a session of its own.
fn fetch(request: Request) -> Result<Response, Error> {
    session(|_| {}).request(request)
}

/// A server that answers one request with these bytes, and closes.
fn once(bytes: impl AsRef<[u8]>) -> Server {
    Script::new().reply(bytes).close().serve()
}

/// A body in which each place is told from the others.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// The same response three ways: with a length, in chunks, and up to the close.
fn framings(status: &str, fields: &str, body: &[u8]) -> [Vec<u8>; 3] {
    let head = |framing: &str| format!("HTTP/1.1 {status}\r\n{fields}{framing}\r\n").into_bytes();
    let mut chunked = head("Transfer-Encoding: chunked\r\n");
    // Chunks of several sizes, small ones among them.
    let mut rest = body;
    let mut size = 1;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(size.min(rest.len()));
        chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
        (rest, size) = (behind, size * 7 % 90_001);
    }
    chunked.extend(b"0\r\n\r\n");
    let length = head(&format!("Content-Length: {}\r\n", body.len()));
    [[length, body.to_vec()].concat(), chunked, [head(""), body.to_vec()].concat()]
}

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fetchpool-downloads-{}-{number}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder of our own");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file");
    }

    /// What lies in it, in order.
    fn names(&self) -> Vec<String> {
        names(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Written>>);

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    flushed: usize,
    dropped: bool,
}

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    fn writer(&self) -> impl io::Write + Send + 'static {
        Pen(self.clone())
    }

    fn receive(&self) -> Receive {
        Receive::writer(self.writer())
    }
}

struct Pen(Shared);

impl io::Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.0.lock().unwrap();
        // Less than all, as a writer may.
        let some = bytes.len().div_ceil(2).max(bytes.len().min(1000));
        written.bytes.extend(&bytes[..some]);
        Ok(some)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.0.lock().unwrap().flushed += 1;
        Ok(())
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().dropped = true;
    }
}
