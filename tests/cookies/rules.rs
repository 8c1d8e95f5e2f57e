//! Which cookie goes to which URL (RFC 6265 §5.1.3, §5.1.4, §5.3, §5.4): a table.

use super::*;

/// Lines that are set, by which URL; and what another URL is sent.
type Row = (&'static [&'static str], &'static str, &'static str, &'static str);

#[track_caller]
fn check(rows: &[Row]) {
    for (lines, from, to, expected) in rows {
        assert_eq!(sent(&filled(lines, from), to), *expected, "{lines:?} from {from} to {to}");
    }
}

#[test]
fn a_domain_is_the_host_or_one_above_it_and_goes_to_all_below() {
    check(&[
        // Host-only.
        (&["a=b"], "http://example.com/", "http://example.com/", "a=b"),
        (&["a=b"], "http://example.com/", "http://www.example.com/", ""),
        (&["a=b"], "http://www.example.com/", "http://example.com/", ""),
        (&["a=b"], "http://example.com/", "http://example.com:8080/", "a=b"),
        (&["a=b"], "http://example.com/", "https://example.com/", "a=b"),
        (&["a=b"], "http://EXAMPLE.com/", "http://example.COM/", "a=b"),
        // By Domain.
        (&["a=b; Domain=example.com"], "http://example.com/", "http://example.com/", "a=b"),
        (&["a=b; Domain=example.com"], "http://example.com/", "http://x.y.example.com/", "a=b"),
        (&["a=b; Domain=example.com"], "http://www.example.com/", "http://example.com/", "a=b"),
        (&["a=b; domain=.example.com"], "http://www.example.com/", "http://example.com/", "a=b"),
        (&["a=b; DOMAIN = Example.COM "], "http://x.example.com/", "http://example.com/", "a=b"),
        (
            &["a=b; Domain=b\u{fc}cher.example"],
            "http://b\u{fc}cher.example/",
            "http://www.b\u{fc}cher.example/",
            "a=b",
        ),
        (
            &["a=b; Domain=xn--bcher-kva.example"],
            "http://b\u{fc}cher.example/",
            "http://www.b\u{fc}cher.example/",
            "a=b",
        ),
        (
            &["a=b; Domain=\u{ff25}xample.com"],
            "http://example.com/",
            "http://www.example.com/",
            "a=b",
        ),
        // Not a domain of the host's.
        (&["a=b; Domain=www.example.com"], "http://example.com/", "http://www.example.com/", ""),
        (&["a=b; Domain=ample.com"], "http://example.com/", "http://ample.com/", ""),
        (&["a=b; Domain=other.com"], "http://example.com/", "http://other.com/", ""),
        (&["a=b; Domain=other.com"], "http://example.com/", "http://example.com/", ""),
        (&["a=b; Domain=example.com.evil.com"], "http://example.com/", "http://example.com/", ""),
        (&["a=b; Domain=example.com"], "http://evil-example.com/", "http://example.com/", ""),
        (&["a=b; Domain=*.example.com"], "http://www.example.com/", "http://www.example.com/", ""),
        (
            &["a=b; Domain=www.example.com, example.com"],
            "http://www.example.com/",
            "http://www.example.com/",
            "",
        ),
        (
            &["a=b; Domain=\"example.com\""],
            "http://www.example.com/",
            "http://www.example.com/",
            "",
        ),
        (
            &["a=b; Domain=http://example.com"],
            "http://www.example.com/",
            "http://www.example.com/",
            "",
        ),
        (&["a=b; Domain=example.com:80"], "http://www.example.com/", "http://www.example.com/", ""),
        (&["a=b; Domain=ex%61mple.com"], "http://example.com/", "http://example.com/", ""),
        // The last Domain counts, also an empty one: the host alone.
        (
            &["a=b; Domain=x.com; Domain=example.com"],
            "http://www.example.com/",
            "http://example.com/",
            "a=b",
        ),
        (
            &["a=b; Domain=example.com; Domain=x.com"],
            "http://www.example.com/",
            "http://www.example.com/",
            "",
        ),
        (
            &["a=b; Domain=example.com; Domain="],
            "http://www.example.com/",
            "http://www.example.com/",
            "a=b",
        ),
        (
            &["a=b; Domain=example.com; Domain="],
            "http://www.example.com/",
            "http://example.com/",
            "",
        ),
        (&["a=b; Domain"], "http://example.com/", "http://example.com/", "a=b"),
        (&["a=b; Domain="], "http://example.com/", "http://www.example.com/", ""),
    ]);
}

