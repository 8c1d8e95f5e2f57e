//! Where the body of a response goes, as a request says it.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Download, Request, ResponseHead};

/// Where the body of a response goes: to memory, which is the default, to a file, to a writer or a
/// function of the caller's, or nowhere. Given along by [`Request::receive`].
///
/// A file, a writer and a function take the body of a response that is a success (2xx). What
/// another status carries, an error page mostly, goes to memory and is in
/// [`Response::bytes`](crate::Response::bytes): a good file is not replaced by a bad page.
/// [`Request::receive_by`] decides for each response, whatever its status. The body of a redirect
/// that is followed goes nowhere, and a response without a body (to HEAD, or 204) touches nothing.
///
/// A body in memory is bound by [`Limits::body_bytes`](crate::Limits::body_bytes), every other one
/// by [`Limits::sink_bytes`](crate::Limits::sink_bytes); it takes no memory but a fixed buffer, and
/// nothing of a pool's body budget. Content codings are undone, under the same caps, in every case
/// but [`discard`](Self::discard).
///
/// # Blocking
///
/// A writer or a function runs on the thread that receives. As long as it takes, that thread cannot
/// be woken: a deadline or a cancel is seen when it returns. The request's timeout goes on
/// meanwhile, `stall_timeout` and `low_speed` do not.
///
/// # Errors
///
/// What the disk, the writer or the function refuses is an error of kind
/// [`Io`](crate::ErrorKind::Io), whose fault is the caller's and whose source is the `io::Error`; a
/// panic of theirs is one of kind [`Panic`](crate::ErrorKind::Panic). The connection is closed then.
///
/// # Examples
///
/// ```
/// use fetchpool::{Receive, Request};
/// use std::sync::mpsc;
///
/// let to_file = Request::get("https://example.com/big.iso").receive(Receive::file("big.iso"));
///
/// let (sender, receiver) = mpsc::channel();
/// let by_chunks = Request::get("https://example.com/events").receive(Receive::chunks(
///     move |chunk| sender.send(chunk.to_vec()).map_err(std::io::Error::other),
/// ));
///
/// let by_type = Request::get("https://example.com/").receive_by(|head| {
///     match head.header("content-type") {
///         Some("application/pdf") => Receive::file("page.pdf"),
///         _ if head.ok() => Receive::memory(),
///         _ => Receive::discard(),
///     }
/// });
/// # drop((to_file, by_chunks, by_type, receiver));
/// ```
#[derive(Clone, Default)]
pub struct Receive(pub(crate) Destination);

/// Where a body goes.
#[derive(Clone, Default)]
pub(crate) enum Destination {
    #[default]
    Memory,
    Discard,
    Writer(Arc<WriterSlot>),
    Chunks(Arc<ChunkFn>),
    File(Arc<Path>),
    Resumable(Arc<Path>),
    /// A resumable file, as one try of the request has it. Not the caller's choice.
    Download(Arc<Download>),
    ByHead(Arc<dyn Fn(&ResponseHead<'_>) -> Receive + Send + Sync>),
}

impl Receive {
    /// To memory: [`Response::bytes`](crate::Response::bytes) has it. The default.
    #[must_use]
    pub const fn memory() -> Self {
        Self(Destination::Memory)
    }

    /// Nowhere: it is read, counted and thrown away, as it came: content codings are not undone.
    #[must_use]
    pub const fn discard() -> Self {
        Self(Destination::Discard)
    }

    /// To a file, which is there when it is whole and not before.
    ///
    /// The body is written beside it, under a name of its own (`.fetchpool-`, random digits,
    /// `.part`) that is made anew and follows no link, and takes the file's name when it is whole:
    /// at once, in the place of a file or link of that name, whose target is left alone. On Unix the
    /// file has the mode that new files have. Whatever goes wrong, what was written is removed; only
    /// a process that is killed leaves it behind. The folder must be there. Nothing is made before
    /// the head of the response has come.
    ///
    /// The file is not forced to the disk (`fsync`): after a power cut it may be empty on some file
    /// systems. Who needs that opens [`Response::saved_to`](crate::Response::saved_to) and calls
    /// `sync_all`.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(Destination::File(path.as_ref().into()))
    }

    /// To a file, as [`file`](Self::file) does, but what has come of a body that breaks off is kept,
    /// and the next try of the same URL goes on from there: one by a pool's
    /// [`RetryPolicy`](crate::RetryPolicy), or by a later process.
    ///
    /// It is kept beside the file as `NAME.`, random digits, `.part`, together with a small text
    /// `NAME.resume` that says what it is a part of: the URL, where redirects led from there, the
    /// length of the whole and a validator, which is a strong `ETag`, or else a `Last-Modified` that
    /// was a minute old when it was sent (RFC 9110 §8.8.2.2). Without a validator, or under a content
    /// coding, nothing is kept.
    ///
    /// The next try asks for the rest, from the last byte that is there, by `Range` and `If-Range`
    /// (RFC 9110 §13.1.5). Only a 206 that fits in every respect is appended: from that byte to the
    /// end, of the same length and validator, and from where the part came from (but for the query, in
    /// which signed links differ). On a 200 the file is begun anew; on a 416, or a 206 that does not
    /// fit, the whole is asked for once more. So no file is ever made of two. What cannot be seen is a
    /// server that gives two contents the same strong validator.
    ///
    /// For GET only, and without `Range` or `If-Range` of one's own, else the request is an error of
    /// kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest); not out of a function of
    /// [`Request::receive_by`], which comes too late to ask for a range. `Accept-Encoding` is
    /// `identity`. Give a file to one request at a time. Whoever can write to the folder can change
    /// the part: use one that is your own.
    pub fn resumable_file(path: impl AsRef<Path>) -> Self {
        Self(Destination::Resumable(path.as_ref().into()))
    }

    /// To a writer, piece by piece as it comes, and flushed at the end. It is not buffered: give a
    /// `BufWriter` where small writes are dear.
    ///
    /// A writer is for one body: it is dropped when that is over. A request that is sent again, be
    /// it a clone, is then an error of kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest). A
    /// [`RetryPolicy`](crate::RetryPolicy) tries again only as long as nothing was written. To have
    /// the writer back, share it: `Arc<File>` is a writer, and a type of your own may hold an
    /// `Arc<Mutex<…>>`.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self(Destination::Writer(Arc::new(WriterSlot(Mutex::new(Some(Box::new(writer)))))))
    }

