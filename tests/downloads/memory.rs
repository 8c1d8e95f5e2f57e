//! A large body that does not go to memory takes next to none of it.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::thread;

use super::*;

const BODY: usize = 256 << 20;
/// What a peak may be, with everything that a program has.
const PEAK: usize = 16 << 20;
/// Tells the process of a client what to fetch.
const URL: &str = "FETCHPOOL_TEST_DOWNLOAD";

#[test]
fn a_body_of_256_mib_goes_to_a_file_within_16_mib_of_memory() {
    if let Ok(url) = std::env::var(URL) {
        let path = PathBuf::from(std::env::var_os("FETCHPOOL_TEST_FILE").unwrap());
        let receive = Receive::resumable_file(path);
        let pool = fetchpool::Pool::builder()
            .num_threads(2)
            .job_queue([Request::get(url).receive(receive)])
            .build()
            .unwrap();
        let response = pool.responses().next().expect("a response");
        return println!("\npeak {} {}", own_peak(), response.body_len());
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let count = stream.read(&mut [0; 4096]).unwrap();
        assert!(count > 0);
        write!(stream, "HTTP/1.1 200 OK\r\nETag: \"v\"\r\nContent-Length: {BODY}\r\n\r\n").unwrap();
        let piece = pattern(1 << 20);
        for _ in 0..BODY >> 20 {
            stream.write_all(&piece).unwrap();
        }
    });
    let folder = Folder::new();
    let test = "memory::a_body_of_256_mib_goes_to_a_file_within_16_mib_of_memory";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(URL, url)
        .env("FETCHPOOL_TEST_FILE", folder.path("file"))
        .output()
        .unwrap();
    server.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = said.lines().find_map(|line| line.strip_prefix("peak ")).and_then(|line| {
        let (peak, len) = line.split_once(' ')?;
        Some((peak.parse::<usize>().ok()?, len.parse::<usize>().ok()?))
    });
    let Some((peak, len)) = told else { panic!("{said}\n{output:?}") };
    println!("{} KiB", peak >> 10);
    assert_eq!((len, folder.names()), (BODY, vec!["file".to_owned()]));
    assert_eq!(folder.path("file").metadata().unwrap().len(), BODY as u64);
    assert!(peak <= PEAK, "{} MiB", peak >> 20);
}

fn own_peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
