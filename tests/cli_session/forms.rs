//! `--form-file`.

use serde_json::json;

use super::support::program::{Folder, fetchpool};
use super::support::script::{Recorded, Script, ok};
use super::{all_told, pattern, refused};

/// That a request has a form with these files, and nothing else.
#[track_caller]
fn has_files(request: &Recorded, files: &[(&str, &str, &[u8])]) {
    assert_eq!(request.method(), "POST");
    let kind = request.header("content-type").expect("a type");
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("a form");
    let mut expected = Vec::new();
    for (name, file, content) in files {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; \
             filename=\"{file}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        expected.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    expected.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    assert!(request.content() == expected, "{}", String::from_utf8_lossy(&request.content()));
}

#[test]
fn each_url_is_posted_the_files_and_an_object_says_for_itself_what_it_sends() {
    let site = Script::site(|_| ok(""));
    let (folder, large) = (Folder::new("form"), pattern(300_000));
    // The name ends at the first `=`.
    let first = format!("a={}", folder.file("b=c", b"in a name"));
    let second = format!("n\"x={}", folder.file("empty", b""));
    let third = format!("large={}", folder.file("large.bin", &large));
    let object = json!({"url": site.url("/object"), "method": "PUT", "data": "own"});
    let input = format!(
        "{}\n{}\n{object}\n{}\n",
        site.url("/line"),
        json!(site.url("/quoted")),
        json!({"url": site.url("/get")}),
    );
    let files = ["--form-file", &first, "--form-file", &second, "--form-file", &third];
    let options = ["--threads", "1", "--input", "-", &site.url("/argument")];
    let ran = fetchpool(&[&files[..], &options].concat(), input.as_bytes());
    assert_eq!((all_told(&ran), ran.status), (vec!["200".to_owned(); 5], 0), "{}", ran.stdout);
    let requests = site.requests();
    let targets: Vec<_> = requests.iter().map(Recorded::target).collect();
    assert_eq!(targets, ["/argument", "/line", "/quoted", "/object", "/get"]);
    for request in &requests[..3] {
        let named = [("a", "b=c", &b"in a name"[..]), ("n%22x", "empty", b"")];
        has_files(request, &[&named[..], &[("large", "large.bin", &large)]].concat());
    }
    assert_eq!((requests[3].method().as_str(), requests[3].body()), ("PUT", &b"own"[..]));
    assert_eq!((requests[4].method().as_str(), requests[4].body()), ("GET", &b""[..]));
    let methods: Vec<_> =
        ran.in_order().iter().map(|line| line["request"]["method"].clone()).collect();
    assert_eq!(methods, ["POST", "POST", "POST", "PUT", "GET"]);
}

#[test]
fn a_file_that_is_not_there_fails_the_lines_that_would_send_it() {
    let site = Script::site(|_| ok(""));
    let folder = Folder::new("form-missing");
    let missing = format!("a={}", folder.0.join("missing").display());
    let object = json!({"url": site.url("/object")}).to_string();
    let options = ["--form-file", &missing, "--input", "-", &site.url("/url")];
    let ran = fetchpool(&options, object.as_bytes());
    assert_eq!((all_told(&ran), ran.status), (vec!["io".into(), "200".into()], 1));
    let message = ran.in_order()[0]["error"]["message"].to_string();
    assert!(message.contains("missing"), "{message}");
    let targets: Vec<_> = site.requests().iter().map(Recorded::target).collect();
    assert_eq!(targets, ["/object"]);
}

#[test]
fn what_names_no_file_of_a_form_is_a_usage_error() {
    for bad in ["", "a", "=b", "a="] {
        refused(&["--form-file", bad, "http://127.0.0.1:1/"]);
    }
}
