//! How much a jar keeps, and what goes first.

use super::*;

/// One of many sites that have nothing in common.
fn site(number: usize) -> String {
    format!("https://site{number}.com/")
}

fn names(jar: &CookieJar) -> Vec<String> {
    jar.cookies().iter().map(|cookie| cookie.name().to_owned()).collect()
}

#[test]
fn name_and_value_have_at_most_4096_bytes() {
    let jar = CookieJar::new();
    let line = |length: usize| format!("name={}", "v".repeat(length - 4));
    assert!(jar.add(line(4096), "http://e.com/").is_ok());
    assert!(jar.add(line(4097), "http://e.com/").is_err());
    assert!(jar.add(format!("{}=", "n".repeat(4097)), "http://e.com/").is_err());
    assert_eq!(jar.len(), 1);
}

#[test]
fn a_site_has_at_most_180_whatever_its_hosts_and_the_least_used_goes_first() {
    let jar = CookieJar::new();
    for number in 0..CookieJar::MAX_SITE_COOKIES {
        jar.add(format!("c{number}=x"), format!("http://h{number}.e.com/")).unwrap();
    }
    jar.add("other=x", "http://other.com/").unwrap();
    // Used, the first is no longer the next to go.
    assert_eq!(sent(&jar, "http://h0.e.com/"), "c0=x");
    jar.add("new=x", "http://h.e.com/").unwrap();
    let names = names(&jar);
    assert_eq!(names.len(), CookieJar::MAX_SITE_COOKIES + 1);
    assert!(names.contains(&"c0".into()) && !names.contains(&"c1".into()), "{names:?}");
    assert!(names.contains(&"other".into()) && names.contains(&"new".into()));
}

#[test]
fn a_jar_has_at_most_3000_and_one_site_cannot_drive_out_the_others() {
    let jar = CookieJar::new();
    for number in 0..CookieJar::MAX_COOKIES {
        jar.add("c=x", site(number)).unwrap();
    }
    assert_eq!(jar.len(), CookieJar::MAX_COOKIES);
    // However many hosts the one site has.
    for number in 0..5000 {
        jar.add(format!("evil{number}=x"), format!("https://h{number}.evil.com/")).unwrap();
    }
    let kept = names(&jar);
    let evil = kept.iter().filter(|name| name.starts_with("evil")).count();
    assert!(kept.len() <= CookieJar::MAX_COOKIES);
    assert_eq!(evil, CookieJar::MAX_SITE_COOKIES);
    assert!(kept.len() - evil >= CookieJar::MAX_COOKIES * 8 / 10, "{}", kept.len());
    let newest = site(CookieJar::MAX_COOKIES - 1);
    assert_eq!(sent(&jar, &newest), "c=x", "the oldest went, and not the newest");
    assert_eq!(sent(&jar, &site(0)), "");
}

#[test]
fn a_jar_takes_at_most_a_mebibyte_and_a_site_a_sixteenth_of_it() {
    let jar = CookieJar::new();
    let value = "v".repeat(4000);
    for number in 0..CookieJar::MAX_SITE_COOKIES {
        jar.add(format!("c{number}={value}"), "https://big.com/").unwrap();
    }
    assert!((10..=16).contains(&jar.len()), "{}", jar.len());
    for number in 0..600 {
        jar.add(format!("c={value}"), site(number)).unwrap();
    }
    assert!(jar.len() * 4000 <= CookieJar::MAX_BYTES, "{}", jar.len());
    assert!(jar.len() * 4000 >= CookieJar::MAX_BYTES * 8 / 10, "{}", jar.len());
}

#[test]
fn the_field_stays_below_8190_bytes_and_has_at_most_150_cookies() {
    let jar = CookieJar::new();
    for name in ["a", "b", "c"] {
        jar.add(format!("{name}={}", "v".repeat(4000)), "https://e.com/").unwrap();
    }
    jar.add("small=x", "https://e.com/").unwrap();
    let field = sent(&jar, "https://e.com/");
    assert!(field.len() <= CookieJar::MAX_FIELD_BYTES, "{}", field.len());
    let names: Vec<&str> =
        field.split("; ").filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    assert_eq!(names, ["a", "b", "small"], "what does not fit is left out, the rest goes");
    let jar = CookieJar::new();
    for number in 0..CookieJar::MAX_SITE_COOKIES {
        jar.add(format!("c{number}=x"), "https://e.com/").unwrap();
    }
    let field = sent(&jar, "https://e.com/");
    assert_eq!(field.split("; ").count(), CookieJar::MAX_FIELD_COOKIES);
}

#[test]
fn of_one_response_fifty_are_read() {
    let lines: Vec<String> = (0..80).map(|number| format!("c{number}=x")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let server = Script::new().reply(setting(&lines)).serve();
    let jar = CookieJar::new();
    session(&jar).request(server.url("/")).unwrap();
    let kept = names(&jar);
    assert_eq!((kept.len(), &*kept[49]), (CookieJar::MAX_SET_COOKIES, "c49"));
}

#[test]
fn a_cookie_that_has_expired_when_it_comes_leaves_nothing_behind() {
    let jar = CookieJar::new();
    for number in 0..CookieJar::MAX_COOKIES * 2 {
        jar.add("c=; Max-Age=0", site(number)).unwrap();
    }
    assert!(jar.is_empty());
    assert_eq!(jar.to_netscape().lines().count(), 1);
}
