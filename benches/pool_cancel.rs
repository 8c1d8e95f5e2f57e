//! How long it takes from `Pool::cancel` until every worker has ended, by what they were waiting
//! for. The promise is 100 ms; what counts is the worst run.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use dead::Dead;
use fetchpool::{Pool, PoolBuilder, Request, RetryPolicy, SessionConfig, Stats};
use support::is_quick;

#[path = "../tests/support/dead.rs"]
mod dead;
mod support;

const WORKERS: u64 = 16;

fn main() {
    support::print_machine();
    let runs = if is_quick() { 3 } else { 100 };
    let busy = |stats: &Stats| stats.in_flight == WORKERS;
    let silent = Server::start(|_| {});
    let head_only = Server::start(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it");
    });

    let url = silent.url("http");
    bench("a response", runs, busy, || gets(&url));
    let url = head_only.url("http");
    bench("the rest of a body", runs, busy, || gets(&url));
    let url = silent.url("http");
    bench("a peer that reads no more of an upload", runs, busy, || {
        let url = url.clone();
        let body = vec![b'x'; 8 << 20];
        pool().job_queue((0..).map(move |_| Request::post(url.clone()).body(body.clone())))
    });
    let dead = Dead::new();
    let url = format!("http://{}/", dead.address());
    bench("a connect", runs, busy, || gets(&url));
    if cfg!(feature = "tls") {
        let url = silent.url("https");
        bench("a TLS handshake", runs, busy, || gets(&url));
    }
    let gate = Arc::new(Gate::default());
    bench("a look-up", runs, busy, || {
        let gate = Arc::clone(&gate);
        let mut session = SessionConfig::new();
        session.resolver = Some(Arc::new(move |_: &str, _: u16| {
            gate.wait();
            Ok(Vec::<SocketAddr>::new())
        }));
        gets("http://some.host.test/").session(session)
    });
    gate.open();
    let mut senders = Vec::new();
    bench(
        "a job, in a channel",
        runs,
        |stats| stats.pulled == 1 && stats.in_flight == 0,
        || {
            let (sender, receiver) = mpsc::channel();
            sender.send(Request::get("no URL")).unwrap();
            senders.push(sender);
            pool().job_queue(receiver)
        },
    );
    bench(
        "the rate",
        runs,
        |stats| stats.pulled == 1 && stats.in_flight == 0,
        || pool().job_queue((0..).map(|_| "no URL")).rate(0.001),
    );
    let busy_server = Server::start(|stream| {
        let _ =
            stream.write_all(b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n");
    });
    let url = busy_server.url("http");
    let parked = |stats: &Stats| stats.delayed >= WORKERS;
    bench("a retry to become due", runs, parked, || gets(&url).retry(RetryPolicy::new(2)));
    let large = Server::start(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
        let _ = stream.write_all(&[b'x'; 300_000]);
    });
    let url = large.url("http");
    let full = |stats: &Stats| stats.buffered >= 1;
    bench("memory for a body", runs, full, || gets(&url).body_budget(100_000));
}

/// Cancels a pool, again and again, when its workers wait for what they are to wait for.
fn bench(
    what: &str,
    runs: usize,
    waits: impl Fn(&Stats) -> bool,
    mut pool: impl FnMut() -> PoolBuilder,
) {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let pool = pool().build().unwrap();
            let start = Instant::now();
            while !waits(&pool.stats()) {
                assert!(start.elapsed() < Duration::from_secs(10), "{what}: {:?}", pool.stats());
                thread::sleep(Duration::from_millis(1));
            }
            // They are on their way there; now let them fall asleep.
            thread::sleep(Duration::from_millis(10));
            let start = Instant::now();
            drop(pool.cancel());
            pool.join_all();
            start.elapsed()
        })
        .collect();
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "pool_cancel waiting for {what:<40} {:>7.2} ms worst, {:.2} ms median of {runs} runs",
        ms(times[times.len() - 1]),
        ms(times[times.len() / 2]),
    );
}

fn pool() -> PoolBuilder {
    Pool::builder().num_threads(WORKERS as usize)
}

fn gets(url: &str) -> PoolBuilder {
    let url = url.to_owned();
    pool().job_queue((0..).map(move |_| url.clone()))
}

/// A server that reads what it is sent first, answers in its own way, and waits for the end.
struct Server(SocketAddr);

impl Server {
    fn start(answer: fn(&mut TcpStream)) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut some = [0; 1024];
                    while stream.read(&mut some).is_ok_and(|count| count > 0) {
                        answer(&mut stream);
                        // Neither what comes after this is read, nor the end is missed.
                        if some.starts_with(b"POST") {
                            while stream.peek(&mut some).is_ok_and(|count| count > 0) {
                                thread::sleep(Duration::from_millis(20));
                            }
                            return;
                        }
                    }
                });
            }
        });
        Self(address)
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/", self.0)
    }
}

/// Closed until it is opened.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn wait(&self) {
        let open = self.0.lock().unwrap();
        drop(self.1.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}
