//! The answer to a Digest challenge (RFC 7616 §3.4). Pure: terms, a login, a request and a random
//! number in; the value of `Authorization` out.

use std::fmt::Write as _;

use super::login::{Asked, Login};
use super::terms::{Protection, Terms};

/// The hash that stands for user and password (RFC 7616 §3.4.2): as good as the password itself,
/// within its realm.
pub(super) struct Key(String);

impl Key {
    pub(super) fn new(terms: &Terms, login: &Login, cnonce: &str) -> Self {
        let (user, password) = (login.user.as_bytes(), login.password.as_bytes());
        let key = terms.algorithm.hex(&[user, terms.realm.as_bytes(), password]);
        if !terms.session {
            return Self(key);
        }
        Self(terms.algorithm.hex(&[key.as_bytes(), terms.nonce.as_bytes(), cnonce.as_bytes()]))
    }
}

/// The field's value for the `count`-th request by this nonce. `None` if the body is to be hashed
/// and is not at hand.
pub(super) fn field(
    terms: &Terms,
    key: &Key,
    login: &Login,
    asked: &Asked<'_>,
    (count, cnonce): (u32, &str),
) -> Option<String> {
    let hash = |parts: &[&[u8]]| terms.algorithm.hex(parts);
    // What the request line has, to the byte.
    let uri = asked.target.path_and_query();
    let (method, nonce) = (asked.method.as_bytes(), terms.nonce.as_bytes());
    let what = match terms.protection {
        Protection::AuthInt => {
            let body = hash(&[asked.body?]);
            hash(&[method, uri.as_bytes(), body.as_bytes()])
        }
        Protection::Old | Protection::Auth => hash(&[method, uri.as_bytes()]),
    };
    let (key, what, count) = (key.0.as_bytes(), what.as_bytes(), format!("{count:08x}"));
    let response = match terms.protection.name() {
        Some(qop) => hash(&[key, nonce, count.as_bytes(), cnonce.as_bytes(), qop.as_bytes(), what]),
        None => hash(&[key, nonce, what]),
    };

    let mut value = String::from("Digest ");
    if terms.userhash {
        let user = hash(&[login.user.as_bytes(), terms.realm.as_bytes()]);
        quote(&mut value, "username", &user);
    } else if terms.utf8 && !login.user.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        value.push_str("username*=UTF-8''");
        percent_encode(&mut value, &login.user);
    } else {
        quote(&mut value, "username", &login.user);
    }
    for (name, text) in
        [("realm", &*terms.realm), ("uri", uri), ("nonce", &*terms.nonce), ("response", &*response)]
    {
        value.push_str(", ");
        quote(&mut value, name, text);
    }
    if terms.says_algorithm {
        let suffix = if terms.session { "-sess" } else { "" };
        value.push_str(&[", algorithm=", terms.algorithm.name(), suffix].concat());
    }
    if let Some(qop) = terms.protection.name() {
        value.push_str(&[", qop=", qop, ", nc=", &count, ", "].concat());
        quote(&mut value, "cnonce", cnonce);
    }
    if let Some(opaque) = &terms.opaque {
        value.push_str(", ");
        quote(&mut value, "opaque", opaque);
    }
    if terms.userhash {
        value.push_str(", userhash=true");
    }
    Some(value)
}

