//! The floor over rustls, with ring, certificates verified and sessions resumed: see `bare.rs`.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

fn main() {
    fetchpool_peers::run("raw_tls", |load| {
        let config = Arc::new(load.rustls());
        fetchpool_peers::bare::run(load, |socket, origin| {
            let (host, _) = origin.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            let connection =
                ClientConnection::new(Arc::clone(&config), name).map_err(io::Error::other)?;
            Ok(StreamOwned::new(connection, socket))
        });
    });
}
