//! hyper, over rustls with aws-lc-rs, as hyper-rustls has it by default: see `hyper.rs`.

fn main() {
    fetchpool_peers::hyper::run("hyper_aws_lc");
}
