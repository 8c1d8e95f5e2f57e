//! Bodies that go to a file, also a gibibyte of them and over connections that are cut.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fetchpool::{
    Error, ErrorKind, Pool, Receive, Request, Response, RetryPolicy, Session, SessionConfig,
};

use super::support::{mark, nginx_log, open, response, session, setting};

const BIG: u64 = 1 << 30;

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fetchpool-real-downloads-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder of our own");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One gibibyte at a time: on the disk, and of what the machine can do.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a file is the gibibyte that `.ci/servers` made, to the byte.
#[track_caller]
fn is_big(path: &PathBuf) {
    let mut file = File::open(path).expect("the file");
    assert_eq!(file.metadata().expect("the file's length").len(), BIG);
    let (mut expected, mut found) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for mebibyte in 0..1024 {
        let start = format!("mebibyte {mebibyte:06}\n");
        expected[..start.len()].copy_from_slice(start.as_bytes());
        file.read_exact(&mut found).expect("a mebibyte");
        assert!(found == expected, "mebibyte {mebibyte} is another one");
    }
}

/// What tests that move a gibibyte may take on a busy machine.
fn patient() -> SessionConfig {
    let mut config = SessionConfig::new();
    config.timeout = Some(Duration::from_secs(180));
    config
}

/// The gibibyte, of which each connection brings no more than so many bytes; and the mark by which
/// nginx's log knows it.
fn cut(how: &str, test: &str) -> (String, String) {
    let mark = format!("{how}&{}", mark(test));
    (format!("{}/big.bin?{mark}", setting("CUTTER")), mark)
}

/// With retries, on one thread.
fn retried(request: Request, retries: u32) -> (Response, u64) {
    let pool = Pool::builder()
        .num_threads(1)
        .session(patient())
        .retry(RetryPolicy::new(retries))
        .job_queue([request])
        .build()
        .expect("a pool");
    let response = response(pool.outcomes().next().expect("an outcome"));
    (response, pool.stats().retried)
}

/// Runs a test once more in a process of its own, with this in its environment.
#[track_caller]
fn in_a_process_of_its_own(test: &str, name: &str, value: &str) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let test = format!("downloads::{test}");
    let command = command.args(["--exact", &test, "--ignored", "--nocapture"]).env(name, value);
    let output = command.output().expect("its output");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_gibibyte_goes_to_a_file_within_16_mib_of_memory() {
    const CHILD: &str = "FETCHPOOL_REAL_DOWNLOAD";
    let Some(path) = std::env::var_os(CHILD).map(PathBuf::from) else {
        // In a process of its own, for the other tests take memory as well.
        let (_turn, folder) = (turn(), Folder::new());
        let path = folder.path("big");
        let name = "a_gibibyte_goes_to_a_file_within_16_mib_of_memory";
        in_a_process_of_its_own(name, CHILD, path.to_str().expect("a path in UTF-8"));
        assert_eq!(folder.names(), ["big"]);
        is_big(&path);
        return;
    };
    let mut session = open(patient());
    session.request(setting("NGINX") + "/small.txt").expect("a response");
    let before = peak();
    let request = Request::get(setting("BIG")).receive(Receive::file(&path));
    let response = session.request(request).expect("a gibibyte");
    let above = peak() - before;
    assert!(above < 16 << 10, "{above} KiB more");
    assert_eq!((response.body_len(), response.saved_to()), (BIG, Some(&*path)));
    assert!(response.bytes().is_empty() && !response.is_partial());
}