    /// To a function, piece by piece as it comes: a piece is what one read brought, at most 128 KiB.
    /// An error of it ends the request.
    ///
    /// It can be used again, and is then called for the next body, too; a function for each body can
    /// be made in [`Request::receive_by`]. Clones of a request that run at the same time call it in
    /// turns. A [`RetryPolicy`](crate::RetryPolicy) tries again only as long as it was not called.
    pub fn chunks(chunk: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static) -> Self {
        Self(Destination::Chunks(Arc::new(ChunkFn(Mutex::new(Box::new(chunk))))))
    }
}

impl Request {
    /// Where the body of the response goes: to memory (the default), a file, a writer, a function,
    /// or nowhere. See [`Receive`].
    pub fn receive(mut self, receive: Receive) -> Self {
        self.receive = receive;
        self
    }

    /// Where the body of the response goes, decided when its head is there; whatever its status is.
    ///
    /// Not called for redirects that are followed, nor for responses without a body.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::{Receive, Request};
    ///
    /// // Small ones to memory, others to a file.
    /// let request = Request::get("https://example.com/").receive_by(|head| {
    ///     match head.content_length() {
    ///         Some(0..=1_000_000) => Receive::memory(),
    ///         _ => Receive::file("large.bin"),
    ///     }
    /// });
    /// # drop(request);
    /// ```
    pub fn receive_by(
        self,
        choose: impl Fn(&ResponseHead<'_>) -> Receive + Send + Sync + 'static,
    ) -> Self {
        self.receive(Receive(Destination::ByHead(Arc::new(choose))))
    }

    pub(crate) const fn destination(&self) -> &Destination {
        &self.receive.0
    }
}

impl fmt::Debug for Receive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receive(")?;
        match &self.0 {
            Destination::Memory => f.write_str("memory")?,
            Destination::Discard => f.write_str("discard")?,
            Destination::Writer(_) => f.write_str("writer")?,
            Destination::Chunks(_) => f.write_str("chunks")?,
            Destination::File(path) => write!(f, "file {path:?}")?,
            Destination::Resumable(path) => write!(f, "resumable file {path:?}")?,
            Destination::Download(part) => write!(f, "resumable file {:?}", part.target)?,
            Destination::ByHead(_) => f.write_str("by head")?,
        }
        f.write_str(")")
    }
}

/// A writer until it is taken.
pub(crate) struct WriterSlot(Mutex<Option<Box<dyn Write + Send>>>);

impl WriterSlot {
    pub(crate) fn take(&self) -> Option<Box<dyn Write + Send>> {
        self.lock().take()
    }

    /// Nothing was written to it: it may be taken once more.
    pub(crate) fn put_back(&self, writer: Box<dyn Write + Send>) {
        *self.lock() = Some(writer);
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.lock().is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn Write + Send>>> {
        // Poison is ignored: each change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller's function for pieces of a body.
pub(crate) struct ChunkFn(
    #[expect(clippy::type_complexity, reason = "named once")]
    Mutex<Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>>,
);

impl ChunkFn {
    /// Calls it; while another request does, that is waited for.
    pub(crate) fn call(&self, chunk: &[u8]) -> io::Result<()> {
        // Poison is ignored: what a panic has left in the function is the caller's to know.
        let mut function = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (*function)(chunk)
    }
}
