//! No secret comes out: whatever becomes of a request, and wherever a secret was put in.
//!
//! Everything that the crate can be made to say is collected: what every public value says of
//! itself, every error and its sources, every line of the log, all that the program prints.

mod support;

#[cfg(feature = "cli")]
#[path = "secrets/program.rs"]
mod program;
#[path = "secrets/server.rs"]
mod server;

use std::error::Error as _;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fetchpool::{
    AddressPolicy, Auth, CancelToken, Error, ErrorKind, Headers, Netrc, Observed, Observer,
    Outcome, Pool, Request, Response, RetryPolicy, Session, SessionConfig, SessionThread, Signer,
};

use support::script::{PATIENCE, Script, Server, ok, reply};

/// Nobody would write this by chance.
const SECRET: &str = "Qx7-hunter2-Zz";

/// The forms in which it would still be one.
fn forms() -> Vec<String> {
    let mut forms = vec![
        SECRET.to_owned(),
        SECRET.to_ascii_lowercase(),
        SECRET.to_ascii_uppercase(),
        SECRET.replace('-', "%2D"),
        // The bytes, as a list shows them.
        SECRET.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "),
    ];
    // By base64 it has three forms, by what stands in front of it; the ends depend on neighbours.
    for before in ["", "a", "aa"] {
        let encoded = base64(format!("{before}{SECRET}").as_bytes());
        forms.push(encoded[4..encoded.len() - 4].to_owned());
    }
    forms
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |three: &[u8], n: usize| {
        let all = three.iter().fold(0_usize, |all, &byte| all << 8 | usize::from(byte));
        let all = all << (8 * (3 - three.len()));
        char::from(DIGITS[all >> (18 - 6 * n) & 63])
    };
    bytes.chunks(3).flat_map(|three| (0..4).map(move |n| digit(three, n))).collect()
}

/// All that was said, and where.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<(String, String)>>>);

impl Said {
    fn text(&self, what: &str, text: impl Into<String>) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.push((what.to_owned(), text.into()));
    }

    fn value(&self, what: &str, value: &impl Debug) {
        self.text(what, format!("{value:?}"));
        self.text(what, format!("{value:#?}"));
    }

    fn request(&self, request: &Request) {
        self.value("a request", request);
        self.value("its fields", request.headers());
        self.text("its URL", request.redacted_url());
    }

    fn response(&self, response: &Response) {
        self.value("a response", response);
        self.value("its fields", response.headers());
        self.value("its history", &response.history());
        self.value("its links", &response.links());
        self.value("its timings", response.timings());
        self.text("its URL", response.url());
        for hop in response.history() {
            self.value("a hop", hop);
            self.text("a hop's URL", hop.url());
        }
    }

    fn error(&self, error: &Error) {
        self.value("an error", error);
        self.text("an error", error.to_string());
        self.text("an error's message", error.message());
        self.text("an error's URL", error.url().unwrap_or_default());
        let mut source = error.source();
        while let Some(error) = source {
            self.value("a source", &error);
            self.text("a source", error.to_string());
            source = error.source();
        }
        if let Some(response) = error.response() {
            self.response(response);
        }
    }

    fn outcome(&self, outcome: &Outcome) {
        self.value("an outcome", outcome);
        self.request(outcome.request());
        match outcome {
            Outcome::Response(response) => self.response(response),
            Outcome::Exception(exception) => {
                self.text("an exception", exception.to_string());
                self.error(exception);
            }
        }
    }

    /// That there is something, and no secret in it.
    #[track_caller]
    fn holds_no_secret(&self) {
        #[cfg(feature = "log")]
        self.text("the log", logged::lines());
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!said.is_empty());
        let forms = forms();
        for (what, text) in said.iter() {
            if let Some(form) = forms.iter().find(|form| text.contains(*form)) {
                panic!("{what} holds {form:?}: {text}");
            }
        }
    }
}

/// Is told everything, and says what it was told.
impl Observer for Said {
    fn taken(&self, job: &Observed<'_>) {
        self.value("taken", job);
    }

    fn attempt(&self, job: &Observed<'_>, url: &str, number: u32) {
        self.value("an attempt", &(job, url, number));
    }

    fn dns(&self, job: &Observed<'_>, host: &str, addresses: &[SocketAddr], _: Duration) {
        self.value("a look-up", &(job, host, addresses));
    }

