//! hyper, over rustls with ring: see `hyper.rs`.

fn main() {
    fetchpool_peers::hyper::run("hyper");
}
