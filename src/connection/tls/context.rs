//! A session's way into TLS: from a socket and a target to a stream that is verified.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, ClientConnection};

use super::build::shared;
use super::client_auth::{Asked, Client};
use super::config::TlsConfig;
use super::explain::{Refused, fit_to_be_shown};
use super::fault::fault;
use super::name::server_name;
use super::stream::TlsStream;
use super::transport::Transport;
use super::verifier::Shown;
use crate::connection::patience::{Patience, is_close};
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Origin, Target};

/// A session's way into TLS. The configuration is built at the first use of `https`, since most
/// of its cost would be wasted on a session that never does.
#[derive(Clone, Debug)]
pub(crate) struct TlsContext {
    /// All but the session's own certificate.
    settings: TlsConfig,
    built: OnceLock<Arc<ClientConfig>>,
    /// The same with the certificate, if there is one. Apart, so that no TLS session that it opened
    /// is resumed where it may not be shown.
    identified: Option<Arc<ClientConfig>>,
    /// The origin of the hop that is under way, if the certificate may be shown there.
    shown_to: Option<Origin>,
    /// The way to proxies that have no settings of their own.
    for_proxies: OnceLock<Box<Self>>,
}

impl PartialEq for TlsContext {
    /// Equal if the settings are: there is one configuration for each.
    fn eq(&self, other: &Self) -> bool {
        let same_identity = match (&self.identified, &other.identified) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        };
        same_identity && self.settings == other.settings
    }
}

impl Eq for TlsContext {}

impl TlsContext {
    /// The way of a session with the default settings, among which nothing can be wrong.
    pub(crate) const fn untouched() -> Self {
        Self::of(TlsConfig::new())
    }

    const fn of(settings: TlsConfig) -> Self {
        Self {
            settings,
            built: OnceLock::new(),
            identified: None,
            shown_to: None,
            for_proxies: OnceLock::new(),
        }
    }

    /// Checks the settings that can be wrong; files are read here.
    pub(crate) fn new(settings: &TlsConfig) -> Result<Self, Error> {
        let mut context = Self::of(settings.read()?);
        if context.settings.identity.is_some() {
            context.identified = Some(shared(&context.settings)?);
            context.settings.identity = None;
        } else if context.settings.must_be_tried() {
            context.config()?;
        }
        Ok(context)
    }

    /// The same, for the one target that it is meant for: a proxy with settings of its own.
    pub(in crate::connection) fn for_target(
        settings: &TlsConfig,
        target: &Target,
    ) -> Result<Self, Error> {
        let mut context = Self::new(settings)?;
        context.head_for(target, true);
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

    /// The way to proxies that have no settings of their own.
    pub(in crate::connection) fn for_proxies(&self) -> &Self {
        self.for_proxies.get_or_init(|| Box::new(Self::of(self.settings.for_proxies())))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.built.get() {
            return Ok(Arc::clone(config));
        }
        let config = shared(&self.settings)?;
        Ok(Arc::clone(self.built.get_or_init(|| config)))
    }

    /// Shakes hands. The name that is verified is the host of the target, and nothing else.
    pub(in crate::connection) fn connect<T: Transport>(
        &self,
        under: T,
        target: &Target,
        patience: &Patience<'_>,
    ) -> Result<TlsStream<T>, Error> {
        let identified = self.is_identified_to(target);
        let config = match &self.identified {
            Some(config) if identified => Arc::clone(config),
            _ => self.config()?,
        };
        let name = server_name(target)?;
        let connection =
            ClientConnection::new(config, name).map_err(|error| fault("no TLS client", error))?;
        let withheld = self.identified.is_some() && !identified;
        let client = Client { asked: Asked::No, identified, withheld };
        let mut stream = TlsStream::new(connection, under, client);
        match stream.handshake(patience) {
            Ok(()) => Ok(stream),
            Err(error) => Err(self.failed(error, &stream, target.host_str(), patience)),
        }
    }

    /// What a failed handshake means, told to people where it can be.
    fn failed<T: Transport>(
        &self,
        error: io::Error,
        stream: &TlsStream<T>,
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
        // Cut off, and not by a word of TLS: the next handshake may be none the worse.
        let broke = is_close(&error) || error.raw_os_error().is_some();
        let explained = told.is_some();
        let detail = told.unwrap_or_else(|| format!("no handshake with {host}"));
        let failed = patience.error(error, Phase::Tls, ErrorKind::Tls, detail);
        match source {
            Some(source) if failed.kind() == ErrorKind::Tls && explained => {
                failed.explaining(source)
            }
            Some(source) if failed.kind() == ErrorKind::Tls => failed.because(source),
            None if failed.kind() == ErrorKind::Tls && broke => failed.of_the_network(),
            _ => failed,
        }
    }
}
