//! What an engine is told of each job, and when.

use std::sync::Arc;
use std::time::Duration;

use fetchpool::{
    AckOn, CircuitBreaker, Claim, Claimed, Delivery, Depth, ErrorKind, JobQueue, MemoryQueue, Nack,
    Outcome, Politeness, Pool, QueueError, QueueOptions, Request, RetryPolicy, Settled,
};

use crate::farm::Farm;
use crate::script::{Script, ok};
use crate::unruly::Unruly;
use crate::{LIMIT, LONG, deliveries, pool_on, pool_with, queue_of, read};

#[test]
fn every_job_of_an_engine_has_one_outcome_and_is_acknowledged() {
    let farm = Farm::new();
    let urls: Vec<String> = (0..40).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let queue = queue_of(LONG, None, urls.clone());
    queue.close();
    let outcomes = read(pool_on(&queue).build().unwrap());
    let mut expected: Vec<(String, u32)> = urls.into_iter().map(|url| (url, 1)).collect();
    expected.sort();
    assert_eq!(deliveries(&outcomes), expected);
    for outcome in &outcomes {
        assert!(outcome.is_response());
        assert_eq!(outcome.delivery().unwrap().settled(), Some(Settled::Done));
    }
    assert_eq!(queue.depth(), Some(Depth::new(0, 0, 0)));
    assert_eq!((queue.count("ack"), farm.requests()), (40, 40));
}

#[test]
fn a_job_is_claimed_when_a_worker_is_free_for_it_and_not_before() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, (0..10).map(|n| farm.url(&format!("/gate/{n}"))));
    queue.close();
    let pool = pool_on(&queue).build().unwrap();
    farm.wait_at_gate(2);
    assert_eq!(queue.depth(), Some(Depth::new(8, 0, 2)));
    farm.open_gate();
    assert_eq!(read(pool).len(), 10);
}

#[test]
fn an_engine_that_answers_at_once_is_not_asked_ahead_either() {
    let farm = Farm::new();
    let queue = Arc::new(MemoryQueue::with_lease(LONG));
    let routes = (0..40).map(|n| if n < 20 { "/ok/1" } else { "/gate/1" });
    for url in routes.map(|route| farm.url(route)) {
        queue.submit(Request::get(url), None).unwrap();
    }
    queue.close();
    let options = QueueOptions::new();
    let pool = Pool::builder().num_threads(2).queue(Arc::clone(&queue), options).build().unwrap();
    farm.wait_at_gate(2);
    assert_eq!(queue.depth(), Some(Depth::new(18, 0, 2)));
    farm.open_gate();
    assert_eq!(read(pool).len(), 40);
}

#[test]
fn what_fails_comes_again_and_is_acknowledged_when_it_succeeds() {
    let farm = Farm::new();
    let url = farm.url("/series/once/0,0,200");
    let queue = queue_of(LONG, None, [url.clone()]);
    queue.close();
    // By one worker: the engine is told before the outcome is handed over, and another one could be
    // faster with the next delivery.
    let outcomes = read(pool_on(&queue).num_threads(1).build().unwrap());
    let got = |outcome: &Outcome| (outcome.is_response(), outcome.delivery().unwrap().number());
    let got: Vec<_> = outcomes.iter().map(got).collect();
    // On a fresh connection that was closed unanswered nothing is tried again by itself.
    assert_eq!(got, [(false, 1), (false, 2), (true, 3)]);
    assert_eq!((queue.count("retry"), queue.count("ack")), (2, 1));
}

#[test]
fn what_fails_too_often_is_a_dead_letter() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, [farm.url("/garbage")]);
    queue.close();
    let outcomes = read(pool_with(&queue, QueueOptions::new().max_deliveries(3)).build().unwrap());
    assert_eq!(outcomes.len(), 3);
    let dead = queue.dead_letters();
    assert_eq!((dead.len(), dead[0].deliveries()), (1, 3));
    assert!(dead[0].reason().contains("delivery 3: "), "{}", dead[0].reason());
}

#[test]
fn what_can_never_be_sent_is_a_dead_letter_at_once() {
    let queue = queue_of(LONG, None, ["no URL at all".to_owned()]);
    queue.close();
    let outcomes = read(pool_on(&queue).build().unwrap());
    assert_eq!(outcomes.len(), 1);
    assert_eq!((queue.dead_letters().len(), queue.count("dead: ")), (1, 1));
}

