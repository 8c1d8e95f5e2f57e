//! What a request carries, on its way out: bytes, files, readers and forms.
//!
//! - `whole`: what comes is what was given, in the framing that its length allows
//! - `broken`: a reader or a file that fails is an error, and never half a body for a whole one
//! - `again`: what is sent a second time, and what cannot be
//! - `early`: an answer that comes before the end of an upload
//! - `expect`: whoever asks whether a body is wanted
//! - `forms`: `multipart/form-data`
//! - `clocks`: the time that a reader takes, and a peer that reads no more

mod support;

#[path = "uploads/again.rs"]
mod again;
#[path = "uploads/broken.rs"]
mod broken;
#[path = "uploads/clocks.rs"]
mod clocks;
#[path = "uploads/early.rs"]
mod early;
#[path = "uploads/expect.rs"]
mod expect;
#[path = "uploads/forms.rs"]
mod forms;
#[path = "uploads/whole.rs"]
mod whole;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fetchpool::{Body, Error, Observed, Observer, Request, Response, Session, SessionConfig};

use support::script::{PATIENCE, Script, Server, ok};

/// A session whose settings differ from the defaults in this, and in a shorter time-out.
fn session(change: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    change(&mut config);
    Session::new(config).expect("settings without a fault")
}

/// One request in a session of its own, otherwise by default.
fn fetch(request: Request) -> Result<Response, Error> {
    session(|_| {}).request(request)
}

/// Bytes of which no two neighbours are the same.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = (0..251).collect::<Vec<u8>>().repeat(length / 251 + 1);
    bytes.truncate(length);
    bytes
}

/// A server that answers every request.
fn friendly() -> Server {
    Script::site(|_| ok("ok"))
}

/// A file of this test alone, gone with it.
struct Temporary(PathBuf);

impl Temporary {
    fn new(content: impl AsRef<[u8]>) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fetchpool-uploads-{}-{number}.bin", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("a file in the folder for temporary ones");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn name(&self) -> String {
        self.0.file_name().expect("a name").to_string_lossy().into_owned()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // The test may have taken it away itself.
        let _ = fs::remove_file(&self.0);
    }
}

/// Changes a file between the moment when it was opened and that when it is sent.
struct Meddler<F>(F);

impl<F: Fn() + Send + Sync> Observer for Meddler<F> {
    fn attempt(&self, _: &Observed<'_>, url: &str, _: u32) {
        if url.ends_with("/put") {
            (self.0)();
        }
    }
}

/// A reader that gives bytes, and says how many.
#[derive(Clone)]
struct Counted {
    left: usize,
    given: Arc<AtomicUsize>,
}

impl Counted {
    fn new(length: usize) -> Self {
        Self { left: length, given: Arc::default() }
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::SeqCst)
    }
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = into.len().min(self.left);
        into[..count].fill(b'x');
        self.left -= count;
        self.given.fetch_add(count, Ordering::SeqCst);
        Ok(count)
    }
}

/// A reader that is what a function does.
struct By<F>(F);

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for By<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (self.0)(into)
    }
}

/// A reader that gives these, one at each read, and then the end.
fn pieces(pieces: &'static [&'static str]) -> impl Read + Send + 'static {
    let mut pieces = pieces.iter().copied();
    By(move |into: &mut [u8]| {
        let piece = pieces.next().unwrap_or_default().as_bytes();
        into[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    })
}

/// The same bytes as a body of each kind, by name; whether it can be sent again.
fn kinds(bytes: &[u8], file: &Temporary) -> Vec<(&'static str, Body, bool)> {
    let (owned, length) = (bytes.to_vec(), bytes.len() as u64);
    let (first, second) = (owned.clone(), owned.clone());
    let reader = |bytes: &Vec<u8>| io::Cursor::new(bytes.clone());
    vec![
        ("bytes", Body::from(owned.clone()), true),
        ("a file", Body::file(file.path()), true),
        ("a reader", Body::reader(reader(&owned)), false),
        ("a reader with a length", Body::sized_reader(reader(&owned), length), false),
        ("readers", Body::reader_fn(move || Ok(reader(&first))), true),
        ("readers with a length", Body::sized_reader_fn(move || Ok(reader(&second)), length), true),
    ]
}