/// Of this process so far, in KiB.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_gibibyte_over_connections_that_are_cut_three_times_is_the_gibibyte() {
    let (_turn, folder) = (turn(), Folder::new());
    let (url, mark) = cut("cut=300000000", "three-cuts");
    let request = Request::get(url).receive(Receive::resumable_file(folder.path("big")));
    let (response, retries) = retried(request, 3);
    assert_eq!((response.status(), retries), (206, 3));
    let from = response.resumed_from().expect("it was gone on with");
    // The cuts count the heads as well.
    assert!((899_990_000..900_000_000).contains(&from), "{from}");
    assert_eq!(response.body_len(), BIG - from);
    assert_eq!(response.saved_to(), Some(&*folder.path("big")));
    let mut statuses: Vec<u16> = nginx_log(&mark, 4).iter().map(|hit| hit.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 206, 206, 206]);
    assert_eq!(folder.names(), ["big"]);
    is_big(&folder.path("big"));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_later_process_goes_on_with_a_gibibyte_that_was_reset() {
    const CHILD: &str = "FETCHPOOL_REAL_RESET";
    if let Ok(told) = std::env::var(CHILD) {
        let (path, url) = told.split_once('\n').expect("a path and a URL");
        let request = Request::get(url).receive(Receive::resumable_file(path));
        let error = open(patient()).request(request).expect_err("it is cut");
        assert!(matches!(error.kind(), ErrorKind::Closed | ErrorKind::Io), "{error}");
        let kept = error.response().expect("the head");
        assert!(kept.is_partial() && kept.saved_to().is_none());
        // What the system held when the reset came is lost.
        assert!((350_000_000..400_000_000).contains(&kept.body_len()), "{}", kept.body_len());
        return;
    }
    let (_turn, folder) = (turn(), Folder::new());
    let (url, mark) = cut("cut=400000000&reset", "reset");
    let path = folder.path("big");
    let told = format!("{}\n{url}", path.to_str().expect("a path in UTF-8"));
    in_a_process_of_its_own("a_later_process_goes_on_with_a_gibibyte_that_was_reset", CHILD, &told);
    let names = folder.names();
    let [part, note] = &names[..] else { panic!("{names:?}") };
    assert!(part.ends_with(".part") && note == "big.resume", "{names:?}");

    let (response, retries) = retried(Request::get(url).receive(Receive::resumable_file(&path)), 1);
    assert_eq!((response.status(), retries), (206, 1));
    let from = response.resumed_from().expect("it was gone on with");
    assert!((700_000_000..800_000_000).contains(&from), "{from}");
    assert_eq!(nginx_log(&mark, 3).len(), 3);
    assert_eq!(folder.names(), ["big"]);
    is_big(&path);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn what_has_changed_on_nginx_is_fetched_whole() {
    let folder = Folder::new();
    let name = mark("changed");
    let query = format!("cut=100000&{name}");
    let served = PathBuf::from(setting("CA")).with_file_name("files").join(&name);
    let (old, new) = (vec![b'o'; 300_000], vec![b'n'; 200_000]);
    fs::write(&served, old).expect("a file to serve");
    let request = || {
        Request::get(setting("CUTTER") + &format!("/{name}?{query}"))
            .receive(Receive::resumable_file(folder.path("file")))
    };
    let error = session().request(request()).expect_err("it is cut");
    assert_eq!(error.kind(), ErrorKind::Closed, "{}", error.message());
    assert_eq!(folder.names().len(), 2);
    fs::write(&served, &new).expect("a file to serve");
    let error = session().request(request()).expect_err("it is cut");
    // Not that of a rest: it was begun anew, and what there is of it is new.
    assert_eq!(error.response().map(Response::status), Some(200));
    let response = session().request(request()).expect_err("one byte is had twice");
    assert_eq!(response.response().map(Response::status), Some(206));
    let response = session().request(request()).expect("the rest");
    assert!(response.resumed_from().is_some_and(|from| from > 190_000));
    assert!(fs::read(folder.path("file")).expect("the file") == new);
    // nginx was told which file it is that is gone on with, and so nothing was asked for twice.
    assert_eq!(nginx_log(&query, 4).len(), 4);
    fs::remove_file(&served).expect("the file that was served");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_coded_body_is_decoded_to_a_file_and_not_coded_where_it_is_to_be_gone_on_with() {
    let (folder, url) = (Folder::new(), setting("NGINX") + "/gzip/lines.txt");
    let mut session = session();
    let lines = session.request(&*url).expect("the lines").into_bytes();
    assert_eq!(lines.len(), 1 << 20);
    let to_file = Request::get(&*url).receive(Receive::file(folder.path("file")));
    let resumable = Request::get(&*url).receive(Receive::resumable_file(folder.path("resumable")));
    for (request, coding) in [(to_file, Some("gzip")), (resumable, None)] {
        let response = session.request(request).expect("the lines");
        assert_eq!(response.header("content-encoding"), coding);
        assert_eq!(response.body_len(), 1 << 20);
        let path = response.saved_to().expect("a file");
        assert!(fs::read(path).expect("the file") == lines);
    }
    let url = setting("NODE") + "/chunked?chunks=500";
    let request = Request::get(url).receive(Receive::file(folder.path("chunked")));
    assert_eq!(session.request(request).expect("chunks").body_len(), 500 * 501 / 2);
    assert_eq!(folder.names(), ["chunked", "file", "resumable"]);
    assert_eq!(fs::read(folder.path("chunked")).expect("the file"), vec![b'x'; 500 * 501 / 2]);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_gibibyte_is_thrown_away_or_seen_in_pieces_and_its_connection_used_again() {
    let _turn = turn();
    let mut session = open(patient());
    let discarded = session.request(Request::get(setting("BIG")).receive(Receive::discard()));
    let discarded = discarded.expect("a gibibyte");
    assert_eq!((discarded.body_len(), discarded.bytes().len()), (BIG, 0));
    let (sender, lengths) = std::sync::mpsc::channel();
    let request = Request::get(setting("BIG")).receive(Receive::chunks(move |piece| {
        sender.send(piece.len() as u64).map_err(std::io::Error::other)
    }));
    let pieces = session.request(request).expect("a gibibyte");
    assert!(pieces.timings().reused && pieces.bytes().is_empty());
    assert_eq!(lengths.try_iter().sum::<u64>(), BIG);
    // What goes nowhere is not decoded.
    let request = Request::get(setting("NGINX") + "/gzip/lines.txt").receive(Receive::discard());
    let coded = session.request(request).expect("the lines");
    assert!(coded.timings().reused && coded.body_len() < 1 << 19, "{}", coded.body_len());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn an_error_has_what_arrived_and_leaves_no_file() {
    let folder = Folder::new();
    let mut session = session();
    let path = folder.path("file");
    fs::write(&path, "old").expect("a file");
    let cut = |path: &str| setting("CUTTER") + path;
    let fail = |session: &mut Session, request: Request| -> Error {
        let error = session.request(request).expect_err("it is cut");
        assert_eq!(error.kind(), ErrorKind::Closed, "{}", error.message());
        assert!(error.response().is_some_and(Response::is_partial));
        error
    };
    let error = fail(&mut session, Request::get(setting("NODE") + "/cut"));
    assert_eq!(error.response().expect("what came").bytes(), b"only this");
    let whole = session.request(setting("NGINX") + "/lines.txt").expect("the lines").into_bytes();
    for path in ["/lines.txt?cut=500000", "/gzip/lines.txt?cut=20000"] {
        let error = fail(&mut session, Request::get(cut(path)));
        let bytes = error.into_response().expect("what came").into_bytes();
        assert!(bytes.len() > 50_000 && whole.starts_with(&bytes), "{path}: {}", bytes.len());
        let request = Request::get(cut(path)).receive(Receive::file(folder.path("file")));
        let error = fail(&mut session, request);
        let response = error.response().expect("what came");
        assert!(response.body_len() > 50_000 && response.saved_to().is_none());
        assert!(response.bytes().is_empty());
    }
    // A page that says no is none of the file.
    for (url, status) in [("/status/404", 404), ("/status/503", 503)] {
        let request = Request::get(setting("HTTPBIN") + url).receive(Receive::file(&path));
        let response = session.request(request).expect("a page");
        assert_eq!((response.status(), response.saved_to()), (status, None));
    }
    assert_eq!(folder.names(), ["file"]);
    assert_eq!(fs::read(&path).expect("the old one"), b"old");
}
