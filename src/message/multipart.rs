//! Forms with files in them: `multipart/form-data`.

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::source::{Opened, Source, file_name, gone};
use super::{Body, Request, is_token, random};

/// A form of fields and files, `multipart/form-data` (RFC 7578), encoded as the WHATWG has it.
///
/// Nothing here fails: what is wrong with a form (a NUL in a name, a media type that is none)
/// becomes the error of the request that it is given to, and a file that is not there that of
/// sending it. The parts go out in the order in which they were added, and a name may be there more
/// than once.
///
/// In names and file names a quotation mark becomes `%22`, CR `%0D` and LF `%0A`; everything else
/// goes as it is, in UTF-8. The boundary is made of 128 random bits.
///
/// The length is known, and sent, if that of every part is; else the form is sent chunked. It can be
/// sent again if every part can. Files are opened one after the other, each when its turn comes; one
/// that has changed its length since the form was begun is an error.
///
/// # Examples
///
/// ```
/// use fetchpool::{Body, Multipart, Part, Request};
///
/// let form = Multipart::new()
///     .text("title", "Holidays")
///     .file("picture", "beach.jpg")
///     .part("notes", Part::new("# Day 1").file_name("notes.md").content_type("text/markdown"))
///     .part("log", Part::new(Body::reader(std::io::empty())).file_name("log.txt"));
/// let request = Request::post("https://httpbin.org/post").multipart(form);
/// # drop(request);
/// ```
#[derive(Clone)]
#[must_use = "a form does nothing until a request has it"]
pub struct Multipart {
    boundary: String,
    /// Heads and contents by turns, and what stands between one part and the next.
    pieces: Vec<Body>,
    /// The first thing that was wrong with it.
    fault: Option<String>,
}

impl Multipart {
    /// A form without parts.
    pub fn new() -> Self {
        Self { boundary: random::token(), pieces: Vec::new(), fault: None }
    }

    /// Adds a field: a name and a text, sent without a type of its own.
    pub fn text(self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.part(name, Part::new(value.into()))
    }

    /// Adds a file, by the last component of its path as its name and as
    /// `application/octet-stream`. [`Part::file`] can say otherwise.
    pub fn file(self, name: impl AsRef<str>, path: impl Into<PathBuf>) -> Self {
        self.part(name, Part::file(path))
    }

    /// Adds a part.
    pub fn part(mut self, name: impl AsRef<str>, part: Part) -> Self {
        match head(&self.boundary, name.as_ref(), &part) {
            Ok(head) => {
                let separator = if self.pieces.is_empty() { "" } else { "\r\n" };
                self.pieces.push(format!("{separator}{head}").into());
                self.pieces.push(part.body);
            }
            Err(fault) => {
                self.fault.get_or_insert(fault);
            }
        }
        self
    }

    /// What stands between the parts: 32 letters and digits, which no part may hold by chance.
    #[must_use]
    pub fn boundary(&self) -> &str {
        &self.boundary
    }

    /// The whole as a body.
    fn into_body(mut self) -> Result<Body, String> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let separator = if self.pieces.is_empty() { "" } else { "\r\n" };
        self.pieces.push(format!("{separator}--{}--\r\n", self.boundary).into());
        Ok(Body::of(Joined(self.pieces.into())))
    }
}

impl Default for Multipart {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart")
            .field("parts", &(self.pieces.len() / 2))
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// Sets the body to a form with files in it, `multipart/form-data`: what `requests` calls
    /// `files`.
    ///
    /// A `Content-Type` of the request's own would have to name the form's
    /// [`boundary`](Multipart::boundary): one that does not makes the request an exception.
    pub fn multipart(self, form: Multipart) -> Self {
        let content_type = format!("multipart/form-data; boundary={}", form.boundary);
        match form.into_body() {
            Ok(body) => self.typed_body(body, content_type),
            Err(fault) => self.note(fault),
        }
    }
}

/// One part of a [`Multipart`] form.
#[derive(Clone, Debug)]
#[must_use = "a part does nothing until a form has it"]
pub struct Part {
    body: Body,
    file_name: Option<String>,
    content_type: Option<String>,
    fault: Option<String>,
}

impl Part {
    /// A part of any content, without a file name and a type.
    pub fn new(body: impl Into<Body>) -> Self {
        Self { body: body.into(), file_name: None, content_type: None, fault: None }
    }

    /// A file, opened when it is sent, by the last component of its path as its name.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = file_name(&path);
        let fault = name.is_none().then(|| format!("the path {path:?} names no file"));
        Self { file_name: name, fault, ..Self::new(Body::file(path)) }
    }

    /// Says by what name the part is a file. A part with a name and without a type is
    /// `application/octet-stream`: types are not guessed from names.
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Says the part's media type, such as `image/png`.
    pub fn content_type(mut self, media_type: impl Into<String>) -> Self {
        self.content_type = Some(media_type.into());
        self
    }
}

