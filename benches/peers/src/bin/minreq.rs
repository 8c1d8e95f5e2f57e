//! minreq: a call for each request. It keeps no connections, and undoes no codings.

use std::io;
use std::time::Instant;

use fetchpool_peers::{Job, Load, Mode};

fn main() {
    fetchpool_peers::run("minreq", |load| {
        // It takes the one of the process, and brings another one with it.
        let ring = rustls::crypto::ring::default_provider();
        ring.install_default().expect("the only one who does this");
        load.on_threads(|_| {
            while let Some(job) = load.take() {
                let began = Instant::now();
                match get(load, job) {
                    Ok((status, bytes)) => load.answered(job, status, bytes, began.elapsed()),
                    Err(error) => load.failed(error),
                }
            }
        });
    });
}

fn get(load: &Load, job: &Job) -> Result<(u16, u64), minreq::Error> {
    let request = minreq::get(&job.url);
    if load.mode == Mode::Discard {
        let mut response = request.send_lazy()?;
        let bytes = io::copy(&mut response, &mut io::sink())?;
        return Ok((response.status_code as u16, bytes));
    }
    let response = request.send()?;
    Ok((response.status_code as u16, response.as_bytes().len() as u64))
}
