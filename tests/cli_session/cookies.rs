//! `--cookies`.

use super::all_told;
use super::support::program::{Running, fetchpool};
use super::support::script::{Gate, Script, Server, ok, reply};

/// Sets cookies, and leads on by way of more of them.
fn site() -> Server {
    Script::site(|request| match request.target().as_str() {
        "/set" => reply("200 OK", "Set-Cookie: first=1; Path=/\r\n", ""),
        "/lead" => reply("302 Found", "Set-Cookie: second=2\r\nLocation: /end\r\n", ""),
        _ => ok(""),
    })
}

fn sent(server: &Server) -> Vec<String> {
    let cookies = |request: &super::support::script::Recorded| request.headers("cookie").join("|");
    server.requests().iter().map(cookies).collect()
}

#[test]
fn cookies_are_kept_over_a_batch_and_its_redirects_when_that_is_asked_for() {
    for (options, expected) in [
        (&["--cookies"][..], ["", "first=1", "first=1; second=2", "first=1; second=2"]),
        (&[], [""; 4]),
    ] {
        let server = site();
        let urls = ["/set", "/lead", "/plain"].map(|path| server.url(path));
        let urls = urls.each_ref().map(String::as_str);
        let ran = fetchpool(&[options, &["--threads", "1"], &urls].concat(), b"");
        assert_eq!((all_told(&ran), ran.status), (vec!["200".to_owned(); 3], 0), "{}", ran.stdout);
        assert_eq!(sent(&server), expected);
    }
}

#[test]
fn all_threads_have_the_same_cookies_and_the_next_run_has_none() {
    let met = Gate::new();
    let server = Script::site(move |request| match request.target().as_str() {
        "/set" => reply("200 OK", "Set-Cookie: first=1; Path=/\r\n", ""),
        // Ends when the other thread has come.
        "/wait" => ok(if met.wait() { "met" } else { "alone" }),
        "/come" => {
            met.open();
            ok("")
        }
        _ => ok(""),
    });
    let mut running =
        Running::start(&["--cookies", "--body", "--threads", "2", "--ordered", "--input", "-"]);
    running.write(&format!("{}\n", server.url("/set")));
    assert_eq!(running.line()["status"], 200);
    running.write(&format!("{}\n{}\n", server.url("/wait"), server.url("/come")));
    assert_eq!(running.line()["body"], "met");
    assert_eq!(running.end(), (0, String::new()));
    assert_eq!(sent(&server), ["", "first=1", "first=1"]);
    assert_eq!(fetchpool(&["--cookies", &server.url("/other")], b"").status, 0);
    assert_eq!(sent(&server)[3], "");
}

#[test]
fn a_cookie_stays_with_its_host() {
    let server = site();
    let port = server.address().port();
    let lay = ["a.test", "b.test"].map(|host| format!("{host}:{port}:127.0.0.1"));
    let urls = ["a.test", "b.test", "a.test"];
    let paths = ["/set", "/plain", "/plain"];
    let urls: Vec<_> =
        urls.iter().zip(paths).map(|(host, path)| format!("http://{host}:{port}{path}")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let options = ["--cookies", "--threads", "1", "--resolve", &lay[0], "--resolve", &lay[1]];
    let ran = fetchpool(&[&options[..], &urls].concat(), b"");
    assert_eq!(all_told(&ran), ["200"; 3], "{}", ran.stdout);
    assert_eq!(sent(&server), ["", "", "first=1"]);
}