/// What stands in front of a part's content, or what is wrong with it.
fn head(boundary: &str, name: &str, part: &Part) -> Result<String, String> {
    if let Some(fault) = &part.fault {
        return Err(fault.clone());
    }
    let name = escape("the name of a part", name)?;
    let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
    if let Some(file_name) = &part.file_name {
        let file_name = escape("the file name of a part", file_name)?;
        head.push_str(&format!("; filename=\"{file_name}\""));
    }
    let content_type = part.content_type.as_deref();
    let default = part.file_name.is_some().then_some("application/octet-stream");
    if let Some(content_type) = content_type.or(default) {
        if !is_media_type(content_type) {
            return Err(format!("{content_type:?} is no media type for a part"));
        }
        head.push_str("\r\nContent-Type: ");
        head.push_str(content_type);
    }
    head.push_str("\r\n\r\n");
    Ok(head)
}

/// A name as it stands between quotation marks (HTML, "multipart/form-data encoding algorithm").
fn escape(what: &str, text: &str) -> Result<String, String> {
    // Browsers send it. But what stands behind it is lost on many a server.
    if text.contains('\0') {
        return Err(format!("{what} holds a NUL"));
    }
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => escaped.push_str("%22"),
            '\r' => escaped.push_str("%0D"),
            '\n' => escaped.push_str("%0A"),
            other => escaped.push(other),
        }
    }
    Ok(escaped)
}

/// Whether this is a media type, and fit for a field (RFC 9110 §8.3.1).
fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim_end_matches([' ', '\t']);
    let is_typed = essence
        .split_once('/')
        .is_some_and(|(first, second)| is_token(first.as_bytes()) && is_token(second.as_bytes()));
    is_typed && text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

/// Bodies one behind the other.
struct Joined(Arc<[Body]>);

impl Source for Joined {
    fn length(&self) -> Option<u64> {
        sum(self.0.iter().map(Body::length))
    }

    fn measure(&self) -> io::Result<Option<u64>> {
        let lengths: Vec<_> = self.0.iter().map(Body::measure).collect::<Result<_, _>>()?;
        Ok(sum(lengths.into_iter()))
    }

    fn open(&self) -> io::Result<Opened> {
        // Each is opened when its turn comes: that one is gone would show too late.
        if !self.can_be_sent() {
            return Err(gone());
        }
        let lengths: Vec<_> = self.0.iter().map(Body::measure).collect::<Result<_, _>>()?;
        let length = sum(lengths.iter().copied());
        let bodies = Arc::clone(&self.0);
        Ok(Opened::new(length, Joining { bodies, lengths, at: 0, offset: 0, open: None }))
    }

    fn is_replayable(&self) -> bool {
        self.0.iter().all(Body::is_replayable)
    }

    fn can_be_sent(&self) -> bool {
        self.0.iter().all(Body::can_be_sent)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "form of {} parts", self.0.len() / 2)
    }
}

fn sum(mut lengths: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    lengths.try_fold(0_u64, |sum, length| sum.checked_add(length?))
}

/// Reads bodies one behind the other.
struct Joining {
    bodies: Arc<[Body]>,
    /// What was promised.
    lengths: Vec<Option<u64>>,
    /// Which one is read.
    at: usize,
    /// Of one in memory, how much was read.
    offset: usize,
    /// One that is not in memory.
    open: Option<Opened>,
}

impl Joining {
    fn next(&mut self) {
        self.at = self.at.saturating_add(1);
        self.offset = 0;
        self.open = None;
    }

    fn open(&self, body: &Body) -> io::Result<Opened> {
        let opened = body.open()?;
        match self.lengths.get(self.at) {
            Some(promised) if *promised == opened.length => Ok(opened),
            _ => {
                let detail = format!("the length of {body:?} has changed since the form was begun");
                Err(io::Error::new(io::ErrorKind::InvalidData, detail))
            }
        }
    }
}