#[test]
fn a_failed_initializer_costs_no_job_a_delivery() {
    let queue = queue_of(LONG, None, ["http://h.invalid/".to_owned()]);
    let pool = pool_on(&queue)
        .initializer(|_: &mut fetchpool::SessionConfig| Err::<(), _>("no credentials"))
        .build()
        .unwrap();
    let outcome = pool.outcome_timeout(LIMIT).unwrap();
    assert_eq!(outcome.result().unwrap_err().kind(), ErrorKind::InvalidRequest);
    drop(pool);
    queue.wait_for("release", 1);
    assert_eq!(queue.count("dead") + queue.count("retry"), 0);
}

#[test]
fn what_a_circuit_breaker_holds_back_is_released_and_not_counted() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, [farm.url("/garbage"), farm.url("/ok/1")]);
    let breaker = CircuitBreaker::new(1).open_for(Duration::from_secs(60));
    let options = QueueOptions::new().max_deliveries(1).retry_after(Duration::from_secs(60));
    let pool = Pool::builder().num_threads(1).queue(Arc::clone(&queue), options);
    let pool = pool.politeness(Politeness::new().circuit_breaker(breaker)).build().unwrap();
    let kinds = [(); 2].map(|()| {
        let outcome = pool.outcome_timeout(LIMIT).unwrap();
        outcome.result().unwrap_err().kind()
    });
    assert_eq!(kinds, [ErrorKind::Protocol, ErrorKind::CircuitOpen]);
    assert_eq!((queue.count("release"), queue.dead_letters().len()), (1, 1));
    assert_eq!(queue.depth(), Some(Depth::new(0, 1, 0)));
}

#[test]
fn the_pools_own_retries_come_first_and_within_one_delivery() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, [farm.url("/series/busy/503,503,200?retry-after=0")]);
    queue.close();
    let outcomes = read(pool_on(&queue).retry(RetryPolicy::new(2)).build().unwrap());
    assert!(outcomes.len() == 1 && outcomes[0].is_response());
    assert_eq!((queue.count("claim"), queue.count("ack"), farm.requests()), (1, 1, 3));
}

#[test]
fn a_job_that_was_delivered_too_often_already_is_not_sent() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, [farm.url("/ok/1")]);
    queue.close();
    for _ in 0..5 {
        let Claimed::Job(job) = queue.claim(&Claim::new(LIMIT)).unwrap() else { panic!("no job") };
        queue.nack(job.ticket(), Nack::Retry { after: Duration::ZERO }).unwrap();
    }
    let outcomes = read(pool_on(&queue).build().unwrap());
    let Outcome::Exception(exception) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert!(exception.is_cancelled());
    assert!(exception.message().contains("delivered 6 times"), "{}", exception.message());
    assert_eq!((outcomes.len(), farm.requests(), queue.dead_letters().len()), (1, 0, 1));
}

#[test]
fn nothing_holds_back_a_job_that_was_delivered_too_often() {
    let farm = Farm::new();
    let queue = Arc::new(Unruly::new(LONG, None));
    let deliver = |url: &str, times: u32| {
        queue.submit(Request::get(farm.url(url)), None).unwrap();
        for _ in 0..times {
            let claimed = queue.claim(&Claim::new(LIMIT)).unwrap();
            let Claimed::Job(job) = claimed else { panic!("no job") };
            queue.nack(job.ticket(), Nack::Retry { after: Duration::ZERO }).unwrap();
        }
    };
    deliver("/ok/1", 5);
    queue.submit(Request::get(farm.url("/ok/2")), None).unwrap();
    queue.submit(Request::get(farm.url("/ok/3")), None).unwrap();
    // Of those to this origin the second would wait a quarter of an hour.
    let pool = pool_on(&queue).politeness(Politeness::new().rate(0.001)).build().unwrap();
    let first = pool.outcome_timeout(LIMIT).unwrap();
    let second = pool.outcome_timeout(LIMIT).unwrap();
    let sent = [first, second].iter().filter(|outcome| outcome.is_response()).count();
    assert_eq!((sent, farm.requests(), queue.dead_letters().len()), (1, 1, 1));
}

