//! fetchpool without its pool: a session for each thread, and no hand-over of anything.

use std::time::Instant;

use fetchpool::{Receive, Request, Session, SessionConfig};
use fetchpool_peers::Mode;

fn main() {
    fetchpool_peers::run("session", |load| {
        let mut config = SessionConfig::new();
        config.keep_alive = !load.close;
        if let Some(ca) = &load.ca {
            config.tls.webpki_roots(false).root_pem_file(ca);
        }
        load.on_threads(|_| {
            let mut session = Session::new(config.clone()).expect("settings that hold");
            while let Some(job) = load.take() {
                let began = Instant::now();
                let request = Request::get(&job.url);
                let request = match load.mode {
                    Mode::Discard => request.receive(Receive::discard()),
                    Mode::Memory | Mode::Take => request,
                };
                match session.request(request) {
                    Ok(response) => {
                        if !response.timings().reused {
                            load.connected();
                        }
                        load.answered(job, response.status(), response.body_len(), began.elapsed());
                        if load.mode == Mode::Take {
                            drop(response.into_bytes());
                        }
                    }
                    Err(error) => load.failed(error),
                }
            }
        });
    });
}
