//! What time does to the cookies of a jar; the tests own the clock.

use super::jar::CookieJar;
use crate::message::Target;

const NOW: i64 = 1_795_651_200_000;

fn put(jar: &CookieJar, line: &str, at: i64) {
    let from = Target::parse("https://e.com/").unwrap();
    jar.put(line, &from, at).unwrap_or_else(|refusal| panic!("{line}: {refusal}"));
}

fn field(jar: &CookieJar, at: i64) -> String {
    let target = Target::parse("https://e.com/").unwrap();
    jar.field(&target, "", at).unwrap_or_default()
}

#[test]
fn a_cookie_ends_to_the_millisecond() {
    let jar = CookieJar::new();
    put(&jar, "age=1; Max-Age=10", NOW + 7);
    put(&jar, "date=2; Expires=Thu, 26 Nov 2026 00:00:10 GMT", NOW);
    put(&jar, "session=3", NOW);
    assert_eq!(field(&jar, NOW + 9_999), "age=1; date=2; session=3");
    assert_eq!(field(&jar, NOW + 10_000), "age=1; session=3");
    assert_eq!(field(&jar, NOW + 10_006), "age=1; session=3");
    assert_eq!(field(&jar, NOW + 10_007), "session=3");
    // A clock that was set back brings nothing to life that was let go.
    put(&jar, "new=4", NOW + 20_000);
    assert_eq!(field(&jar, NOW), "session=3; new=4");
}

#[test]
fn a_cookie_that_is_set_again_ends_when_the_new_one_says() {
    let jar = CookieJar::new();
    put(&jar, "a=1; Max-Age=10", NOW);
    put(&jar, "a=2; Max-Age=100", NOW + 5_000);
    assert_eq!(field(&jar, NOW + 50_000), "a=2");
    put(&jar, "a=3", NOW + 60_000);
    assert_eq!(field(&jar, i64::MAX), "a=3");
    put(&jar, "a=4; Max-Age=1", NOW + 60_000);
    assert_eq!(field(&jar, NOW + 61_000), "");
}

#[test]
fn what_has_expired_goes_first_then_the_least_used_and_secure_last() {
    let jar = CookieJar::new();
    put(&jar, "old-secure=x; Secure; Path=/s", NOW);
    put(&jar, "short=x; Max-Age=1", NOW);
    for number in 2..CookieJar::MAX_SITE_COOKIES {
        put(&jar, &format!("c{number}=x; Path=/c"), NOW);
    }
    let has = |name: &str| jar.to_netscape().contains(&format!("\t{name}\tx\n"));
    put(&jar, "one-more=x", NOW + 1_000);
    assert!(has("c2") && has("one-more"), "the one that had expired made room");
    put(&jar, "two-more=x", NOW + 1_000);
    assert!(!has("c2") && has("c3") && has("two-more") && has("old-secure"));
    assert_eq!(jar.len(), CookieJar::MAX_SITE_COOKIES);
    // Where all others are Secure, it is the new one that goes.
    let jar = CookieJar::new();
    for number in 0..CookieJar::MAX_SITE_COOKIES {
        put(&jar, &format!("c{number}=x; Secure"), NOW);
    }
    put(&jar, "new=x", NOW);
    assert!(!jar.to_netscape().contains("new") && jar.len() == CookieJar::MAX_SITE_COOKIES);
    put(&jar, "new=x; Secure", NOW);
    assert!(jar.to_netscape().contains("new") && !jar.to_netscape().contains("\tc0\t"));
}

#[test]
fn a_full_jar_lets_go_of_what_has_expired_before_anything_else() {
    let jar = CookieJar::new();
    let at = |number: usize| Target::parse(&format!("https://s{number}.com/")).unwrap();
    for number in 0..CookieJar::MAX_COOKIES {
        let line = if number % 2 == 0 { "a=x; Max-Age=1" } else { "a=x" };
        jar.put(line, &at(number), NOW).unwrap();
    }
    jar.put("a=x", &at(CookieJar::MAX_COOKIES), NOW + 1_000).unwrap();
    assert_eq!(jar.len(), CookieJar::MAX_COOKIES / 2 + 1);
    assert!(jar.field(&at(1), "", NOW).is_some(), "the oldest of those that last");
}