/// A parameter as a quoted string (RFC 9110 §5.6.4).
fn quote(out: &mut String, name: &str, text: &str) {
    out.push_str(name);
    out.push_str("=\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// The text as RFC 8187 §3.2.1 has it.
fn percent_encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Headers, Target};

    fn answer(challenge: &str, login: [&str; 2], asked: [&str; 3], cnonce: &str) -> String {
        let [method, url, body] = asked;
        let mut headers = Headers::new();
        headers.append("WWW-Authenticate", challenge).unwrap();
        let target = Target::parse(url).unwrap();
        let terms = Terms::strongest(&headers, &target, true).unwrap();
        let login = Login { user: login[0].into(), password: login[1].into() };
        let key = Key::new(&terms, &login, cnonce);
        let asked = Asked { method, target: &target, body: Some(body.as_bytes()) };
        field(&terms, &key, &login, &asked, (1, cnonce)).unwrap()
    }

    #[track_caller]
    fn has(value: &str, part: &str) {
        assert!(value.contains(part), "{part} in {value}");
    }

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_example_of_the_rfc_comes_out_by_md5_and_by_sha_256() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                 algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let value = answer(
                &challenge,
                ["Mufasa", "Circle of Life"],
                ["GET", "http://www.example.org/dir/index.html", ""],
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            );
            assert_eq!(
                value,
                format!(
                    "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
                     uri=\"/dir/index.html\", \
                     nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                     response=\"{response}\", algorithm={algorithm}, qop=auth, nc=00000001, \
                     cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", \
                     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
                )
            );
        }
    }

    /// The request of RFC 7616 §3.9.2. What is written there was computed by a SHA-512 that is cut
    /// off; this is of an independent implementation of SHA-512/256 (`hashlib`).
    #[test]
    fn a_user_that_is_hashed_comes_out_by_sha_512_256() {
        let value = answer(
            "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
             nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
             opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true",
            ["J\u{e4}s\u{f8}n Doe", "Secret, or not?"],
            ["GET", "http://api.example.org/doe.json", ""],
            "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm",
        );
        let user = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b";
        has(&value, &format!("Digest username=\"{user}\", realm"));
        let response = "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c";
        has(&value, &format!("response=\"{response}\""));
        has(&value, ", userhash=true");
    }

    /// RFC 2617 §3.5 without its qop: RFC 2069, with that one's erratum 749.
    #[test]
    fn the_old_form_has_neither_count_nor_cnonce() {
        let value = answer(
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
            ["Mufasa", "CircleOfLife"],
            ["GET", "http://www.nowhere.org/dir/index.html", ""],
            "x",
        );
        has(&value, "response=\"1949323746fe6a43ef61f9606e7febea\"");
        assert!(!["nc=", "cnonce", "qop", "algorithm"].iter().any(|part| value.contains(part)));
    }

    #[test]
    fn what_the_server_said_goes_back_with_its_quotes() {
        let value = answer(
            "Digest realm=\"a \\\"b\\\\ c\", nonce=\"n\\\"\", opaque=\"\", qop=auth",
            ["us\"er", "p"],
            ["GET", "http://h/x?a\\b=\"c\"", ""],
            "x",
        );
        has(&value, "username=\"us\\\"er\", realm=\"a \\\"b\\\\ c\", uri=\"/x?a\\\\b=%22c%22\"");
        has(&value, "nonce=\"n\\\"\"");
        has(&value, "opaque=\"\"");
    }

    #[test]
    fn a_user_that_is_not_ascii_is_encoded_where_the_server_can_read_it() {
        let asked = ["GET", "http://h/", ""];
        let of = |rest: &str, user: &str| {
            answer(&format!("Digest realm=r, nonce=n, qop=auth{rest}"), [user, "p"], asked, "x")
        };
        has(&of(", charset=\"UTF-8\"", "J\u{e4}s'*%"), "username*=UTF-8''J%C3%A4s%27%2A%25, realm");
        has(&of(", charset=UTF-8", "plain \"user"), "username=\"plain \\\"user\", realm");
        has(&of("", "J\u{e4}s"), "username=\"J\u{e4}s\"");
    }

    #[test]
    fn the_body_is_part_of_auth_int_and_the_nonce_of_a_sessions_key() {
        let response = |challenge: &str, body: &str| {
            let value = answer(challenge, ["u", "p"], ["POST", "http://h/", body], "c");
            value.split_once("response=\"").unwrap().1[..32].to_owned()
        };
        let of = |qop: &str, algorithm: &str, body: &str| {
            response(&format!("Digest realm=r,nonce=n,algorithm={algorithm},qop={qop}"), body)
        };
        // Of an independent implementation (`hashlib`).
        assert_eq!(of("auth-int", "MD5", "one"), "7bdc78aae5ad3a8f7386cf1cd0c5eaad");
        assert_ne!(of("auth-int", "MD5", "one"), of("auth-int", "MD5", "two"));
        assert_eq!(of("auth", "MD5", "one"), of("auth", "MD5", "two"));
        assert_eq!(of("auth", "md5-SESS", ""), "b466f8fd1774359f81ab16d20e6a2890");
    }
}
