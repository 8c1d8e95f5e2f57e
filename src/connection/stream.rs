//! The bytes that go to and come from a peer, plain or under TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::patience::Patience;
use super::pipe::Pipe;
use super::socket::{Look, Progress, Socket};
#[cfg(feature = "tls-no-provider")]
use super::tls::{TlsContext, TlsStream, Transport as _};
#[cfg(feature = "tls-no-provider")]
use crate::error::{Error, ErrorKind, Phase};
#[cfg(feature = "tls-no-provider")]
use crate::message::Target;
use crate::message::TlsInfo;

/// An open stream.
pub(super) enum Stream {
    Plain(Socket),
    #[cfg(feature = "tls-no-provider")]
    Tls(Box<TlsStream<Socket>>),
    /// Through an `https` proxy.
    #[cfg(feature = "tls-no-provider")]
    TlsInTls(Box<TlsStream<TlsStream<Socket>>>),
}

impl Stream {
    /// Reads some bytes; 0 is the end of the stream.
    pub(super) fn read(&mut self, into: &mut [u8], patience: &Patience<'_>) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into, patience),
            #[cfg(feature = "tls-no-provider")]
            Self::Tls(stream) => stream.read(into, patience),
            #[cfg(feature = "tls-no-provider")]
            Self::TlsInTls(stream) => stream.read(into, patience),
        }
    }

    /// The socket, if its bytes are those of the peer as they are.
    pub(super) const fn as_plain(&mut self) -> Option<&mut Socket> {
        match self {
            Self::Plain(socket) => Some(socket),
            #[cfg(feature = "tls-no-provider")]
            Self::Tls(_) | Self::TlsInTls(_) => None,
        }
    }

    /// Writes some bytes, and gives up when the socket takes none for so long.
    pub(super) fn write_for(
        &mut self,
        stall: Duration,
        bytes: &[u8],
        patience: &Patience<'_>,
    ) -> io::Result<Progress> {
        match self {
            Self::Plain(socket) => {
                let taken = socket.write_for(stall, bytes, patience)?;
                Ok(Progress { taken, stalled: taken == 0 && !bytes.is_empty(), pending: false })
            }
            #[cfg(feature = "tls-no-provider")]
            Self::Tls(stream) => stream.write_for(stall, bytes, patience),
            #[cfg(feature = "tls-no-provider")]
            Self::TlsInTls(stream) => stream.write_for(stall, bytes, patience),
        }
    }

    /// Shakes hands by TLS, over what there is already.
    #[cfg(feature = "tls-no-provider")]
    pub(super) fn secure(
        self,
        tls: &TlsContext,
        target: &Target,
        patience: &Patience<'_>,
    ) -> Result<Self, Error> {
        Ok(match self {
            Self::Plain(socket) => Self::Tls(Box::new(tls.connect(socket, target, patience)?)),
            Self::Tls(proxy) => Self::TlsInTls(Box::new(tls.connect(*proxy, target, patience)?)),
            // There is one proxy and one target, and each shakes hands once.
            Self::TlsInTls(_) => {
                let detail = "TLS within TLS within TLS";
                return Err(Error::new(ErrorKind::Tls, detail).during(Phase::Setup));
            }
        })
    }

    /// Whether nothing has come and the peer has not closed: what an idle connection must be to
    /// be used again. Does not block.
    pub(super) fn is_quiet(&mut self) -> bool {
        matches!(self.look(), Ok(Look::Quiet))
    }

    /// What has come. Does not block.
    pub(super) fn look(&mut self) -> io::Result<Look> {
        match self {
            Self::Plain(socket) => socket.look(),
            #[cfg(feature = "tls-no-provider")]
            Self::Tls(stream) => stream.look(),
            #[cfg(feature = "tls-no-provider")]
            Self::TlsInTls(stream) => stream.look(),
        }
    }

    /// What TLS settled, if it is spoken.
    pub(super) const fn tls(&self) -> Option<&Arc<TlsInfo>> {
        match self {
            Self::Plain(_) => None,
            #[cfg(feature = "tls-no-provider")]
            Self::Tls(stream) => stream.info(),
            #[cfg(feature = "tls-no-provider")]
            Self::TlsInTls(stream) => stream.info(),
        }
    }

    /// Whether the session's own certificate would be shown to the peer, or was.
    #[cfg(feature = "tls-no-provider")]
    pub(super) const fn is_identified(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.is_identified(),
            Self::TlsInTls(stream) => stream.is_identified(),
        }
    }

    /// The socket, for a thread that must end what this one waits for.
    pub(super) fn pipe(&self) -> &Arc<Pipe> {
        match self {
            Self::Plain(socket) => socket.pipe(),
            #[cfg(feature = "tls-no-provider")]
            Self::Tls(stream) => stream.socket().pipe(),
            #[cfg(feature = "tls-no-provider")]
            Self::TlsInTls(stream) => stream.socket().pipe(),
        }
    }
}
