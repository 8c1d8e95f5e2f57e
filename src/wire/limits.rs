//! Ceilings on what a peer can make us keep or do.

/// Ceilings on sizes and numbers, for each response.
///
/// What reaches a ceiling exactly passes; one more is an error of kind
/// [`TooLarge`](crate::ErrorKind::TooLarge) (or `TooManyRedirects`) that names the ceiling and
/// its value, and the connection is closed.
///
/// # Examples
///
/// ```
/// let mut session = fetchpool::SessionConfig::new();
/// session.limits.body_bytes = 10 << 20;
/// session.limits.redirects = 3;
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a response head, status line and fields together. Default: 64 KiB, as ureq; nginx
    /// sends at most 4 to 8 KiB of its own.
    pub head_bytes: usize,
    /// Fields of a head. Default: 256; hyper and Go's servers stop at 100, Apache at 100, and
    /// pages with many cookies come close.
    pub head_fields: usize,
    /// Bytes of the status line. Default: 8 KiB, what servers grant a request line.
    pub status_line_bytes: usize,
    /// Interim (1xx) responses before the final one. Default: 16. One or two are usual; an
    /// endless row of them hung Python's client (CVE-2021-3737).
    pub interim_responses: usize,
    /// Bytes of chunk extensions, and of zeros in front of chunk sizes, in a whole body. Default:
    /// 16 KiB, as hyper. They mean nothing to us and were used to keep Go busy (CVE-2023-39326).
    pub chunk_extension_bytes: usize,
    /// Bytes of the trailer section behind a chunked body. Default: 16 KiB, as hyper.
    pub trailer_bytes: usize,
    /// Redirects that are followed. Default: 10, as ureq and reqwest; browsers follow 20.
    pub redirects: usize,
    /// Bytes of a body in memory, after decoding; before it, and between two codings, it may be a
    /// mebibyte more. Default: 64 MiB.
    pub body_bytes: u64,
    /// Bytes of a body that does not go to memory: to a file, a writer, a function or nowhere
    /// ([`Receive`](crate::Receive)), after decoding; before it, as for `body_bytes`. Of a file that
    /// is resumed, all of it counts. Default: 16 GiB. Danger: it is what any server can take of a
    /// disk.
    pub sink_bytes: u64,
    /// How many bytes may come out of a content coding for each byte that goes in, past the
    /// first mebibyte. Default: 1000. Deflate itself ends at 1032, and only for runs of one byte;
    /// brotli and zstd know no such end, and with them this is looked at behind every 1024 bytes.
    pub decompression_ratio: u32,
    /// Content codings stacked on one body; more than 16 are too many whatever is set. Default: 2.
    /// curl stops at 5; no server stacks any.
    pub codings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_fields: 256,
            status_line_bytes: 8 * 1024,
            interim_responses: 16,
            chunk_extension_bytes: 16 * 1024,
            trailer_bytes: 16 * 1024,
            redirects: 10,
            body_bytes: 64 * 1024 * 1024,
            sink_bytes: 16 * 1024 * 1024 * 1024,
            decompression_ratio: 1000,
            codings: 2,
        }
    }
}
