//! `map`: a list in, two lists out.

use std::time::Duration;

use fetchpool::{ErrorKind, Outcome, Pool, Request};

use crate::farm::{Farm, refused, within};

#[test]
fn an_empty_list_gives_two_empty_lists() {
    let none: [Request; 0] = [];
    let (responses, exceptions) = fetchpool::map(none);
    assert_eq!((responses.len(), exceptions.len()), (0, 0));
    assert_eq!((responses.count(), exceptions.count()), (0, 0));
}

#[test]
fn one_request_gives_one_response() {
    let farm = Farm::new();
    let (mut responses, exceptions) = fetchpool::map([farm.url("/ok/7")]);
    assert_eq!((responses.len(), exceptions.len()), (1, 0));
    assert_eq!(responses.next().unwrap().text(), "7");
}

#[test]
fn one_bad_request_gives_one_exception() {
    let (responses, mut exceptions) = fetchpool::map(["no URL"]);
    assert_eq!((responses.len(), exceptions.len()), (0, 1));
    assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::InvalidUrl);
}

#[test]
fn a_thousand_requests_give_a_thousand_responses_in_the_order_of_the_list() {
    let farm = Farm::new();
    let urls: Vec<String> = (0..1000).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let (responses, exceptions) =
        within(Duration::from_secs(30), || Pool::builder().num_threads(8).map(urls));
    assert_eq!((responses.len(), exceptions.len()), (1000, 0));
    for (n, response) in responses.enumerate() {
        assert_eq!(response.index(), n as u64);
        assert_eq!(response.text(), n.to_string());
        assert_eq!(response.status(), 200);
    }
    assert!(farm.connections() <= 8, "{} connections for 8 threads", farm.connections());
}

#[test]
fn both_lists_keep_the_order_of_the_input_however_late_an_answer_comes() {
    let farm = Farm::new();
    let gone = refused();
    // Every job takes less time than the one before it.
    let requests: Vec<Request> = (0..20)
        .map(|n| match n % 2 {
            0 => Request::get(farm.url(&format!("/delay/{}/{n}", 60 - 3 * n))),
            _ => Request::get(format!("http://{gone}/{n}")),
        })
        .collect();
    let (responses, exceptions) = Pool::builder().num_threads(20).map(requests);
    let order: Vec<u64> = responses.map(|response| response.index()).collect();
    assert_eq!(order, (0..20).step_by(2).collect::<Vec<u64>>());
    let order: Vec<u64> = exceptions.map(|exception| exception.index()).collect();
    assert_eq!(order, (1..20).step_by(2).collect::<Vec<u64>>());
}

#[test]
fn the_two_lists_count_down_as_they_are_read() {
    let farm = Farm::new();
    let (mut responses, mut exceptions) =
        fetchpool::map([farm.url("/ok/1"), "bad one".into(), farm.url("/ok/2"), "bad two".into()]);
    assert_eq!((responses.len(), exceptions.len()), (2, 2));
    responses.next();
    exceptions.next();
    assert_eq!((responses.len(), exceptions.len()), (1, 1));
}

#[test]
fn text_and_parsed_urls_and_requests_are_all_jobs() {
    let farm = Farm::new();
    let text = farm.url("/ok/text");
    let parsed = url::Url::parse(&farm.url("/ok/parsed")).unwrap();
    let bodies = |(responses, exceptions): (fetchpool::Responses, fetchpool::Exceptions)| {
        assert_eq!(exceptions.len(), 0);
        responses.map(|response| response.text().into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(fetchpool::map([text.as_str()])), ["text"]);
    assert_eq!(bodies(fetchpool::map([&text])), ["text"]);
    assert_eq!(bodies(fetchpool::map([text])), ["text"]);
    assert_eq!(bodies(fetchpool::map([parsed])), ["parsed"]);
    assert_eq!(bodies(fetchpool::map([Request::post(farm.url("/ok/made"))])), ["made"]);
}

#[test]
fn a_list_may_be_any_iterator() {
    let farm = Farm::new();
    let numbers = (0..10).filter(|n| n % 3 == 0);
    let (responses, _) = fetchpool::map(numbers.map(|n| farm.url(&format!("/ok/{n}"))));
    let bodies: Vec<_> = responses.map(|response| response.text().into_owned()).collect();
    assert_eq!(bodies, ["0", "3", "6", "9"]);
}

#[test]
fn a_pool_that_cannot_start_gives_each_request_back_as_an_exception() {
    let (responses, exceptions) = Pool::builder().num_threads(0).map(["http://a.test/"; 5]);
    assert_eq!((responses.len(), exceptions.len()), (0, 5));
    for (n, exception) in exceptions.enumerate() {
        assert_eq!(exception.index(), n as u64);
        assert_eq!(exception.request().url(), "http://a.test/");
        assert_eq!(exception.kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn from_urls_gets_them_all() {
    let farm = Farm::new();
    let urls: Vec<String> = (0..10).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let pool = Pool::from_urls(urls).unwrap();
    let outcomes: Vec<Outcome> = pool.outcomes().collect();
    assert_eq!(outcomes.len(), 10);
    for outcome in outcomes {
        let index = outcome.index();
        assert_eq!(outcome.result().unwrap().text(), index.to_string());
    }
}
