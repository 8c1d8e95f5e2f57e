//! Which cookies are not taken, so that no server can speak for another.

use super::*;
use fetchpool::ErrorKind;

#[track_caller]
fn is_refused(line: &str, url: &str, why: &str) {
    let jar = CookieJar::new();
    let error = jar.add(line, url).expect_err(line);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{line:?}");
    assert!(error.message().contains(why), "{line:?}: {}", error.message());
    assert!(jar.is_empty(), "{line:?}");
}

#[test]
fn control_bytes_are_refused_wherever_they_are() {
    for byte in (0_u8..0x20).chain([0x7f]).map(char::from) {
        for line in [format!("a{byte}x=b"), format!("a=b{byte}c"), format!("a=b; Path=/{byte}x")] {
            is_refused(&line, "http://e.com/", "a control byte");
        }
        let line = format!("a=b; unknown={byte}x");
        assert_eq!(CookieJar::new().add(&line, "http://e.com/").is_ok(), byte == '\t');
    }
}

#[test]
fn a_domain_that_is_a_public_suffix_is_refused_unless_it_is_the_host() {
    for (domain, host) in [
        ("com", "example.com"),
        ("co.uk", "example.co.uk"),
        ("Co.UK", "example.co.uk"),
        (".co.uk", "example.co.uk"),
        ("com.au", "a.b.com.au"),
        ("or.jp", "x.or.jp"),
        ("internal", "wiki.internal"),
        #[cfg(feature = "public-suffix")]
        ("github.io", "a.github.io"),
        #[cfg(feature = "public-suffix")]
        ("xn--55qx5d.cn", "a.\u{516c}\u{53f8}.cn"),
        #[cfg(feature = "public-suffix")]
        ("b.kawasaki.jp", "a.b.kawasaki.jp"),
    ] {
        let line = format!("a=b; Domain={domain}");
        is_refused(&line, &format!("http://{host}/"), "a public suffix");
    }
    for host in ["co.uk", "com", "internal"] {
        let jar = CookieJar::new();
        jar.add(format!("a=b; Domain={host}"), format!("http://{host}/")).unwrap();
        assert!(jar.cookies()[0].host_only(), "{host}");
        assert_eq!(sent(&jar, &format!("http://{host}/")), "a=b");
        assert_eq!(sent(&jar, &format!("http://x.{host}/")), "", "{host}");
    }
}

#[test]
fn the_callers_own_public_suffixes_take_the_place_of_the_list() {
    let jar = CookieJar::with_public_suffixes(|domain| domain == "tenants.example.com");
    let add = |line: &str, url: &str| jar.add(line, url).is_ok();
    assert!(!add("a=1; Domain=TENANTS.example.com", "http://one.tenants.example.com/"));
    assert!(!add("a=1; Domain=tenants.example.com.", "http://one.tenants.example.com./"));
    assert!(!add("a=1; Domain=com", "http://example.com/"), "single labels, always");
    assert!(add("b=2; Domain=one.tenants.example.com", "http://one.tenants.example.com/"));
    assert!(add("c=3; Domain=co.uk", "http://a.co.uk/"), "the list is not asked");
    assert_eq!(sent(&jar, "http://x.one.tenants.example.com/"), "b=2");
    assert_eq!(sent(&jar, "http://two.tenants.example.com/"), "");
    assert_eq!(sent(&jar.copy(), "http://b.co.uk/"), "c=3");
    let copy = jar.copy();
    assert!(copy.add("a=1; Domain=tenants.example.com", "http://x.tenants.example.com/").is_err());
}

#[test]
fn secure_is_taken_from_https_only_on_loopback_too() {
    for host in ["e.com", "localhost", "127.0.0.1", "[::1]"] {
        is_refused("a=b; Secure", &format!("http://{host}/"), "Secure");
        is_refused("a=b; secure=false", &format!("http://{host}/"), "Secure");
        let jar = CookieJar::new();
        jar.add("a=b; Secure", format!("https://{host}/")).unwrap();
        assert_eq!(sent(&jar, &format!("https://{host}/")), "a=b");
        assert_eq!(sent(&jar, &format!("http://{host}/")), "", "{host}");
    }
}

