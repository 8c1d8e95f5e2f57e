//! Which body goes where.

use super::*;
use fetchpool::{ErrorKind, Phase};
use support::script::{ok, redirect, reply};

/// The bodies of these answers, one behind the other, sent for by the same request.
fn site(answers: &'static [&'static str]) -> Server {
    let answers: Vec<Vec<u8>> = answers.iter().map(|status| reply(status, "", status)).collect();
    let next = AtomicU32::new(0);
    Script::site(move |_| answers[next.fetch_add(1, Ordering::Relaxed) as usize].clone())
}

#[test]
fn a_file_is_for_a_success_and_an_error_page_goes_to_memory() {
    for status in ["300 Multiple Choices", "404 Not Found", "503 Busy", "999 What"] {
        let folder = Folder::new();
        folder.write("file", "good");
        let server = once(reply(status, "", "a page"));
        let request = Request::get(server.url("/")).receive(Receive::file(folder.path("file")));
        let response = fetch(request).unwrap();
        assert_eq!((response.bytes(), response.body_len()), (&b"a page"[..], 6), "{status}");
        assert_eq!(response.saved_to(), None, "{status}");
        assert_eq!((folder.names(), folder.read("file")), (vec!["file".into()], b"good".to_vec()));
    }
}

#[test]
fn a_resumable_file_is_for_every_success_too() {
    for answer in ["200 OK", "201 Made", "203 Changed", "299 ?"] {
        let (server, folder) = (once(reply(answer, "ETag: \"v1\"\r\n", answer)), Folder::new());
        let path = folder.path("file");
        let response =
            fetch(Request::get(server.url("/")).receive(Receive::resumable_file(&path))).unwrap();
        assert_eq!((response.saved_to(), response.bytes().len()), (Some(&*path), 0), "{answer}");
        assert_eq!((folder.names(), folder.read("file")), (vec!["file".into()], answer.into()));
    }
}

#[test]
fn a_writer_that_an_error_page_has_left_alone_is_there_for_the_next_try() {
    let server = site(&["500 Oops", "201 Made", "200 OK"]);
    let shared = Shared::default();
    let request = Request::get(server.url("/")).receive(shared.receive());
    let mut session = session(|_| {});
    let response = session.request(&request).unwrap();
    assert_eq!((response.status(), response.bytes()), (500, &b"500 Oops"[..]));
    assert!(!shared.0.lock().unwrap().dropped);
    let response = session.request(request.clone()).unwrap();
    assert_eq!((response.status(), response.bytes()), (201, &b""[..]));
    assert_eq!(shared.bytes(), b"201 Made");
    let error = session.request(request).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::InvalidRequest, Some(Phase::Setup)));
    assert!(error.message().contains("writer"), "{}", error.message());
    assert_eq!(server.requests().len(), 2, "nothing was sent that could not be received");
}

#[test]
fn a_function_of_the_head_decides_for_every_status() {
    let folder = Folder::new();
    let server = site(&["200 OK", "404 Not Found", "500 Oops"]);
    let path = folder.path("file");
    let url = server.url("/a?b=c");
    let request = Request::get(url.clone()).receive_by(move |head| {
        assert_eq!((head.url(), head.ok()), (url.as_str(), head.status() < 400));
        assert_eq!(head.header("content-length"), head.headers().get("Content-Length"));
        assert_eq!(
            head.header("content-length").unwrap(),
            head.content_length().unwrap().to_string()
        );
        match head.status() {
            200 => Receive::memory(),
            404 => Receive::file(&path),
            _ => Receive::discard(),
        }
    });
    let mut session = session(|_| {});
    let mut next = || session.request(&request).unwrap();
    assert_eq!(next().bytes(), b"200 OK");
    assert_eq!(next().saved_to(), Some(folder.path("file").as_path()));
    assert_eq!(folder.read("file"), b"404 Not Found");
    let response = next();
    assert_eq!((response.bytes(), response.body_len()), (&b""[..], 8));
}