#[test]
fn the_key_is_sent_where_it_is_asked_for_and_the_request_has_none() {
    let server = Script::site(|_| ok("ok"));
    let keys = |options: QueueOptions| {
        let before = server.requests().len();
        let queue = Arc::new(Unruly::new(LONG, None));
        queue.submit(Request::post(server.url("/")), Some("k-1")).unwrap();
        let own = Request::post(server.url("/")).header("Idempotency-Key", "own");
        queue.submit(own, Some("k-2")).unwrap();
        queue.close();
        read(pool_with(&queue, options).num_threads(1).build().unwrap());
        let sent = server.requests().split_off(before);
        sent.iter().map(|request| request.headers("idempotency-key")).collect::<Vec<_>>()
    };
    assert_eq!(keys(QueueOptions::new()), [vec![], vec!["own".to_owned()]]);
    let sent = keys(QueueOptions::new().send_idempotency_key(true));
    assert_eq!(sent, [["k-1"], ["own"]]);
}

#[test]
fn a_post_without_a_key_that_a_server_may_have_had_is_not_given_back() {
    let told = |options: QueueOptions| {
        let server = Script::new().request().close().accept().reply(ok("ok")).serve();
        let queue = Arc::new(Unruly::new(LONG, None));
        queue.submit(Request::post(server.url("/")), Some("k")).unwrap();
        queue.close();
        let outcomes = read(pool_with(&queue, options).num_threads(1).build().unwrap());
        assert!(!outcomes[0].is_response());
        (outcomes.len(), queue.count("dead: it cannot be repeated"), queue.count("retry"))
    };
    assert_eq!(told(QueueOptions::new()), (1, 1, 0));
    assert_eq!(told(QueueOptions::new().allow_unsafe_redelivery(true)), (2, 0, 1));
    assert_eq!(told(QueueOptions::new().send_idempotency_key(true)), (2, 0, 1));
}

#[test]
fn a_post_that_a_server_had_in_an_earlier_try_is_not_given_back_either() {
    let farm = Farm::new();
    let queue = Arc::new(Unruly::new(LONG, None));
    let url = farm.url("/status/503/1?retry-after=20");
    queue.submit(Request::post(url), Some("k")).unwrap();
    let pool = pool_on(&queue).retry(RetryPolicy::new(1).retry_unsafe(true)).build().unwrap();
    while pool.stats().delayed < 1 {
        std::thread::yield_now();
    }
    // It ends as it waits, with nothing on its way.
    drop(pool.cancel());
    assert_eq!(read(pool).len(), 1);
    assert_eq!((queue.count("dead: it cannot be repeated"), queue.count("retry")), (1, 0));
}

#[test]
fn a_post_that_no_server_has_had_is_given_back() {
    let queue = Arc::new(Unruly::new(LONG, None));
    let nobody = format!("http://{}/", crate::farm::refused());
    queue.submit(Request::post(nobody), Some("k")).unwrap();
    queue.close();
    let options = QueueOptions::new().max_deliveries(2);
    let outcomes = read(pool_with(&queue, options).build().unwrap());
    assert_eq!((outcomes.len(), queue.count("retry"), queue.count("dead: delivery 2")), (2, 1, 1));
}

#[test]
fn with_ack_on_delivered_the_engine_is_told_when_the_outcome_is_read() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, (0..3).map(|n| farm.url(&format!("/ok/{n}"))));
    queue.close();
    let options = QueueOptions::new().ack_on(AckOn::Delivered);
    let pool = pool_with(&queue, options).build().unwrap();
    // They are all done, and none is settled.
    farm_has(&farm, 3);
    while pool.stats().buffered < 3 {
        std::thread::yield_now();
    }
    assert_eq!(queue.depth(), Some(Depth::new(0, 0, 3)));
    for left in (0..3).rev() {
        let outcome = pool.outcome_timeout(LIMIT).unwrap();
        assert_eq!(outcome.delivery().unwrap().settled(), Some(Settled::Done));
        assert_eq!(queue.depth(), Some(Depth::new(0, 0, left)));
    }
    assert_eq!(read(pool).len(), 0);
}

/// Waits until the server has had so many requests.
fn farm_has(farm: &Farm, requests: usize) {
    while farm.requests() < requests {
        std::thread::yield_now();
    }
}

