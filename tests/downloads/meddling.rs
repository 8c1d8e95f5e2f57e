//! Somebody else in the same folder, while the rest of a file comes.

use super::resume::{Archive, broken_off, cut_off, resumable};
use super::*;
use fetchpool::{ErrorKind, Fault};
use support::script::{Gate, Recorded};

const WHOLE: usize = 200_000;
const THERE: usize = 40_000;

fn archive() -> Archive {
    Archive::tagged(WHOLE, "\"v1\"")
}

/// What comes of going on with a part to which somebody does this, when some of the rest has been
/// written to it and some is still to come.
fn meddled(meddle: impl FnOnce(&Folder, &str)) -> (Folder, Result<Response, Error>) {
    let (folder, gate) = (Folder::new(), Gate::new());
    let whole = archive().answer(&Recorded { connection: 0, raw: Vec::new() });
    let rest = archive().part(THERE - 1);
    let server = Script::new()
        .reply(cut_off(&whole, THERE))
        .close()
        .accept()
        .reply(&rest[..100_000])
        .wait(&gate)
        .send(&rest[100_000..])
        .serve();
    broken_off(&server, &folder);
    let part = folder.names()[0].clone();
    let result = std::thread::scope(|scope| {
        let going_on = scope.spawn(|| fetch(resumable(&server, &folder)));
        let started = std::time::Instant::now();
        while folder.path(&part).metadata().unwrap().len() < 2 * THERE as u64 {
            assert!(started.elapsed() < PATIENCE && !going_on.is_finished(), "it never went on");
            std::thread::yield_now();
        }
        meddle(&folder, &part);
        gate.open();
        going_on.join().unwrap()
    });
    (folder, result)
}

#[test]
fn left_alone_it_goes_on() {
    let (folder, result) = meddled(|_, _| {});
    assert_eq!(result.unwrap().resumed_from(), Some(THERE as u64 - 1));
    assert!(folder.read("file") == archive().body);
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn a_part_that_somebody_has_made_longer_does_not_become_the_file() {
    let (folder, result) = meddled(|folder, part| {
        let file = fs::OpenOptions::new().write(true).open(folder.path(part)).unwrap();
        file.set_len(WHOLE as u64 + 1).unwrap();
    });
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller));
    assert!(error.message().contains("somebody else has written"), "{}", error.message());
    assert_eq!(folder.names(), Vec::<String>::new(), "and is not gone on with");
}

/// Two that go on with the same part write the same to it, and one of them is done first.
#[test]
fn a_part_that_somebody_has_given_its_name_already_is_the_file() {
    let (folder, result) = meddled(|folder, part| {
        fs::rename(folder.path(part), folder.path("file")).unwrap();
        fs::remove_file(folder.path("file.resume")).unwrap();
    });
    assert_eq!(result.unwrap().saved_to(), Some(folder.path("file").as_path()));
    assert!(folder.read("file") == archive().body);
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn a_part_that_is_gone_is_an_error_also_where_another_file_has_the_name() {
    for other in [None, Some("another")] {
        let (folder, result) = meddled(|folder, part| {
            fs::remove_file(folder.path(part)).unwrap();
            if let Some(other) = other {
                folder.write("file", other);
            }
        });
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller));
        assert!(error.message().contains("cannot be renamed"), "{}", error.message());
        match other {
            Some(other) => assert_eq!(folder.read("file"), other.as_bytes()),
            None => assert!(!folder.path("file").exists()),
        }
    }
}

#[test]
fn the_note_of_another_part_is_left_alone() {
    let (folder, result) = meddled(|folder, part| {
        let note = String::from_utf8(folder.read("file.resume")).unwrap();
        let number = part.trim_start_matches("file.").trim_end_matches(".part");
        let other = note.replace(number, "00000000000000ab");
        assert_ne!(other, note);
        folder.write("file.resume", other);
    });
    result.unwrap();
    assert!(folder.read("file") == archive().body);
    assert_eq!(folder.names(), ["file", "file.resume"]);
}

/// Between the look at it and the answer.
#[test]
fn a_part_that_has_become_too_long_or_short_for_the_rest_is_begun_anew() {
    for length in [WHOLE + 1, THERE - 1, 0] {
        let (folder, first) = (Arc::new(Folder::new()), AtomicU32::new(0));
        let there = Arc::clone(&folder);
        let server = Script::site(move |request| {
            if first.fetch_add(1, Ordering::Relaxed) == 0 {
                return cut_off(&archive().answer(request), THERE);
            }
            if request.header("range").is_some() {
                let part = there.path(&there.names()[0]);
                let file = fs::OpenOptions::new().write(true).open(part).unwrap();
                file.set_len(length as u64).unwrap();
            }
            archive().answer(request)
        });
        broken_off(&server, &folder);
        let response = fetch(resumable(&server, &folder)).unwrap();
        assert_eq!((response.status(), response.resumed_from()), (200, None), "{length}");
        assert!(folder.read("file") == archive().body);
        assert_eq!((server.requests().len(), folder.names()), (3, vec!["file".to_owned()]));
    }
}
