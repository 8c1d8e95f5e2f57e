//! Where a body comes from that is not in memory: a file, or a reader of the caller's.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::catch::catch;

/// Something that a body can be read from.
pub(crate) trait Source: Send + Sync {
    /// How many bytes there are, if that is known before it is opened.
    fn length(&self) -> Option<u64>;

    /// The same; a file is asked for it.
    fn measure(&self) -> io::Result<Option<u64>> {
        Ok(self.length())
    }

    /// Opens it, from its beginning.
    fn open(&self) -> io::Result<Opened>;

    /// Whether it can be opened any number of times.
    fn is_replayable(&self) -> bool;

    /// Whether it can be opened once more, as things are.
    fn can_be_sent(&self) -> bool {
        self.is_replayable()
    }

    /// What it is, to be shown.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A reader of the caller's.
pub(super) type Callers = Box<dyn Read + Send>;

/// A body that is being read. It gives as many bytes as its length says, or an error.
pub(crate) struct Opened {
    pub(crate) length: Option<u64>,
    reader: Callers,
}

impl Opened {
    /// A reader that is trusted to give no other number of bytes.
    pub(super) fn new(length: Option<u64>, reader: impl Read + Send + 'static) -> Self {
        Self { length, reader: Box::new(reader) }
    }

    /// Of a reader of which nothing is known, no more than its length.
    fn checked(length: Option<u64>, reader: impl Read + Send + 'static) -> Self {
        match length {
            Some(left) => Self::new(length, Exact { reader, length: left, left, to_end: false }),
            None => Self::new(None, reader),
        }
    }

    /// No bytes.
    pub(crate) fn nothing() -> Self {
        Self::new(Some(0), io::empty())
    }
}

impl Read for Opened {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into)
    }
}

/// A file, opened when it is sent.
pub(super) struct FileSource(pub(super) PathBuf);

impl FileSource {
    fn failed(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), AtFile { path: self.0.clone(), error })
    }

    fn length_of(metadata: &fs::Metadata) -> io::Result<u64> {
        if metadata.is_file() {
            return Ok(metadata.len());
        }
        let detail = "it is not a regular file (Body::reader takes what is read once)";
        Err(io::Error::new(io::ErrorKind::InvalidInput, detail))
    }

    fn ask(&self) -> io::Result<u64> {
        Self::length_of(&fs::metadata(&self.0)?)
    }

    fn read(&self) -> io::Result<Exact<File>> {
        // Before it is opened: opening a pipe waits for whoever writes into it.
        self.ask()?;
        let reader = File::open(&self.0)?;
        let length = Self::length_of(&reader.metadata()?)?;
        let mut exact = Exact { reader, length, left: length, to_end: true };
        // Such as those of procfs, whose length is always told as none.
        if length == 0 {
            exact.expect_end()?;
        }
        Ok(exact)
    }
}

impl Source for FileSource {
    fn length(&self) -> Option<u64> {
        None
    }

    fn measure(&self) -> io::Result<Option<u64>> {
        self.ask().map(Some).map_err(|error| self.failed(error))
    }

    fn open(&self) -> io::Result<Opened> {
        let file = self.read().map_err(|error| self.failed(error))?;
        let path = self.0.clone();
        Ok(Opened::new(Some(file.length), ReadFile { path, file }))
    }

    fn is_replayable(&self) -> bool {
        true
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {:?}", self.0)
    }
}

/// An open file, which says its name when it fails.
struct ReadFile {
    path: PathBuf,
    file: Exact<File>,
}

impl Read for ReadFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, AtFile { path: self.path.clone(), error }),
        })
    }
}

/// A reader that can be read once.
pub(super) struct Once {
    slot: Arc<Slot>,
    length: Option<u64>,
}

/// Where the reader is until it is read from.
type Slot = Mutex<Option<Callers>>;

impl Once {
    pub(super) fn new(reader: Callers, length: Option<u64>) -> Self {
        Self { slot: Arc::new(Mutex::new(Some(reader))), length }
    }
}

impl Source for Once {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn open(&self) -> io::Result<Opened> {
        let reader = lock(&self.slot).take().ok_or_else(gone)?;
        let home = Some(Arc::clone(&self.slot));
        Ok(Opened::checked(self.length, Lent { reader: Some(reader), home }))
    }

    fn is_replayable(&self) -> bool {
        false
    }

    fn can_be_sent(&self) -> bool {
        lock(&self.slot).is_some()
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reader")
    }
}

/// Makes a reader each time that one is needed.
pub(super) struct Each {
    pub(super) make: Make,
    pub(super) length: Option<u64>,
}

/// What makes readers.
pub(super) type Make = Box<dyn Fn() -> io::Result<Callers> + Send + Sync>;

