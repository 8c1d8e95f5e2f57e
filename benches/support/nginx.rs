//! A server on loopback that answers as nginx does, and takes no memory for an answer: what is
//! counted in the process is its client's.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

/// Starts the server, for as long as the process lives, and gives a URL whose body has so many bytes.
pub(crate) fn start(length: usize) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let url = format!("http://{}/body.bin", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.set_nodelay(true);
                let answer = answer(length);
                let mut request = [0; 4096];
                // A request here is small, is sent at once and so is read at once.
                while let Ok(1..) = stream.read(&mut request) {
                    if stream.write_all(&answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// The answer to any request.
pub(crate) fn answer(length: usize) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\n\
         Server: nginx/1.26.3\r\n\
         Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n\
         Content-Type: application/octet-stream\r\n\
         Content-Length: {length}\r\n\
         Last-Modified: Sat, 21 Nov 2026 09:30:00 GMT\r\n\
         Connection: keep-alive\r\n\
         ETag: \"692032a8-{length:x}\"\r\n\
         Accept-Ranges: bytes\r\n\
         \r\n"
    )
    .into_bytes();
    answer.resize(answer.len() + length, b'x');
    answer
}