#[test]
fn a_domain_of_dots_is_not_every_domain() {
    for domain in [".", "..", "...", " . ", ".\u{3002}", "%2e", "\u{ff0e}"] {
        let line = &*format!("a=b; Domain={domain}");
        let jar = filled(&[line], "http://www.example.com/");
        let _ = jar.add(line, "http://www.example.com./");
        for other in
            ["http://example.com/", "http://other.com/", "http://com/", "http://a/", "http://a./"]
        {
            assert_eq!(sent(&jar, other), "", "{line} to {other}");
        }
    }
    check(&[
        (&["a=b; Domain=."], "http://example.com/", "http://example.com/", "a=b"),
        (&["a=b; Domain=..example.com"], "http://www.example.com/", "http://www.example.com/", ""),
        (
            &["a=b; Domain=.www..example.com"],
            "http://www.example.com/",
            "http://www.example.com/",
            "",
        ),
    ]);
}

#[test]
fn a_dot_at_the_end_makes_another_host_which_sets_for_itself_alone() {
    check(&[
        (&["a=b"], "http://example.com./", "http://example.com./", "a=b"),
        (&["a=b"], "http://example.com./", "http://example.com/", ""),
        (&["a=b"], "http://example.com/", "http://example.com./", ""),
        (&["a=b; Domain=example.com"], "http://example.com./", "http://example.com/", ""),
        (&["a=b; Domain=example.com."], "http://example.com/", "http://example.com/", ""),
        (&["a=b; Domain=example.com."], "http://example.com./", "http://example.com./", "a=b"),
        (&["a=b; Domain=example.com."], "http://example.com./", "http://www.example.com./", ""),
        (&["a=b; Domain=example.com."], "http://www.example.com./", "http://www.example.com./", ""),
        (&["a=b; Domain=com."], "http://example.com./", "http://other.com./", ""),
        (&["a=b; Domain=co.uk."], "http://example.co.uk./", "http://other.co.uk./", ""),
    ]);
}

