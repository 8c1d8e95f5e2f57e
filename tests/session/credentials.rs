//! Credentials stay home.

use super::*;
use crate::support::script::{Recorded, ok, redirect};
use fetchpool::{Auth, Phase};
use std::sync::{Arc, Mutex};

const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Two servers of different ports: `/go` on each leads to `/there` on the other, `/tour` on the
/// first goes over `/back` on the second to `/there` on the first.
fn two() -> (Server, Server) {
    let other = Arc::new(Mutex::new(String::new()));
    let first = Script::site({
        let other = Arc::clone(&other);
        move |request| match request.target().as_str() {
            "/go" => redirect(302, &format!("{}/there", other.lock().unwrap())),
            "/keep" => redirect(307, &format!("{}/there", other.lock().unwrap())),
            "/tour" => redirect(302, &format!("{}/back", other.lock().unwrap())),
            "/near" => redirect(302, "/there"),
            _ => ok("first"),
        }
    });
    let home = first.origin();
    let second = Script::site(move |request| match request.target().as_str() {
        "/back" => redirect(302, &format!("{home}/there")),
        _ => ok("second"),
    });
    *other.lock().unwrap() = second.origin();
    (first, second)
}

fn with_secrets(url: String, names: [&str; 3]) -> Request {
    names.iter().fold(Request::get(url), |request, name| request.header(name, "s3cret"))
}

#[test]
fn a_change_of_port_drops_them_in_every_letter_case() {
    for names in [
        ["Authorization", "Cookie", "Proxy-Authorization"],
        ["authorization", "cookie", "proxy-authorization"],
        ["AUTHORIZATION", "COOKIE", "PROXY-AUTHORIZATION"],
        ["aUtHoRiZaTiOn", "cOoKiE", "pRoXy-aUtHoRiZaTiOn"],
    ] {
        let (first, second) = two();
        fetch(with_secrets(first.url("/go"), names).header("X-Own", "y")).unwrap();
        for name in SECRET {
            assert_eq!(first.request().headers(name), sent(name), "{name}");
            assert_eq!(second.request().header(name), None, "{name}");
        }
        assert_eq!(second.request().header("x-own").as_deref(), Some("y"));
    }
}

#[test]
fn a_change_of_host_drops_them() {
    let server = Script::site(|request| match request.target().as_str() {
        "/" => {
            let host = request.header("host").unwrap().replace("127.0.0.1", "localhost");
            redirect(302, &format!("http://{host}/there"))
        }
        _ => ok("there"),
    });
    fetch(with_secrets(server.url("/"), SECRET)).unwrap();
    let requests = server.requests();
    for name in SECRET {
        let there = requests[1].headers(name).len();
        assert_eq!((requests[0].headers(name), there), (sent(name), 0));
    }
}

/// What goes to the origin that it was given for: a word to a proxy goes to no origin at all.
fn sent(name: &str) -> Vec<String> {
    if name == "proxy-authorization" { Vec::new() } else { vec!["s3cret".to_owned()] }
}

#[test]
fn they_stay_within_an_origin() {
    let (first, _) = two();
    fetch(with_secrets(first.url("/near"), SECRET)).unwrap();
    for request in first.requests() {
        for name in SECRET {
            assert_eq!(request.headers(name), sent(name), "{name}");
        }
    }
}

#[test]
fn they_never_come_back_on_a_later_hop() {
    let (first, second) = two();
    fetch(with_secrets(first.url("/tour"), SECRET)).unwrap();
    assert_eq!(first.lines(), ["GET /tour HTTP/1.1", "GET /there HTTP/1.1"]);
    for name in SECRET {
        assert_eq!(second.request().header(name), None, "{name}");
        assert_eq!(first.requests()[1].header(name), None, "{name}");
    }
}

#[test]
fn a_method_that_stays_does_not_carry_them_either() {
    let (first, second) = two();
    let request = Request::post(first.url("/keep")).body("x").basic_auth("u", "p");
    fetch(request).unwrap();
    assert_eq!(
        (second.request().body(), second.request().header("authorization")),
        (&b"x"[..], None)
    );
}

