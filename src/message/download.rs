//! What there is of a file whose download broke off, and the note that tells of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::validator::{Validator, number};

/// One try to download a file of which a part may be there.
pub(crate) struct Download {
    /// The file when it is whole.
    pub(crate) target: PathBuf,
    /// The URL that was asked for, without user information.
    pub(crate) url: String,
    /// What an earlier try has left, be it of use or not. It goes when the file is begun anew.
    pub(crate) left: Option<Note>,
    /// What is there, and was asked to be gone on from.
    pub(crate) found: Option<Found>,
    refused: AtomicBool,
}

/// A part that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) note: Note,
    /// From where on it is asked for. The last byte that is there is asked for again: of what may be
    /// whole already there would be nothing to send.
    pub(crate) from: u64,
}

/// What a part is a part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Which part: each begins under a number of its own, so that none is ever written to by
    /// somebody who means another.
    pub(crate) id: u64,
    pub(crate) url: String,
    /// Where redirects led from there, as [`place`] has it.
    pub(crate) place: String,
    pub(crate) validator: Validator,
    /// The length of the whole.
    pub(crate) whole: Option<u64>,
}

impl Download {
    pub(crate) const fn new(
        target: PathBuf,
        url: String,
        left: Option<Note>,
        found: Option<Found>,
    ) -> Self {
        Self { target, url, left, found, refused: AtomicBool::new(false) }
    }

    /// The server did not send the rest: the whole must be asked for.
    pub(crate) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Note {
    /// The text of the note.
    pub(crate) fn to_text(&self) -> String {
        let Self { id, url, place, validator, whole } = self;
        let whole = whole.map_or_else(|| "unknown".to_owned(), |whole| whole.to_string());
        let validator = validator.as_str();
        format!(
            "{TITLE}\npart: {id:016x}\nurl: {url}\nplace: {place}\nvalidator: {validator}\n\
             length: {whole}\n"
        )
    }

    /// Reads a note. It may have been written by anybody: what is not to the letter what this crate
    /// writes is none. It names no file: its part is found by a number.
    pub(crate) fn parse(text: &str, now: i64) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut line = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
        if line(TITLE_NAME)? != TITLE_VERSION {
            return None;
        }
        let id = line("part")?;
        let is_id = id.len() == 16 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let id = is_id.then(|| u64::from_str_radix(id, 16).ok()).flatten()?;
        let url = line("url")?.to_owned();
        let place = line("place")?.to_owned();
        let validator = Validator::parse(line("validator")?, now)?;
        let whole = match line("length")? {
            "unknown" => None,
            length => Some(number(length)?),
        };
        lines.next().is_none().then_some(Self { id, url, place, validator, whole })
    }

    /// Where the note of a file is.
    pub(crate) fn path(target: &Path) -> PathBuf {
        beside(target, ".resume")
    }

    /// Where the part is.
    pub(crate) fn part_path(&self, target: &Path) -> PathBuf {
        beside(target, &format!(".{:016x}.part", self.id))
    }
}

/// What a validator is about: one resource (RFC 9110 §8.8.1), and it says nothing of another that has
/// the same. The URL without its query, for links that are signed have a new one each time.
pub(crate) fn place(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// The path with something behind its name.
fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.file_name().map(OsString::from).unwrap_or_default();
    name.push(suffix);
    target.with_file_name(name)
}

const TITLE_NAME: &str = "fetchpool-part";
const TITLE_VERSION: &str = "1";
const TITLE: &str = "fetchpool-part: 1";

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note {
            id: 0xab,
            url: "http://h/a?b=c".into(),
            place: place("http://other/d?e#f").into(),
            validator: Validator::parse("\"v1\"", 0).unwrap(),
            whole: Some(1000),
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        for whole in [None, Some(0), Some(u64::MAX)] {
            let note = Note { whole, ..note() };
            assert_eq!(Note::parse(&note.to_text(), 0), Some(note));
        }
        let target = Path::new("folder/a.iso");
        assert_eq!(Note::path(target), Path::new("folder/a.iso.resume"));
        assert_eq!(note().part_path(target), Path::new("folder/a.iso.00000000000000ab.part"));
    }

    #[test]
    fn what_is_not_to_the_letter_a_note_is_none() {
        let text = note().to_text();
        for (from, to) in [
            ("fetchpool-part: 1", "fetchpool-part: 2"),
            ("fetchpool-part: 1\n", ""),
            ("part: 00000000000000ab", "part: 00000000000000AB"),
            ("part: 00000000000000ab", "part: ab"),
            ("part: 00000000000000ab", "part: ../../etc/passwd"),
            ("part: 00000000000000ab", "part: +0000000000000ab"),
            ("\"v1\"", "W/\"v1\""),
            ("\"v1\"", "\"v1"),
            ("length: 1000", "length: -1"),
            ("length: 1000", "length: +1000"),
            ("length: 1000", "length: "),
            ("length: 1000\n", "length: 1000"),
            ("length: 1000\n", "length: 1000\n\n"),
            ("length: 1000\n", ""),
            ("length: 1000\n", "length: 1000\nmore: 1\n"),
            ("\nurl", "\nurl: http://h/\nurl"),
            ("\n", "\r\n"),
        ] {
            let broken = text.replace(from, to);
            assert_ne!(broken, text, "{from}");
            assert_eq!(Note::parse(&broken, 0), None, "{broken:?}");
        }
        assert_eq!(Note::parse("", 0), None);
    }
}
