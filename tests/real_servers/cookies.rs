//! Cookies as httpbin sets, reads and takes them back.

use std::collections::BTreeMap;

use fetchpool::{Response, Session};

use super::support::{config, open, setting};

fn session() -> Session {
    let mut config = config("cookies");
    config.cookie_store(true);
    open(config)
}

fn url(path: &str) -> String {
    setting("HTTPBIN") + path
}

/// What httpbin was sent.
fn told(response: &Response) -> BTreeMap<String, String> {
    let told: serde_json::Value = response.json().expect("JSON");
    serde_json::from_value(told["cookies"].clone()).expect("names and values")
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn cookies_set_on_a_redirect_are_sent_to_its_target_and_from_then_on_until_they_are_deleted() {
    let mut session = session();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let both = BTreeMap::from([pair("fruit", "apple"), pair("root", "beet")]);
    let mut get = |path: &str| told(&session.request(url(path)).expect("a response"));
    assert_eq!(get("/cookies/set?fruit=apple&root=beet"), both);
    assert_eq!(get("/cookies"), both);
    assert_eq!(get("/cookies/delete?fruit"), BTreeMap::from([pair("root", "beet")]));
    assert_eq!(get("/cookies/set/root/turnip"), BTreeMap::from([pair("root", "turnip")]));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn cookies_are_each_sessions_own_and_none_are_kept_unless_asked() {
    let mut first = session();
    first.request(url("/cookies/set?a=1")).expect("a response");
    let second = session().request(url("/cookies")).expect("a response");
    assert_eq!(told(&second), BTreeMap::new());
    let mut plain = open(config("cookies"));
    let after = plain.request(url("/cookies/set?a=1")).expect("a response");
    assert_eq!(told(&after), BTreeMap::new());
    // Another name for the same server is another host.
    let other = url("/cookies").replace("127.0.0.1", "localhost");
    assert_eq!(told(&first.request(other).expect("a response")), BTreeMap::new());
}
