//! What a request carries.

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::source::{Callers, Each, FileSource, Once, Opened, Source};

/// The body of a request: bytes, a file, or what a reader gives.
///
/// | made of | length | can be sent again |
/// | --- | --- | --- |
/// | `Vec<u8>`, `String`, `&str`, `&[u8]`, `Arc<…>`, [`from_static`](Self::from_static) | known | yes: the bytes are shared, never copied, between clones |
/// | [`file`](Self::file) | known when it is opened | yes |
/// | [`sized_reader_fn`](Self::sized_reader_fn) | as stated | yes |
/// | [`reader_fn`](Self::reader_fn) | unknown | yes |
/// | [`sized_reader`](Self::sized_reader) | as stated | no |
/// | [`reader`](Self::reader) | unknown | no |
///
/// A body whose length is known is sent with `Content-Length`, another one with
/// `Transfer-Encoding: chunked` (RFC 9112 §7.1), which a server of HTTP/1.0 does not understand. A
/// file or a reader is read in pieces of at most 64 KiB and never held in memory; each piece goes
/// out as soon as it was read.
///
/// **Sent again** it is after a redirect by 307 or 308, on a new connection where a kept one was
/// closed meanwhile, and by a [`RetryPolicy`](crate::RetryPolicy). A body that can be sent only once,
/// and of which a byte has been read, is not: such a redirect is an error of kind
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), and otherwise the first result stands.
///
/// **What goes wrong with it** (a file that is not there, an error of the reader, fewer bytes than
/// stated, a file that grows while it is sent) is an error of kind [`Io`](crate::ErrorKind::Io) whose
/// [`fault`](crate::Error::fault) is the caller's, with the `io::Error` as its source; a panic is one
/// of kind [`Panic`](crate::ErrorKind::Panic). The connection is closed then, so that the server
/// never takes a part for the whole. `ErrorKind::Interrupted` is no error: the read is repeated.
///
/// **The time that a reader takes** counts in the request's timeout, and is looked at after each
/// read. A reader that blocks cannot be interrupted: its request ends, cancelled or timed out, when
/// it returns, and so does whoever waits for the worker.
///
/// # Examples
///
/// ```
/// use fetchpool::{Body, Request};
///
/// let body = Body::from(vec![0_u8; 1 << 20]);
/// let same = body.clone(); // no copy of the megabyte
/// assert_eq!(same.length(), Some(1 << 20));
/// assert_eq!(Body::from("text").as_bytes(), Some(&b"text"[..]));
///
/// let upload = Request::put("https://example.com/video").body(Body::file("video.webm"));
/// let stream = Request::post("https://example.com/log").body(Body::reader(std::io::stdin()));
/// # drop((upload, stream));
/// ```
#[derive(Clone, Default)]
pub struct Body(Content);

#[derive(Clone, Default)]
enum Content {
    #[default]
    None,
    Bytes(Bytes),
    Source(Arc<dyn Source>),
}

/// Bytes that clones share.
#[derive(Clone)]
enum Bytes {
    Vec(Arc<Vec<u8>>),
    Slice(Arc<[u8]>),
    Static(&'static [u8]),
}

impl Body {
    /// A request without a body. That is not the same as an empty one: a POST of an empty body
    /// says `Content-Length: 0`.
    #[must_use]
    pub const fn none() -> Self {
        Self(Content::None)
    }

    /// Bytes that are part of the program. (`From<&[u8]>` copies.)
    #[must_use]
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(Content::Bytes(Bytes::Static(bytes)))
    }

