//! A session's way into TLS: from a socket and a target to a stream that is verified.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::build::shared;
use super::config::TlsConfig;
use super::explain::{Refused, fit_to_be_shown};
use super::fault::fault;
use super::stream::TlsStream;
use super::verifier::Shown;
use crate::connection::patience::{Patience, is_close};
use crate::connection::socket::Socket;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Host, Target};

/// A session's way into TLS. The configuration is built at the first use of `https`, since most
/// of its cost would be wasted on a session that never does.
#[derive(Debug)]
pub(crate) struct TlsContext {
    settings: TlsConfig,
    built: Option<Arc<ClientConfig>>,
}

impl TlsContext {
    /// The way of a session with the default settings, among which nothing can be wrong.
    pub(crate) const fn untouched() -> Self {
        Self { settings: TlsConfig::new(), built: None }
    }

    /// Checks the settings that can be wrong; files are read here.
    pub(crate) fn new(settings: &TlsConfig) -> Result<Self, Error> {
        let mut context = Self { settings: settings.read()?, built: None };
        if !settings.roots.is_empty() {
            context.built = Some(shared(&context.settings)?);
        }
        Ok(context)
    }

    /// Shakes hands. The name that is verified is the host of the target, and nothing else.
    pub(in crate::connection) fn connect(
        &mut self,
        socket: Socket,
        target: &Target,
        patience: &Patience<'_>,
    ) -> Result<TlsStream, Error> {
        let config = match &self.built {
            Some(config) => Arc::clone(config),
            None => Arc::clone(self.built.insert(shared(&self.settings)?)),
        };
        let name = server_name(target)?;
        let connection =
            ClientConnection::new(config, name).map_err(|error| fault("no TLS client", error))?;
        let mut stream = TlsStream::new(connection, socket);
        match stream.handshake(patience) {
            Ok(()) => Ok(stream),
            Err(error) => Err(failed(error, &stream, target.host_str(), patience)),
        }
    }
}

/// What a failed handshake means, told to people where it can be.
fn failed(error: io::Error, stream: &TlsStream, host: &str, patience: &Patience<'_>) -> Error {
    let shown = Shown::take();
    let refused = Refused { host, shown: shown.as_ref(), opening: stream.opening() };
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
        Some(source) if failed.kind() == ErrorKind::Tls && explained => failed.explaining(source),
        Some(source) if failed.kind() == ErrorKind::Tls => failed.because(source),
        _ => failed,
    }
}

fn server_name(target: &Target) -> Result<ServerName<'static>, Error> {
    match target.host() {
        Host::Ip(ip) => Ok(ServerName::IpAddress(ip.into())),
        // The name in the certificate and in SNI has no final dot (RFC 6066 §3).
        Host::Name(name) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            ServerName::try_from(name).map_err(|error| fault("the host is no DNS name", error))
        }
    }
}
