//! Every byte at every place of a request (S1, S10), and the bytes that a server gets of it: one
//! head and no more, whose request line, `Host` and fields are what a plain reading of the request
//! says; or nothing at all.

use super::*;
use crate::support::script::ok;
use fetchpool::{AddressPolicy, Auth, Headers, Phase};
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// A server that keeps the bytes of each request, and is found under every name.
pub(super) struct Raw {
    server: Server,
    took: Arc<Mutex<Vec<Vec<u8>>>>,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
}

impl Raw {
    pub(super) fn new() -> Self {
        let took = Arc::new(Mutex::new(Vec::new()));
        let server = Script::site({
            let took = Arc::clone(&took);
            move |request| {
                took.lock().unwrap_or_else(PoisonError::into_inner).push(request.raw.clone());
                ok("x")
            }
        });
        Self { server, took, asked: Arc::default() }
    }

    /// Settings that add nothing to a request.
    fn config(&self) -> SessionConfig {
        let mut config = SessionConfig::new();
        config.timeout = Some(PATIENCE);
        config.headers.remove("User-Agent");
        config.headers.remove("Accept");
        config.decompress = false;
        let address = self.server.address();
        config.address_policy = AddressPolicy::custom(move |asked| *asked == address);
        let asked = Arc::clone(&self.asked);
        config.dns_cache = None;
        config.resolver = Some(Arc::new(move |host: &str, port: u16| {
            asked.lock().unwrap_or_else(PoisonError::into_inner).push((host.to_owned(), port));
            Ok(vec![address])
        }));
        config
    }

    pub(super) fn session(&self) -> Session {
        Session::new(self.config()).expect("settings without a fault")
    }

