//! ureq: one agent for all threads, as its documentation has it.

use std::io;
use std::time::Instant;

use fetchpool_peers::{Job, Load, Mode};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

fn main() {
    fetchpool_peers::run("ureq", |load| {
        let idle = if load.close { 0 } else { load.threads.max(load.origins.len()) };
        let mut config = Agent::config_builder()
            .proxy(None)
            .max_idle_connections(idle)
            .max_idle_connections_per_host(idle);
        if let Some(root) = load.root() {
            let roots = RootCerts::new_with_certs(&[Certificate::from_der(&root).to_owned()]);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let agent = Agent::new_with_config(config.build());
        load.on_threads(|_| {
            while let Some(job) = load.take() {
                let began = Instant::now();
                match get(load, &agent, job) {
                    Ok((status, bytes)) => load.answered(job, status, bytes, began.elapsed()),
                    Err(error) => load.failed(error),
                }
            }
        });
    });
}

fn get(load: &Load, agent: &Agent, job: &Job) -> Result<(u16, u64), ureq::Error> {
    let mut request = agent.get(&job.url);
    if load.close {
        request = request.header("connection", "close");
    }
    let mut response = request.call()?;
    let status = response.status().as_u16();
    if load.mode == Mode::Discard {
        return Ok((status, io::copy(&mut response.body_mut().as_reader(), &mut io::sink())?));
    }
    // Its own limit is 10 MB.
    let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
    Ok((status, body.len() as u64))
}
