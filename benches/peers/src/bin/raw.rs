//! The floor over plain sockets: see `bare.rs`.

fn main() {
    fetchpool_peers::run("raw", |load| fetchpool_peers::bare::run(load, |socket, _| Ok(socket)));
}