    fn head(&self, job: &Observed<'_>, status: u16, headers: &Headers) {
        self.value("a head", &(job, status, headers));
    }

    fn redirect(&self, job: &Observed<'_>, status: u16, to: &str) {
        self.value("a redirect", &(job, status, to));
    }

    fn retry(&self, job: &Observed<'_>, _: u32, _: Duration, because: Result<&Response, &Error>) {
        self.value("a retry", &(job, because));
    }

    fn outcome(&self, job: &Observed<'_>, result: Result<&Response, &Error>) {
        self.value("an outcome", &(job, result));
    }
}

#[cfg(feature = "log")]
mod logged {
    use std::sync::{Mutex, Once, PoisonError};

    static LINES: Mutex<String> = Mutex::new(String::new());

    struct Lines;

    impl log::Log for Lines {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
            *lines += &format!("{} {}\n", record.target(), record.args());
        }

        fn flush(&self) {}
    }

    /// Keeps every line of the process from now on, `rustls` and all.
    pub(crate) fn start() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            log::set_logger(&Lines).expect("the first logger");
            log::set_max_level(log::LevelFilter::Trace);
        });
    }

    pub(crate) fn lines() -> String {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn listening() -> Said {
    #[cfg(feature = "log")]
    logged::start();
    Said::default()
}

/// The same URL with user information.
fn private(url: &str) -> String {
    url.replacen("://", &format!("://ann:{SECRET}@"), 1)
}

/// A request with a secret at each place that has one.
fn requests(url: &str) -> Vec<Request> {
    let url = url.to_owned();
    vec![
        Request::get(private(&url)),
        Request::get(url.replacen("://", &format!("://{SECRET}@"), 1)),
        Request::get(url.replacen("://", &format!("://ann:{}@", SECRET.replace('-', "%2D")), 1)),
        Request::get(&*url).basic_auth("ann", SECRET),
        Request::get(&*url).basic_auth(SECRET, "x"),
        Request::get(&*url).bearer_auth(SECRET),
        Request::get(&*url).header("aUTHORIZATION", format!("Token {SECRET}")),
        Request::get(&*url).header("Cookie", format!("a=b; id={SECRET}")),
        Request::get(&*url).header("cOOKIE", SECRET),
        Request::get(&*url).header("PROXY-authorization", format!("Basic {SECRET}")),
        Request::post(&*url).body(SECRET),
        Request::post(&*url).form([("password", SECRET)]),
    ]
}

/// Settings with a secret at each place that has one.
fn settings() -> Vec<SessionConfig> {
    let with = |change: &dyn Fn(&mut SessionConfig)| {
        let mut config = SessionConfig::new();
        change(&mut config);
        config
    };
    vec![
        with(&|config| {
            config.header("Authorization", SECRET).header("COOKIE", SECRET);
            config.header("proxy-Authorization", SECRET);
        }),
        with(&|config| {
            config.auth(Auth::basic("ann", SECRET));
        }),
        with(&|config| {
            config.auth(Auth::bearer(SECRET));
        }),
        with(&|config| {
            config.auth(Auth::bearer(SECRET).for_origin(private("http://127.0.0.1/")));
        }),
        // What the servers set besides is a secret, too.
        #[cfg(feature = "cookies")]
        with(&|config| {
            let jar = fetchpool::CookieJar::new();
            jar.add(format!("id={SECRET}; HttpOnly"), private("http://127.0.0.1/")).unwrap();
            jar.add_netscape(format!("127.0.0.1\tFALSE\t/\tFALSE\t0\tb\t{SECRET}")).unwrap();
            config.cookies = fetchpool::Cookies::Own(jar);
        }),
        with(&|config| {
            let other = Auth::bearer(SECRET).for_origin("https://other.test");
            config.auth(other.or(Auth::basic(SECRET, SECRET)));
        }),
        with(&|config| {
            let text = format!("machine {HOST} login {SECRET} password {SECRET} default login x");
            config.netrc(Netrc::parse(&text).unwrap().danger_over_http(true));
        }),
        with(&|config| {
            config.signer(Signer::new(|request| {
                request.set_header("Authorization", format!("Signed {SECRET}"))?;
                Ok(request.set_header("cookie", SECRET)?)
            }));
        }),
        #[cfg(feature = "digest")]
        with(&|config| {
            config.auth(Auth::digest("ann", SECRET));
        }),
    ]
}

/// Where the servers are.
const HOST: &str = "127.0.0.1";

/// A way in which a request can end, and what makes it end so.
type Way = (Option<ErrorKind>, String, fn(&mut SessionConfig));

/// Servers that must live as long as they are asked, and the ways.
fn ways() -> (Vec<Server>, Vec<Way>) {
    let nothing: fn(&mut SessionConfig) = |_| {};
    let set_cookie = format!("Set-Cookie: id={SECRET}; HttpOnly\r\nsET-cOOKIE: {SECRET}\r\n");
    let away = format!("http://bob:{SECRET}@127.0.0.1:1/");
    let elsewhere = Script::site(|_| ok("elsewhere"));
    let hops = elsewhere.url("/there");
    let hop = move |status: u16, to: &str| {
        let fields =
            format!("Location: {to}\r\nSet-Cookie: {SECRET}\r\nLink: <{to}>; rel=next\r\n");
        reply(&format!("{status} Elsewhere"), &fields, "")
    };
    let fine = reply("200 OK", &set_cookie, SECRET);
    let private_hop = private(&hops);
    let site = move |request: &support::script::Recorded| match request.target().as_str() {
        "/fine" => fine.clone(),
        "/same" => hop(302, "/fine"),
        "/hop" => hop(302, &private_hop),
        "/gone" => hop(307, &away),
        "/ftp" => hop(302, &format!("ftp://bob:{SECRET}@host/")),
        "/bad" => hop(302, &format!("http://bob:{SECRET}@[bad/")),
        "/loop" => hop(302, "/loop"),
        "/status" => reply("404 No", &set_cookie, SECRET),
        "/large" => ok([b'x'; 2_000]),
        "/cookie" => reply("200 OK", &format!("Set-Cookie: id={SECRET}\x1b\r\n"), ""),
        "/space" => reply("200 OK", &format!("sET-Cookie : id={SECRET}\r\n"), ""),
        "/field" => reply("302 X", &format!("Location: http://bob:{SECRET}@h/\x1b\r\n"), ""),
        "/trailer" => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
            format!("{head}Set-Cookie: id={SECRET}\x1b\r\n\r\n").into_bytes()
        }
        "/garbage" => b"garbage\r\n\r\n".to_vec(),
        "/chunk" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        "/gzip" => reply("200 OK", "Content-Encoding: gzip\r\n", "no gzip"),
        "/cut" => b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec(),
        other => panic!("{other}"),
    };
    let site = Script::site(site);
    let silent = Script::new().repeat().serve();
    let at = |path: &str| site.url(path);
    let mut ways: Vec<Way> = vec![
        (None, at("/fine"), nothing),
        (None, at("/same"), nothing),
        (None, at("/hop"), nothing),
        (Some(ErrorKind::Connect), at("/gone"), nothing),
        (Some(ErrorKind::Redirect), at("/ftp"), nothing),
        (Some(ErrorKind::Redirect), at("/bad"), nothing),
        (Some(ErrorKind::TooManyRedirects), at("/loop"), |config| config.limits.redirects = 3),
        (Some(ErrorKind::Status), at("/status"), |config| config.http_status_as_error = true),
        (Some(ErrorKind::TooLarge), at("/large"), |config| config.limits.body_bytes = 1_000),
        (Some(ErrorKind::Protocol), at("/garbage"), nothing),
        (Some(ErrorKind::Protocol), at("/chunk"), nothing),
        (Some(ErrorKind::Protocol), at("/cookie"), nothing),
        (Some(ErrorKind::Protocol), at("/space"), nothing),
        (Some(ErrorKind::Protocol), at("/field"), nothing),
        (Some(ErrorKind::Protocol), at("/trailer"), nothing),
        (Some(ErrorKind::Closed), at("/cut"), nothing),
        (Some(ErrorKind::Connect), "http://127.0.0.1:1/".to_owned(), nothing),
        (Some(ErrorKind::Forbidden), at("/fine"), |config| {
            config.address_policy = AddressPolicy::PublicOnly;
        }),
        (Some(ErrorKind::Dns), "http://nowhere.test/".to_owned(), |config| {
            config.resolver = Some(Arc::new(|_: &str, _: u16| Err(io::ErrorKind::NotFound.into())));
        }),
        (Some(ErrorKind::Timeout), silent.url("/"), |config| {
            config.timeout = Some(Duration::from_millis(30));
        }),
        (Some(ErrorKind::InvalidUrl), "ftp://host/".to_owned(), nothing),
        (Some(ErrorKind::InvalidUrl), "http://[bad/".to_owned(), nothing),
    ];
    if cfg!(feature = "gzip") {
        ways.push((Some(ErrorKind::Decode), at("/gzip"), nothing));
    }
    (vec![elsewhere, site, silent], ways)
}

