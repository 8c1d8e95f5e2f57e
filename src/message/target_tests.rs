//! Tests of the parse of a URL.

use super::*;

fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

#[test]
fn host_field_and_request_target_come_from_the_one_parse() {
    for (text, authority, path) in [
        ("http://Example.COM", "example.com", "/"),
        ("http://example.com:80/a?b#c", "example.com", "/a?b"),
        ("https://example.com:80/", "example.com:80", "/"),
        ("http://[::1]:8080/x y?q=ü", "[::1]:8080", "/x%20y?q=%C3%BC"),
        ("http://user:pw@h/..//a/../b", "h", "//b"),
        ("http://good.example\\@evil.example/", "good.example", "/@evil.example/"),
        ("http://bücher.example/", "xn--bcher-kva.example", "/"),
        ("http://0x7f.1/", "127.0.0.1", "/"),
    ] {
        let target = target(text);
        assert_eq!((target.authority(), target.path_and_query()), (authority, path), "{text}");
    }
}

#[test]
fn what_a_proxy_is_told_has_neither_fragment_nor_user_information_and_always_a_port() {
    for (text, absolute, authority) in [
        ("http://u:p@H/a?b#c", "http://h/a?b", "h:80"),
        ("https://h", "https://h/", "h:443"),
        ("http://[::1]:81/?#", "http://[::1]:81/?", "[::1]:81"),
    ] {
        let target = target(text);
        assert_eq!(target.absolute(), absolute);
        assert_eq!(target.host_and_port(), authority);
    }
}

#[test]
fn a_url_that_cannot_be_sent_is_refused() {
    for text in [
        "",
        " ",
        "example.com/x",
        "/x",
        "http://",
        "http:///",
        "ftp://h/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://h:99999/",
        "http://a b/",
        "http://[::1%25eth0]/",
        "http://h/\r\nX: y",
        "http://h/a\tb",
        "http://h\0/",
        "http://a%2Fb/",
        "http://a%00b/",
    ] {
        assert!(Target::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn params_follow_the_urls_own_query() {
    let mut target = target("http://h/p?a=1#frag");
    target.add_params([("b c", "d&e"), ("é", "")]);
    assert_eq!(target.path_and_query(), "/p?a=1&b+c=d%26e&%C3%A9=");
    let mut plain = self::target("http://h/p");
    plain.add_params([]);
    assert_eq!(plain.path_and_query(), "/p");
}

#[test]
fn user_information_is_taken_out_and_decoded() {
    let target = target("http://us%40er:p%3Aw%zz%FF@h/");
    assert_eq!(target.userinfo(), Some((&b"us@er"[..], &b"p:w%zz\xff"[..])));
    assert_eq!(target.as_str(), "http://h/");
    assert!(!format!("{target:?}").contains("us"));
}

#[test]
fn a_location_is_resolved_keeps_the_fragment_and_loses_user_information() {
    let from = target("http://a/b/c?d#f");
    for (location, to) in [
        ("e", "http://a/b/e#f"),
        ("/e?x", "http://a/e?x#f"),
        ("//other:81/", "http://other:81/#f"),
        ("https://a/#g", "https://a/#g"),
        ("", "http://a/b/c?d#f"),
        ("http://u:p@a/", "http://a/#f"),
    ] {
        let joined = from.join(location).unwrap();
        assert_eq!((joined.as_str(), joined.userinfo()), (to, None), "{location}");
    }
    let from = target("http://u:p@a/");
    let own = Some((&b"u"[..], &b"p"[..]));
    assert_eq!(from.join("/b").unwrap().userinfo(), own);
    assert_eq!(from.join("http://x:y@a/b").unwrap().userinfo(), own);
    assert_eq!(from.join("http://u:p@b/").unwrap().userinfo(), None);
    for location in ["ftp://a/", "file:///etc/passwd", "data:,x", "http://", "\r\nx"] {
        assert!(from.join(location).is_err(), "{location}");
    }
}

#[test]
fn a_url_is_shown_without_what_may_be_a_password() {
    for text in [
        "http://user:hunter2@h/",
        "http://user:hun/ter2hunter2@h:bad/",
        "ftp://user:hunter2@h/",
        "user:hunter2@h",
    ] {
        assert!(!redact(text).contains("hunter2"), "{}", redact(text));
    }
    assert_eq!(redact("no\x1b[31mscheme"), "no\\u{1b}[31mscheme");
}
