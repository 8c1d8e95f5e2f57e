//! Finds what an earlier try has left of a file, and removes it.
//!
//! Who shares the folder could have put anything there, so nothing is followed: a note that is a
//! link, or too long, or not to the letter a note, is none; and a part is what the note's number
//! says, in the same folder, a plain file, and the same one before it is opened and after.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use crate::message::{Found, Note};

/// The part that this note tells of, if it is there and one of this URL.
pub(in crate::session) fn find(target: &Path, note: &Note, url: &str) -> Option<Found> {
    let len = open(&note.part_path(target))?.metadata().ok()?.len();
    let fits = note.url == url && note.whole.is_none_or(|whole| len <= whole);
    let from = len.checked_sub(1).filter(|_| fits)?;
    Some(Found { note: note.clone(), from })
}

/// Opens a part to be gone on with.
pub(super) fn open(path: &Path) -> Option<File> {
    let place = Place::of(path)?;
    let file = OpenOptions::new().write(true).open(path).ok()?;
    (Place::of_file(&file)? == place).then_some(file)
}

/// Removes a part and its note.
pub(super) fn remove(target: &Path, note: &Note) {
    // It may be gone; and what cannot be removed is not used either, once its note is replaced.
    let _ = fs::remove_file(note.part_path(target));
    forget(target, note);
}

/// Removes the note of this part. Not that of another one.
pub(super) fn forget(target: &Path, note: &Note) {
    if read_note(target).is_some_and(|there| there.id == note.id) {
        let _ = fs::remove_file(Note::path(target));
    }
}

/// What an earlier try has left of the file, as it says.
pub(in crate::session) fn read_note(target: &Path) -> Option<Note> {
    let path = Note::path(target);
    let place = Place::of(&path)?;
    let file = File::open(&path).ok()?;
    if Place::of_file(&file)? != place {
        return None;
    }
    let mut text = String::new();
    file.take(NOTE_BYTES).read_to_string(&mut text).ok()?;
    // One that is longer is cut off, and a note that is cut off is none.
    Note::parse(&text, seconds_now())
}

/// Seconds since 1970.
pub(in crate::session) fn seconds_now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// Which plain file something is.
#[derive(PartialEq, Eq)]
pub(super) struct Place(u64, u64);

impl Place {
    /// `None` if it is no plain file: a link, a folder, a pipe that would block.
    pub(super) fn of(path: &Path) -> Option<Self> {
        Self::new(&fs::symlink_metadata(path).ok()?)
    }

    pub(super) fn of_file(file: &File) -> Option<Self> {
        Self::new(&file.metadata().ok()?)
    }

    #[cfg(unix)]
    fn new(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        metadata.is_file().then(|| Self(metadata.dev(), metadata.ino()))
    }

    #[cfg(not(unix))]
    fn new(metadata: &Metadata) -> Option<Self> {
        metadata.is_file().then(|| Self(0, metadata.len()))
    }
}

/// The most of a note that is read. A URL is most of it.
const NOTE_BYTES: u64 = 64 << 10;