impl Read for Joining {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0_usize;
        loop {
            let room = into.get_mut(filled..).unwrap_or_default();
            let Some(body) = self.bodies.get(self.at).filter(|_| !room.is_empty()) else {
                return Ok(filled);
            };
            if let Some(bytes) = body.as_bytes() {
                let rest = bytes.get(self.offset..).unwrap_or_default();
                let count = rest.len().min(room.len());
                for (room, byte) in room.iter_mut().zip(rest) {
                    *room = *byte;
                }
                filled = filled.saturating_add(count);
                self.offset = self.offset.saturating_add(count);
                if self.offset >= bytes.len() {
                    self.next();
                }
                continue;
            }
            // What a reader gives may be long in coming: what stands before it goes first.
            if filled > 0 {
                return Ok(filled);
            }
            let reader = match &mut self.open {
                Some(reader) => reader,
                None => {
                    let opened = self.open(body)?;
                    self.open.insert(opened)
                }
            };
            match reader.read(room)? {
                0 => self.next(),
                count => return Ok(count),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(form: Multipart) -> Vec<u8> {
        let mut opened = form.into_body().unwrap().open().unwrap();
        let (length, mut bytes) = (opened.length, Vec::new());
        opened.read_to_end(&mut bytes).unwrap();
        assert!(length.is_none_or(|length| length == bytes.len() as u64));
        bytes
    }

    fn form() -> Multipart {
        Multipart { boundary: "B".into(), ..Multipart::new() }
    }

    #[test]
    fn a_form_is_written_as_rfc_7578_has_it() {
        let reader = Part::new(Body::reader(&b"stream"[..])).content_type("text/plain");
        let whole = form()
            .text("a", "1\r\n2")
            .part("b", Part::new(&b"\0\xff"[..]).file_name("x.bin"))
            .part("c", reader);
        assert_eq!(
            bytes_of(whole),
            b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n\
              --B\r\nContent-Disposition: form-data; name=\"b\"; filename=\"x.bin\"\r\n\
              Content-Type: application/octet-stream\r\n\r\n\0\xff\r\n\
              --B\r\nContent-Disposition: form-data; name=\"c\"\r\nContent-Type: text/plain\r\n\r\n\
              stream\r\n--B--\r\n"
        );
        assert_eq!(bytes_of(form()), b"--B--\r\n");
    }

    #[test]
    fn no_character_in_a_name_ends_its_quotation_or_its_line() {
        let letters = (0..=0x2ff_u32).chain([0x2028, 0xfeff, 0x1f600]).filter_map(char::from_u32);
        for letter in letters {
            let text = format!("a{letter}b");
            for (name, file_name) in [(text.as_str(), None), ("n", Some(&text))] {
                let mut part = Part::new("value");
                part.file_name = file_name.cloned();
                let form = form().part(name, part);
                if letter == '\0' {
                    assert!(form.fault.is_some());
                    continue;
                }
                let bytes = bytes_of(form);
                let written = String::from_utf8(bytes).unwrap();
                let line = written.split("\r\n").nth(1).unwrap();
                let quoted: Vec<&str> = line.split('"').collect();
                let expected = match letter {
                    '"' => "a%22b",
                    '\r' => "a%0Db",
                    '\n' => "a%0Ab",
                    _ => &text,
                };
                let place = if file_name.is_some() { 3 } else { 1 };
                assert_eq!(quoted[place], expected, "{letter:?}");
                assert_eq!(quoted.len(), place + 2, "{letter:?}: {line}");
                let lines = if file_name.is_some() { 7 } else { 6 };
                assert_eq!(written.split("\r\n").count(), lines, "{letter:?}: {written}");
                assert_eq!(written.matches(['\r', '\n']).count(), 2 * (lines - 1), "{letter:?}");
            }
        }
    }

    #[test]
    fn a_type_that_is_none_or_would_add_a_line_is_refused() {
        let typed = |text: &str| form().part("n", Part::new("").content_type(text)).fault;
        for good in ["text/plain", "text/plain; charset=utf-8", "a/b;c=\"d e\"", "image/svg+xml"] {
            assert_eq!(typed(good), None, "{good}");
        }
        for bad in ["", "text", "/", "a/", "/b", "a b/c", "a/b c", "text/plain; x=\u{e9}"] {
            assert!(typed(bad).is_some(), "{bad}");
        }
        for byte in (0..=0x1f).chain([0x7f]).filter(|byte| *byte != b'\t') {
            assert!(typed(&format!("a/b;c=d{}e", char::from(byte))).is_some(), "{byte:#x}");
        }
    }

    #[test]
    fn a_path_gives_its_last_component_and_no_other() {
        for (path, name) in [("/etc/passwd", "passwd"), ("a/b/../c.txt", "c.txt"), ("x", "x")] {
            assert_eq!(Part::file(path).file_name.as_deref(), Some(name));
        }
        for path in ["/", "..", "a/..", ""] {
            assert!(Part::file(path).fault.is_some(), "{path:?}");
        }
    }

    #[test]
    fn two_forms_have_two_boundaries() {
        let (one, other) = (Multipart::new(), Multipart::new());
        assert_ne!(one.boundary(), other.boundary());
        assert!(one.boundary().len() == 32 && is_token(one.boundary().as_bytes()));
    }
}
