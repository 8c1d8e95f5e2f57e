//! attohttpc: a session for each thread. It keeps no connections.

use std::io;
use std::time::Instant;

use attohttpc::Session;
use fetchpool_peers::{Job, Load, Mode};

fn main() {
    fetchpool_peers::run("attohttpc", |load| {
        load.on_threads(|_| {
            let mut session = Session::new();
            session.proxy_settings(attohttpc::ProxySettings::builder().build());
            if let Some(root) = load.root() {
                session.add_root_certificate(root);
            }
            while let Some(job) = load.take() {
                let began = Instant::now();
                match get(load, &session, job) {
                    Ok((status, bytes)) => load.answered(job, status, bytes, began.elapsed()),
                    Err(error) => load.failed(error),
                }
            }
        });
    });
}

fn get(load: &Load, session: &Session, job: &Job) -> Result<(u16, u64), attohttpc::Error> {
    let response = session.get(&job.url).send()?;
    let status = response.status().as_u16();
    if load.mode == Mode::Discard {
        return Ok((status, io::copy(&mut response.split().2, &mut io::sink())?));
    }
    Ok((status, response.bytes()?.len() as u64))
}
