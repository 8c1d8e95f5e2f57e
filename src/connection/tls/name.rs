//! The name of a server, as TLS has it.

use rustls::pki_types::ServerName;

use super::fault::fault;
use crate::error::Error;
use crate::message::{Host, Target};

/// The name that a target's server must have.
pub(super) fn server_name(target: &Target) -> Result<ServerName<'static>, Error> {
    match target.host() {
        Host::Ip(ip) => Ok(ServerName::IpAddress(ip.into())),
        // The name in the certificate and in SNI has no final dot (RFC 6066 §3).
        Host::Name(name) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            ServerName::try_from(name).map_err(|error| fault("the host is no DNS name", error))
        }
    }
}