#[test]
fn a_prefix_of_a_name_is_held_to_what_it_promises_in_any_letter_case() {
    let https = "https://www.e.com/";
    for (line, taken) in [
        ("__Secure-a=b; Secure", true),
        ("__Secure-a=b; Secure; Domain=e.com; Path=/x", true),
        ("__Secure-a=b", false),
        ("__SECURE-a=b", false),
        ("__Host-a=b; Secure; Path=/", true),
        ("__hOST-a=b; Secure; Path=/", true),
        ("__Host-a=b; Path=/", false),
        ("__Host-a=b; Secure", false),
        ("__Host-a=b; Secure; Path=/x", false),
        ("__Host-a=b; Secure; Path=/; Domain=e.com", false),
        ("__Host-a=b; Secure; Path=/; Domain=www.e.com", false),
        ("__host-a=b", false),
        ("\u{a0}__Host-a=b", false),
        ("\u{2003}__Secure-a=b", false),
        ("__Hostess=b", true),
    ] {
        let jar = CookieJar::new();
        assert_eq!(jar.add(line, https).is_ok(), taken, "{line}");
    }
    for line in ["__Secure-a=b", "__Host-a=b; Path=/", "__secure-a=b; Secure"] {
        assert!(CookieJar::new().add(line, "http://www.e.com/").is_err(), "{line}");
    }
}

#[test]
fn what_comes_over_http_takes_no_secure_cookies_place() {
    for (lines, over_http, kept) in [
        // The same, one that would be sent before it, one of the domain above, and of one below.
        ("s=1; Secure", "s=2", "s=1"),
        ("s=1; Secure; Path=/x", "s=2; Path=/x/y", "s=1"),
        ("s=1; Secure", "s=2; Domain=e.com", "s=1"),
        ("s=1; Secure; Domain=e.com", "s=2; Domain=www.e.com", "s=1"),
        ("s=1; Secure; Domain=e.com", "s=2", "s=1"),
        ("s=1; Secure", "s=; Max-Age=0", "s=1"),
        // One above its path cannot be taken for it; nor one of another name.
        ("s=1; Secure; Path=/x", "s=2; Path=/", "s=1; s=2"),
        ("s=1; Secure", "S=2", "s=1; S=2"),
        // Over https it may, and what is not Secure may anyhow.
        ("s=1", "s=2", "s=2"),
    ] {
        let jar = CookieJar::new();
        jar.add(lines, "https://www.e.com/").unwrap();
        let _ = jar.add(over_http, "http://www.e.com/");
        assert_eq!(sent(&jar, "https://www.e.com/x/y"), kept, "{lines}, then {over_http}");
    }
    let jar = filled(&["s=1; Secure", "s=2"], "https://www.e.com/");
    assert_eq!(sent(&jar, "http://www.e.com/"), "s=2");
    assert_eq!(sent(&filled(&["s=1; Secure"], "https://a.e.com/"), "https://b.e.com/"), "");
}

#[test]
fn a_refusal_says_why_and_shows_no_cookie() {
    let jar = CookieJar::new();
    for (line, url) in [
        ("hunter2", "http://e.com/"),
        ("=hunter2", "http://e.com/"),
        ("a=hunter2\u{7f}", "http://e.com/"),
        ("a=hunter2; Domain=other.com", "http://e.com/"),
        ("a=hunter2; Domain=com", "http://e.com/"),
        ("a=hunter2; Secure", "http://e.com/"),
        ("__Host-a=hunter2", "https://e.com/"),
    ] {
        let error = jar.add(line, url).unwrap_err();
        let shown = format!("{error} {error:?} {}", error.message());
        assert!(!shown.contains("hunter2") && shown.contains("the cookie is refused: "), "{shown}");
    }
    assert_eq!(jar.add("a=b", "no url").unwrap_err().kind(), ErrorKind::InvalidUrl);
    assert_eq!(jar.add("a=b", "ftp://e.com/").unwrap_err().kind(), ErrorKind::InvalidUrl);
    assert_eq!(jar.field_for("").unwrap_err().kind(), ErrorKind::InvalidUrl);
}
