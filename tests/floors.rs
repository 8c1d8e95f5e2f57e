//! The house rules that the compiler does not check, read off `src/` token by token.
//!
//! - Imports point down only: map → pool → session → connection → observer → error →
//!   wire → message → log → catch.
//! - Each third-party crate is named in one place, its door.
//! - `wire` has no socket, clock, thread or stream.
//! - A file is one idea: at most 450 lines, and its first line says what it is.
//!
//! Comments, examples in docs and the text of strings do not count. The command line under
//! `src/bin` is a caller like any other: it has doors, but no floor.

use std::collections::BTreeSet;
use std::path::Path;

use rust::{Name, declared_modules, names, tokens};

#[path = "floors/broken.rs"]
mod broken;
#[path = "floors/rust.rs"]
mod rust;

/// From the ground up. A file names modules of its own floor and of those before it.
const FLOORS: [&str; 10] = [
    "catch",
    "log",
    "message",
    "wire",
    "error",
    "observer",
    "connection",
    "session",
    "pool",
    "map",
];

/// They see everything: one re-exports for the users, the other for the fuzzers.
const ROOF: [&str; 2] = ["src/lib.rs", "src/internals.rs"];

/// Each dependency, and the path prefixes of the files that may name it.
const DOORS: [(&str, &[&str]); 21] = [
    ("base64", &["src/bin/fetchpool/"]),
    ("brotli_decompressor", &["src/session/coding/brotli.rs"]),
    ("clap", &["src/bin/fetchpool/"]),
    ("cookie_store", &["src/session/cookies"]),
    ("ctrlc", &["src/bin/fetchpool/interrupt.rs"]),
    ("encoding_rs", &["src/message/charset.rs"]),
    // The demo's server compresses what the demo's clients decode.
    ("flate2", &["src/session/coding", "src/bin/fetchpool/demo/"]),
    ("httparse", &["src/wire/head.rs"]),
    ("indicatif", &["src/bin/fetchpool/"]),
    ("log", &["src/log.rs"]),
    ("md5", &["src/session/auth"]),
    ("psl", &["src/session/cookies"]),
    // A version for rustls to build on; nobody names it.
    ("ring", &[]),
    ("rustls", &["src/connection/tls"]),
    // `Response::json` lives with the error that it may give, and has a bound to name.
    ("serde", &["src/message/json.rs", "src/error.rs", "src/bin/fetchpool/jsonl.rs"]),
    ("serde_json", &["src/message/json.rs", "src/bin/fetchpool/"]),
    ("ruzstd", &["src/session/coding/zstd.rs"]),
    ("sha2", &["src/session/auth"]),
    ("signal_hook", &["src/bin/fetchpool/interrupt.rs"]),
    ("url", &["src/message/target.rs"]),
    ("webpki_roots", &["src/connection/tls"]),
];

/// What sans-IO means.
const NOT_IN_WIRE: [&str; 8] = ["env", "fs", "io", "net", "os", "process", "thread", "time"];

const MAX_LINES: usize = 450;

#[test]
fn the_house_keeps_its_rules() {
    let files = read_house();
    assert!(files.len() > 20, "only {} files found: is this the right folder?", files.len());
    for floor in FLOORS {
        assert!(files.iter().any(|file| file.floor() == Some(floor)), "no file on floor {floor}");
    }
    let faults: Vec<String> = files.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_dependency_has_a_door() {
    let manifest = read(Path::new(env!("CARGO_MANIFEST_DIR")), "Cargo.toml");
    let dependencies = dependencies(&manifest);
    let doors: BTreeSet<String> = DOORS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(dependencies, doors, "left: Cargo.toml, right: DOORS in this file");
}

// ---- The rules

/// One file of `src/`.
struct File {
    /// From the package's folder, with `/`.
    path: String,
    text: String,
}

impl File {
    /// The module folder or file at the root of `src/` that this file belongs to.
    fn floor(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let name = inside.split('/').next()?;
        let name = name.strip_suffix(".rs").unwrap_or(name);
        FLOORS.contains(&name).then_some(name)
    }

    /// How the file's own module is called from the crate's root.
    fn module(&self) -> Vec<String> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let mut names: Vec<String> =
            inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
            names.pop();
        }
        names
    }

    fn is_binary(&self) -> bool {
        self.path.starts_with("src/bin/")
    }
}

