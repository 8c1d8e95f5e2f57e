//! A server that does what its URL says, to the byte.
//!
//! | route | what comes |
//! | --- | --- |
//! | `/ok/<bytes>` | 200, a body of so many bytes |
//! | `/reset/<n>/<bytes>` | the first `n` bytes of that answer, and a reset |
//! | `/cut/<n>/<bytes>` | the first `n` bytes of that answer, and the end |
//! | `/slow/<ms>/<bytes>` | that answer after so many milliseconds |
//! | `/drip/<ms>/<bytes>` | that answer, a byte every so many milliseconds |
//! | `/silent` | nothing |
//! | `/garbage` | no HTTP |
//! | `/busy` | 503 |
//! | `/away/<bytes>` | 302 to `/ok/<bytes>` |

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The server. Its threads end with their connections, which the clients close.
pub(crate) struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&ended);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if asked.load(Ordering::SeqCst) {
                    return;
                }
                thread::spawn(move || serve(stream));
            }
        });
        Self { address, ended }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// The answer with a body of so many bytes.
pub(crate) fn answer(bytes: usize) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n").into_bytes();
    answer.extend(body(bytes));
    answer
}

/// A body that shows when bytes are missing or moved.
pub(crate) fn body(bytes: usize) -> impl Iterator<Item = u8> {
    (0..bytes).map(|n| b'a' + (n % 23) as u8)
}

fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    loop {
        let Some(path) = request(&mut stream) else { return };
        let mut parts = path.split('/').skip(1);
        let route = parts.next().unwrap_or_default();
        let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok()).unwrap_or(0);
        let sent = match route {
            "ok" => finish(&mut stream) && send(&mut stream, &answer(number())),
            "reset" => {
                // What is left unread makes the close a reset.
                let (upto, bytes) = (number(), answer(number()));
                send(&mut stream, &bytes[..upto.min(bytes.len())]);
                return;
            }
            "cut" => {
                let (upto, bytes) = (number(), answer(number()));
                let _ = finish(&mut stream) && send(&mut stream, &bytes[..upto.min(bytes.len())]);
                return;
            }
            "slow" => {
                let finished = finish(&mut stream);
                thread::sleep(Duration::from_millis(number() as u64));
                finished && send(&mut stream, &answer(number()))
            }
            "drip" => {
                let (pause, bytes) = (Duration::from_millis(number() as u64), answer(number()));
                finish(&mut stream)
                    && bytes.iter().all(|byte| {
                        thread::sleep(pause);
                        send(&mut stream, &[*byte])
                    })
            }
            "silent" => {
                let _ = finish(&mut stream) && stream.read(&mut [0]).is_ok();
                return;
            }
            "garbage" => finish(&mut stream) && send(&mut stream, b"\x16\x03\x01 no HTTP\r\n\r\n"),
            "busy" => {
                let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
                finish(&mut stream) && send(&mut stream, busy.as_bytes())
            }
            "away" => {
                let away = format!(
                    "HTTP/1.1 302 Found\r\nLocation: /ok/{}\r\nContent-Length: 0\r\n\r\n",
                    number()
                );
                finish(&mut stream) && send(&mut stream, away.as_bytes())
            }
            other => panic!("no such route: {other}"),
        };
        if !sent {
            return;
        }
    }
}

/// The path of the next request, whose last byte is left unread.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut seen = [0; 4096];
    let mut before = 0;
    loop {
        let count = stream.peek(&mut seen).ok().filter(|count| *count > 0)?;
        if let Some(end) = seen[..count].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let mut head = vec![0; end + 3];
            stream.read_exact(&mut head).ok()?;
            let head = String::from_utf8(head).ok()?;
            return head.split(' ').nth(1).map(str::to_owned);
        }
        if count == before {
            // The rest is on its way.
            thread::yield_now();
        }
        before = count;
    }
}

/// Reads the last byte of the request.
fn finish(stream: &mut TcpStream) -> bool {
    stream.read_exact(&mut [0]).is_ok()
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}