#[test]
fn a_secret_of_a_request_is_said_nowhere_whatever_becomes_of_it() {
    let said = listening();
    let (_servers, ways) = ways();
    for (kind, url, change) in &ways {
        let mut config = SessionConfig::new();
        config.timeout = Some(PATIENCE);
        config.observer = Some(Arc::new(said.clone()));
        change(&mut config);
        let pool = Pool::builder()
            .num_threads(12)
            .session(config)
            .observer(said.clone())
            .retry(RetryPolicy::new(1))
            .job_queue(requests(url));
        said.value("a builder", &pool);
        let pool = pool.build().unwrap();
        said.value("a pool", &pool);
        let mut count = 0;
        for outcome in pool.outcomes() {
            said.outcome(&outcome);
            let found = match &outcome {
                Outcome::Response(_) => None,
                Outcome::Exception(exception) => Some(exception.kind()),
            };
            assert_eq!(found, *kind, "{url}: {outcome:?}");
            count += 1;
        }
        said.value("stats", &pool.stats());
        assert_eq!(count, requests(url).len());
    }
    said.holds_no_secret();
}

#[test]
fn a_secret_of_a_session_is_said_nowhere_whatever_becomes_of_it() {
    let said = listening();
    let (servers, ways) = ways();
    for (kind, url, change) in &ways {
        for mut config in settings() {
            config.timeout = Some(PATIENCE);
            config.observer = Some(Arc::new(said.clone()));
            change(&mut config);
            said.value("settings", &config);
            let mut session = Session::new(config).unwrap();
            said.value("a session", &session);
            let result = session.request(&**url);
            assert_eq!(result.as_ref().err().map(Error::kind), *kind, "{url}: {result:?}");
            match result {
                Ok(response) => said.response(&response),
                Err(error) => said.error(&error),
            }
            said.value("a session afterwards", &session);
        }
    }
    said.holds_no_secret();
    // They did go out.
    let sent =
        servers[1].requests().iter().filter(|request| request.head().contains(SECRET)).count();
    assert!(sent > 20, "{sent}");
}