    pub(super) fn took(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.took.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn asked(&self) -> Vec<(String, u16)> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// That the request is sent as these bytes, or else is refused before anybody hears of it.
    /// What is sent is sent twice: bytes behind the first head would spoil the second.
    fn check(&self, session: &mut Session, request: &Request, expected: Option<&str>) {
        let Some(expected) = expected else {
            let connections = self.server.connections();
            let error = session.request(request).expect_err("it must be refused");
            let kinds = [ErrorKind::InvalidUrl, ErrorKind::InvalidRequest];
            assert!(kinds.contains(&error.kind()), "{request:?}: {error}");
            assert_eq!(error.phase(), Some(Phase::Setup), "{request:?}: {error}");
            assert_eq!(self.server.connections(), connections, "{request:?}");
            assert!(self.took().is_empty() && self.asked().is_empty(), "{request:?}");
            return;
        };
        for reused in [false, true] {
            let (response, took) = self.sent(session, request);
            let shown = String::from_utf8_lossy(&took);
            assert!(took == expected.as_bytes(), "{request:?}:\n{shown}\nand not\n{expected}");
            assert!(response.timings().reused || !reused, "{request:?}");
        }
    }

    /// The response, and the bytes that the server took for one request.
    pub(super) fn sent(&self, session: &mut Session, request: &Request) -> (Response, Vec<u8>) {
        let response = session.request(request);
        let response = response.unwrap_or_else(|error| panic!("{request:?}: {error}"));
        let mut took = self.took();
        assert_eq!(took.len(), 1, "{request:?}");
        let took = took.remove(0);
        assert!(is_one_head(&took), "{request:?}: {}", String::from_utf8_lossy(&took));
        (response, took)
    }
}

/// A request line, fields and a blank line, by RFC 9112 §2.1, and not a byte that does not belong.
fn is_one_head(bytes: &[u8]) -> bool {
    let Some(head) = bytes.strip_suffix(b"\r\n\r\n") else { return false };
    let text: String = head.iter().map(|&byte| char::from(byte)).collect();
    let mut lines = text.split("\r\n");
    let words: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1"] = words[..] else { return false };
    let is_graphic = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let fields: Vec<_> = lines.map(|line| line.split_once(": ")).collect();
    let is_field = |(name, value): (&str, &str)| {
        name.bytes().all(is_token) && !name.is_empty() && !value.chars().any(ends_a_field)
    };
    let hosts = fields.iter().flatten().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    method.bytes().all(is_token)
        && is_graphic(target)
        && hosts.count() == 1
        && fields.iter().all(|field| field.is_some_and(is_field))
}

fn ends_a_field(c: char) -> bool {
    matches!(c, '\0'..='\x08' | '\n'..='\x1f' | '\x7f')
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What a value is sent as.
fn value(text: &str) -> Option<&str> {
    (!text.chars().any(ends_a_field)).then(|| text.trim_matches([' ', '\t']))
}

/// Every byte as a character, and the texts that have been an attack somewhere.
pub(super) fn pieces() -> impl Iterator<Item = String> {
    let sequences = [
        "\r\n",
        "\r\nX: y",
        "\n\nX",
        "\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil\r\n\r\n",
        " HTTP/1.1\r\nX: y\r\n\r\n",
        " HTTP/1.1",
        "\u{10d}\u{10a}X: y",
        "\u{560d}\u{560a}X: y",
        "\u{2028}",
        "\u{feff}",
        "\u{202e}",
        "\u{3002}",
        "\u{ff0e}",
        "\u{ff0f}",
        "\u{ff20}",
        "\u{ff1a}",
        "\u{1f600}",
        "\u{10ffff}",
        "%0d%0aX:%20y",
        "%0D%0A%0D%0A",
    ];
    (0..=255_u8).map(|byte| char::from(byte).to_string()).chain(sequences.map(str::to_owned))
}

/// The text with each piece before it, in it and behind it.
fn spoilt(text: &str) -> impl Iterator<Item = String> {
    let places = [0, text.len() / 2, text.len()];
    pieces().flat_map(move |piece| {
        places.map(|place| format!("{}{piece}{}", &text[..place], &text[place..]))
    })
}

/// The text with every byte in it, percent-encoded, in upper and lower case by turns.
fn escaped(text: &str) -> impl Iterator<Item = String> {
    let (start, end) = text.split_at(text.len() / 2);
    (0..=255_u8).map(move |byte| match byte % 2 {
        0 => format!("{start}%{byte:02x}{end}"),
        _ => format!("{start}%{byte:02X}{end}"),
    })
}

#[test]
fn every_byte_in_a_method() {
    let raw = Raw::new();
    let (mut session, url) = (raw.session(), raw.server.url("/p"));
    let host = raw.server.address();
    for method in spoilt("PROPFIND").chain([String::new()]) {
        let is_token = !method.is_empty() && method.bytes().all(is_token);
        let head = format!("{} /p HTTP/1.1\r\nHost: {host}\r\n\r\n", method.to_ascii_uppercase());
        let request = Request::new(&method, &url);
        raw.check(&mut session, &request, is_token.then_some(head.as_str()));
    }
}

#[test]
fn every_byte_in_the_name_of_a_field() {
    let raw = Raw::new();
    let (mut session, url) = (raw.session(), raw.server.url("/p"));
    let host = raw.server.address();
    for name in spoilt("X-Any").chain([String::new()]) {
        let is_token = !name.is_empty() && name.bytes().all(is_token);
        let head = format!("GET /p HTTP/1.1\r\nHost: {host}\r\n{name}: v\r\n\r\n");
        let request = Request::get(&url).header(&name, "v");
        raw.check(&mut session, &request, is_token.then_some(head.as_str()));
    }
}

#[test]
fn every_byte_in_the_value_of_a_field() {
    let raw = Raw::new();
    let (mut session, url) = (raw.session(), raw.server.url("/p"));
    let host = raw.server.address();
    let mut check = |name: &str, text: &str| {
        let head = value(text)
            .map(|value| format!("GET /p HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\n\r\n"));
        raw.check(&mut session, &Request::get(&url).header(name, text), head.as_deref());
    };
    spoilt("some text").chain([String::new()]).for_each(|text| check("X-Any", &text));
    for name in ["Cookie", "User-Agent", "Content-Type", "Authorization"] {
        pieces().for_each(|piece| check(name, &format!("a{piece}b")));
    }
}

#[test]
fn every_byte_in_what_a_session_sends_for_all_requests() {
    let raw = Raw::new();
    let (url, host) = (raw.server.url("/p"), raw.server.address());
    let with = |change: &dyn Fn(&mut SessionConfig), field: Option<String>| {
        let mut config = raw.config();
        change(&mut config);
        match (Session::new(config), field) {
            (Ok(mut session), field) => {
                let head = field
                    .map(|field| format!("GET /p HTTP/1.1\r\nHost: {host}\r\n{field}\r\n\r\n"));
                raw.check(&mut session, &Request::get(&url), head.as_deref());
            }
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}"),
            (Err(error), Some(field)) => panic!("{field}: {error}"),
        }
    };
    for piece in pieces() {
        let text = format!("a{piece}b");
        let name = text.bytes().all(is_token).then(|| format!("{text}: v"));
        with(&|config| _ = config.header(&text, "v"), name);
        let field = |name: &str| value(&text).map(|value| format!("{name}: {value}"));
        with(&|config| _ = config.header("X-Any", &text), field("X-Any"));
        let added = Headers::new().append("X-Any", &text).is_ok();
        assert_eq!(added, value(&text).is_some(), "{text:?}");
        with(&|config| _ = config.user_agent(&text), field("User-Agent"));
        with(
            &|config| _ = config.auth(Auth::bearer(&text)),
            value(&text).map(|value| format!("Authorization: Bearer {value}")),
        );
    }
}

/// The padded base64 text (RFC 4648 §4) as bytes.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=').bytes();
    let values = digits.map(|digit| DIGITS.iter().position(|&d| d == digit).expect("a digit"));
    let bits: Vec<bool> =
        values.flat_map(|value| (0..6).rev().map(move |bit| value >> bit & 1 == 1)).collect();
    let byte = |bits: &[bool]| bits.iter().fold(0_u8, |byte, &bit| byte << 1 | u8::from(bit));
    assert_eq!(text.len() % 4, 0, "{text}");
    bits.chunks_exact(8).map(byte).collect()
}

