//! fetchpool as it is meant to be used: a pool, and its outcomes read as they come.

use fetchpool::{Outcome, Pool, Receive, Request, SessionConfig};
use fetchpool_peers::{Load, Mode};

fn main() {
    fetchpool_peers::run("pool", |load| {
        let mut config = SessionConfig::new();
        config.keep_alive = !load.close;
        if let Some(ca) = &load.ca {
            config.tls.webpki_roots(false).root_pem_file(ca);
        }
        let jobs = (0..load.requests).map(|index| request(load, index));
        let pool = Pool::builder().num_threads(load.threads).session(config).job_queue(jobs);
        for outcome in pool.build().expect("settings that hold").outcomes() {
            let job = load.job(outcome.index() as usize);
            match outcome {
                Outcome::Response(response) => {
                    if !response.timings().reused {
                        load.connected();
                    }
                    let bytes = response.body_len();
                    load.answered(job, response.status(), bytes, response.timings().total());
                    if load.mode == Mode::Take {
                        drop(response.into_response().into_bytes());
                    }
                }
                Outcome::Exception(exception) => load.failed(exception.error()),
            }
        }
    });
}

fn request(load: &Load, index: usize) -> Request {
    let request = Request::get(&load.job(index).url);
    match load.mode {
        Mode::Discard => request.receive(Receive::discard()),
        Mode::Memory | Mode::Take => request,
    }
}
