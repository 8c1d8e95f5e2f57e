//! httpbin under gunicorn: tells in JSON what it was asked.

use std::time::{Duration, Instant};

use fetchpool::{Auth, Body, ErrorKind, Multipart, Part, Pool, Request, Response, SessionConfig};
use serde_json::{Value, json};

use super::support::{fail, fetch, open, response, session, setting};

fn url(path: &str) -> String {
    setting("HTTPBIN") + path
}

#[track_caller]
fn json(response: &Response) -> Value {
    assert_eq!(response.status(), 200, "{}", response.text());
    response.json().expect("JSON")
}

// ---- What is sent

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn headers_arrive_as_they_were_set() {
    let seen =
        json(&fetch(Request::get(url("/headers")).header("X-One", "1").header("X-Two", "a, b")));
    let headers = &seen["headers"];
    assert_eq!((&headers["X-One"], &headers["X-Two"]), (&json!("1"), &json!("a, b")));
    assert_eq!(headers["Accept"], "*/*");
    assert_eq!(headers["Host"], url("").trim_start_matches("http://"));
    assert!(headers["User-Agent"].as_str().is_some_and(|agent| agent.contains("fetchpool/")));
    assert!(headers["Accept-Encoding"].as_str().is_some_and(|codings| codings.contains("gzip")));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_requests_header_replaces_the_sessions() {
    let mut config = SessionConfig::new();
    config.header("X-Mine", "session").user_agent("watch/1");
    let mut session = open(config);
    let first = json(&session.request(url("/headers")).expect("a response"));
    assert_eq!(first["headers"]["X-Mine"], "session");
    assert_eq!(first["headers"]["User-Agent"], "watch/1");
    let second = Request::get(url("/headers")).header("x-mine", "request").without_header("Accept");
    let second = json(&session.request(second).expect("a response"));
    assert_eq!(second["headers"]["X-Mine"], "request");
    assert_eq!(second["headers"].get("Accept"), None);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_form_with_files_is_read_as_it_was_meant() {
    let form = || {
        Multipart::new()
            .text("title", "At the \"sea\"\r\n--x")
            .part("note", Part::new("one\ntwo").file_name("a \"b\".txt").content_type("text/plain"))
    };
    let reader =
        Part::new(Body::reader_fn(|| Ok("of a reader".as_bytes()))).file_name("reader.bin");
    // With a length, and in chunks.
    for form in [form(), form().part("more", reader)] {
        let seen = json(&fetch(Request::post(url("/post")).multipart(form)));
        assert_eq!(seen["form"], json!({ "title": "At the \"sea\"\r\n--x" }));
        assert_eq!(seen["files"]["note"], "one\ntwo");
        if seen["headers"].get("Content-Length").is_none() {
            assert_eq!(seen["files"]["more"], "of a reader");
        }
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn params_join_the_query_that_is_there() {
    let request =
        Request::get(url("/get?a=1")).params([("b", "two & three"), ("c", "é")]).param("d", 4);
    let seen = json(&fetch(request));
    assert_eq!(seen["args"], json!({ "a": "1", "b": "two & three", "c": "é", "d": "4" }));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn json_form_and_data_arrive_as_what_they_are() {
    let value = json!({ "name": "é", "list": [1, null, true] });
    let sent = json(&fetch(Request::post(url("/post")).json(&value)));
    assert_eq!(
        (&sent["json"], &sent["headers"]["Content-Type"]),
        (&value, &json!("application/json"))
    );

    let sent =
        json(&fetch(Request::post(url("/post")).form([("a", "1"), ("b", "x y&z"), ("a", "2")])));
    assert_eq!(sent["form"], json!({ "a": ["1", "2"], "b": "x y&z" }));
    assert_eq!(sent["headers"]["Content-Type"], "application/x-www-form-urlencoded");

    let sent = json(&fetch(Request::put(url("/put")).data("plain text")));
    assert_eq!(
        (&sent["data"], &sent["headers"]["Content-Length"]),
        (&json!("plain text"), &json!("10"))
    );

    let sent = json(&fetch(Request::post(url("/post"))));
    assert_eq!((&sent["data"], &sent["headers"]["Content-Length"]), (&json!(""), &json!("0")));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn every_method_is_itself() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let seen = json(&fetch(Request::new(method, url("/anything"))));
        assert_eq!(seen["method"], method);
    }
    let options = fetch(Request::options(url("/get")));
    assert!(options.header("allow").is_some_and(|allow| allow.contains("GET")));
    assert_eq!(fetch(Request::head(url("/get"))).bytes(), b"");
    assert_eq!(fetch(Request::delete(url("/get"))).status(), 405);
}

// ---- What comes back

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn every_status_is_a_response() {
    for status in [200, 201, 204, 400, 404, 418, 429, 500, 503] {
        let response = fetch(url(&format!("/status/{status}")));
        assert_eq!((response.status(), response.ok()), (status, status < 400));
    }
    let error = fetch(url("/status/503")).error_for_status().expect_err("a 503");
    assert_eq!(error.kind(), ErrorKind::Status);
    assert_eq!(error.response().map(Response::status), Some(503));

    let mut strict = SessionConfig::new();
    strict.http_status_as_error = true;
    let error = open(strict).request(url("/status/404")).expect_err("a 404");
    assert!(error.is_status());
    assert_eq!(error.response().map(Response::status), Some(404));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn gzip_and_deflate_are_undone() {
    assert_eq!(json(&fetch(url("/gzip")))["gzipped"], true);
    assert_eq!(json(&fetch(url("/deflate")))["deflated"], true);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn chunked_streams_come_whole_and_the_connection_goes_on() {
    let mut session = session();
    let stream = session.request(url("/stream/100")).expect("a response");
    assert_eq!(stream.header("transfer-encoding"), Some("chunked"));
    let ids: Vec<Value> = stream
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON")["id"].clone())
        .collect();
    assert_eq!(ids, (0..100).map(Value::from).collect::<Vec<_>>());
    let bytes = session.request(url("/stream-bytes/50000?chunk_size=999")).expect("a response");
    assert_eq!(bytes.bytes().len(), 50_000);
    assert!(bytes.timings().reused);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn bytes_and_text_are_what_was_sent() {
    assert_eq!(fetch(url("/bytes/10000")).bytes().len(), 10_000);
    let letters = fetch(url("/range/1000"));
    assert!(letters.text().chars().eq(('a'..='z').cycle().take(1_000)));
    assert!(fetch(url("/encoding/utf8")).text().contains("∮ E⋅da = Q"));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_header_that_is_sent_twice_is_there_twice() {
    let response = fetch(url("/response-headers?X-Many=1&X-Many=2&X-One=3"));
    assert_eq!(response.headers().get_all("x-many").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(response.header("X-ONE"), Some("3"));
}

// ---- Redirects

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn relative_and_absolute_redirects_are_followed_to_the_limit() {
    for path in ["/relative-redirect/10", "/absolute-redirect/10"] {
        let response = fetch(url(path));
        assert_eq!((response.status(), response.url()), (200, url("/get").as_str()));
        assert_eq!(response.history().len(), 10);
        assert!(response.history().iter().all(|hop| hop.status() == 302));
        assert_eq!(response.history()[0].url(), url(path));
    }
    assert_eq!(fail(url("/relative-redirect/11")).kind(), ErrorKind::TooManyRedirects);

    let mut config = SessionConfig::new();
    config.limits.redirects = 2;
    let mut session = open(config);
    assert_eq!(session.request(url("/relative-redirect/2")).expect("two hops").status(), 200);
    let error = session.request(url("/relative-redirect/3")).expect_err("three hops");
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects, "{}", error.message());

    let unfollowed = fetch(Request::get(url("/relative-redirect/3")).allow_redirects(false));
    assert_eq!((unfollowed.status(), unfollowed.history().len()), (302, 0));
    assert_eq!(unfollowed.header("location"), Some("/relative-redirect/2"));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_redirected_post_stays_a_post_for_307_and_308_only() {
    for (status, method, body) in [
        (301, "GET", ""),
        (302, "GET", ""),
        (303, "GET", ""),
        (307, "POST", "kept"),
        (308, "POST", "kept"),
    ] {
        let to = Request::post(url("/redirect-to"))
            .param("url", "/anything")
            .param("status_code", status)
            .data("kept");
        let response = fetch(to);
        let seen = json(&response);
        assert_eq!((&seen["method"], &seen["data"]), (&json!(method), &json!(body)), "{status}");
        let length = (status >= 307).then(|| json!("4"));
        assert_eq!(seen["headers"].get("Content-Length"), length.as_ref(), "{status}");
        assert_eq!(response.history()[0].status(), status);
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn credentials_do_not_follow_a_redirect_to_another_origin() {
    // The same server by another name.
    let elsewhere = url("/headers").replace("127.0.0.1", "localhost");
    let ask = |to: &str| {
        let request = Request::get(url("/redirect-to"))
            .param("url", to)
            .basic_auth("user", "secret")
            .header("cookie", "a=b")
            .header("X-Other", "stays");
        json(&fetch(request))["headers"].clone()
    };
    let same = ask(&url("/headers"));
    assert!(same.get("Authorization").is_some() && same.get("Cookie").is_some());
    let other = ask(&elsewhere);
    assert_eq!((other.get("Authorization"), other.get("Cookie")), (None, None));
    assert_eq!(other["X-Other"], "stays");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_redirect_to_another_scheme_is_an_exception() {
    let to = Request::get(url("/redirect-to")).param("url", "ftp://127.0.0.1/");
    let error = fail(to);
    assert_eq!(error.kind(), ErrorKind::Redirect, "{}", error.message());
}

// ---- Authentication

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn basic_and_bearer_auth_open_doors_and_the_wrong_ones_do_not() {
    let door = url("/basic-auth/user/pass%20word");
    assert_eq!(json(&fetch(Request::get(&door).basic_auth("user", "pass word")))["user"], "user");
    assert_eq!(fetch(Request::get(&door).basic_auth("user", "wrong")).status(), 401);
    assert_eq!(fetch(&door).status(), 401);
    assert_eq!(fetch(url("/hidden-basic-auth/user/pass")).status(), 404);

    assert_eq!(json(&fetch(Request::get(url("/bearer")).bearer_auth("t0k3n")))["token"], "t0k3n");
    assert_eq!(fetch(url("/bearer")).status(), 401);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_sessions_auth_goes_to_its_origin_only() {
    let mut config = SessionConfig::new();
    config.auth(Auth::basic("user", "pass").for_origin(url("")));
    let mut session = open(config);
    let door = url("/basic-auth/user/pass");
    assert_eq!(session.request(&door).expect("a response").status(), 200);
    let elsewhere = door.replace("127.0.0.1", "localhost");
    assert_eq!(session.request(&elsewhere).expect("a response").status(), 401);
}

#[test]
#[cfg(feature = "digest")]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_digest_opens_doors_by_each_algorithm_and_the_wrong_one_does_not() {
    let digest = |password: &str| {
        let mut config = SessionConfig::new();
        config.auth(Auth::digest("user", password).for_origin(url("")));
        open(config)
    };
    for qop in ["auth", "auth-int"] {
        for algorithm in ["MD5", "SHA-256"] {
            let door = url(&format!("/digest-auth/{qop}/user/s3cret/{algorithm}"));
            let mut right = digest("s3cret");
            for _ in 0..3 {
                assert_eq!(json(&right.request(&door).expect("a response"))["user"], "user");
            }
            let refused = digest("other").request(&door).expect("a response");
            assert_eq!(refused.status(), 401, "{qop} {algorithm}");
        }
    }
}

// ---- Time

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn an_answer_that_takes_too_long_is_a_timeout() {
    let start = Instant::now();
    let error = fail(Request::get(url("/delay/8")).timeout(Duration::from_millis(300)));
    assert_eq!(error.kind(), ErrorKind::Timeout, "{}", error.message());
    assert!(error.is_timeout() && !error.is_connect());
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());

    let patient = fetch(Request::get(url("/delay/1")).timeout(Duration::from_secs(20)));
    assert_eq!(patient.status(), 200);
    assert!(patient.elapsed() >= Duration::from_secs(1));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn an_answer_that_drips_past_the_timeout_is_a_timeout() {
    let drip = |timeout| {
        let drip =
            Request::get(url("/drip")).param("numbytes", 20).param("duration", 4).param("delay", 0);
        session().request(drip.timeout(timeout))
    };
    let start = Instant::now();
    // A byte every 200 ms: no single read takes as long as the whole may.
    let error = drip(Duration::from_millis(700)).expect_err("it drips for four seconds");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{}", error.message());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(drip(Duration::from_secs(20)).expect("a response").bytes(), [b'*'; 20]);
}

// ---- Many at once

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn each_outcome_of_a_mixed_batch_belongs_to_its_request() {
    let jobs = (0..300_u64).map(|n| match n % 6 {
        0 => Request::get(url("/anything")).param("n", n),
        1 => Request::post(url("/anything")).param("n", n).json(&json!({ "n": n })),
        2 => Request::get(url("/redirect-to")).param("url", format!("/anything?n={n}")),
        3 => Request::get(url("/status/404")).tag(n),
        4 => Request::get(format!("http://[broken/{n}")),
        _ => Request::get(url("/gzip")),
    });
    let pool = Pool::builder().num_threads(8).job_queue(jobs).build().expect("a pool");
    let mut seen = vec![false; 300];
    for outcome in pool.outcomes() {
        let n = outcome.index();
        let place = usize::try_from(n).expect("an index");
        assert!(!seen[place], "job {n} came twice");
        seen[place] = true;
        match n % 6 {
            0..=2 => assert_eq!(json(&response(outcome))["args"]["n"], n.to_string()),
            3 => {
                assert_eq!(outcome.tag::<u64>(), Some(&n));
                assert_eq!(response(outcome).status(), 404);
            }
            4 => {
                assert!(outcome.request().url().ends_with(&format!("/{n}")));
                let error = outcome.result().expect_err("not a URL");
                assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{}", error.message());
            }
            _ => assert_eq!(json(&response(outcome))["gzipped"], true),
        }
    }
    assert!(seen.into_iter().all(|seen| seen));
}
