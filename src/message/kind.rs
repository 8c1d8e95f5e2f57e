//! What went wrong, while doing what, and whose fault it was.

use std::fmt;

/// What went wrong. The names, in snake case, are what the command line prints.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The URL does not parse, or its scheme is neither `http` nor `https`.
    InvalidUrl,
    /// The request, or the session's settings, cannot be used as they are.
    InvalidRequest,
    /// The host name could not be looked up.
    Dns,
    /// No address accepted a connection.
    Connect,
    /// The session's [`AddressPolicy`](crate::AddressPolicy) allows none of the host's addresses.
    Forbidden,
    /// The certificate, the handshake or a TLS record was bad.
    Tls,
    /// A proxy could not be reached, failed or refused. What it answered is in
    /// [`Error::response`](crate::Error::response); the phase tells how far it went.
    Proxy,
    /// A time limit ran out.
    Timeout,
    /// Reading or writing failed in some other way; or the file, reader, writer or function of the
    /// caller's did that a body comes from or goes to, and then the [`fault`](crate::Error::fault) is
    /// the caller's.
    Io,
    /// The peer closed or reset the connection before the response was complete.
    Closed,
    /// The response is not well-formed HTTP.
    Protocol,
    /// A limit on size or number was exceeded.
    TooLarge,
    /// There were more redirects than the limit.
    TooManyRedirects,
    /// A redirect led nowhere: a bad `Location`.
    Redirect,
    /// The body could not be decoded.
    Decode,
    /// The status is 400 or above, and the session asked for an error.
    Status,
    /// The job was cancelled.
    Cancelled,
    /// The origin has failed so often in a row that it is left alone for a while, and nothing was
    /// sent to it: [`CircuitBreaker`](crate::CircuitBreaker).
    CircuitOpen,
    /// Code of the caller's panicked.
    Panic,
}

impl ErrorKind {
    /// The kind in snake case, as the command line prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.names().0
    }

    pub(crate) const fn phrase(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidUrl => ("invalid_url", "invalid URL"),
            Self::InvalidRequest => ("invalid_request", "invalid request"),
            Self::Dns => ("dns", "name look-up failed"),
            Self::Connect => ("connect", "connection failed"),
            Self::Forbidden => ("forbidden", "forbidden"),
            Self::Tls => ("tls", "TLS failed"),
            Self::Proxy => ("proxy", "proxy failed"),
            Self::Timeout => ("timeout", "timed out"),
            Self::Io => ("io", "network error"),
            Self::Closed => ("closed", "connection closed early"),
            Self::Protocol => ("protocol", "malformed response"),
            Self::TooLarge => ("too_large", "limit exceeded"),
            Self::TooManyRedirects => ("too_many_redirects", "too many redirects"),
            Self::Redirect => ("redirect", "bad redirect"),
            Self::Decode => ("decode", "body cannot be decoded"),
            Self::Status => ("status", "error status"),
            Self::Cancelled => ("cancelled", "cancelled"),
            Self::CircuitOpen => ("circuit_open", "circuit open"),
            Self::Panic => ("panic", "panic"),
        }
    }

    pub(crate) const fn fault(self) -> Fault {
        match self {
            Self::Timeout | Self::TooLarge | Self::TooManyRedirects => Fault::Limit,
            // As if it had failed once more: later it may help.
            Self::Dns | Self::Connect | Self::Io | Self::Closed | Self::CircuitOpen => {
                Fault::Network
            }
            Self::Tls
            | Self::Proxy
            | Self::Protocol
            | Self::Redirect
            | Self::Decode
            | Self::Status => Fault::Peer,
            Self::InvalidUrl
            | Self::InvalidRequest
            | Self::Forbidden
            | Self::Cancelled
            | Self::Panic => Fault::Caller,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request was at.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Setting the session up, or making the request ready to be sent.
    Setup,
    /// Looking the host name up.
    Dns,
    /// Opening the TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Asking a proxy for the way: CONNECT, or SOCKS.
    Proxy,
    /// Writing the request.
    Sending,
    /// Waiting for the response's head.
    Waiting,
    /// Receiving the body.
    Receiving,
    /// Undoing the content coding, or reading the body as what it should be.
    Decoding,
    /// Following a redirect.
    Redirecting,
}

impl Phase {
    pub(crate) const fn phrase(self) -> &'static str {
        match self {
            Self::Setup => "preparing the request",
            Self::Dns => "looking up the host",
            Self::Connect => "connecting",
            Self::Tls => "shaking hands by TLS",
            Self::Proxy => "talking to the proxy",
            Self::Sending => "sending the request",
            Self::Waiting => "waiting for the response",
            Self::Receiving => "receiving the body",
            Self::Decoding => "decoding the body",
            Self::Redirecting => "following a redirect",
        }
    }
}

/// Whose fault a failure was.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A limit that was set: of time, size or number.
    Limit,
    /// The network: no connection, or it broke. Trying again may help.
    Network,
    /// The peer: it broke HTTP or TLS, or said no. The same server will do the same again.
    Peer,
    /// The caller: the request cannot be sent as it is, or was cancelled.
    Caller,
}
