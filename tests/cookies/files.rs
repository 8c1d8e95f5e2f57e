//! Cookies as text, in the form that curl and wget share.

use super::*;
use fetchpool::ErrorKind;

const FIRST: &str = "# Netscape HTTP Cookie File\n";

#[test]
fn what_is_written_reads_back_to_the_same() {
    let jar = CookieJar::new();
    for (line, url) in [
        ("host=1", "http://www.example.com/a/b"),
        ("site=\"2 2\"; Domain=example.com; Path=/", "http://www.example.com/"),
        ("secure=3; Secure; Max-Age=3600", "https://example.com/"),
        ("__Host-h=4; Secure; Path=/; HttpOnly", "https://example.com/"),
        ("http=5; HttpOnly; Expires=Fri, 31 Dec 9999 23:59:59 GMT", "http://example.com/"),
        ("empty=", "http://127.0.0.1/"),
        ("v6=7", "http://[::1]/"),
        ("dot=7", "http://.example.com/"),
        ("path=8", "http://example.com/x;y=z/w"),
        ("\u{fc}=\u{6f22}", "http://b\u{fc}cher.example/"),
    ] {
        jar.add(line, url).unwrap();
    }
    let text = jar.to_netscape();
    let again = CookieJar::new();
    assert_eq!(again.add_netscape(&text).unwrap(), 10, "{text}");
    assert_eq!(again.to_netscape(), text);
    for (one, two) in jar.cookies().iter().zip(again.cookies()) {
        let facts = |cookie: &fetchpool::Cookie| {
            let flags = [cookie.secure(), cookie.http_only(), cookie.host_only()];
            let texts = [cookie.name(), cookie.value(), cookie.domain(), cookie.path()];
            (texts.map(str::to_owned), flags, cookie.expires().is_some())
        };
        assert_eq!(facts(one), facts(&two));
    }
}

#[test]
fn the_columns_are_those_that_curl_writes() {
    let jar = CookieJar::new();
    jar.add("a=1; Domain=example.com; Path=/p; Secure", "https://www.example.com/").unwrap();
    jar.add("b=2; HttpOnly; Expires=Fri, 31 Dec 9999 23:59:59 GMT", "http://x.example.com/")
        .unwrap();
    let lines = ".example.com\tTRUE\t/p\tTRUE\t0\ta\t1\n\
                 #HttpOnly_x.example.com\tFALSE\t/\tFALSE\t253402300799\tb\t2\n";
    assert_eq!(jar.to_netscape(), format!("{FIRST}{lines}"));
}

#[test]
fn a_file_of_another_program_is_read() {
    let text = "# HTTP Cookie File\r\n# a comment\r\n\r\n  \r\n\
                .example.com\tTRUE\t/\tFALSE\t4102444800\tsub\tone\r\n\
                example.com\tTRUE\t/\tFALSE\t0\tsub2\ttwo\r\n\
                example.com\tFALSE\t/\tFALSE\t0\thost\tthree\r\n\
                #HttpOnly_.example.com\tTRUE\t/\tTRUE\t0\thttponly\tfour\r\n\
                example.com\tFALSE\t/\tFALSE\t0\tempty\r\n\
                example.com\tFALSE\t/\tFALSE\t1\texpired\tfive\r\n";
    let jar = CookieJar::new();
    assert_eq!(jar.add_netscape(text).unwrap(), 5);
    assert_eq!(sent(&jar, "http://www.example.com/"), "sub=one; sub2=two");
    assert_eq!(
        sent(&jar, "https://example.com/"),
        "sub=one; sub2=two; host=three; httponly=four; empty="
    );
}

#[test]
fn the_rules_hold_for_files_too() {
    let jar = CookieJar::new();
    let text = ".com\tTRUE\t/\tFALSE\t0\ta\t1\n\
                .CO.uk\tTRUE\t/\tFALSE\t0\tb\t2\n\
                example.com\tFALSE\t/\tFALSE\t0\t__Secure-c\t3\n\
                .example.com\tTRUE\t/\tTRUE\t0\t__Host-d\t4\n\
                example.com\tFALSE\t/\tFALSE\t0\te\t5\x1b[31m\n\
                127.0.0.1\tTRUE\t/\tFALSE\t0\tf\t6\n";
    assert_eq!(jar.add_netscape(text).unwrap(), 3);
    // Of a public suffix, and of an address, the host alone.
    assert_eq!(sent(&jar, "http://com/"), "a=1");
    assert_eq!(sent(&jar, "http://example.com/"), "");
    assert_eq!(sent(&jar, "http://co.uk/"), "b=2");
    assert_eq!(sent(&jar, "http://example.co.uk/"), "");
    assert_eq!(sent(&jar, "http://127.0.0.1/"), "f=6");
}

#[test]
fn a_line_of_another_form_is_told_by_its_number_and_nothing_is_taken() {
    let good = "example.com\tFALSE\t/\tFALSE\t0\tgood\t1\n";
    for (bad, why) in [
        ("a=hunter2", "columns"),
        ("example.com FALSE / FALSE 0 a hunter2", "columns"),
        ("example.com\tFALSE\t/\tFALSE\t0\ta\thunter2\tmore", "columns"),
        ("example.com\tno\t/\tFALSE\t0\ta\thunter2", "TRUE and FALSE"),
        ("example.com\tFALSE\t/\ttrue\t0\ta\thunter2", "TRUE and FALSE"),
        ("example.com\tFALSE\t/\tFALSE\tsoon\ta\thunter2", "seconds"),
        ("exa mple.com\tFALSE\t/\tFALSE\t0\ta\thunter2", "no host"),
        ("\tFALSE\t/\tFALSE\t0\ta\thunter2", "no host"),
        ("example.com\tFALSE\t/\tFALSE\t0\ta\thunter2; Domain=other.com", "no cookie can have"),
        ("example.com\tFALSE\t/\tFALSE\t0\ta=b\thunter2", "no cookie can have"),
    ] {
        let jar = CookieJar::new();
        let error = jar.add_netscape(format!("{FIRST}{good}{bad}\n")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        let message = error.message();
        assert!(message.contains("line 3") && message.contains(why), "{message}");
        assert!(!format!("{message} {error:?}").contains("hunter2"));
        assert!(jar.is_empty(), "{bad}");
    }
}
