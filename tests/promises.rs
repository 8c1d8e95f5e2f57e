//! SECURITY.md names the tests of each promise, and they are there.

use std::collections::BTreeSet;
use std::path::Path;

/// What is promised about security.
const PROMISES: [&str; 12] =
    ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12"];
/// Limits that are not in [`fetchpool::Limits`].
const OTHER_LIMITS: [&str; 5] =
    ["timeout", "connect_timeout", "idle_timeout", "max_idle_connections", "retry"];

#[test]
fn every_promise_names_its_tests_and_they_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut functions = BTreeSet::new();
    for folder in ["src", "tests", "fuzz/src"] {
        collect_functions(&root.join(folder), &mut functions);
    }
    let limits = format!("{:?}", fetchpool::Limits::default());
    let limits = limits.split_whitespace().filter_map(|word| word.strip_suffix(':'));
    let mut missing = Vec::new();
    for promise in PROMISES.into_iter().chain(OTHER_LIMITS).chain(limits) {
        let row = text.lines().find(|line| first_cell(line) == Some(promise));
        let names: Vec<&str> = row.map(tests_named).unwrap_or_default();
        if names.is_empty() {
            missing.push(format!("{promise} names no test"));
        }
        let unknown = names.into_iter().filter(|&name| !functions.contains(name));
        missing.extend(unknown.map(|name| format!("{promise}: there is no test {name}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The first cell of a table's row, free of its back-quotes.
fn first_cell(line: &str) -> Option<&str> {
    let cell = line.strip_prefix('|')?.split('|').next()?;
    Some(cell.split_whitespace().next()?.trim_matches('`'))
}

/// What stands in the last cell between back-quotes.
fn tests_named(row: &str) -> Vec<&str> {
    let last = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
    last.split('`').skip(1).step_by(2).collect()
}

/// The tests, and the properties that the fuzzer and the corpus test drive.
fn collect_functions(folder: &Path, found: &mut BTreeSet<String>) {
    let is_fuzz = folder.components().any(|part| part.as_os_str() == "fuzz");
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim_start) {
                let function =
                    if is_fuzz { line.strip_prefix("pub fn ") } else { line.strip_prefix("fn ") };
                if let Some(function) = function {
                    if is_test || is_fuzz {
                        found.extend(function.split(['(', '<']).next().map(str::to_owned));
                    }
                    is_test = false;
                }
                is_test |= line == "#[test]";
            }
        }
    }
}