/// Undoes percent-encoding.
fn unescaped(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let escaped = digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2)));
        match escaped.filter(|_| bytes[at] == b'%') {
            Some((high, low)) => out.push((high * 16 + low) as u8),
            None => out.push(bytes[at]),
        }
        at += if bytes[at] == b'%' && escaped.is_some() { 3 } else { 1 };
    }
    out
}

#[test]
fn every_byte_in_credentials() {
    let raw = Raw::new();
    let (mut session, url) = (raw.session(), raw.server.url("/p"));
    let start = format!("GET /p HTTP/1.1\r\nHost: {}\r\nAuthorization: ", raw.server.address());
    for text in spoilt("abcd") {
        let bearer = format!("Bearer {text}");
        let bearer = value(&bearer).map(|value| format!("{start}{value}\r\n\r\n"));
        raw.check(&mut session, &Request::get(&url).bearer_auth(&text), bearer.as_deref());

        for (user, password) in [(text.as_str(), "pw"), ("user", text.as_str())] {
            let request = Request::get(&url).basic_auth(user, password);
            if user.contains(':') {
                raw.check(&mut session, &request, None);
                continue;
            }
            let (_, took) = raw.sent(&mut session, &request);
            let head = String::from_utf8(took).expect("base64 is text");
            let sent = head.strip_prefix(&format!("{start}Basic ")).expect("credentials");
            let sent = decoded(sent.strip_suffix("\r\n\r\n").expect("nothing else"));
            assert!(sent == format!("{user}:{password}").as_bytes(), "{user:?} {password:?}");
        }
    }
}

/// `application/x-www-form-urlencoded` by the WHATWG URL Standard §5.2.
fn form(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[test]
fn every_byte_in_parameters_and_forms() {
    let raw = Raw::new();
    let (mut session, url) = (raw.session(), raw.server.url("/p?own#f"));
    let host = raw.server.address();
    for text in pieces().map(|piece| format!("a{piece}b")) {
        let pairs = format!("{0}={0}", form(&text));
        let head = format!("GET /p?own&{pairs} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        raw.check(&mut session, &Request::get(&url).param(&text, &text), Some(&head));

        let request = Request::post(&url).form([(&text, &text)]);
        session.request(&request).unwrap();
        let took = raw.took();
        let expected = format!(
            "POST /p?own HTTP/1.1\r\nHost: {host}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{pairs}",
            pairs.len()
        );
        assert!(took == [expected.as_bytes()], "{text:?}: {took:?}");
    }
}

#[cfg(feature = "json")]
#[test]
fn every_byte_in_json() {
    let raw = Raw::new();
    let (mut session, host) = (raw.session(), raw.server.address());
    for text in pieces() {
        let pair = serde_json::json!({ &text: &text });
        session.request(Request::post(raw.server.url("/p")).json(&pair)).unwrap();
        let took = raw.took().remove(0);
        let body = serde_json::to_vec(&pair).unwrap();
        let head = format!(
            "POST /p HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        assert!(took == [head.as_bytes(), &body].concat(), "{text:?}");
        let row = serde_json::json!({"url": raw.server.url("/p"), "headers": {"X-Any": &text}});
        let sent = session.request(Request::from(row)).is_ok();
        assert_eq!((sent, raw.took().len()), (value(&text).is_some(), sent.into()));
    }
}

/// What a URL asks for, by the parse of the `url` crate: where to, and which bytes to send there.
/// `None` for one that is not to be sent.
struct Asked {
    host: String,
    port: u16,
    head: String,
    /// `user:password`.
    userinfo: Option<Vec<u8>>,
    /// A user with a colon cannot be told from one that is shorter (RFC 7617 §2).
    is_ambiguous: bool,
}

impl Asked {
    fn by(text: &str) -> Option<Self> {
        if text.chars().any(char::is_control) {
            return None;
        }
        let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()))?;
        let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let head = format!("GET {}{query} HTTP/1.1\r\nHost: {host}{port}\r\n", url.path());
        let userinfo = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let (user, password) = (url.username(), url.password().unwrap_or_default());
            [unescaped(user), b":".to_vec(), unescaped(password)].concat()
        });
        let is_ambiguous = unescaped(url.username()).contains(&b':');
        Some(Self { host, port: url.port_or_known_default()?, head, userinfo, is_ambiguous })
    }
}