#[test]
#[cfg(feature = "digest")]
fn a_password_that_answers_a_challenge_is_said_nowhere() {
    let said = listening();
    let server = Script::site(|request| match request.header("authorization") {
        None => reply("401 No", "WWW-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n", ""),
        Some(_) => ok("in"),
    });
    let mut config = SessionConfig::new();
    config.auth(Auth::digest(SECRET, SECRET));
    config.observer = Some(Arc::new(said.clone()));
    let mut session = Session::new(config).unwrap();
    for _ in 0..2 {
        said.response(&session.request(server.url("/")).unwrap());
        said.value("a session", &session);
    }
    said.holds_no_secret();
    let sent = server.requests().into_iter().filter_map(|request| request.header("authorization"));
    assert_eq!(sent.filter(|value| value.contains(SECRET)).count(), 2, "the user, twice");
}

#[test]
fn a_signer_is_shown_no_secret_that_it_could_print_by_accident() {
    let said = listening();
    let server = Script::site(|_| ok("x"));
    let listener = said.clone();
    let mut config = SessionConfig::new();
    config.signer(Signer::new(move |request| {
        listener.value("what is to be signed", request);
        listener.text("its URL", request.url());
        listener.text("its target", request.target());
        request.set_header("Authorization", SECRET)?;
        let refused = request.set_header("X", format!("{SECRET}\n")).unwrap_err();
        listener.text("a field that was refused", refused.to_string());
        listener.value("what was signed", request);
        Ok(())
    }));
    let mut session = Session::new(config).unwrap();
    for request in requests(&server.url("/")) {
        said.response(&session.request(request).unwrap());
    }
    said.holds_no_secret();
}

