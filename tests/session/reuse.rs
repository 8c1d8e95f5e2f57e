//! Kept connections: when one is used again, and when it must not be.

use super::*;
use crate::support::script::{Gate, ok};
use fetchpool::{Fault, Phase};
use std::sync::Arc;

#[test]
fn requests_to_one_origin_go_over_one_connection() {
    let server = Script::site(|request| ok(request.target()));
    let mut session = session(|_| {});
    for count in 0..50 {
        let response = session.request(server.url(&format!("/{count}"))).unwrap();
        assert_eq!(response.text(), format!("/{count}"));
        assert_eq!(response.timings().reused, count > 0);
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 50));
}

#[test]
fn every_method_may_use_a_kept_connection() {
    let server = Script::site(|request| {
        let body = if request.method() == "HEAD" { "" } else { "x" };
        format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{body}").into_bytes()
    });
    let mut session = session(|_| {});
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "GET"] {
        let request = Request::new(method, server.url("/")).body("body");
        assert_eq!(session.request(request).unwrap().status(), 200, "{method}");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn each_origin_has_a_connection_of_its_own() {
    let a = Script::site(|_| ok("a"));
    let b = Script::site(|_| ok("b"));
    let mut session = session(|_| {});
    for _ in 0..3 {
        assert_eq!(session.request(a.url("/")).unwrap().text(), "a");
        assert_eq!(session.request(b.url("/")).unwrap().text(), "b");
    }
    assert_eq!((a.connections(), b.connections()), (1, 1));
}

#[test]
fn a_name_and_its_address_are_two_origins() {
    let server = Script::site(|_| ok("x"));
    let named = format!("http://localhost:{}/", server.address().port());
    let mut session = session(|_| {});
    for _ in 0..2 {
        session.request(server.url("/")).unwrap();
        session.request(&named).unwrap();
    }
    assert_eq!(server.connections(), 2);
    let hosts: Vec<_> = server.requests().iter().filter_map(|r| r.header("host")).collect();
    assert_eq!(hosts[1], format!("localhost:{}", server.address().port()));
}

#[test]
fn letter_case_and_an_escaped_path_do_not_make_another_origin() {
    let server = Script::site(|_| ok("x"));
    let mut session = session(|_| {});
    for host in ["localhost", "LOCALHOST", "LocalHost"] {
        session.request(format!("http://{host}:{}/%41", server.address().port())).unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_the_server_closed_while_idle_is_replaced_once() {
    let gate = Gate::new();
    let server = Script::new().reply(OK).wait(&gate).close().accept().reply(ok("yes")).serve();
    let mut session = session(|_| {});
    assert_eq!(session.request(server.url("/1")).unwrap().text(), "ok");
    gate.open();
    server.wait_for_end_of(0);
    let second = session.request(server.url("/2")).unwrap();
    assert_eq!((second.text().as_ref(), second.timings().reused), ("yes", false));
    assert_eq!((server.connections(), server.lines()[1].as_str()), (2, "GET /2 HTTP/1.1"));
}

#[test]
fn a_connection_the_server_reset_while_idle_is_replaced_once() {
    let gate = Gate::new();
    let server = Script::new()
        .request_but_one_byte()
        .send(OK)
        .wait(&gate)
        .close()
        .accept()
        .reply(ok("yes"))
        .serve();
    let mut session = session(|_| {});
    assert_eq!(session.request(server.url("/1")).unwrap().text(), "ok");
    gate.open();
    server.wait_for_end_of(0);
    assert_eq!(session.request(server.url("/2")).unwrap().text(), "yes");
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_get_that_met_a_close_is_sent_again_on_a_fresh_connection() {
    let server = Script::new().reply(OK).request().close().accept().reply(ok("yes")).serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    assert_eq!(session.request(server.url("/2")).unwrap().text(), "yes");
    assert_eq!(server.lines(), ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1", "GET /2 HTTP/1.1"]);
}

#[test]
fn a_get_that_met_a_reset_is_sent_again_on_a_fresh_connection() {
    let server = Script::new().reply(OK).reset().accept().reply(ok("yes")).serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    assert_eq!(session.request(server.url("/2")).unwrap().text(), "yes");
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_put_with_a_body_is_sent_again_whole() {
    let server = Script::new().reply(OK).request().close().accept().reply(ok("yes")).serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    session.request(Request::put(server.url("/2")).body("the body")).unwrap();
    let bodies: Vec<_> = server.requests().iter().map(|r| r.body().to_vec()).collect();
    assert_eq!(bodies, [&b""[..], b"the body", b"the body"]);
}

#[test]
fn a_post_that_met_a_close_is_never_sent_again() {
    for method in ["POST", "PATCH"] {
        let server = Script::new().reply(OK).request().close().accept().reply(OK).serve();
        let mut session = session(|_| {});
        session.request(server.url("/1")).unwrap();
        let request = Request::new(method, server.url("/2")).body("once");
        let error = session.request(request).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Closed, Fault::Network), "{method}");
        assert_eq!((server.connections(), server.requests().len()), (1, 2), "{method}");
    }
}

#[test]
fn a_post_that_met_a_reset_is_never_sent_again() {
    let server = Script::new().reply(OK).reset().accept().reply(OK).serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    let error = session.request(Request::post(server.url("/2")).body("once")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_post_goes_over_a_fresh_connection_when_the_kept_one_is_known_to_be_closed() {
    let gate = Gate::new();
    let server = Script::new().reply(OK).wait(&gate).close().accept().reply(ok("yes")).serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    gate.open();
    server.wait_for_end_of(0);
    assert_eq!(session.request(Request::post(server.url("/2")).body("x")).unwrap().text(), "yes");
    assert_eq!((server.connections(), server.requests().len()), (2, 2));
}

#[test]
fn a_second_close_is_an_error_and_not_tried_a_third_time() {
    let server = Script::new()
        .reply(OK)
        .request()
        .close()
        .accept()
        .request()
        .close()
        .accept()
        .reply(OK)
        .serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    let error = session.request(server.url("/2")).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Closed, Some(Phase::Waiting)));
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_fresh_connection_that_closes_unanswered_is_not_tried_again() {
    let server = Script::new().request().close().accept().reply(OK).serve();
    assert_eq!(fetch(server.url("/")).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_close_behind_the_first_byte_of_an_answer_is_not_tried_again() {
    let server = Script::new().reply(OK).reply("H").close().accept().reply(OK).serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    assert_eq!(session.request(server.url("/2")).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_failed_request_does_not_leave_its_connection_behind() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    let server = Script::new().reply(half).accept().reply(OK).serve();
    let mut session = session(|_| {});
    let request = Request::get(server.url("/1")).timeout(Duration::from_millis(100));
    assert_eq!(session.request(request).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(session.request(server.url("/2")).unwrap().text(), "ok");
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_late_408_is_never_an_answer() {
    let late = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for (method, then_closes) in
        [("GET", true), ("GET", false), ("POST", true), ("POST", false), ("HEAD", false)]
    {
        let gate = Gate::new();
        let sent = Gate::new();
        let script = Script::new().reply(OK).wait(&gate).send(late);
        let script = if then_closes { script.close() } else { script.open(&sent) };
        let server = script.accept().reply(reply_to(method)).serve();
        let mut session = session(|_| {});
        session.request(server.url("/1")).unwrap();
        gate.open();
        if then_closes {
            server.wait_for_end_of(0);
        } else {
            assert!(sent.wait());
        }
        let second = session.request(Request::new(method, server.url("/2"))).unwrap();
        assert_eq!((second.status(), second.timings().reused), (200, false), "{method}");
        assert_eq!((server.connections(), server.requests().len()), (2, 2), "{method}");
    }
}

fn reply_to(method: &str) -> &'static [u8] {
    if method == "HEAD" { b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" } else { OK }
}

/// The server closed an idle connection with a 408 while the request was on its way.
#[test]
fn a_408_that_crossed_with_the_request_is_no_answer_where_it_may_be_sent_again() {
    let timed_out =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for (method, status, connections) in [("GET", 200, 2), ("PUT", 200, 2), ("POST", 408, 1)] {
        let server =
            Script::new().reply(OK).reply(timed_out).close().accept().reply(ok("right")).serve();
        let mut session = session(|_| {});
        session.request(server.url("/1")).unwrap();
        let second = Request::new(method, server.url("/2")).body("all of it");
        assert_eq!(session.request(second).unwrap().status(), status, "{method}");
        assert_eq!(server.connections(), connections, "{method}");
        if connections == 2 {
            assert_eq!(server.requests()[2].body(), b"all of it", "{method}");
        }
    }
    // On a new connection it is an answer.
    let server = Script::new().reply(timed_out).close().serve();
    assert_eq!(fetch(server.url("/")).unwrap().status(), 408);
}

#[test]
fn any_bytes_on_an_idle_connection_disqualify_it() {
    for stray in [&b"\r\n"[..], b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\0"] {
        let (gate, sent) = (Gate::new(), Gate::new());
        let server = Script::new()
            .reply(OK)
            .wait(&gate)
            .send(stray)
            .open(&sent)
            .reply(ok("wrong"))
            .accept()
            .reply(ok("right"))
            .serve();
        let mut session = session(|_| {});
        session.request(server.url("/1")).unwrap();
        gate.open();
        assert!(sent.wait());
        assert_eq!(session.request(server.url("/2")).unwrap().text(), "right", "{stray:?}");
    }
}

#[test]
fn bytes_on_a_connection_that_was_idle_for_a_moment_are_no_answer() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for _ in 0..20 {
        let (gate, sent) = (Gate::new(), Gate::new());
        let server = Script::new()
            .reply(OK)
            .wait(&gate)
            .send(evil)
            .open(&sent)
            .reply(ok("late"))
            .accept()
            .reply(ok("right"))
            .serve();
        let mut session = session(|_| {});
        session.request(server.url("/1")).unwrap();
        gate.open();
        assert!(sent.wait());
        assert_eq!(session.request(server.url("/2")).unwrap().text(), "right");
    }
}

#[test]
fn bytes_behind_a_complete_response_are_no_answer_and_end_the_connection() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for first in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{evil}"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{evil}"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{evil}"),
        format!("HTTP/1.1 204 No Content\r\n\r\n{evil}"),
        format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n{evil}"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n".to_owned(),
    ] {
        assert!(!is_kept(&first), "{first}");
    }
    assert!(!is_kept_after(Request::head, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
}

#[test]
fn a_response_whose_end_is_known_leaves_the_connection_for_the_next() {
    for first in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nX: trailer\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 4000\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ] {
        assert!(is_kept(first), "{first}");
    }
    assert!(is_kept_after(Request::head, "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"));
    assert!(is_kept_after(Request::head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
}

#[test]
fn a_connection_that_the_server_will_close_is_not_used_again() {
    for first in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nconnection: CLOSE\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: x, close ,y\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 204 No Content\r\n\r\n",
    ] {
        assert!(!is_kept(first), "{first}");
    }
}

#[test]
fn a_session_that_keeps_nothing_says_so_and_dials_anew() {
    let server = Script::new().reply(OK).accept().reply(OK).serve();
    let mut session = session(|config| config.keep_alive = false);
    for _ in 0..2 {
        assert!(!session.request(server.url("/")).unwrap().timings().reused);
    }
    assert_eq!(server.connections(), 2);
    for request in server.requests() {
        assert_eq!(request.headers("connection"), ["close"]);
    }
}

#[test]
fn a_connection_that_was_idle_for_too_long_is_not_used_again() {
    let server = Script::site(|_| ok("x"));
    let mut session = session(|config| config.idle_timeout = Duration::from_millis(30));
    session.request(server.url("/")).unwrap();
    thread::sleep(Duration::from_millis(60));
    assert!(!session.request(server.url("/")).unwrap().timings().reused);
    assert_eq!(server.connections(), 2);
    server.wait_for_end_of(0);
}

#[test]
fn a_connection_that_was_idle_for_too_long_is_closed_when_another_one_is_kept() {
    let (old, new) = (Script::site(|_| ok("x")), Script::site(|_| ok("x")));
    let mut session = session(|config| config.idle_timeout = Duration::ZERO);
    session.request(old.url("/")).unwrap();
    session.request(new.url("/")).unwrap();
    old.wait_for_end_of(0);
}

#[test]
fn the_connection_that_was_idle_longest_makes_room() {
    let servers = [0, 1, 2].map(|_| Script::site(|_| ok("x")));
    let mut session = session(|config| config.max_idle_connections = 2);
    for server in [0, 1, 0, 2] {
        session.request(servers[server].url("/")).unwrap();
    }
    servers[1].wait_for_end_of(0);
    for server in [0, 2, 1] {
        session.request(servers[server].url("/")).unwrap();
    }
    assert_eq!(servers.each_ref().map(Server::connections), [1, 2, 1]);
}

#[test]
fn no_room_for_idle_connections_means_none_is_kept() {
    let server = Script::site(|_| ok("x"));
    let mut session = session(|config| config.max_idle_connections = 0);
    for _ in 0..3 {
        session.request(server.url("/")).unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_dropped_session_closes_its_connections() {
    let server = Script::site(|_| ok("x"));
    let mut session = session(|_| {});
    session.request(server.url("/")).unwrap();
    drop(session);
    server.wait_for_end_of(0);
}

#[test]
fn sessions_share_no_connections() {
    let server = Script::site(|_| ok("x"));
    let (mut one, mut other) = (session(|_| {}), session(|_| {}));
    for _ in 0..2 {
        one.request(server.url("/")).unwrap();
        other.request(server.url("/")).unwrap();
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_name_with_and_without_its_final_dot_are_two_origins() {
    let server = Script::site(|_| ok("x"));
    let (address, port) = (server.address(), server.address().port());
    let mut session = session(|config| {
        config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
    });
    for host in ["h.test", "h.test.", "H.TEST", "h.TEST.", "h.test"] {
        session.request(format!("http://{host}:{port}/")).unwrap();
    }
    let went: Vec<_> = server.requests().iter().map(|request| request.connection).collect();
    assert_eq!(went, [0, 1, 0, 1, 0]);
    assert_eq!(server.requests()[1].headers("host"), [format!("h.test.:{port}")]);
}

#[test]
fn the_port_is_part_of_what_a_connection_is_kept_for_and_the_default_one_is_too() {
    let server = Script::site(|_| ok("x"));
    let address = server.address();
    let mut session = session(|config| {
        config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
    });
    for authority in ["h.test", "h.test:80", "h.test:", "h.test:81", "h.test:080", "h.test:0"] {
        session.request(format!("http://{authority}/")).unwrap();
    }
    let went: Vec<_> = server.requests().iter().map(|request| request.connection).collect();
    assert_eq!(went, [0, 0, 0, 1, 0, 2]);
    let hosts: Vec<_> = server.requests().iter().filter_map(|r| r.header("host")).collect();
    assert_eq!(hosts, ["h.test", "h.test", "h.test", "h.test:81", "h.test", "h.test:0"]);
}

/// Credentials belong to a request and not to its connection, so users may share one.
#[test]
fn a_kept_connection_carries_nobodys_credentials_over_to_the_next_request() {
    let server = Script::site(|_| ok("x"));
    let mut session = session(|_| {});
    let address = server.address();
    for user in ["a:1@", "b:2@", "", "b@"] {
        session.request(format!("http://{user}{address}/")).unwrap();
    }
    let sent: Vec<_> = server.requests().iter().map(|r| r.headers("authorization")).collect();
    assert_eq!(sent, [vec!["Basic YTox"], vec!["Basic Yjoy"], vec![], vec!["Basic Yjo="]]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_redirect_within_an_origin_stays_on_its_connection() {
    let server = Script::site(|request| match request.target().as_str() {
        "/a" => b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 4\r\n\r\nbody".to_vec(),
        _ => ok("there"),
    });
    let response = fetch(server.url("/a")).unwrap();
    assert_eq!((response.text().as_ref(), server.connections()), ("there", 1));
    assert!(response.timings().reused);
}
