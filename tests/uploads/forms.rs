//! `multipart/form-data` (RFC 7578).

use super::*;
use crate::support::script::{Gate, Recorded, redirect};
use fetchpool::{ErrorKind, Fault, Multipart, Part, Phase};

/// A part as a server reads it: its fields and its content.
#[derive(Debug, PartialEq)]
struct Received {
    disposition: String,
    content_type: Option<String>,
    content: Vec<u8>,
}

/// Reads a form by its boundary.
fn parts(request: &Recorded) -> Vec<Received> {
    let typed = request.header("content-type").expect("a type");
    let boundary = typed.strip_prefix("multipart/form-data; boundary=").expect("a boundary");
    let body = request.content();
    let mut rest = body.strip_prefix(format!("--{boundary}").as_bytes()).expect("the first line");
    let separator = format!("\r\n--{boundary}");
    let mut parts = Vec::new();
    while rest != b"--\r\n" {
        rest = rest.strip_prefix(b"\r\n").expect("the end of a boundary's line");
        let end = find(rest, separator.as_bytes()).expect("the end of a part");
        let (part, behind) = (&rest[..end], &rest[end + separator.len()..]);
        let head = find(part, b"\r\n\r\n").expect("the end of a part's head");
        let fields = String::from_utf8(part[..head].to_vec()).expect("a head in UTF-8");
        let field = |name: &str| {
            fields.split("\r\n").find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
        };
        assert!(fields.split("\r\n").count() <= 2, "{fields}");
        parts.push(Received {
            disposition: field("Content-Disposition: form-data; ").expect("a disposition"),
            content_type: field("Content-Type: "),
            content: part[head + 4..].to_vec(),
        });
        rest = behind;
    }
    parts
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn part(disposition: &str, content_type: Option<&str>, content: impl AsRef<[u8]>) -> Received {
    Received {
        disposition: disposition.to_owned(),
        content_type: content_type.map(str::to_owned),
        content: content.as_ref().to_vec(),
    }
}

/// What a server gets of a form.
fn sent(form: Multipart) -> Recorded {
    let server = friendly();
    fetch(Request::post(server.url("/")).multipart(form)).expect("a response");
    server.request()
}

const OCTETS: Option<&str> = Some("application/octet-stream");

#[test]
fn fields_files_and_readers_come_as_they_were_given() {
    let content = bytes(200_000);
    let file = Temporary::new(&content);
    let form = || {
        Multipart::new()
            .text("title", "gr\u{fc}n\r\n--\r\n")
            .file("picture", file.path())
            .part("same", Part::file(file.path()).file_name("a \\b.png").content_type("image/png"))
            .part("raw", Part::new(&b"\0\r\n\xff"[..]))
            .text("title", "again")
            .text("", "")
    };
    let name = file.name();
    let expected = || {
        vec![
            part("name=\"title\"", None, "gr\u{fc}n\r\n--\r\n"),
            part(&format!("name=\"picture\"; filename=\"{name}\""), OCTETS, &content),
            part("name=\"same\"; filename=\"a \\b.png\"", Some("image/png"), &content),
            part("name=\"raw\"", None, b"\0\r\n\xff"),
            part("name=\"title\"", None, "again"),
            part("name=\"\"", None, ""),
        ]
    };
    let request = sent(form());
    assert_eq!(request.headers("content-length"), [request.body().len().to_string()]);
    assert!(parts(&request) == expected());

    // With one part whose length nobody knows.
    let reader = Part::new(Body::reader(pieces(&["a", "b"]))).file_name("log");
    let request = sent(form().part("log", reader));
    assert_eq!(request.headers("transfer-encoding"), ["chunked"]);
    let mut expected = expected();
    expected.push(part("name=\"log\"; filename=\"log\"", OCTETS, "ab"));
    assert!(parts(&request) == expected);
}

#[test]
fn a_form_without_parts_is_a_form() {
    assert_eq!(parts(&sent(Multipart::new())), []);
}

#[test]
fn no_character_of_a_name_gets_out_of_its_quotation() {
    let server = friendly();
    let mut session = session(|_| {});
    let letters: Vec<char> = (1..0x100).filter_map(char::from_u32).collect();
    for letters in letters.chunks(16) {
        let mut form = Multipart::new();
        for letter in letters {
            let name = format!("{letter}\"; filename=\"x{letter}\r\nX: y{letter}");
            form = form.part(&name, Part::new("v").file_name(&name));
        }
        session.request(Request::post(server.url("/")).multipart(form)).unwrap();
        for (part, letter) in parts(&server.requests().pop().unwrap()).iter().zip(letters) {
            let escaped = format!("{letter}\"; filename=\"x{letter}\r\nX: y{letter}")
                .replace('"', "%22")
                .replace('\r', "%0D")
                .replace('\n', "%0A");
            let whole = format!("name=\"{escaped}\"; filename=\"{escaped}\"");
            assert_eq!((&part.disposition, part.content.as_slice()), (&whole, &b"v"[..]));
        }
    }
}

#[test]
fn what_is_wrong_with_a_form_is_the_requests_error_and_nothing_is_sent() {
    let server = Script::new().serve();
    for (form, says) in [
        (Multipart::new().text("a\0b", "v"), "NUL"),
        (Multipart::new().part("a", Part::new("v").file_name("a\0b")), "NUL"),
        (Multipart::new().part("a", Part::new("v").content_type("none")), "media type"),
        (Multipart::new().part("a", Part::new("v").content_type("a/b\r\nX: y")), "media type"),
        (Multipart::new().file("a", "/"), "names no file"),
        (Multipart::new().file("a", "/").text("fine", "v"), "names no file"),
    ] {
        let error = fetch(Request::post(server.url("/")).multipart(form)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    let form = Multipart::new().file("a", "/fetchpool/is/not/there.txt");
    let error = fetch(Request::post(server.url("/")).multipart(form)).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{error}");
    assert_eq!(error.phase(), Some(Phase::Setup));
    assert!(error.message().contains("not/there.txt"), "{}", error.message());
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_type_of_the_requests_own_must_name_the_boundary() {
    let server = friendly();
    let form = Multipart::new().text("a", "b");
    let mixed = format!("multipart/mixed; boundary={}", form.boundary());
    let request = |own: &str| {
        Request::post(server.url("/")).header("Content-Type", own).multipart(form.clone())
    };
    fetch(request(&mixed)).unwrap();
    assert_eq!(server.request().headers("content-type"), [mixed]);
    let error = fetch(request("multipart/form-data")).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::InvalidRequest, Some(Phase::Setup)));
    assert!(error.message().contains("lacks the boundary"), "{error}");
    // A session's default is no type of the request's own.
    let mut session = session(|config| {
        config.header("Content-Type", "text/plain");
    });
    session.request(Request::post(server.url("/")).multipart(form)).unwrap();
    assert_eq!(parts(&server.requests().pop().unwrap()).len(), 1);
}

#[test]
fn a_form_is_the_same_when_it_is_sent_again() {
    let server = Script::site(|request| match request.target().as_str() {
        "/here" => redirect(308, "/there"),
        _ => ok("there"),
    });
    let form =
        Multipart::new().text("a", "b").part("c", Part::new(Body::reader_fn(|| Ok(&b"d"[..]))));
    let response = fetch(Request::post(server.url("/here")).multipart(form)).unwrap();
    assert_eq!(response.text(), "there");
    let requests = server.requests();
    assert_eq!(requests[0].content(), requests[1].content());
    assert_eq!(parts(&requests[1]).len(), 2);
}

#[test]
fn a_file_that_changes_before_its_turn_is_an_error_and_no_whole_form_is_sent() {
    for (length, later) in [(10, 20), (10, 5), (0, 1)] {
        let file = Temporary::new(bytes(length));
        let path = file.path().to_owned();
        let server = Script::new().request_head().serve();
        let mut session = session(|config| {
            config.observer = Some(Arc::new(Meddler(move || {
                fs::write(&path, bytes(later)).unwrap();
            })));
        });
        let form = Multipart::new().text("a", "b").file("c", file.path()).text("d", "e");
        let request = Request::post(server.url("/put")).multipart(form);
        let error = session.request(request).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{error}");
        let message = error.message();
        assert!(message.contains("has changed") && message.contains(&file.name()), "{message}");
        server.wait_for_end_of(0);
        let requests = server.requests();
        let promised = requests[0].header("content-length").unwrap().parse::<usize>().unwrap();
        assert!(requests.get(1).is_none_or(|rest| rest.raw.len() < promised));
    }
}

#[test]
fn what_stands_before_a_slow_part_is_on_its_way_while_that_is_waited_for() {
    let came = Gate::new();
    let reader = By({
        let came = came.clone();
        let mut waited = false;
        move |into: &mut [u8]| {
            if std::mem::replace(&mut waited, true) {
                return Ok(0);
            }
            assert!(came.wait(), "the server was not sent what there was");
            into[0] = b'x';
            Ok(1)
        }
    });
    let form = Multipart::new().text("a", "b").part("c", Part::new(Body::sized_reader(reader, 1)));
    let before = format!(
        "--{0}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--{0}\r\n\
                          Content-Disposition: form-data; name=\"c\"\r\n\r\n",
        form.boundary()
    );
    let after = format!("x\r\n--{}--\r\n", form.boundary());
    let script = Script::new().request_head().take(before.len()).open(&came).take(after.len());
    let server = script.send(ok("stored")).serve();
    assert_eq!(fetch(Request::post(server.url("/")).multipart(form)).unwrap().text(), "stored");
    assert_eq!(server.requests()[1].raw, before.as_bytes());
    assert_eq!(server.requests()[2].raw, after.as_bytes());
}