/// That these URLs are sent as they parse, and asked for by the names that they parse to.
fn as_they_parse(urls: impl Iterator<Item = String>) {
    let raw = Raw::new();
    let mut session = raw.session();
    let (mut sent, mut refused) = (0, 0);
    let is_name = |url: &Url| matches!(url.host(), Some(url::Host::Domain(_)));
    // The server speaks no TLS, and addresses need no look-up to be sent to.
    let goes_here = |url: Url| url.scheme() != "https" && is_name(&url);
    for url in urls.filter(|url| Url::parse(url).map_or(true, goes_here)) {
        let request = Request::get(&url);
        let Some(asked) = Asked::by(&url).filter(|asked| !asked.is_ambiguous) else {
            refused += 1;
            raw.check(&mut session, &request, None);
            continue;
        };
        sent += 1;
        let (response, took) = raw.sent(&mut session, &request);
        let names = raw.asked();
        let first = if response.timings().reused { &[][..] } else { &[(asked.host, asked.port)] };
        assert_eq!(names, first, "{url:?}");
        let head = String::from_utf8(took.clone()).expect("ASCII");
        let rest = head.strip_prefix(&asked.head);
        let rest = rest.unwrap_or_else(|| panic!("{url:?}:\n{head}\nand not\n{}", asked.head));
        let credentials = rest.strip_prefix("Authorization: Basic ").map(|rest| {
            decoded(rest.strip_suffix("\r\n\r\n").expect("nothing behind the credentials"))
        });
        assert_eq!(credentials, asked.userinfo, "{url:?}");
        assert!(credentials.is_some() || rest == "\r\n", "{url:?}: {head}");
        // Bytes behind it would spoil this one.
        let (response, again) = raw.sent(&mut session, &request);
        assert!(response.timings().reused && took == again, "{url:?}");
    }
    assert!(sent > 10 && refused > 10, "{sent} were sent and {refused} refused");
}

#[test]
fn every_byte_in_a_scheme() {
    as_they_parse(
        spoilt("http").chain(escaped("http")).map(|scheme| format!("{scheme}://h.test/p")).chain(
            // So that there are some that can be sent.
            (0..200).map(|n| format!("http://h.test/{n}")),
        ),
    );
}

#[test]
fn every_byte_in_user_information() {
    let users = spoilt("user").chain(escaped("user"));
    let users = users.map(|user| format!("http://{user}:pw@h.test/p"));
    let passwords = pieces().chain(escaped(""));
    as_they_parse(users.chain(passwords.map(|text| format!("http://me:a{text}b@h.test/p"))));
}

#[test]
fn every_byte_in_a_host() {
    as_they_parse(
        spoilt("host.test").chain(escaped("host.test")).map(|host| format!("http://{host}/p")),
    );
}

#[test]
fn every_byte_in_a_port() {
    as_they_parse(
        spoilt("8080").chain(escaped("8080")).map(|port| format!("http://h.test:{port}/p")),
    );
}

#[test]
fn every_byte_in_a_path() {
    as_they_parse(
        spoilt("/some/path").chain(escaped("/path")).map(|path| format!("http://h.test{path}")),
    );
}

#[test]
fn every_byte_in_a_query() {
    as_they_parse(
        spoilt("?q=some").chain(escaped("?q=some")).map(|query| format!("http://h.test/p{query}")),
    );
}

#[test]
fn every_byte_in_a_fragment() {
    as_they_parse(
        spoilt("#part").chain(escaped("#part")).map(|part| format!("http://h.test/p?q{part}")),
    );
}