/// Everything that is wrong with a file, each as `path:line: what`.
fn faults(file: &File) -> Vec<String> {
    let mut faults = shape_faults(file);
    let tokens = tokens(&file.text);
    let names = names(&tokens);
    let local_modules = declared_modules(&tokens);

    for name in &names {
        let at = format!("{}:{}", file.path, name.line);
        let spelt = name.path.join("::");
        if let Some(why) = floor_fault(file, name) {
            faults.push(format!("{at}: `{spelt}`: {why}"));
        }
        let Some(first) = name.path.first() else { continue };
        if local_modules.contains(first) {
            continue;
        }
        for (foreign, doors) in DOORS {
            if first != foreign {
                continue;
            }
            if !doors.iter().any(|door| file.path.starts_with(door)) {
                faults.push(format!("{at}: `{spelt}`: {foreign} is named in {doors:?} only"));
            }
            if name.exported {
                faults.push(format!("{at}: `{spelt}`: a door does not hand its crate on"));
            }
        }
        let second = name.path.get(1).map_or("*", String::as_str);
        if file.floor() == Some("wire")
            && ["std", "core", "alloc"].contains(&first.as_str())
            && (NOT_IN_WIRE.contains(&second) || second == "*")
        {
            faults.push(format!("{at}: `{spelt}`: wire is arithmetic on bytes"));
        }
    }
    faults
}

/// Faults of the file as a text.
fn shape_faults(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("{}: {lines} lines, more than {MAX_LINES}", file.path));
    }
    if !file.text.lines().next().is_some_and(|line| line.starts_with("//! ")) {
        faults.push(format!("{}:1: does not begin by saying what it is (`//! `)", file.path));
    }
    if file.floor().is_none() && !file.is_binary() && !ROOF.contains(&file.path.as_str()) {
        faults.push(format!("{}: lies on no floor: {FLOORS:?}", file.path));
    }
    let tokens = tokens(&file.text);
    for (number, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(number + ahead).map(|token| token.text.as_str());
        // Ways to bring in code that this test would judge by the wrong file, or not at all.
        let smuggled = match token.text.as_str() {
            "include" => next(1) == Some("!"),
            // A file next to this one is judged as this one is.
            "path" => next(1) == Some("=") && next(2).is_some_and(|path| path.contains('/')),
            "extern" => next(1) == Some("crate") && next(2) != Some("alloc"),
            _ => false,
        };
        if smuggled {
            faults.push(format!(
                "{}:{}: `{}`: hides what belongs where",
                file.path, token.line, token.text
            ));
        }
    }
    faults
}

/// Why a file may not name this, if it names something of its own crate.
fn floor_fault(file: &File, name: &Name) -> Option<String> {
    let own = FLOORS.iter().position(|floor| Some(*floor) == file.floor())?;
    let from_root = from_root(file, name)?;
    let target = match from_root.first().map(String::as_str) {
        None => return None,
        Some("*") => return Some("everything is too much to name".to_owned()),
        Some(target) => target,
    };
    match FLOORS.iter().position(|floor| *floor == target) {
        Some(floor) if floor <= own => None,
        Some(_) => Some(format!("imports point down, and {target} is above {}", FLOORS[own])),
        None => Some(format!("name the floor it lives on: {target} is none")),
    }
}

/// The same path from the crate's root; `None` for a path that does not start inside the crate.
fn from_root(file: &File, name: &Name) -> Option<Vec<String>> {
    let mut segments = name.path.iter().map(String::as_str).peekable();
    let mut module = match segments.peek() {
        Some(&"crate") => {
            segments.next();
            Vec::new()
        }
        Some(&"self" | &"super") => {
            let mut module = file.module();
            module.extend(name.inline.iter().cloned());
            module
        }
        _ => return None,
    };
    for segment in segments {
        match segment {
            "self" => {}
            "super" => {
                module.pop();
            }
            other => module.push(other.to_owned()),
        }
    }
    // `use crate as …`, or `super` of a floor: the root itself.
    if module.is_empty() {
        module.push("*".to_owned());
    }
    Some(module)
}

// ---- Reading the house

fn read_house() -> Vec<File> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec!["src".to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(package.join(&folder));
        for entry in entries.unwrap_or_else(|error| panic!("{folder}: {error}")) {
            let entry = entry.unwrap_or_else(|error| panic!("{folder}: {error}"));
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.ends_with(".rs") {
                files.push(File { text: read(package, &path), path });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn read(package: &Path, path: &str) -> String {
    std::fs::read_to_string(package.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names under `[dependencies]`, as code spells them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut ours = false;
    let mut all = BTreeSet::new();
    for line in manifest.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if line.starts_with('[') {
            // Also `[target.'cfg(unix)'.dependencies]`, and not `[dev-dependencies]`.
            ours = line == "[dependencies]" || line.ends_with(".dependencies]");
        } else if ours && let Some((name, _)) = line.split_once('=') {
            all.insert(name.trim().replace('-', "_"));
        }
    }
    all
}
