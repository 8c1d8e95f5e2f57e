//! Every input in `fuzz/corpus` holds what its fuzz target asserts, so that a past crash is a
//! plain test on stable: how one becomes that is in `fuzz/README.md`.

// In a package from the registry there are neither the corpus nor the internals.
#![cfg(fetchpool_internals)]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[expect(unreachable_pub, reason = "it is a library there, for the targets")]
#[path = "../fuzz/src/lib.rs"]
mod properties;

#[test]
fn every_input_of_the_corpus_holds_its_property() {
    type Property = fn(&[u8]);
    let targets: [(&str, Property); 12] = [
        ("challenge", properties::challenge),
        ("message_target", properties::message_target),
        ("retry_after", properties::retry_after),
        ("session_coding", properties::session_coding),
        ("session_cookies", properties::session_cookies),
        ("session_redirect", properties::session_redirect),
        ("wire_chunked", properties::wire_chunked),
        ("wire_differential", properties::wire_differential),
        ("wire_encode", properties::wire_encode),
        ("wire_exchanges", properties::wire_exchanges),
        ("wire_head", properties::wire_head),
        ("wire_split", properties::wire_split),
    ];
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let named: Vec<PathBuf> =
        targets.iter().map(|(name, _)| fuzz.join("corpus").join(name)).collect();
    assert_eq!(entries(&fuzz.join("corpus")), named, "left: fuzz/corpus, right: this test");
    let files: Vec<PathBuf> = targets
        .iter()
        .map(|(name, _)| fuzz.join("fuzz_targets").join(name).with_extension("rs"))
        .collect();
    assert_eq!(entries(&fuzz.join("fuzz_targets")), files, "left: targets, right: this test");

    let mut failed = Vec::new();
    for ((_, property), folder) in targets.iter().zip(&named) {
        let inputs = entries(folder);
        assert!(!inputs.is_empty(), "{} is empty", folder.display());
        for path in inputs {
            let input = std::fs::read(&path).unwrap();
            if catch_unwind(|| property(&input)).is_err() {
                failed.push(path);
            }
        }
    }
    assert!(failed.is_empty(), "properties do not hold for {failed:#?}");
}

#[test]
fn every_difference_to_another_client_has_a_name_and_an_input_that_shows_it() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, why) in properties::DIFFERENCES {
        let path = fuzz.join("corpus").join("wire_differential").join(name);
        let input = std::fs::read(&path).unwrap_or_else(|_| panic!("no input shows {name}: {why}"));
        assert_eq!(properties::difference(&input), Some(name));
    }
    for path in entries(&fuzz.join("corpus").join("wire_differential")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("same_") {
            assert_eq!(properties::difference(&std::fs::read(&path).unwrap()), None, "{name}");
        }
    }
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}