#[test]
fn with_ack_on_consumer_the_caller_settles() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, (0..3).map(|n| farm.url(&format!("/ok/{n}"))));
    let options = QueueOptions::new().ack_on(AckOn::Consumer);
    let pool = pool_with(&queue, options).num_threads(1).build().unwrap();
    let next = || {
        let outcome = pool.outcome_timeout(LIMIT).unwrap();
        assert_eq!(outcome.delivery().unwrap().settled(), None);
        outcome
    };
    let (first, second, third) = (next(), next(), next());
    let settle = |outcome: &Outcome, how: fn(&Delivery) -> Result<Settled, QueueError>| {
        let delivery = outcome.delivery().unwrap();
        assert_eq!(how(delivery).unwrap(), Settled::Done);
        assert_eq!(delivery.settled(), Some(Settled::Done));
        assert_eq!(delivery.ack().unwrap(), Settled::AlreadySettled);
    };
    settle(&first, Delivery::ack);
    settle(&second, |delivery| delivery.give_back(Duration::from_secs(60)));
    settle(&third, |delivery| delivery.dead_letter("no use"));
    assert_eq!(queue.depth(), Some(Depth::new(0, 1, 0)));
    assert_eq!(queue.dead_letters()[0].reason(), "no use");
}

#[test]
fn a_delivery_that_its_consumer_drops_is_left_to_its_lease_and_comes_again() {
    let farm = Farm::new();
    let queue = queue_of(Duration::from_millis(400), None, [farm.url("/ok/1")]);
    queue.close();
    let options = QueueOptions::new().ack_on(AckOn::Consumer);
    let pool = pool_with(&queue, options).build().unwrap();
    let first = pool.outcome_timeout(LIMIT).unwrap();
    drop(first);
    let second = pool.outcome_timeout(LIMIT).unwrap();
    assert_eq!(second.delivery().unwrap().number(), 2);
    assert_eq!(second.delivery().unwrap().ack().unwrap(), Settled::Done);
    // Nothing was said of the first one.
    assert_eq!((queue.count("ack"), queue.count("retry"), queue.count("release")), (1, 0, 0));
}

#[test]
fn a_consumer_may_keep_a_delivery_longer_than_the_pool_and_its_lease_is_kept() {
    let farm = Farm::new();
    let queue = queue_of(Duration::from_millis(900), None, [farm.url("/ok/1")]);
    queue.close();
    let options = QueueOptions::new().ack_on(AckOn::Consumer);
    let pool = pool_with(&queue, options).build().unwrap();
    let delivery = pool.outcome_timeout(LIMIT).unwrap().take_delivery().unwrap();
    drop(pool);
    // More thirds than a lease has.
    queue.wait_for("extend", queue.count("extend") + 5);
    assert_eq!(delivery.ack().unwrap(), Settled::Done);
    assert_eq!(queue.depth(), Some(Depth::new(0, 0, 0)));
}

#[test]
fn the_outcomes_request_is_the_one_that_the_engine_gave() {
    let token = fetchpool::CancelToken::new();
    let queue = Arc::new(Unruly::new(LONG, None));
    queue.submit(Request::get("no URL").cancel_token(&token).tag(7_u32), Some("k")).unwrap();
    queue.close();
    let outcomes = read(pool_on(&queue).build().unwrap());
    assert_eq!(outcomes[0].tag::<u32>(), Some(&7));
    // Cancelling its own token ends what is made of it, as it did before.
    token.cancel();
    let again = fetchpool::Session::default().request(outcomes[0].request().clone());
    assert!(again.unwrap_err().is_cancelled());
}

#[test]
fn a_job_that_its_own_token_cancels_is_a_dead_letter() {
    let farm = Farm::new();
    let token = fetchpool::CancelToken::new();
    let queue = Arc::new(Unruly::new(LONG, None));
    queue.submit(Request::get(farm.url("/gate/1")).cancel_token(&token), Some("k")).unwrap();
    queue.close();
    let pool = pool_on(&queue).build().unwrap();
    farm.wait_at_gate(1);
    token.cancel();
    let outcomes = read(pool);
    assert!(matches!(&outcomes[..], [Outcome::Exception(exception)] if exception.is_cancelled()));
    assert_eq!(queue.dead_letters().len(), 1);
}

#[test]
fn outcomes_of_other_sources_have_no_delivery() {
    let (_, mut exceptions) = fetchpool::map(["no URL"]);
    assert!(exceptions.next().unwrap().delivery().is_none());
}