#[test]
fn what_the_session_sets_for_all_requests_goes_to_each_jobs_own_url_only() {
    let (first, second) = two();
    let mut session = session(|config| {
        config.header("Authorization", "s3cret").header("COOKIE", "a=b").header("X-Api-Key", "k");
        config.user_agent("own/1");
    });
    session.request(first.url("/go")).unwrap();
    for name in ["authorization", "cookie", "x-api-key"] {
        assert!(first.request().header(name).is_some(), "{name}");
        assert_eq!(second.request().header(name), None, "{name}");
    }
    // Who asks, and for what, is no secret, and servers turn away those who do not say.
    assert_eq!(second.request().headers("user-agent"), ["own/1"]);
    assert_eq!(second.request().headers("accept"), ["*/*"]);
    session.request(second.url("/own")).unwrap();
    session.request(first.url("/near")).unwrap();
    assert_eq!(second.requests()[1].headers("authorization"), ["s3cret"]);
    for request in first.requests() {
        assert_eq!(
            (request.headers("authorization"), request.headers("cookie")),
            (vec!["s3cret".to_owned()], vec!["a=b".to_owned()])
        );
    }
}

#[test]
fn what_the_session_sets_does_not_come_back_either() {
    let (first, _second) = two();
    let mut session = session(|config| {
        config.header("Cookie", "a=b").auth(Auth::bearer("s3cret"));
    });
    session.request(first.url("/tour")).unwrap();
    let last = first.requests().remove(1);
    assert_eq!((last.header("cookie"), last.header("authorization")), (None, None));
}

