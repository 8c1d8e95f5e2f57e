//! `--output`: bodies as files, in one folder and nowhere else.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

use fetchpool::{Receive, Request};

use crate::Usage;
use crate::finished::Finished;
use crate::input::Ticket;

/// A folder for bodies.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    /// What came of a body that broke off is kept, to go on from there.
    resumes: bool,
}

impl Store {
    /// The folder, made if need be.
    pub(crate) fn open(folder: &Path, resumes: bool) -> Result<Self, Usage> {
        fs::create_dir_all(folder)
            .map_err(|error| Usage(format!("--output {}: {error}", folder.display())))?;
        Ok(Self { folder: folder.to_owned(), resumes })
    }

    /// The request, whose body goes to its file as it comes, and is never in memory.
    pub(crate) fn receive(&self, request: Request) -> Request {
        let Some(index) = request.tag_ref().map(|ticket: &Ticket| ticket.index) else {
            return request;
        };
        let path = self.folder.join(name(index, &Finished::url_of(&request)));
        // Nothing else can be gone on with, and whoever asks for a range gets what was asked for.
        let resumes = self.resumes
            && request.method().as_str() == "GET"
            && !["Range", "If-Range"].iter().any(|name| request.headers().contains(name));
        request.receive(match resumes {
            true => Receive::resumable_file(path),
            false => Receive::file(path),
        })
    }

    /// Writes the body of a response that has none of its own there yet: that of a 404, say, or one
    /// that is printed as well. What failed has none.
    ///
    /// It is written under another name and renamed when it is whole: who finds the file finds
    /// all of it. The rename takes the place of a file or a link of that name, and never follows
    /// the link.
    pub(crate) fn save(&self, finished: &Finished<'_>) -> Result<(), String> {
        let Ok(response) = &finished.result else { return Ok(()) };
        if response.saved_to().is_some() {
            return Ok(());
        }
        let path = self.folder.join(name(finished.index, &finished.url));
        let part = self.folder.join(format!(".{:06}.{}.part", finished.index, process::id()));
        let written = write_new(&part, response.bytes()).and_then(|()| fs::rename(&part, &path));
        written.map_err(|error| {
            // It may never have been made.
            let _ = fs::remove_file(&part);
            format!("{}: {error}", path.display())
        })
    }
}

/// Fails where something of that name is, a link too.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(bytes)
}

/// The index, and the last part of the URL's path in letters that no file system minds. It begins
/// with a digit, so that it is never `..`, hidden, an option, or a device of Windows.
fn name(index: u64, url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let (_, last) = path.rsplit_once(['/', '\\']).unwrap_or_default();
    let harmless = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let last: String = last.chars().map(harmless).take(NAME_CHARS).collect();
    match last.trim_end_matches('.') {
        "" => format!("{index:06}"),
        last => format!("{index:06}-{last}"),
    }
}

/// Of a URL's path. With index and hyphen it stays below the 255 bytes of every common file
/// system.
const NAME_CHARS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_the_index_and_the_end_of_the_path() {
        for (url, expected) in [
            ("http://h", "000012"),
            ("http://h/", "000012"),
            ("http://h/a/b/report.pdf?x=/y#/z", "000012-report.pdf"),
            ("http://h/../..", "000012"),
            ("http://h/..%2f..%2Fpasswd", "000012-.._2f.._2Fpasswd"),
            ("http://h/a\\..\\evil.exe", "000012-evil.exe"),
            ("http://h/ü b\0c\x1b", "000012-__b_c_"),
            ("http://h/.bashrc", "000012-.bashrc"),
            ("http://h/x.", "000012-x"),
        ] {
            assert_eq!(name(12, url), expected, "{url}");
        }
        assert_eq!(name(1_234_567, "http://h/a"), "1234567-a");
        assert_eq!(name(0, &format!("http://h/{}", "x".repeat(10_000))).len(), 107);
    }
}
