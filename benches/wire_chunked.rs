//! How fast a chunked body is decoded: MiB of body a second, by the size of the chunks. The bytes
//! come in reads of 64 KiB, as from a socket, and are copied out.

use divan::counter::BytesCount;
use fetchpool::internals::Reader;

mod support;

fn main() {
    support::run_divan();
}

#[divan::bench(args = [1, 64, 1024, 64 * 1024])]
fn chunks_of_bytes(bencher: divan::Bencher<'_, '_>, chunk: usize) {
    let body = vec![b'x'; if chunk == 1 { 64 << 10 } else { 4 << 20 }];
    let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for data in body.chunks(chunk) {
        response.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        response.extend_from_slice(data);
        response.extend_from_slice(b"\r\n");
    }
    response.extend_from_slice(b"0\r\n\r\n");
    let mut reader = Reader::default();
    bencher.counter(BytesCount::of_slice(&body)).bench_local(|| {
        let read = reader.read(false, divan::black_box(&response), 64 << 10);
        assert_eq!(read, Some((1, body.len())));
    });
}