impl Source for Each {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn open(&self) -> io::Result<Opened> {
        let reader = Some((self.make)()?);
        Ok(Opened::checked(self.length, Lent { reader, home: None }))
    }

    fn is_replayable(&self) -> bool {
        true
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("readers")
    }
}

/// The caller's reader while a request has it. One that was not read from goes home again.
struct Lent {
    reader: Option<Callers>,
    home: Option<Arc<Slot>>,
}

impl Read for Lent {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.home = None;
        self.reader.as_mut().map_or(Ok(0), |reader| reader.read(into))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let reader = self.reader.take();
        match &self.home {
            Some(home) => *lock(home) = reader,
            // The caller's code once more. It panics at most where nothing is left to be done.
            None => drop(catch(|| drop(reader))),
        }
    }
}

fn lock(slot: &Slot) -> MutexGuard<'_, Option<Callers>> {
    // Poison is ignored: each change is one assignment.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads exactly so many bytes of another reader.
struct Exact<R> {
    reader: R,
    length: u64,
    left: u64,
    /// Whether there must be nothing behind them. That is looked for before the last of them is
    /// handed out, so that what is wrong is never sent as if it were whole.
    to_end: bool,
}

impl<R: Read> Exact<R> {
    fn expect_end(&mut self) -> io::Result<()> {
        loop {
            match self.reader.read(&mut [0]) {
                Ok(0) => return Ok(()),
                Ok(_) => {
                    let detail = format!("it has grown beyond its length of {}", self.length);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(into.len(), |left| left.min(into.len()));
        let room = into.get_mut(..most).unwrap_or_default();
        if room.is_empty() {
            return Ok(0);
        }
        let count = self.reader.read(room)?;
        if count == 0 {
            let (left, length) = (self.left, self.length);
            let detail = format!("it ended {left} bytes before its length of {length}");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, detail));
        }
        // Whoever says that it read more than it was given room for is found out by whoever reads.
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        if self.left == 0 && self.to_end {
            self.expect_end()?;
        }
        Ok(count)
    }
}

/// Whether what failed is a reader that has been used up.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Gone>())
}

/// That a reader has been used up.
pub(super) fn gone() -> io::Error {
    io::Error::other(Gone)
}

/// The reader was given to an earlier request, or an earlier hop of this one.
#[derive(Debug)]
struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the body's reader can be read once, and has been (Body::reader_fn and Body::file can \
             be sent again)",
        )
    }
}

impl std::error::Error for Gone {}

/// What is wrong with a file.
#[derive(Debug)]
struct AtFile {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for AtFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {:?}", self.path)
    }
}

impl std::error::Error for AtFile {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// The last component of a path, as a name that a server is told.
pub(super) fn file_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(opened: &mut Opened) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        opened.read_to_end(&mut bytes).map(|_| bytes)
    }

    fn once(bytes: &'static [u8], length: Option<u64>) -> Once {
        Once::new(Box::new(bytes), length)
    }

    #[test]
    fn a_reader_that_was_opened_and_not_read_can_be_opened_again() {
        let once = once(b"abc", None);
        let opened = once.open().unwrap();
        assert!(!once.can_be_sent() && is_gone(&once.open().err().unwrap()));
        drop(opened);
        assert!(once.can_be_sent());
        assert_eq!(all(&mut once.open().unwrap()).unwrap(), b"abc");
        assert!(!once.can_be_sent() && is_gone(&once.open().err().unwrap()));
    }

    #[test]
    fn a_reader_gives_as_many_bytes_as_its_length_says_or_an_error() {
        for length in 0..=3_u8 {
            let bytes = all(&mut once(b"abc", Some(length.into())).open().unwrap()).unwrap();
            assert_eq!(bytes, &b"abc"[..length.into()]);
        }
        let error = all(&mut once(b"abc", Some(5)).open().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "it ended 2 bytes before its length of 5");
    }

    #[test]
    fn no_byte_behind_the_length_is_asked_for() {
        struct Strict(usize);
        impl Read for Strict {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert!(into.len() <= self.0, "as a socket would, this one would wait for ever");
                self.0 -= into.len();
                Ok(into.len())
            }
        }
        let once = Once::new(Box::new(Strict(100_000)), Some(100_000));
        assert_eq!(all(&mut once.open().unwrap()).unwrap().len(), 100_000);
    }

    #[test]
    fn a_reader_that_panics_when_it_is_dropped_takes_nobody_along() {
        struct Bomb;
        impl Read for Bomb {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Ok(0)
            }
        }
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let mut opened = Once::new(Box::new(Bomb), None).open().unwrap();
        assert_eq!(all(&mut opened).unwrap(), b"");
        drop(opened);
    }
}