#[test]
fn an_address_and_a_single_label_have_cookies_of_their_own_only() {
    check(&[
        (&["a=b"], "http://127.0.0.1:1/", "http://127.0.0.1:2/", "a=b"),
        (&["a=b; Domain=127.0.0.1"], "http://127.0.0.1/", "http://127.0.0.1/", "a=b"),
        (&["a=b; Domain=0.0.1"], "http://127.0.0.1/", "http://127.0.0.1/", ""),
        (&["a=b; Domain=.0.0.1"], "http://127.0.0.1/", "http://10.0.0.1/", ""),
        (&["a=b; Domain=1"], "http://127.0.0.1/", "http://127.0.0.1/", ""),
        (&["a=b"], "http://0x7f.1/", "http://127.0.0.1/", "a=b"),
        (&["a=b"], "http://127.0.0.1/", "http://x.127.0.0.1.example/", ""),
        (&["a=b"], "http://[::1]/", "http://[0:0:0:0:0:0:0:1]/", "a=b"),
        (&["a=b; Domain=[::1]"], "http://[::1]/", "http://[::1]:9/", "a=b"),
        (&["a=b; Domain=1]"], "http://[::1]/", "http://[::1]/", ""),
        (&["a=b"], "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "a=b"),
        (&["a=b"], "http://[::ffff:127.0.0.1]/", "http://127.0.0.1/", ""),
        (&["a=b"], "http://localhost/", "http://localhost/", "a=b"),
        (&["a=b; Domain=localhost"], "http://localhost/", "http://localhost/", "a=b"),
        (&["a=b; Domain=localhost"], "http://localhost/", "http://x.localhost/", ""),
        (&["a=b; Domain=localhost"], "http://x.localhost/", "http://x.localhost/", ""),
        (&["a=b; Domain=local"], "http://printer.local/", "http://nas.local/", ""),
        (&["a=b; Domain=com"], "http://com/", "http://example.com/", ""),
    ]);
}

#[test]
fn a_path_covers_itself_and_what_is_below() {
    check(&[
        // The default path: the URL's, up to its last slash.
        (&["a=b"], "http://e.com/", "http://e.com/x/y", "a=b"),
        (&["a=b"], "http://e.com/one", "http://e.com/other", "a=b"),
        (&["a=b"], "http://e.com/one/two", "http://e.com/one/", "a=b"),
        (&["a=b"], "http://e.com/one/two", "http://e.com/one", "a=b"),
        (&["a=b"], "http://e.com/one/two?a/b/c", "http://e.com/one?x", "a=b"),
        (&["a=b"], "http://e.com/one/two/", "http://e.com/one/two", "a=b"),
        (&["a=b"], "http://e.com/one/two/", "http://e.com/one/", ""),
        (&["a=b"], "http://e.com/one/two", "http://e.com/", ""),
        (&["a=b"], "http://e.com/one/two", "http://e.com/onetwo/x", ""),
        (&["a=b"], "http://e.com?/x/y", "http://e.com/", "a=b"),
        // By Path.
        (&["a=b; Path=/"], "http://e.com/one/two", "http://e.com/", "a=b"),
        (&["a=b; Path=/foo"], "http://e.com/", "http://e.com/foo", "a=b"),
        (&["a=b; Path=/foo"], "http://e.com/", "http://e.com/foo/", "a=b"),
        (&["a=b; Path=/foo"], "http://e.com/", "http://e.com/foo/bar", "a=b"),
        (&["a=b; Path=/foo"], "http://e.com/", "http://e.com/foo?bar", "a=b"),
        (&["a=b; Path=/foo"], "http://e.com/", "http://e.com/foobar", ""),
        (&["a=b; Path=/foo/"], "http://e.com/", "http://e.com/foo", ""),
        (&["a=b; Path=/foo/"], "http://e.com/", "http://e.com/foo/bar", "a=b"),
        (&["a=b; Path=/FOO"], "http://e.com/", "http://e.com/foo", ""),
        (&["a=b; Path=/foo"], "http://e.com/", "http://e.com/x/../foo/y", "a=b"),
        (&["a=b; Path=/foo"], "http://e.com/", "http://e.com/%66oo", ""),
        (&["a=b; Path=/f\u{f6}\u{f6}"], "http://e.com/", "http://e.com/f\u{f6}\u{f6}/x", ""),
        (&["a=b; Path=/a%20b"], "http://e.com/", "http://e.com/a b", "a=b"),
        (&["a=b; path = /foo ; secure=no"], "https://e.com/", "https://e.com/foo", "a=b"),
        // What does not begin with a slash is the default path; the last Path counts.
        (&["a=b; Path="], "http://e.com/one/two", "http://e.com/one", "a=b"),
        (&["a=b; Path="], "http://e.com/one/two", "http://e.com/", ""),
        (&["a=b; Path=foo"], "http://e.com/one/two", "http://e.com/one", "a=b"),
        (&["a=b; Path=\"/\""], "http://e.com/one/two", "http://e.com/", ""),
        (&["a=b; Path=http://e.com/"], "http://e.com/one/two", "http://e.com/", ""),
        (&["a=b; Path=/x; Path=/y"], "http://e.com/", "http://e.com/y", "a=b"),
        (&["a=b; Path=/x; Path=/y"], "http://e.com/", "http://e.com/x", ""),
        (&["a=b; Path=/x; Path="], "http://e.com/", "http://e.com/", "a=b"),
        // It need not be one of the URL.
        (&["a=b; Path=/elsewhere"], "http://e.com/one", "http://e.com/elsewhere", "a=b"),
    ]);
}

#[test]
fn names_and_values_stay_as_they_are_written() {
    check(&[
        (&["a=\"b c\""], "http://e.com/", "http://e.com/", "a=\"b c\""),
        (&["a=b=c"], "http://e.com/", "http://e.com/", "a=b=c"),
        (&["a="], "http://e.com/", "http://e.com/", "a="),
        (&[" a = b "], "http://e.com/", "http://e.com/", "a=b"),
        (&["a=b,c"], "http://e.com/", "http://e.com/", "a=b,c"),
        (&["a=%0d%0aX%3A%20y"], "http://e.com/", "http://e.com/", "a=%0d%0aX%3A%20y"),
        (&["a=\u{fc}\u{6f22}"], "http://e.com/", "http://e.com/", "a=\u{fc}\u{6f22}"),
        (&["a=\"b;c\""], "http://e.com/", "http://e.com/", "a=\"b"),
        (&["a b=c"], "http://e.com/", "http://e.com/", "a b=c"),
        (
            &["a=b; SameSite=Strict; Priority=High; Partitioned; x"],
            "http://e.com/",
            "http://e.com/",
            "a=b",
        ),
        (&["a=b; HttpOnly"], "http://e.com/", "http://e.com/", "a=b"),
        // One field is one cookie: a comma parts nothing.
        (&["a=b, c=d"], "http://e.com/", "http://e.com/", "a=b, c=d"),
        // Names are told apart by their letter case.
        (&["a=1", "A=2"], "http://e.com/", "http://e.com/", "a=1; A=2"),
        // Without a name it is none.
        (
            &["", "a", "=b", " = b", ";a=b", "; Path=/", "=__Host-x=y"],
            "http://e.com/",
            "http://e.com/",
            "",
        ),
    ]);
}

#[test]
fn longer_paths_come_first_and_else_those_that_were_there_first() {
    check(&[
        (
            &["a=1; Path=/", "b=2; Path=/x/y", "c=3; Path=/x", "d=4; Path=/x/y", "e=5; Path=/"],
            "http://e.com/",
            "http://e.com/x/y/z",
            "b=2; d=4; c=3; a=1; e=5",
        ),
        // The same cookie set again stays where it was.
        (&["a=1", "b=2", "a=3"], "http://e.com/", "http://e.com/", "a=3; b=2"),
        // Another path or domain is another cookie.
        (&["a=1; Path=/", "a=2; Path=/x"], "http://e.com/", "http://e.com/x", "a=2; a=1"),
        (&["a=1", "a=2; Domain=e.com"], "http://e.com/", "http://e.com/", "a=1; a=2"),
    ]);
}

#[test]
fn what_has_expired_is_not_sent_and_takes_its_like_out() {
    const PAST: &str = "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    check(&[
        (&["a=1; Max-Age=60"], "http://e.com/", "http://e.com/", "a=1"),
        (&["a=1; Max-Age=0"], "http://e.com/", "http://e.com/", ""),
        (&["a=1", "a=; Max-Age=0"], "http://e.com/", "http://e.com/", ""),
        (&["a=1", "a=; Max-Age=-5"], "http://e.com/", "http://e.com/", ""),
        (&["a=1", PAST], "http://e.com/", "http://e.com/", ""),
        (
            &["a=1", "a=; Expires=Thursday, 01-Jan-70 00:00:00 GMT"],
            "http://e.com/",
            "http://e.com/",
            "",
        ),
        (&["a=1", "a=; expires=thu jan  1 00:00:00 1970"], "http://e.com/", "http://e.com/", ""),
        (&["a=1", "a=; Expires=Mon, 1-Jan-1990 0:0:1"], "http://e.com/", "http://e.com/", ""),
        (&["a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT"], "http://e.com/", "http://e.com/", "a=1"),
        (&["a=1; Expires=Wed, 01-Jan-69 00:00:00 GMT"], "http://e.com/", "http://e.com/", "a=1"),
        (&["a=1; Expires=0"], "http://e.com/", "http://e.com/", "a=1"),
        (
            &["a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
            "http://e.com/",
            "http://e.com/",
            "a=1",
        ),
        (
            &["a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT; Max-Age=0"],
            "http://e.com/",
            "http://e.com/",
            "",
        ),
        // Not another's of the same name.
        (&["a=1; Path=/x", "a=; Max-Age=0; Path=/"], "http://e.com/", "http://e.com/x", "a=1"),
        (&["a=1; Domain=e.com", "a=; Max-Age=0"], "http://e.com/", "http://e.com/", "a=1"),
        // Back again it is new, and comes last.
        (&["a=1", "b=2", "a=; Max-Age=0", "a=3"], "http://e.com/", "http://e.com/", "b=2; a=3"),
    ]);
}

#[test]
fn a_jar_tells_what_it_knows_of_a_cookie() {
    let jar = CookieJar::new();
    jar.add(
        "id=x; Domain=Example.com; Path=/p; Secure; HttpOnly; Max-Age=60",
        "https://w.example.com/",
    )
    .unwrap();
    jar.add("plain=", "http://w.example.com/a/b").unwrap();
    let [id, plain] = &*jar.cookies() else { panic!("{jar:?}") };
    assert_eq!((id.name(), id.value(), id.domain(), id.path()), ("id", "x", "example.com", "/p"));
    assert!(id.secure() && id.http_only() && !id.host_only());
    let left = id.expires().unwrap().duration_since(std::time::SystemTime::now()).unwrap();
    assert!((50..=60).contains(&left.as_secs()), "{left:?}");
    assert_eq!((plain.value(), plain.domain(), plain.path()), ("", "w.example.com", "/a"));
    assert!(!plain.secure() && !plain.http_only() && plain.host_only());
    assert_eq!(plain.expires(), None);
    assert_eq!(jar.len(), 2);
}