#[test]
fn a_secret_of_a_netrc_is_said_nowhere_not_even_of_a_bad_one() {
    let said = listening();
    for text in [
        format!("machine h login ann password {SECRET} {SECRET}"),
        format!("machine h login an:n{SECRET}"),
        format!("machine h password \"{SECRET}"),
        format!("machine h password \"{SECRET}\\x\""),
        format!("machine h password \"{SECRET}\"{SECRET}"),
        format!("login {SECRET}"),
        SECRET.to_owned(),
    ] {
        said.error(&Netrc::parse(&text).unwrap_err());
    }
    let good = format!("machine h login ann password {SECRET} account {SECRET}\nmacdef {SECRET}\n");
    said.value("a netrc", &Netrc::parse(&(good + SECRET)).unwrap());
    said.holds_no_secret();
}

#[test]
fn a_secret_of_a_hook_is_said_nowhere() {
    let said = listening();
    let server = Script::site(|_| ok("x"));
    let builders = [
        Pool::builder().initializer(|session: &mut SessionConfig| {
            session.header("Authorization", SECRET);
        }),
        Pool::builder().initializer_with(SECRET.to_owned(), |session, secret| {
            session.header("Cookie", secret);
        }),
        Pool::builder().auth_generator(|session: &mut SessionConfig| {
            session.auth(Auth::basic("ann", SECRET));
        }),
        // A hook that panics, after it has set the secret.
        Pool::builder().initializer(|session: &mut SessionConfig| {
            session.auth(Auth::bearer(SECRET));
            assert!(session.headers.is_empty(), "a hook of the caller's");
        }),
        Pool::builder().auth_generator(|session: &mut SessionConfig| {
            session.header("Authorization", format!("{SECRET}\n"));
        }),
    ];
    for builder in builders {
        let builder = builder.num_threads(1).observer(said.clone()).job_queue([server.url("/")]);
        said.value("a builder", &builder);
        let pool = builder.build().unwrap();
        said.value("a pool", &pool);
        pool.outcomes().for_each(|outcome| said.outcome(&outcome));
    }
    said.holds_no_secret();
    assert_eq!(server.requests().len(), 3, "of five, two failed before they were sent");
}

#[test]
fn a_secret_of_a_job_that_is_not_begun_is_said_nowhere() {
    let said = listening();
    let silent = Script::new().repeat().serve();
    let token = CancelToken::new();
    token.cancel();
    said.value("a token", &token);
    for request in requests(&silent.url("/")) {
        let pool = Pool::builder()
            .num_threads(1)
            .cancel_token(&token)
            .observer(said.clone())
            .job_queue([request.clone(), request])
            .build()
            .unwrap();
        let unpulled = pool.cancel();
        pool.outcomes().for_each(|outcome| said.outcome(&outcome));
        said.value("what was not pulled", &unpulled);
    }
    said.holds_no_secret();
}

#[test]
fn a_secret_that_is_refused_is_said_nowhere() {
    let said = listening();
    #[cfg(feature = "cookies")]
    for line in [format!("id={SECRET}\x1b"), format!("id={SECRET}; Secure"), SECRET.to_owned()] {
        let jar = fetchpool::CookieJar::new();
        said.error(&jar.add(&line, private("http://h/")).unwrap_err());
        said.error(&jar.add(&line, private("http://h h/")).unwrap_err());
        said.error(&jar.add_netscape(&line).unwrap_err());
        said.value("a jar", &jar);
    }
    let url = "http://127.0.0.1:1/";
    for request in [
        Request::get(url).header("Authorization", format!("Bearer {SECRET}\r\n")),
        Request::get(url).header("Cookie", format!("{SECRET}\0")),
        Request::get(url).header("X-Key", format!("{SECRET}\x1b")),
        Request::get(url).bearer_auth(format!("{SECRET}\n")),
        Request::get(url).basic_auth("an:n", SECRET),
        Request::get(format!("http://ann:{SECRET}@ho st/")),
        Request::get(format!("http://ann:{SECRET}@host:99999/")),
        Request::get(format!("ann:{SECRET}@host/")),
        Request::get(format!("//ann:{SECRET}@host/")),
        Request::get(format!("http://ann:{SECRET}\n@host/")),
        Request::new("CONNECT", private(url)),
        Request::new("G T", private(url)),
        Request::get(private(url)).header("Host", "x"),
    ] {
        said.request(&request);
        let error = Session::default().request(request).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidUrl | ErrorKind::InvalidRequest),
            "{error}"
        );
        said.error(&error);
    }
    said.holds_no_secret();
}

