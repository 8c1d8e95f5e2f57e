//! The demo's server: HTTP/1.1 with keep-alive, a thread for each connection.
//!
//! It is on loopback, speaks to the demo alone, and ends with the program.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::routes;
use crate::units;

/// A server that runs.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    requests: AtomicU64,
}

/// What the server saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) connections: u64,
    pub(super) requests: u64,
}

impl Server {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let counters = Arc::new(Counters::default());
        let server = Self { address, counters: Arc::clone(&counters) };
        let accept = move || {
            for stream in listener.incoming().flatten() {
                counters.connections.fetch_add(1, Ordering::Relaxed);
                let counters = Arc::clone(&counters);
                let serve = move || {
                    // A client that goes away is no concern of a demo.
                    let _ = serve(&stream, &counters);
                };
                // Without a thread the connection is dropped, which the client will tell.
                let _ = thread::Builder::new().name("demo-connection".into()).spawn(serve);
            }
        };
        thread::Builder::new().name("demo-server".into()).spawn(accept)?;
        Ok(server)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn introduce(&self, jobs: u64, threads: usize) -> String {
        format!(
            "{} on {} to the demo's own server, {}",
            units::counted(jobs, "request"),
            units::counted(threads as u64, "thread"),
            self.url("/")
        )
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            connections: self.counters.connections.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
        }
    }
}

/// Answers one request after the other, until the client closes or wants it closed.
fn serve(stream: &TcpStream, counters: &Counters) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream);
    let mut output = stream;
    while let Some((path, last)) = read_head(&mut input)? {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        let (delay, bytes) = routes::answer(&path)?;
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        output.write_all(&bytes)?;
        if last {
            break;
        }
    }
    Ok(())
}

/// The path of the next request and whether it is the last one; `None` at the end.
fn read_head(input: &mut impl BufRead) -> io::Result<Option<(String, bool)>> {
    let mut head = input.take(HEAD_BYTES);
    let mut line = String::new();
    if head.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut last = false;
    loop {
        line.clear();
        head.read_line(&mut line)?;
        match line.trim_end() {
            // An empty line, or the end of what a head may take.
            "" => return Ok(Some((path, last || !line.ends_with('\n')))),
            field => last |= field.eq_ignore_ascii_case("connection: close"),
        }
    }
}

/// Longer than any head that the demo sends.
const HEAD_BYTES: u64 = 64 * 1024;
