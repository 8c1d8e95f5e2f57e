//! The floor: blocking threads that write a request made before, and read a known number of bytes
//! into one buffer. Nothing is parsed, nothing is kept.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::{Job, Load};

/// Works the load off, over what `connect` makes of a socket to an origin.
pub fn run<S: Read + Write>(
    load: &Load,
    connect: impl Fn(TcpStream, &str) -> io::Result<S> + Sync,
) {
    let wires: Vec<Wire> = load.jobs.iter().map(|job| Wire::new(load, job)).collect();
    // With more origins than threads each thread has some of them to itself: so no more connections
    // are opened than there are origins.
    let apart = load.origins.len() > 1 && load.origins.len() >= load.threads;
    let most = load.jobs.iter().map(|job| job.wire).max().unwrap_or(0);
    let buffer = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1024).min(64 << 10);
    load.on_threads(|number| {
        let mut worker = Worker {
            load,
            connect: |origin: &str| {
                load.connected();
                let socket = TcpStream::connect(origin)?;
                socket.set_nodelay(true)?;
                connect(socket, origin)
            },
            streams: HashMap::new(),
            buffer: vec![0; buffer],
        };
        if apart {
            for index in 0..load.requests {
                let at = index % load.jobs.len();
                if load.jobs[at].origin % load.threads == number {
                    worker.get(&load.jobs[at], &wires[at]);
                }
            }
        } else {
            while let Some(index) = load.take_index() {
                let at = index % load.jobs.len();
                worker.get(&load.jobs[at], &wires[at]);
            }
        }
    });
}

/// A job as bytes.
struct Wire {
    request: Vec<u8>,
    /// How long the head of the answer is: learned from the first one, 0 until then.
    head: AtomicUsize,
}

impl Wire {
    fn new(load: &Load, job: &Job) -> Self {
        let origin = &load.origins[job.origin];
        let path = job.url.splitn(4, '/').nth(3).unwrap_or_default();
        let close = if load.close { "Connection: close\r\n" } else { "" };
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {origin}\r\n{close}\r\n");
        Self { request: request.into_bytes(), head: AtomicUsize::new(0) }
    }
}

struct Worker<'a, S, F> {
    load: &'a Load,
    connect: F,
    streams: HashMap<usize, S>,
    buffer: Vec<u8>,
}

impl<S: Read + Write, F: Fn(&str) -> io::Result<S>> Worker<'_, S, F> {
    fn get(&mut self, job: &Job, wire: &Wire) {
        let began = Instant::now();
        match self.exchange(job, wire) {
            Ok(()) => self.load.counted(true, job.wire, began.elapsed(), String::new),
            Err(error) => self.load.failed(format!("{}: {error}", job.url)),
        }
    }

    fn exchange(&mut self, job: &Job, wire: &Wire) -> io::Result<()> {
        if self.load.close {
            let mut stream = (self.connect)(&self.load.origins[job.origin])?;
            return exchange(&mut stream, &mut self.buffer, job, wire);
        }
        let stream = match self.streams.entry(job.origin) {
            Entry::Occupied(kept) => kept.into_mut(),
            Entry::Vacant(place) => place.insert((self.connect)(&self.load.origins[job.origin])?),
        };
        let result = exchange(stream, &mut self.buffer, job, wire);
        if result.is_err() {
            self.streams.remove(&job.origin);
        }
        result
    }
}

fn exchange(
    stream: &mut (impl Read + Write),
    buffer: &mut [u8],
    job: &Job,
    wire: &Wire,
) -> io::Result<()> {
    stream.write_all(&wire.request)?;
    stream.flush()?;
    let mut got = stream.read(buffer)?;
    if !buffer.starts_with(b"HTTP/1.1 200 ") {
        return Err(io::Error::other("not the status that is awaited"));
    }
    let mut head = wire.head.load(Ordering::Relaxed);
    if head == 0 {
        let end = buffer[..got].windows(4).position(|bytes| bytes == b"\r\n\r\n");
        head = end.ok_or_else(|| io::Error::other("a head that came in pieces"))? + 4;
        wire.head.store(head, Ordering::Relaxed);
    }
    let whole = head + usize::try_from(job.wire).map_err(io::Error::other)?;
    while got < whole {
        match stream.read(buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => got += more,
        }
    }
    if got > whole {
        return Err(io::Error::other("more bytes than awaited"));
    }
    Ok(())
}