    /// A file. It is opened when the request is sent, each time that it is, and its length is what
    /// the system says then. One that becomes shorter or longer while it is sent is an error, and
    /// so is what is no regular file: a pipe or a device is for [`reader`](Self::reader).
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(FileSource(path.into()))
    }

    /// What a reader gives until its end. It can be sent once.
    #[must_use]
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::of(Once::new(Box::new(reader), None))
    }

    /// The next `length` bytes of a reader. It can be sent once.
    ///
    /// No byte behind them is asked for, so that a socket, which has no end yet, may be the reader;
    /// fewer are an error.
    #[must_use]
    pub fn sized_reader(reader: impl Read + Send + 'static, length: u64) -> Self {
        Self::of(Once::new(Box::new(reader), Some(length)))
    }

    /// What a reader gives until its end; a new one is made each time that the body is sent, which
    /// should give the same bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::Body;
    /// use std::fs::File;
    ///
    /// let body = Body::reader_fn(|| File::open("/proc/cpuinfo"));
    /// assert!(body.is_replayable());
    /// ```
    #[must_use]
    pub fn reader_fn<R: Read + Send + 'static>(
        make: impl Fn() -> io::Result<R> + Send + Sync + 'static,
    ) -> Self {
        Self::each(make, None)
    }

    /// The first `length` bytes of a reader, as in [`sized_reader`](Self::sized_reader); a new one is
    /// made each time that the body is sent.
    #[must_use]
    pub fn sized_reader_fn<R: Read + Send + 'static>(
        make: impl Fn() -> io::Result<R> + Send + Sync + 'static,
        length: u64,
    ) -> Self {
        Self::each(make, Some(length))
    }

    fn each<R: Read + Send + 'static>(
        make: impl Fn() -> io::Result<R> + Send + Sync + 'static,
        length: Option<u64>,
    ) -> Self {
        let make = move || make().map(|reader| Box::new(reader) as Callers);
        Self::of(Each { make: Box::new(make), length })
    }

    pub(super) fn of(source: impl Source + 'static) -> Self {
        Self(Content::Source(Arc::new(source)))
    }

    /// Whether there is a body, be it of no bytes.
    #[must_use]
    pub const fn is_some(&self) -> bool {
        !matches!(self.0, Content::None)
    }

    /// The bytes; none at all where there is no body. `None` if they are not in memory.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Content::None => Some(&[]),
            Content::Bytes(bytes) => Some(bytes.as_slice()),
            Content::Source(_) => None,
        }
    }

    /// How many bytes. `None` if that is not known before they have been read, or, of a file,
    /// before it is opened.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Content::Source(source) => source.length(),
            _ => self.as_bytes().and_then(|bytes| u64::try_from(bytes.len()).ok()),
        }
    }

    /// Whether it can be sent any number of times.
    #[must_use]
    pub fn is_replayable(&self) -> bool {
        match &self.0 {
            Content::Source(source) => source.is_replayable(),
            _ => true,
        }
    }

    /// Whether it can be sent once more, as things are: it is replayable, or untouched.
    pub(crate) fn can_be_sent(&self) -> bool {
        match &self.0 {
            Content::Source(source) => source.can_be_sent(),
            _ => true,
        }
    }

    /// How many bytes; a file is asked for it.
    pub(super) fn measure(&self) -> io::Result<Option<u64>> {
        match &self.0 {
            Content::Source(source) => source.measure(),
            _ => Ok(self.length()),
        }
    }

    /// Opens it, to be read from its beginning. May be the caller's code.
    pub(crate) fn open(&self) -> io::Result<Opened> {
        match &self.0 {
            Content::None => Ok(Opened::nothing()),
            Content::Bytes(bytes) => Ok(Opened::new(self.length(), io::Cursor::new(bytes.clone()))),
            Content::Source(source) => source.open(),
        }
    }
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Vec(bytes) => bytes,
            Self::Slice(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl fmt::Debug for Body {
    /// What it is and its length: the bytes may be secret, and many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.0 {
            Content::None => return f.write_str("Body(none)"),
            Content::Bytes(bytes) => return write!(f, "Body({} bytes)", bytes.as_slice().len()),
            Content::Source(source) => source,
        };
        f.write_str("Body(")?;
        source.show(f)?;
        match source.length() {
            Some(length) => write!(f, ", {length} bytes)"),
            None => f.write_str(")"),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Arc::new(bytes).into()
    }
}

impl From<Arc<Vec<u8>>> for Body {
    fn from(bytes: Arc<Vec<u8>>) -> Self {
        Self(Content::Bytes(Bytes::Vec(bytes)))
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(Content::Bytes(Bytes::Slice(bytes)))
    }
}

impl From<Box<[u8]>> for Body {
    fn from(bytes: Box<[u8]>) -> Self {
        bytes.into_vec().into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl<const N: usize> From<&[u8; N]> for Body {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_tells_its_length_and_whether_it_can_be_sent_again() {
        const fn is_shared<T: Clone + Send + Sync>(_: &T) {}
        for (body, length, again, shown) in [
            (Body::none(), Some(0), true, "Body(none)"),
            (Body::from("ab"), Some(2), true, "Body(2 bytes)"),
            (Body::from_static(b"abc"), Some(3), true, "Body(3 bytes)"),
            (Body::from(Arc::<[u8]>::from(&b"abcd"[..])), Some(4), true, "Body(4 bytes)"),
            (Body::file("a/b"), None, true, "Body(file \"a/b\")"),
            (Body::reader(io::empty()), None, false, "Body(reader)"),
            (Body::sized_reader(io::empty(), 7), Some(7), false, "Body(reader, 7 bytes)"),
            (Body::reader_fn(|| Ok(io::empty())), None, true, "Body(readers)"),
            (Body::sized_reader_fn(|| Ok(io::empty()), 8), Some(8), true, "Body(readers, 8 bytes)"),
        ] {
            is_shared(&body);
            assert_eq!((body.length(), body.is_replayable()), (length, again), "{shown}");
            assert!(body.can_be_sent());
            assert_eq!(format!("{body:?}"), shown);
            assert_eq!(body.as_bytes().is_some(), length.is_some_and(|length| length < 7));
        }
    }
}
