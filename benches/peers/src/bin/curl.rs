//! libcurl through the crate `curl`: an `Easy2` for each thread, used again and again.

use std::time::Instant;

use curl::easy::{Easy2, Handler, WriteError};
use fetchpool_peers::{Job, Load, Mode};

struct Body {
    bytes: Vec<u8>,
    length: u64,
    discard: bool,
}

impl Handler for Body {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.length += data.len() as u64;
        if !self.discard {
            self.bytes.extend_from_slice(data);
        }
        Ok(data.len())
    }
}

fn main() {
    fetchpool_peers::run("curl", |load| {
        curl::init();
        load.on_threads(|_| {
            let mut easy = match set_up(load) {
                Ok(easy) => easy,
                Err(error) => return load.failed(error),
            };
            while let Some(job) = load.take() {
                let began = Instant::now();
                match get(&mut easy, job) {
                    Ok((status, bytes)) => load.answered(job, status, bytes, began.elapsed()),
                    Err(error) => load.failed(error),
                }
            }
        });
    });
}

fn set_up(load: &Load) -> Result<Easy2<Body>, curl::Error> {
    let body = Body { bytes: Vec::new(), length: 0, discard: load.mode == Mode::Discard };
    let mut easy = Easy2::new(body);
    easy.signal(false)?;
    easy.noproxy("*")?;
    easy.accept_encoding("gzip")?;
    // Its own cache has room for five.
    easy.max_connects(u32::try_from(load.origins.len()).unwrap_or(u32::MAX).max(5))?;
    if let Some(ca) = &load.ca {
        easy.cainfo(ca)?;
    }
    if load.close {
        easy.forbid_reuse(true)?;
    }
    Ok(easy)
}

fn get(easy: &mut Easy2<Body>, job: &Job) -> Result<(u16, u64), curl::Error> {
    let body = easy.get_mut();
    // A caller has each body as a Vec of its own.
    body.bytes = Vec::new();
    body.length = 0;
    easy.url(&job.url)?;
    easy.perform()?;
    Ok((easy.response_code()? as u16, easy.get_ref().length))
}
