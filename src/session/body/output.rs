//! A file that is written beside its name and takes it when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::part::{self, Place};
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Found, Note, random};

/// A file in the making. Unless it is finished, what was written of it goes when this goes; or stays,
/// if it can be gone on from.
pub(in crate::session) struct Output {
    /// Small pieces are gathered, large ones pass it by.
    file: BufWriter<File>,
    /// Where the bytes are until they are whole.
    beside: PathBuf,
    target: PathBuf,
    /// What has to be known to go on from what is there. Boxed, as most files have none.
    note: Option<Box<Note>>,
    /// Bytes that were there before.
    before: u64,
    written: u64,
    /// How many it must be in the end.
    whole: Option<u64>,
    finished: bool,
}

impl Output {
    /// Begins a file that goes if it does not become whole.
    pub(in crate::session) fn create(target: &Path) -> Result<Self, Error> {
        check(target)?;
        let (beside, file) = create_temporary(target, Mode::Usual)?;
        Ok(Self::new(file, beside, target, None))
    }

    /// Begins a file that can be gone on with.
    pub(in crate::session) fn begin(target: &Path, note: Note) -> Result<Self, Error> {
        check(target)?;
        let beside = note.part_path(target);
        let file = open_new(&beside, Mode::Usual).map_err(|e| local(&beside, "created", e))?;
        // From here on what was made is removed if nothing comes of it.
        let output = Self::new(file, beside, target, Some(note));
        if let Some(note) = &output.note {
            write_note(target, note)?;
        }
        Ok(output)
    }

    /// Removes what an earlier try has left.
    pub(in crate::session) fn remove(target: &Path, left: &Note) {
        part::remove(target, left);
    }

    /// Goes on with a part: what comes is its rest, and the whole has this length. `None` if the part
    /// is not there any more.
    pub(in crate::session) fn go_on(target: &Path, found: &Found, whole: u64) -> Option<Self> {
        let beside = found.note.part_path(target);
        let mut file = part::open(&beside)?;
        let len = file.metadata().ok()?.len();
        if len <= found.from || len > whole {
            return None;
        }
        file.seek(SeekFrom::Start(found.from)).ok()?;
        let mut output = Self::new(file, beside, target, Some(found.note.clone()));
        output.before = found.from;
        output.whole = Some(whole);
        Some(output)
    }

    fn new(file: File, beside: PathBuf, target: &Path, note: Option<Note>) -> Self {
        Self {
            file: BufWriter::with_capacity(GATHERED_BYTES, file),
            beside,
            target: target.to_owned(),
            note: note.map(Box::new),
            before: 0,
            written: 0,
            whole: None,
            finished: false,
        }
    }

    pub(super) const fn before(&self) -> u64 {
        self.before
    }

    pub(super) const fn resumed_from(&self) -> Option<u64> {
        match self.whole {
            Some(_) => Some(self.before),
            None => None,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written = self.written.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.file.write_all(bytes).map_err(|error| self.failed("written", error))
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self) -> Result<PathBuf, Error> {
        match self.complete() {
            Ok(()) => {
                self.finished = true;
                Ok(std::mem::take(&mut self.target))
            }
            Err(error) => {
                self.give_up(&error);
                Err(error)
            }
        }
    }

    fn complete(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(|error| self.failed("written", error))?;
        if self.note.is_some() {
            let len = self.before.saturating_add(self.written);
            if self.whole.is_some_and(|whole| whole != len) {
                let detail =
                    format!("the rest of the file ends at {len}, which Content-Range denies");
                return Err(Error::new(ErrorKind::Protocol, detail).during(Phase::Receiving));
            }
            // Somebody else may have the same part, and be further; never beyond the whole.
            let there = self.file.get_ref().metadata().map_err(|e| self.failed("read", e))?.len();
            if there != len {
                self.distrust();
                let other = io::Error::other("somebody else has written to it");
                return Err(self.failed("finished", other));
            }
        }
        match fs::rename(&self.beside, &self.target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_there() => {}
            renamed => renamed.map_err(|error| self.failed("renamed", error))?,
        }
        if let Some(note) = &self.note {
            part::forget(&self.target, note);
        }
        Ok(())
    }

    /// Whether this very file has its name already: somebody else had the same part.
    fn is_there(&self) -> bool {
        let place = Place::of(&self.target);
        place.is_some() && place == Place::of_file(self.file.get_ref())
    }

    /// Nothing more comes, because of this.
    pub(super) fn give_up(mut self, error: &Error) {
        let may_go_on = matches!(
            error.kind(),
            ErrorKind::Closed
                | ErrorKind::Timeout
                | ErrorKind::Io
                | ErrorKind::Tls
                | ErrorKind::Cancelled
        );
        if !may_go_on {
            // What came before something malformed may be malformed, too.
            self.distrust();
        }
    }

    /// What is there is not to be gone on from.
    fn distrust(&mut self) {
        if let Some(note) = self.note.take() {
            part::forget(&self.target, &note);
        }
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        local(&self.target, what, error)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // An error of this was told when it came first, or is the same.
        let _ = self.file.flush();
        let is_empty = self.before == 0 && self.written == 0;
        if self.note.is_none() || is_empty {
            self.distrust();
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Refuses a path that no file can have, before the body is waited for.
fn check(target: &Path) -> Result<(), Error> {
    if target.file_name().is_none() {
        let detail = format!("{} is not the path of a file", target.display());
        return Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Receiving));
    }
    match fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_dir() => {
            Err(local(target, "written", io::ErrorKind::IsADirectory.into()))
        }
        // Whatever else there is to say of it, making the file says.
        _ => Ok(()),
    }
}

/// A new file of a name that nobody can foretell, in the folder of this one.
fn create_temporary(target: &Path, mode: Mode) -> Result<(PathBuf, File), Error> {
    let name = format!(".fetchpool-{:016x}.part", random::bits());
    let beside = target.with_file_name(name);
    let file = open_new(&beside, mode).map_err(|error| local(target, "created", error))?;
    Ok((beside, file))
}

/// Puts the note of a part in its place, whole or not at all. A URL may hold a key.
fn write_note(target: &Path, note: &Note) -> Result<(), Error> {
    let (beside, mut file) = create_temporary(target, Mode::Private)?;
    let path = Note::path(target);
    let written =
        file.write_all(note.to_text().as_bytes()).and_then(|()| fs::rename(&beside, &path));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        local(&path, "written", error)
    })
}

/// Who may read a new file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Usual,
    /// Its owner alone, where the system knows that.
    Private,
}

/// Fails where something of that name is, a link too.
fn open_new(path: &Path, mode: Mode) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if mode == Mode::Private {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

fn local(path: &Path, what: &str, error: io::Error) -> Error {
    Error::local(format!("the file {} cannot be {what}", path.display()), error)
}

/// Pieces smaller than this are gathered, so that a body of tiny chunks is not one of tiny writes.
const GATHERED_BYTES: usize = 16 << 10;