#[test]
fn each_way_to_say_who_one_is_makes_one_field() {
    let server = Script::site(|_| ok("x"));
    let url = server.url("/");
    let with_user = url.replace("http://", "http://us%65r:p%40ss%3A@");
    let with_name_only = url.replace("http://", "http://user@");
    let mut session = session(|config| {
        config.auth(Auth::basic("session", "auth"));
    });
    for (request, value) in [
        (Request::get(&url), "Basic c2Vzc2lvbjphdXRo"),
        (
            Request::get(&url).basic_auth("Aladdin", "open sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (Request::get(&url).basic_auth("", ""), "Basic Og=="),
        (Request::get(&url).basic_auth("\u{fc}", "\u{df}"), "Basic w7w6w58="),
        (Request::get(&url).bearer_auth("to.k-e_n~+/="), "Bearer to.k-e_n~+/="),
        (Request::get(&url).header("authorization", "Own scheme"), "Own scheme"),
        (Request::get(with_user), "Basic dXNlcjpwQHNzOg=="),
        (Request::get(with_name_only), "Basic dXNlcjo="),
    ] {
        session.request(request).unwrap();
        assert_eq!(server.requests().last().unwrap().headers("authorization"), [value]);
    }
}

#[test]
fn a_bearer_of_a_session_is_one_field() {
    let server = Script::site(|_| ok("x"));
    let mut session = session(|config| {
        config.auth(Auth::bearer("t0ken"));
    });
    session.request(server.url("/")).unwrap();
    assert_eq!(server.request().headers("authorization"), ["Bearer t0ken"]);
}

#[test]
fn user_information_of_a_url_is_not_shown_nor_sent_elsewhere() {
    let (first, second) = two();
    let url = first.url("/go").replace("http://", "http://user:s3cret@");
    let response = fetch(&url).unwrap();
    assert!(first.request().header("authorization").is_some());
    assert_eq!(second.request().header("authorization"), None);
    assert_eq!(response.history()[0].url(), first.url("/go"));
    for request in first.requests().iter().chain(&second.requests()) {
        assert!(!request.head().contains("s3cret"), "{}", request.head());
        assert!(!request.target().contains('@'));
    }
    let response = fetch(first.url("/x").replace("http://", "http://user:s3cret@")).unwrap();
    assert_eq!(response.url(), first.url("/x"));
}

#[test]
fn user_information_stays_within_its_origin_over_a_redirect() {
    let (first, _) = two();
    fetch(first.url("/near").replace("http://", "http://user:s3cret@")).unwrap();
    let sent: Vec<_> = first.requests().iter().map(|r| r.headers("authorization").len()).collect();
    assert_eq!(sent, [1, 1]);
}

#[test]
fn user_information_of_a_location_is_not_shown() {
    let there = Script::site(|_| ok("x"));
    let location = there.url("/x").replace("http://", "http://user:s3cret@");
    let here = Script::new().reply(redirect(302, &location)).serve();
    let response = fetch(here.url("/")).unwrap();
    assert_eq!(response.url(), there.url("/x"));
}

#[test]
fn auth_that_is_bound_goes_to_its_origins_only() {
    let (a, b, c) =
        (Script::site(|_| ok("a")), Script::site(|_| ok("b")), Script::site(|_| ok("c")));
    let mut session = session(|config| {
        let auth = Auth::bearer("s3cret").for_origin(a.origin()).for_origin(b.url("/some/path"));
        config.auth(auth);
    });
    for server in [&a, &b, &c] {
        session.request(server.url("/")).unwrap();
    }
    let named = format!("http://localhost:{}/", a.address().port());
    session.request(named).unwrap();
    assert_eq!(a.requests()[0].header("authorization").as_deref(), Some("Bearer s3cret"));
    assert_eq!(b.request().header("authorization").as_deref(), Some("Bearer s3cret"));
    assert_eq!(c.request().header("authorization"), None);
    assert_eq!(a.requests()[1].header("authorization"), None, "another host");
}

#[test]
fn auth_that_is_bound_stays_on_redirects_within_the_origin_and_leaves_on_others() {
    let (first, second) = two();
    let mut session = session(|config| {
        config.auth(Auth::basic("u", "p").for_origin(first.origin()));
    });
    session.request(first.url("/near")).unwrap();
    session.request(first.url("/go")).unwrap();
    assert!(first.requests().iter().all(|request| request.header("authorization").is_some()));
    assert_eq!(second.request().header("authorization"), None);
}

#[test]
fn auth_that_is_bound_to_no_readable_origin_goes_nowhere() {
    for origin in ["", "example", "ftp://example.com", "http://", "http://[::1"] {
        let server = unused();
        let mut config = SessionConfig::new();
        config.auth(Auth::bearer("s3cret").for_origin(origin));
        let failed = Session::new(config).and_then(|mut session| session.request(server.url("/")));
        let kind = failed.unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::InvalidRequest | ErrorKind::InvalidUrl), "{origin:?}");
        assert_eq!(server.connections(), 0, "{origin:?}");
    }
}

#[test]
fn a_request_can_do_without_the_sessions_auth() {
    let server = Script::site(|_| ok("x"));
    let mut session = session(|config| {
        config.auth(Auth::bearer("s3cret"));
    });
    session.request(Request::get(server.url("/")).without_header("Authorization")).unwrap();
    assert_eq!(server.request().header("authorization"), None);
}

/// RFC 7617 §2: the server would read `us` with the password `er:s3cret`.
#[test]
fn a_user_with_a_colon_is_refused_however_it_is_given() {
    let server = unused();
    let mut config = SessionConfig::new();
    config.auth(Auth::basic("us:er", "s3cret"));
    let mut with_auth = Session::new(config).unwrap();
    let in_url = server.url("/").replace("://", "://us%3Aer:s3cret@");
    for (result, kind) in [
        (with_auth.request(server.url("/")), ErrorKind::InvalidRequest),
        (fetch(Request::get(server.url("/")).basic_auth("us:er", "p")), ErrorKind::InvalidRequest),
        (fetch(in_url), ErrorKind::InvalidUrl),
    ] {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Setup)), "{error}");
        assert!(error.message().contains("colon"), "{}", error.message());
    }
    assert_eq!(server.connections(), 0);
}