#[test]
fn a_function_can_make_a_writer_for_each_body() {
    let server = site(&["200 OK", "201 Made"]);
    let shared = Shared::default();
    let each = shared.clone();
    let request = Request::get(server.url("/")).receive_by(move |_| each.receive());
    let mut session = session(|_| {});
    session.request(&request).unwrap();
    session.request(&request).unwrap();
    assert_eq!(shared.bytes(), b"200 OK201 Made");
}

#[test]
fn a_function_that_chooses_what_it_cannot_is_told_so() {
    let folder = Folder::new();
    let path = folder.path("file");
    let resumable = move |_: &fetchpool::ResponseHead<'_>| Receive::resumable_file(&path);
    let server = once(ok("body"));
    let error = fetch(Request::get(server.url("/")).receive_by(resumable)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{}", error.message());
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn the_body_of_a_redirect_goes_nowhere() {
    let server = Script::site(|request| match request.target().as_str() {
        "/" => reply("302 Found", "Location: /there\r\n", "elsewhere"),
        _ => ok("here"),
    });
    let shared = Shared::default();
    let chosen = Arc::new(Mutex::new(Vec::new()));
    let (seen, each) = (Arc::clone(&chosen), shared.clone());
    let request = Request::get(server.url("/")).receive_by(move |head| {
        seen.lock().unwrap().push(head.status());
        each.receive()
    });
    let response = fetch(request.clone()).unwrap();
    assert_eq!((response.history().len(), shared.bytes()), (1, b"here".to_vec()));
    assert_eq!(*chosen.lock().unwrap(), [200]);
    // One that is not followed is a response like others.
    let response = fetch(request.allow_redirects(false)).unwrap();
    assert_eq!((response.status(), shared.bytes()), (302, b"hereelsewhere".to_vec()));
    let loops = Script::site(|_| redirect(302, "/"));
    let error = fetch(Request::get(loops.url("/")).receive(shared.receive())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
    assert_eq!(shared.bytes(), b"hereelsewhere");
}

#[test]
fn what_has_no_body_touches_nothing() {
    let folder = Folder::new();
    folder.write("file", "good");
    let no_content = "HTTP/1.1 204 No Content\r\n\r\n".as_bytes().to_vec();
    for (method, bytes) in [("HEAD", ok("body")[..38].to_vec()), ("GET", no_content)] {
        let server = once(bytes);
        let file = Receive::file(folder.path("file"));
        let response = fetch(Request::new(method, server.url("/")).receive(file)).unwrap();
        assert_eq!((response.saved_to(), response.body_len()), (None, 0), "{method}");
    }
    assert_eq!((folder.names(), folder.read("file")), (vec!["file".into()], b"good".to_vec()));
}

#[test]
fn an_error_of_a_status_has_what_its_place_has_left() {
    let folder = Folder::new();
    let path = folder.path("page");
    let server = site(&["404 Not Found", "404 Not Found"]);
    let mut session = session(|config| config.http_status_as_error = true);
    let to_file = Request::get(server.url("/")).receive_by(move |_| Receive::file(&path));
    let error = session.request(to_file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status);
    let response = error.response().unwrap();
    assert_eq!((response.bytes(), response.body_len()), (&b""[..], 13));
    assert_eq!(response.saved_to(), Some(folder.path("page").as_path()));
    assert!(!response.is_partial());
    let to_memory = Request::get(server.url("/")).receive(Receive::file(folder.path("other")));
    let error = session.request(to_memory).unwrap_err();
    assert_eq!(error.response().unwrap().bytes(), b"404 Not Found");
    assert_eq!(folder.names(), ["page"]);
}

#[test]
fn a_request_goes_to_any_thread_whatever_it_receives_by() {
    fn is_free<T: Send + Sync + Clone + 'static>(_: &T) {}
    let request = Request::get("http://h/").receive(Receive::writer(Vec::new()));
    is_free(&request);
    is_free(&Receive::chunks(|_| Ok(())));
    let shown = format!("{:?}", Receive::file("a/b"));
    assert_eq!(shown, "Receive(file \"a/b\")");
}
