//! A session's way into TLS: from a socket and a target to a stream that is verified.

use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection};

use super::build::shared;
use super::client_auth::{Asked, Client};
use super::config::TlsConfig;
use super::explain::{Refused, fit_to_be_shown};
use super::fault::fault;
use super::name::server_name;
use super::stream::TlsStream;
use super::verifier::Shown;
use crate::connection::patience::{Patience, is_close};
use crate::connection::socket::Socket;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Origin, Target};

/// A session's way into TLS. The configuration is built at the first use of `https`, since most
/// of its cost would be wasted on a session that never does.
#[derive(Debug)]
pub(crate) struct TlsContext {
    /// All but the session's own certificate.
    settings: TlsConfig,
    built: Option<Arc<ClientConfig>>,
    /// The same with the certificate, if there is one. Apart, so that no TLS session that it opened
    /// is resumed where it may not be shown.
    identified: Option<Arc<ClientConfig>>,
    /// The origin of the hop that is under way, if the certificate may be shown there.
    shown_to: Option<Origin>,
}

impl TlsContext {
    /// The way of a session with the default settings, among which nothing can be wrong.
    pub(crate) const fn untouched() -> Self {
        Self { settings: TlsConfig::new(), built: None, identified: None, shown_to: None }
    }

    /// Checks the settings that can be wrong; files are read here.
    pub(crate) fn new(settings: &TlsConfig) -> Result<Self, Error> {
        let mut context = Self { settings: settings.read()?, ..Self::untouched() };
        if context.settings.identity.is_some() {
            context.identified = Some(shared(&context.settings)?);
            context.settings.identity = None;
        } else if context.settings.must_be_tried() {
            context.built = Some(shared(&context.settings)?);
        }
        Ok(context)
    }

    /// Says where the next hop leads, and whether credentials go along.
    pub(crate) fn head_for(&mut self, target: &Target, with_credentials: bool) {
        let origins = &self.settings.identity_origins;
        let goes = self.identified.is_some()
            && with_credentials
            && target.is_https()
            && (origins.is_empty() || origins.iter().any(|origin| origin.contains(target)));
        self.shown_to = goes.then(|| target.origin());
    }

    /// Whether a connection to the target shows the session's own certificate to a server that
    /// asks. None does but to where the hop leads: not one to a proxy on the way.
    pub(in crate::connection) fn is_identified_to(&self, target: &Target) -> bool {
        self.shown_to.as_ref().is_some_and(|origin| origin.contains(target))
    }

    /// Shakes hands. The name that is verified is the host of the target, and nothing else.
    pub(in crate::connection) fn connect(
        &mut self,
        socket: Socket,
        target: &Target,
        patience: &Patience<'_>,
    ) -> Result<TlsStream, Error> {
        let identified = self.is_identified_to(target);
        let config = match (&self.identified, &self.built) {
            (Some(config), _) if identified => Arc::clone(config),
            (_, Some(config)) => Arc::clone(config),
            (_, None) => Arc::clone(self.built.insert(shared(&self.settings)?)),
        };
        let name = server_name(target)?;
        let connection =
            ClientConnection::new(config, name).map_err(|error| fault("no TLS client", error))?;
        let withheld = self.identified.is_some() && !identified;
        let client = Client { asked: Asked::No, identified, withheld };
        let mut stream = TlsStream::new(connection, socket, client);
        match stream.handshake(patience) {
            Ok(()) => Ok(stream),
            Err(error) => Err(self.failed(error, &stream, target.host_str(), patience)),
        }
    }

    /// What a failed handshake means, told to people where it can be.
    fn failed(
        &self,
        error: io::Error,
        stream: &TlsStream,
        host: &str,
        patience: &Patience<'_>,
    ) -> Error {
        let shown = Shown::take();
        let refused = Refused {
            host,
            shown: shown.as_ref(),
            opening: stream.opening(),
            client: stream.client(),
            versions: self.settings.versions(),
        };
        let fault = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
        let told = match fault {
            Some(fault) => refused.explain(fault),
            None if is_close(&error) => Some(refused.closed()),
            None => None,
        };
        let source = fault.map(fit_to_be_shown);
        let explained = told.is_some();
        let detail = told.unwrap_or_else(|| format!("no handshake with {host}"));
        let failed = patience.error(error, Phase::Tls, ErrorKind::Tls, detail);
        match source {
            Some(source) if failed.kind() == ErrorKind::Tls && explained => {
                failed.explaining(source)
            }
            Some(source) if failed.kind() == ErrorKind::Tls => failed.because(source),
            _ => failed,
        }
    }
}