/// A way to send a secret along.
struct Way {
    name: &'static str,
    session: fn(&mut SessionConfig),
    request: fn(Request) -> Request,
    userinfo: &'static str,
}

const WAYS: [Way; 10] = {
    const NONE: Way = Way { name: "", session: |_| {}, request: |r| r, userinfo: "" };
    const HOME: [&str; 3] = ["http://h.test", "https://localhost", "http://localhost:443"];
    [
        Way { name: "field", request: |r| r.header("AUTHORIZATION", "s3cret"), ..NONE },
        Way { name: "cookie", request: |r| r.header("cookIE", "s3cret"), ..NONE },
        Way { name: "proxy", request: |r| r.header("proxy-Authorization", "s3cret"), ..NONE },
        Way { name: "basic", request: |r| r.basic_auth("u", "s3cret"), ..NONE },
        Way { name: "bearer", request: |r| r.bearer_auth("s3cret"), ..NONE },
        Way { name: "userinfo", userinfo: "u:s3cret@", ..NONE },
        Way { name: "session field", session: |c| _ = c.header("cookie", "s3cret"), ..NONE },
        Way { name: "session key", session: |c| _ = c.header("X-Api-Key", "s3cret"), ..NONE },
        Way { name: "session auth", session: |c| _ = c.auth(Auth::bearer("s3cret")), ..NONE },
        Way {
            name: "bound auth",
            session: |c| {
                _ = c.auth(HOME.iter().fold(Auth::basic("u", "s3cret"), Auth::for_origin));
            },
            ..NONE
        },
    ]
};

/// What a request shows of who sent it.
fn shown(request: &Recorded) -> Vec<String> {
    let names = ["authorization", "cookie", "proxy-authorization", "x-api-key"];
    names.iter().flat_map(|name| request.headers(name)).collect()
}

/// Whether requests show who sent them: each as much as the first, or nothing.
fn show<'a>(requests: impl IntoIterator<Item = &'a Recorded>) -> Vec<bool> {
    let shown: Vec<_> = requests.into_iter().map(shown).collect();
    for each in shown.iter().filter(|each| !each.is_empty()) {
        assert_eq!(each, &shown[0]);
    }
    shown.iter().map(|each| !each.is_empty()).collect()
}

/// What a server says of a chain whose places have their numbers as paths.
fn lead_on(chain: &'static [&'static str], status: u16, request: &Recorded) -> Vec<u8> {
    let number: usize = request.target()[1..].parse().unwrap();
    chain.get(number + 1).map_or_else(|| ok("there"), |next| redirect(status, next))
}

impl Way {
    /// Whether it is a word to a proxy, of which there is none here.
    fn is_for_proxies(&self) -> bool {
        self.name == "proxy"
    }
}

