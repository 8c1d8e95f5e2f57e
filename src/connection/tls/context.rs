//! A session's way into TLS: from a socket and a target to a stream that is verified.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::build::shared;
use super::config::TlsConfig;
use super::fault::fault;
use super::stream::TlsStream;
use crate::connection::patience::Patience;
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
            Err(error) => {
                let detail = format!("no handshake with {}", target.host_str());
                Err(patience.error(error, Phase::Tls, ErrorKind::Tls, detail))
            }
        }
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
