//! A digest stays home, and says no more than it must.

use fetchpool::{Auth, Request};

use super::guard::{counts, refusal, trusting};
use super::{session, shown, two};
use crate::support::script::{Recorded, Script, ok, redirect};

const CHALLENGE: &str = "Digest realm=r, nonce=n, qop=auth";

fn auth() -> Auth {
    Auth::digest("u", "s3cret")
}

#[test]
fn a_challenge_of_another_origin_is_never_answered() {
    for bound in [false, true] {
        let (first, second) = two(|_| refusal(&[CHALLENGE]));
        let mut session = session(|config| {
            config.auth(match bound {
                // It would go there, but not because somebody else leads there.
                true => auth().for_origin(second.origin()),
                false => auth(),
            });
        });
        let response = session.request(first.url("/go")).unwrap();
        assert_eq!((response.status(), response.history().len()), (401, 1));
        assert_eq!(shown(&second), [""], "bound: {bound}");
        assert_eq!(session.request(second.url("/own")).unwrap().status(), 401);
        assert_eq!(counts(&second), [0, 0, 1], "to its own URL it does");
    }
}

#[test]
fn what_one_origin_asked_for_is_not_given_to_another_nor_on_the_way_back() {
    use std::sync::{Arc, Mutex};

    let away = Arc::new(Mutex::new(String::new()));
    let first = Script::site({
        let away = Arc::clone(&away);
        move |request| match request.target().as_str() {
            "/back" => ok("back"),
            _ if request.header("authorization").is_none() => refusal(&[CHALLENGE]),
            _ => redirect(302, &away.lock().unwrap()),
        }
    });
    let home = first.url("/back");
    let second = Script::site(move |_| redirect(302, &home));
    *away.lock().unwrap() = second.url("/");
    let mut session = session(|config| {
        config.auth(auth());
    });
    assert_eq!(session.request(first.url("/")).unwrap().text(), "back");
    assert_eq!((counts(&first), shown(&second)), (vec![0, 1, 0], vec![String::new()]));
    assert_eq!(session.request(first.url("/")).unwrap().text(), "back");
    assert_eq!(counts(&first), [0, 1, 0, 2, 0], "for a job of its own it is known");
}

#[test]
fn it_goes_along_within_the_origin_and_not_beyond() {
    let leading = |request: &Recorded| match request.target().as_str() {
        _ if request.header("authorization").is_none() => refusal(&[CHALLENGE]),
        "/near" => redirect(302, "/there"),
        _ => ok("in"),
    };
    let server = Script::site(leading);
    let mut session = session(|config| {
        config.auth(auth());
    });
    let response = session.request(server.url("/near")).unwrap();
    assert_eq!((response.status(), response.history().len()), (200, 1));
    assert_eq!(counts(&server), [0, 1, 2]);
    // Another name of the same host is another origin.
    let other = server.url("/x").replace("127.0.0.1", "localhost");
    assert_eq!(session.request(other).unwrap().status(), 200);
    assert_eq!(counts(&server), [0, 1, 2, 0, 1]);
}

#[test]
fn where_it_is_bound_no_other_origin_is_answered() {
    let (a, b) = (trusting(CHALLENGE), trusting(CHALLENGE));
    let mut session = session(|config| {
        config.auth(auth().for_origin(a.origin()));
    });
    assert_eq!(session.request(a.url("/")).unwrap().status(), 200);
    assert_eq!(session.request(b.url("/")).unwrap().status(), 401);
    assert_eq!((counts(&a), shown(&b)), (vec![0, 1], vec![String::new()]));
}

#[test]
fn a_requests_own_credentials_come_first_and_are_not_replaced_by_a_digest() {
    let server = Script::site(|_| refusal(&[CHALLENGE]));
    let mut session = session(|config| {
        config.auth(auth()).header("Authorization", "Session default");
    });
    let url = server.url("/");
    for request in [
        Request::get(&url).header("Authorization", "Own scheme"),
        Request::get(&url).bearer_auth("t0ken"),
        Request::get(url.replace("://", "://ann:pw@")),
        Request::get(&url).without_header("Authorization"),
        Request::get(&url),
    ] {
        assert_eq!(session.request(request).unwrap().status(), 401);
    }
    let shown = shown(&server);
    assert_eq!(shown[..5], ["Own scheme", "Bearer t0ken", "Basic YW5uOnB3", "", ""]);
    assert!(shown.len() == 6 && shown[5].starts_with("Digest "), "{shown:?}");
}

#[test]
fn credentials_for_several_origins_each_go_to_their_own() {
    let (a, b) = (trusting(CHALLENGE), trusting(CHALLENGE));
    let c = trusting(CHALLENGE);
    let mut session = session(|config| {
        let auth = auth().for_origin(a.origin());
        let auth = auth.or(Auth::bearer("t0ken").for_origin(b.origin()));
        config.auth(auth.or(Auth::basic("u", "p").for_origin(c.origin())));
    });
    let d = trusting(CHALLENGE);
    for server in [&a, &b, &c, &d] {
        session.request(server.url("/")).unwrap();
    }
    assert_eq!(counts(&a), [0, 1]);
    assert_eq!((shown(&b), shown(&c)), (vec!["Bearer t0ken".into()], vec!["Basic dTpw".into()]));
    assert_eq!(shown(&d), [""]);
}