#[test]
#[cfg(feature = "json")]
fn a_secret_of_a_json_object_is_said_nowhere() {
    use serde_json::json;
    let said = listening();
    let url = "http://127.0.0.1:1/";
    for object in [
        json!({"url": private(url)}),
        json!({"url": url, "headers": {"AUTHORIZATION": SECRET, "cookie": [SECRET, SECRET]}}),
        json!({"url": url, "headers": {"Authorization": format!("{SECRET}\n")}}),
        json!({"url": url, "headers": {"Authorization": {"token": SECRET}}}),
        json!({"url": url, "headers": format!("Authorization: {SECRET}")}),
        json!({"url": url, "headers": [["Authorization", SECRET]]}),
        json!({"url": url, "method": "POST", "json": {"password": SECRET}}),
        json!({"url": url, "method": "POST", "form": {"password": SECRET}}),
        json!({"url": url, "data": SECRET, "json": SECRET}),
        json!({"url": url, "timeout": SECRET}),
        json!({"url": {"host": SECRET}}),
        json!({"url": [private(url)]}),
        json!([private(url)]),
        json!(private("http://ho st:1/")),
    ] {
        let request = Request::from(object);
        said.request(&request);
        said.error(&Session::default().request(request).unwrap_err());
    }
    said.holds_no_secret();
}

#[test]
#[cfg(feature = "tls")]
fn a_secret_is_said_nowhere_when_tls_fails_or_holds() {
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use support::tls::{Ca, Identity, TlsServer};

    let said = listening();
    let ca = Ca::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let mut own = SessionConfig::new();
    own.tls.client_config(Arc::new(client));
    let mut ours = SessionConfig::new();
    ours.tls.add_root_pem(ca.pem());
    let mut known = ours.clone();
    known.tls.client_cert_pem(certificate.pem(), key.serialize_pem());
    for mut config in [own, ours, known] {
        config.observer = Some(Arc::new(said.clone()));
        said.value("settings", &config);
        said.value("settings of TLS", &config.tls);
        let mut session = Session::new(config).unwrap();
        for (shows, good) in
            [(ca.good(), true), (Identity::self_signed(), false), (ca.expired(), false)]
        {
            let server = TlsServer::start(shows);
            for request in requests(&server.url("/")) {
                let result = session.request(request);
                assert_eq!(result.is_ok(), good);
                match result {
                    Ok(response) => said.response(&response),
                    Err(error) => said.error(&error),
                }
            }
            said.value("a session", &session);
        }
    }
    said.holds_no_secret();
    // Of the key as much as of the rest: 24 of its bytes, as text of any kind.
    let said = said.0.lock().unwrap();
    let der = key.serialize_der();
    let list = der[40..64].iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let pem = base64(&der[39..63]);
    assert!(said.iter().all(|(_, text)| !text.contains(&list) && !text.contains(&pem)));
}

#[test]
fn a_thread_of_ones_own_says_no_secret() {
    let said = listening();
    let server = Script::site(|_| ok("x"));
    let (jobs, queue) = std::sync::mpsc::channel();
    for request in requests(&server.url("/")) {
        jobs.send(request).unwrap();
    }
    drop(jobs);
    let (responses, received) = std::sync::mpsc::channel();
    let (exceptions, failed) = std::sync::mpsc::channel();
    let queue = Arc::new(Mutex::new(queue));
    let thread = SessionThread::spawn(queue, responses, exceptions, |_: &mut SessionConfig| {});
    let thread = thread.unwrap();
    said.value("a thread", &thread);
    thread.join();
    for response in received {
        said.value("a response of a thread", &response);
    }
    for exception in failed {
        said.value("an exception of a thread", &exception);
    }
    said.holds_no_secret();
    assert_eq!(server.requests().len(), 12);
}

#[test]
fn what_counts_as_a_secret_would_be_found() {
    for text in [
        SECRET.to_owned(),
        base64(SECRET.as_bytes()),
        base64(format!("ann:{SECRET}").as_bytes()),
        base64(format!("a:{SECRET}\n").as_bytes()),
        base64(format!("{SECRET}:x").as_bytes()),
        format!("{:?}", SECRET.as_bytes()),
        format!("?x={}", SECRET.replace('-', "%2D")),
    ] {
        assert!(forms().iter().any(|form| text.contains(form)), "{text}");
    }
    assert_eq!(base64(b"ann:pw"), "YW5uOnB3");
}
