//! Where a netrc comes from, and what is said of one that is bad.

use std::env;
use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use fetchpool::{Error, ErrorKind, Netrc, Phase, Session};

use super::shown;
use crate::support::script::{Script, ok};

const TEXT: &str = "machine 127.0.0.1 login ann password pw\n";
const ANN: &str = "Basic YW5uOnB3";

/// A folder of this test's own, gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fetchpool-netrc-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        set_mode(&path, mode);
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is in a folder for what may be left.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

#[track_caller]
fn is_setup_fault(error: &Error, path: &Path) {
    assert_eq!((error.kind(), error.phase()), (ErrorKind::InvalidRequest, Some(Phase::Setup)));
    assert!(error.message().contains(path.to_str().unwrap()), "{}", error.message());
}

#[test]
fn a_file_is_read_whoever_else_may_read_it() {
    let folder = Folder::new();
    let server = Script::site(|_| ok("x"));
    for mode in [0o600, 0o644] {
        let mut config = fetchpool::SessionConfig::new();
        config.netrc(Netrc::from_file(folder.file("some netrc", TEXT, mode)).unwrap());
        Session::new(config).unwrap().request(server.url("/")).unwrap();
    }
    assert_eq!(shown(&server), [ANN, ANN]);
}

#[test]
fn a_file_that_is_malformed_is_told_by_path_and_line_and_never_by_what_it_holds() {
    let folder = Folder::new();
    for (text, line) in [
        (&b"machine h\nlogin u password Qx7 Zz9"[..], 2),
        (b"\n\npassword Qx7", 3),
        (b"machine h password \"Qx7\n", 1),
        (b"machine h password \"Qx7\\Zz9\"", 1),
        (b"machine h login Qx7:Zz9", 1),
        (b"machine h\nlogin u\npassword Qx7\xffZz9", 3),
    ] {
        let path = folder.file(".netrc", text, 0o600);
        let error = Netrc::from_file(&path).unwrap_err();
        is_setup_fault(&error, &path);
        let message = error.message();
        assert!(message.contains(&format!("line {line}: ")), "{message}");
        let said = format!("{message} {error:?} {:?}", error.source());
        assert!(!said.contains("Qx7") && !said.contains("Zz9"), "{said}");
        assert!(!said.contains(&format!("{:?}", b"Qx7")[1..11]), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_the_reason() {
    let folder = Folder::new();
    let missing = folder.0.join("nothing here");
    let error = Netrc::from_file(&missing).unwrap_err();
    is_setup_fault(&error, &missing);
    assert!(error.source().unwrap().is::<std::io::Error>());
    is_setup_fault(&Netrc::from_file(&folder.0).unwrap_err(), &folder.0);
    let large = folder.file("large", "#".repeat((1 << 20) + 1), 0o600);
    is_setup_fault(&Netrc::from_file(&large).unwrap_err(), &large);
    let just = folder.file("just so", "#".repeat(1 << 20), 0o600);
    assert!(Netrc::from_file(just).is_ok());
}

/// Runs the body in a child process with this environment: this test binary, asked for this test.
#[track_caller]
fn alone(name: &str, environment: &[(&str, Option<&Path>)], body: impl FnOnce()) {
    const CHILD: &str = "FETCHPOOL_TEST_CHILD";
    if env::var_os(CHILD).is_some() {
        return body();
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    for (variable, value) in environment {
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "no test is called {name}:\n{said}");
}

/// What a session with the netrc of the environment shows.
fn shown_from_env() -> Vec<String> {
    let server = Script::site(|_| ok("x"));
    let mut config = fetchpool::SessionConfig::new();
    config.netrc(Netrc::from_env().unwrap());
    Session::new(config).unwrap().request(server.url("/")).unwrap();
    shown(&server)
}

#[cfg(unix)]
#[test]
fn that_of_the_home_directory_is_read_only_where_asked() {
    let folder = Folder::new();
    folder.file(".netrc", TEXT, 0o600);
    let environment = [("HOME", Some(&*folder.0)), ("NETRC", None)];
    alone("netrc_file::that_of_the_home_directory_is_read_only_where_asked", &environment, || {
        let server = Script::site(|_| ok("x"));
        Session::default().request(server.url("/")).unwrap();
        fetchpool::map([server.url("/")]).0.for_each(drop);
        assert_eq!(shown(&server), ["", ""]);
        assert_eq!(shown_from_env(), [ANN]);
    });
}

#[cfg(unix)]
#[test]
fn that_of_the_home_directory_must_not_be_open_to_others() {
    let folder = Folder::new();
    folder.file(".netrc", TEXT, 0o640);
    let environment = [("HOME", Some(&*folder.0)), ("NETRC", None)];
    alone(
        "netrc_file::that_of_the_home_directory_must_not_be_open_to_others",
        &environment,
        || {
            let path = PathBuf::from(env::var_os("HOME").unwrap()).join(".netrc");
            let error = Netrc::from_env().unwrap_err();
            is_setup_fault(&error, &path);
            assert!(error.message().contains("640"), "{}", error.message());
            set_mode(&path, 0o604);
            assert!(Netrc::from_env().is_err());
            set_mode(&path, 0o400);
            assert!(Netrc::from_env().is_ok());
            // Nothing in it is secret.
            fs::remove_file(&path).unwrap();
            fs::write(&path, "default login anonymous password ann@example.com").unwrap();
            set_mode(&path, 0o644);
            assert!(Netrc::from_env().is_ok());
            fs::remove_file(&path).unwrap();
            assert_eq!(shown_from_env(), [""], "none is none");
        },
    );
}

#[cfg(unix)]
#[test]
fn the_one_that_the_environment_names_comes_first_and_must_be_there() {
    let folder = Folder::new();
    folder.file(".netrc", "machine 127.0.0.1 login home password x", 0o600);
    let named = folder.file("named", TEXT, 0o644);
    let environment = [("HOME", Some(&*folder.0)), ("NETRC", Some(&*named))];
    alone(
        "netrc_file::the_one_that_the_environment_names_comes_first_and_must_be_there",
        &environment,
        || {
            assert_eq!(shown_from_env(), [ANN]);
            let named = PathBuf::from(env::var_os("NETRC").unwrap());
            fs::remove_file(&named).unwrap();
            is_setup_fault(&Netrc::from_env().unwrap_err(), &named);
        },
    );
}
