"""What a program costs that fetches one page over https: crates, CPU time of a clean build, bytes."""

import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

from . import machine, report

URL = "https://example.com/"

BLOCKING = "fn main() -> Result<(), Box<dyn std::error::Error>> {{ {body} Ok(()) }}"

POOL = """
let pool = fetchpool::Pool::from_urls(["%s"])?;
for outcome in pool.outcomes() { let response = outcome.result()?; println!("{} {}", response.status(), response.text()); }
""" % URL

HYPER = """
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
let https = hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_only().enable_http1().build();
let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build(https);
let response = client.get("%s".parse()?).await?;
println!("{} {}", response.status(), String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
""" % URL

REQWEST = 'let response = reqwest::get("%s").await?; println!("{} {}", response.status(), response.text().await?);' % URL

UREQ = """
let mut response = ureq::get("%s").call()?;
println!("{} {}", response.status(), response.body_mut().read_to_string()?);
""" % URL

ATTOHTTPC = 'let response = attohttpc::get("%s").send()?; println!("{} {}", response.status(), response.text()?);' % URL

MINREQ = 'let response = minreq::get("%s").send()?; println!("{} {}", response.status_code, response.as_str()?);' % URL

CURL = """
use std::io::Write;
let mut easy = curl::easy::Easy::new();
easy.url("%s")?;
easy.write_function(|data| Ok(std::io::stdout().write(data).unwrap_or(0)))?;
easy.perform()?;
println!("{}", easy.response_code()?);
""" % URL

TOKIO = """
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {{
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {{ {body} Ok(()) }})
}}
"""

RUNTIME = 'tokio = { version = "1", default-features = false, features = ["rt-multi-thread", "net", "time"] }'

# Name, what is said of it, dependencies, the program.
PROGRAMS = [
    ("fetchpool", "default features", ['fetchpool = {{ path = "{root}" }}'], BLOCKING, POOL),
    ("fetchpool", "only `tls`", ['fetchpool = {{ path = "{root}", default-features = false, features = ["tls"] }}'],
     BLOCKING, POOL),
    ("ureq", "default features", ['ureq = "3"'], BLOCKING, UREQ),
    ("attohttpc", "rustls with ring, gzip", ['attohttpc = {{ version = "0.31", default-features = false, '
     'features = ["compress", "tls-rustls-webpki-roots-ring"] }}'], BLOCKING, ATTOHTTPC),
    ("minreq", "`https-rustls`", ['minreq = {{ version = "3", features = ["https-rustls"] }}'], BLOCKING, MINREQ),
    ("hyper", "HTTP/1 client, rustls with ring, tokio", [
        'hyper = {{ version = "1", features = ["client", "http1"] }}',
        'hyper-util = {{ version = "0.1", features = ["client-legacy", "http1", "tokio"] }}',
        'hyper-rustls = {{ version = "0.27", default-features = false, '
        'features = ["http1", "tls12", "ring", "webpki-tokio"] }}',
        'http-body-util = "0.1"', 'bytes = "1"', RUNTIME.replace("{", "{{").replace("}", "}}")], TOKIO, HYPER),
    ("reqwest", "default features, tokio", ['reqwest = "0.13"', RUNTIME.replace("{", "{{").replace("}", "}}")],
     TOKIO, REQWEST),
    ("curl", "its own libcurl, the system's OpenSSL",
     ['curl = {{ version = "0.4", features = ["static-curl"] }}'], BLOCKING, CURL),
]


def measure(here, through):
    """The table, and who does not build."""
    rows, failed = [], []
    for name, said, dependencies, frame, body in PROGRAMS:
        with tempfile.TemporaryDirectory(prefix="fetchpool-build.") as folder:
            folder = pathlib.Path(folder)
            root = here.parent.parent
            write(folder, here, [line.format(root=root) for line in dependencies], frame.format(body=body))
            seen = build(folder, through)
        if isinstance(seen, str):
            failed.append("%s (%s) does not build: %s" % (name, said, seen))
            continue
        print("%s (%s): %d crates, %.1f s of CPU, %.2f MiB" % (name, said, *seen), flush=True)
        rows.append(["%s: %s" % (name, said), "%d" % seen[0], "%.0f" % seen[1], "%.2f" % seen[2]])
    about = machine.describe(here)
    return "\n\n".join([
        "# What a program costs that fetches one page over https",
        "Measured on %(date)s, commit %(commit)s, rustc %(rustc)s, %(cpus)d CPUs, %(cpu)s. Crates are those of "
        "`cargo tree -e normal`, without the program; the build is a clean one, `--release`, with what its C and "
        "build scripts take; the program is stripped." % about,
        report.markdown(["program", "crates", "build, s of CPU", "program, MiB"], rows, words={0}), *failed]) + "\n"


def write(folder, here, dependencies, program):
    (folder / "src").mkdir()
    (folder / "src" / "main.rs").write_text(program)
    lines = ["[package]", 'name = "hello"', 'version = "0.0.0"', 'edition = "2024"', "", "[workspace]", "",
             "[profile.release]", "strip = true", "", "[dependencies]", *dependencies, ""]
    (folder / "Cargo.toml").write_text("\n".join(lines))
    # The versions that were measured, as far as it knows them.
    shutil.copy(here / "Cargo.lock", folder)


def build(folder, through):
    environment = os.environ | {"CARGO_TARGET_DIR": str(folder / "target"), "CARGO_ENCODED_RUSTFLAGS": ""}
    # Also fetches what is not there: that is no part of the build.
    tree = subprocess.run(["cargo", "tree", "--edges", "normal", "--prefix", "none"],
                          cwd=folder, env=environment, capture_output=True, text=True)
    if tree.returncode:
        return tree.stderr.strip()[-300:]
    # The first one is the program.
    crates = len({line.removesuffix(" (*)") for line in tree.stdout.splitlines() if line}) - 1
    subprocess.run(["cargo", "fetch", "--quiet"], cwd=folder, env=environment, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*through, "cargo", "build", "--quiet", "--release"], cwd=folder, env=environment,
                          capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        return done.stderr.strip()[-300:]
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return crates, seconds, (folder / "target" / "release" / "hello").stat().st_size / 2**20