#[test]
fn whatever_is_sent_along_stays_within_the_origin_and_never_comes_back() {
    let chains: [(&'static [&str], &[bool]); 9] = [
        (
            &["http://h.test/0", "http://o.test/1", "http://h.test/2", "/3"],
            &[true, false, false, false],
        ),
        (&["http://h.test/0", "http://h.test:81/1", "http://h.test/2"], &[true, false, false]),
        (&["http://h.test/0", "http://h.test:443/1", "http://h.test/2"], &[true, false, false]),
        (&["http://h.test/0", "http://sub.h.test/1", "//h.test/2"], &[true, false, false]),
        (&["http://h.test/0", "http://test/1", "//h.test/2"], &[true, false, false]),
        (&["http://h.test/0", "http://h.test./1", "//h.test/2"], &[true, false, false]),
        (&["http://h.test/0", "http://h.test@o.test/1"], &[true, false]),
        (&["http://h.test/0", "/1", "//o.test/2", "/3"], &[true, true, false, false]),
        (
            &[
                "http://h.test/0",
                "http://h.test:80/1",
                "HTTP://H.TEST/2",
                "http://%68.test/3",
                "http://other:pw@h.test/4",
                "//h.test:/5",
                "/\\h.test/6",
            ],
            &[true; 7],
        ),
    ];
    for way in WAYS {
        for (number, (chain, expected)) in chains.into_iter().enumerate() {
            let status = [301, 302, 303, 307, 308][number % 5];
            let server = Script::site(move |request| lead_on(chain, status, request));
            let address = server.address();
            let mut session = session(|config| {
                config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
                (way.session)(config);
            });
            let url = chain[0].replace("://", &format!("://{}", way.userinfo));
            session.request((way.request)(Request::get(url))).unwrap();
            let expected: Vec<bool> =
                expected.iter().map(|sent| *sent && !way.is_for_proxies()).collect();
            assert_eq!(show(&server.requests()), expected, "{}: {chain:?}", way.name);
            for request in server.requests() {
                assert!(!request.line().contains("s3cret"), "{}: {}", way.name, request.line());
            }
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_change_of_scheme_and_back_drops_whatever_is_sent_along() {
    use crate::support::tls::{Ca, Then, TlsServer};

    let ca = Ca::new();
    let chains: [(&'static [&str], [bool; 3]); 5] = [
        (
            &["https://localhost/0", "http://localhost/1", "https://localhost/2"],
            [true, false, false],
        ),
        (&["https://localhost/0", "/1", "//localhost:443/2"], [true; 3]),
        (&["https://localhost/0", "/1", "http://localhost/2"], [true, true, false]),
        (&["https://localhost/0", "http://localhost:443/1", "/2"], [true, false, false]),
        (&["http://localhost:443/0", "https://localhost/1", "/2"], [true, false, false]),
    ];
    for (chain, expected) in chains {
        let plain = Script::site(move |request| lead_on(chain, 307, request));
        let secure = TlsServer::answering(ca.good(), move |request| {
            Then::Keep.after(lead_on(chain, 307, request))
        });
        for way in WAYS {
            let (open, secured) = (plain.address(), secure.address());
            let before = (plain.requests().len(), secure.requests().len());
            let mut session = session(|config| {
                config.tls.add_root_pem(ca.pem());
                // Of one name and port, a look-up for each scheme: the schemes take turns.
                let schemes = chain.iter().filter_map(|url| url.split_once("://"));
                let mut schemes: Vec<_> = schemes.map(|(scheme, _)| scheme).collect();
                schemes.dedup();
                let schemes = Mutex::new(schemes.into_iter());
                config.dns_cache = None;
                config.resolver = Some(Arc::new(move |_: &str, _: u16| {
                    let secure = schemes.lock().unwrap().next() == Some("https");
                    Ok(vec![if secure { secured } else { open }])
                }));
                (way.session)(config);
            });
            let url = chain[0].replace("://", &format!("://{}", way.userinfo));
            session.request((way.request)(Request::get(url))).unwrap();
            let plain = plain.requests().split_off(before.0);
            let mut requests = secure.requests().split_off(before.1);
            requests.extend(plain);
            requests.sort_by_key(Recorded::target);
            let expected = expected.map(|sent| sent && !way.is_for_proxies());
            assert_eq!(show(&requests), expected, "{}: {chain:?}", way.name);
        }
    }
}

/// What is bound to an origin is for the jobs that go there, and not for whoever leads there.
#[test]
fn auth_that_is_bound_to_where_a_redirect_leads_does_not_go_along() {
    let (first, second) = two();
    let mut session = session(|config| {
        config.auth(Auth::bearer("s3cret").for_origin(second.origin()));
    });
    session.request(first.url("/go")).unwrap();
    session.request(second.url("/own")).unwrap();
    assert_eq!(shown(&second.requests()[0]), Vec::<String>::new());
    assert_eq!(shown(&second.requests()[1]), ["Bearer s3cret"]);
    assert_eq!(shown(&first.request()), Vec::<String>::new());
}
