//! One table: what a list means to curl, to Go, and here.
//!
//! curl's column was measured with curl 7.88.1; Go's is that of `golang.org/x/net/http/httpproxy`, by
//! its source. Where both do the same so is done here, unless the last column says why not.

use super::*;

const DIRECT: bool = true;
const PROXY: bool = false;

/// The list, the URL, curl, Go, here, and why where the three differ.
type Row = (&'static str, &'static str, bool, bool, bool, &'static str);

const COMPLETE: &str = "a final dot says only that a name is complete";
const DOT: &str = "as curl, Python and wget: what is inside is meant, and the domain itself is";
const BELOW: &str = "as Go: curl knows no wildcards but the one for everything";
const PORTS: &str = "as Go: curl knows no ports here, and such an entry matches nothing";
const SPACES: &str = "as curl: no host has a space in it";
const FORMS: &str = "the URL's host and the entry are the same address";
const V6: &str = "that is how a URL has an IPv6 address, and people copy it";
const LOCAL: &str = "as curl and Python: what is not in the list goes to the proxy";
const RULES: &str = "what is written is meant, and nothing else";

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // list, URL, curl, Go, here, why
    ("", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("*", "http://example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("example.com,*", "http://other.test/", PROXY, DIRECT, DIRECT, "as Go: curl wants it alone"),
    ("example.com", "http://example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("example.com", "http://www.example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("example.com", "http://a.b.example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("example.com", "http://notexample.com/", PROXY, PROXY, PROXY, ""),
    ("example.com", "http://example.com.evil.test/", PROXY, PROXY, PROXY, ""),
    ("example.com", "http://EXAMPLE.com/", DIRECT, DIRECT, DIRECT, ""),
    ("EXAMPLE.COM", "http://example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("example.com", "https://example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("example.com", "http://example.com:8080/", DIRECT, DIRECT, DIRECT, ""),
    ("example.com", "http://example.com./", DIRECT, PROXY, DIRECT, COMPLETE),
    ("example.com.", "http://example.com/", DIRECT, PROXY, DIRECT, COMPLETE),
    ("example.com.", "http://www.example.com./", DIRECT, DIRECT, DIRECT, ""),
    (".example.com", "http://example.com/", DIRECT, PROXY, DIRECT, DOT),
    (".example.com", "http://www.example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("*.example.com", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("*.example.com", "http://www.example.com/", PROXY, DIRECT, DIRECT, BELOW),
    ("*.example.com:80", "http://www.example.com/", PROXY, DIRECT, DIRECT, BELOW),
    ("www.example.com", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("com", "http://example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("..example.com", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("ex*mple.com", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("http://example.com", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("example.com/", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("u@example.com", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("example.com:80", "http://example.com/", PROXY, DIRECT, DIRECT, PORTS),
    ("example.com:443", "https://example.com/", PROXY, DIRECT, DIRECT, PORTS),
    ("example.com:80", "https://example.com/", PROXY, PROXY, PROXY, ""),
    ("example.com:80", "http://example.com:8080/", PROXY, PROXY, PROXY, ""),
    ("example.com:8080", "http://www.example.com:8080/", PROXY, DIRECT, DIRECT, PORTS),
    (".example.com:8080", "http://www.example.com:8080/", PROXY, DIRECT, DIRECT, PORTS),
    ("example.com:+80", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("other.test,example.com", "http://example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("other.test, example.com", "http://example.com/", DIRECT, DIRECT, DIRECT, ""),
    (" example.com ", "http://example.com/", DIRECT, DIRECT, DIRECT, ""),
    (",,example.com", "http://example.com/", DIRECT, DIRECT, DIRECT, ""),
    ("other.test example.com", "http://example.com/", DIRECT, PROXY, DIRECT, SPACES),
    ("b\u{fc}cher.example", "http://xn--bcher-kva.example/", PROXY, DIRECT, DIRECT, "as Go: the name is the same"),
    // Addresses
    ("192.0.2.1", "http://192.0.2.1/", DIRECT, DIRECT, DIRECT, ""),
    ("192.0.2.1", "http://192.0.2.11/", PROXY, PROXY, PROXY, ""),
    ("192.0.2.1:80", "http://192.0.2.1/", PROXY, DIRECT, DIRECT, PORTS),
    ("192.0.2.1:81", "http://192.0.2.1/", PROXY, PROXY, PROXY, ""),
    ("192.0.2.1", "http://0xc0000201/", DIRECT, PROXY, DIRECT, FORMS),
    ("192.0.2.1", "http://[::ffff:192.0.2.1]/", PROXY, DIRECT, DIRECT, FORMS),
    ("::ffff:192.0.2.1", "http://192.0.2.1/", PROXY, DIRECT, DIRECT, FORMS),
    ("192.0.2", "http://192.0.2.1/", PROXY, PROXY, PROXY, ""),
    ("2.1", "http://192.0.2.1/", PROXY, DIRECT, PROXY, "an address is in no domain"),
    ("192.0.2.*", "http://192.0.2.1/", PROXY, PROXY, PROXY, ""),
    ("192.0.2.1", "http://192.0.2.1.example/", PROXY, PROXY, PROXY, ""),
    ("2001:db8::1", "http://[2001:db8::1]/", DIRECT, DIRECT, DIRECT, ""),
    ("2001:DB8:0:0::1", "http://[2001:db8::1]/", PROXY, DIRECT, DIRECT, FORMS),
    ("[2001:db8::1]", "http://[2001:db8::1]/", PROXY, PROXY, DIRECT, V6),
    ("[2001:db8::1]:80", "http://[2001:db8::1]/", PROXY, DIRECT, DIRECT, PORTS),
    ("[2001:db8::1]:81", "http://[2001:db8::1]/", PROXY, PROXY, PROXY, ""),
    ("[192.0.2.1]", "http://192.0.2.1/", PROXY, PROXY, PROXY, ""),
    // Networks
    ("192.0.2.0/24", "http://192.0.2.200/", DIRECT, DIRECT, DIRECT, ""),
    ("192.0.2.77/24", "http://192.0.2.1/", DIRECT, DIRECT, DIRECT, ""),
    ("192.0.2.0/24", "http://192.0.3.1/", PROXY, PROXY, PROXY, ""),
    ("192.0.2.0/24", "http://[::ffff:192.0.2.1]/", PROXY, DIRECT, DIRECT, FORMS),
    ("192.0.2.0/24", "http://example.com/", PROXY, PROXY, PROXY, ""),
    ("0.0.0.0/0", "http://192.0.2.1/", PROXY, DIRECT, DIRECT, RULES),
    ("192.0.2.1/32", "http://192.0.2.1/", DIRECT, DIRECT, DIRECT, ""),
    ("192.0.2.0/33", "http://192.0.2.0/", PROXY, PROXY, PROXY, ""),
    ("192.0.2.0/", "http://192.0.2.0/", DIRECT, PROXY, PROXY, RULES),
    ("2001:db8::/32", "http://[2001:db8::1]/", PROXY, DIRECT, DIRECT, RULES),
    ("[2001:db8::]/32", "http://[2001:db8::1]/", PROXY, PROXY, DIRECT, V6),
    ("2001:db8::/32", "http://[2001:db9::1]/", PROXY, PROXY, PROXY, ""),
    ("::/0", "http://[2001:db8::1]/", PROXY, DIRECT, DIRECT, RULES),
    ("::/0", "http://192.0.2.1/", PROXY, PROXY, PROXY, ""),
    ("2001:db8::/129", "http://[2001:db8::]/", PROXY, PROXY, PROXY, ""),
    // This machine
    ("", "http://localhost/", PROXY, DIRECT, PROXY, LOCAL),
    ("", "http://127.0.0.1/", PROXY, DIRECT, PROXY, LOCAL),
    ("", "http://[::1]/", PROXY, DIRECT, PROXY, LOCAL),
    ("localhost", "http://localhost/", DIRECT, DIRECT, DIRECT, ""),
    ("localhost", "http://app.localhost/", DIRECT, DIRECT, DIRECT, ""),
    ("localhost", "http://127.0.0.1/", PROXY, DIRECT, PROXY, LOCAL),
];

#[test]
fn a_list_means_what_the_table_says_and_it_says_why_where_others_differ() {
    for &(list, url, curl, go, here, why) in TABLE {
        let mut no_proxy = NoProxy::default();
        no_proxy.add(list);
        let target = Target::parse(url).unwrap();
        assert_eq!(no_proxy.matches(&target), here, "{list:?} for {url}");
        let all_agree = curl == go && go == here;
        assert_eq!(why.is_empty(), all_agree, "{list:?} for {url}: {why}");
    }
}

#[test]
fn lists_add_up() {
    let mut no_proxy = NoProxy::default();
    no_proxy.add("a.test");
    no_proxy.add("b.test");
    for (url, direct) in
        [("http://a.test/", true), ("http://b.test/", true), ("http://c.test/", false)]
    {
        assert_eq!(no_proxy.matches(&Target::parse(url).unwrap()), direct);
    }
}
