//! What the engine is told of a job. Pure decisions.

use std::time::Duration;

use super::options::QueueOptions;
use super::types::Nack;
use crate::error::{Error, ErrorKind, Phase};

/// What is known of a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Which delivery it is, from 1.
    pub(super) number: u32,
    /// A worker that has a session has begun it. One whose initializer failed has none.
    pub(super) begun: bool,
    /// It has been tried before, within this delivery.
    pub(super) tried: bool,
    /// Some of it may have reached a server.
    pub(super) reached: bool,
    /// Sent twice it does no more than sent once, or the server can tell.
    pub(super) repeatable: bool,
    /// The pool has ended before its time.
    pub(super) over: bool,
    /// How long the server wants to be left alone: a `Retry-After`.
    pub(super) asked: Option<Duration>,
}

/// How a delivery is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ack,
    Nack(Nack),
}

/// What is said of a job that came to this.
pub(super) fn verdict(options: &QueueOptions, facts: Facts, failed: Option<&Error>) -> Verdict {
    let Some(error) = failed else { return Verdict::Ack };
    let dead = |reason: String| Verdict::Nack(Nack::Dead { reason });
    let rest = if facts.over { Duration::ZERO } else { options.retry_after };
    let rest = facts.asked.map_or(rest, |asked| rest.max(asked.min(MAX_ASKED)));
    if error.is_cancelled() && !facts.over && facts.number <= options.max_deliveries {
        // Its own token: whoever has cancelled it does not want it.
        return dead(error.message());
    }
    if !facts.begun {
        return Verdict::Nack(Nack::Release { after: rest });
    }
    if matches!(error.kind(), ErrorKind::InvalidUrl | ErrorKind::InvalidRequest) {
        return dead(error.message());
    }
    if error.kind() == ErrorKind::CircuitOpen && !facts.tried {
        return Verdict::Nack(Nack::Release { after: rest });
    }
    if !may_go_back(options, facts) {
        return dead(format!(
            "it cannot be repeated, and a server may have had it: {}",
            error.message()
        ));
    }
    if facts.number >= options.max_deliveries {
        return dead(format!("delivery {}: {}", facts.number, error.message()));
    }
    Verdict::Nack(Nack::Retry { after: rest })
}

/// What is said of a job whose outcome nobody has seen.
pub(super) fn unseen(options: &QueueOptions, facts: Facts) -> Nack {
    if !facts.begun {
        Nack::Release { after: Duration::ZERO }
    } else if may_go_back(options, facts) {
        Nack::Retry { after: Duration::ZERO }
    } else {
        Nack::Dead { reason: "it cannot be repeated, and its outcome was not read".into() }
    }
}

/// Whether something of the request may have reached a server, by what came of it.
pub(super) fn may_have_reached(error: &Error) -> bool {
    if error.was_sent() {
        return true;
    }
    match error.phase() {
        Some(Phase::Setup | Phase::Dns | Phase::Connect | Phase::Tls | Phase::Proxy) => false,
        Some(_) => true,
        None => error.kind() == ErrorKind::Panic || error.response().is_some(),
    }
}

const fn may_go_back(options: &QueueOptions, facts: Facts) -> bool {
    facts.repeatable || !facts.reached || options.unsafe_redelivery
}

/// A server does not say how long a job is forgotten.
const MAX_ASKED: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts = Facts {
        number: 1,
        begun: true,
        tried: false,
        reached: true,
        repeatable: true,
        over: false,
        asked: None,
    };
    const REST: Duration = Duration::from_secs(10);

    fn on(facts: Facts, error: Error) -> Verdict {
        verdict(&QueueOptions::new(), facts, Some(&error))
    }

    fn failed(kind: ErrorKind) -> Error {
        Error::new(kind, "why")
    }

    fn is_dead(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Nack(Nack::Dead { .. }))
    }

    const fn retry(after: Duration) -> Verdict {
        Verdict::Nack(Nack::Retry { after })
    }

    const fn release(after: Duration) -> Verdict {
        Verdict::Nack(Nack::Release { after })
    }

    #[test]
    fn a_response_is_acknowledged_whatever_the_circumstances() {
        for over in [false, true] {
            let facts = Facts { number: 9, over, repeatable: false, ..FACTS };
            assert_eq!(verdict(&QueueOptions::new(), facts, None), Verdict::Ack);
        }
    }

    #[test]
    fn what_can_never_be_sent_is_dead_at_once() {
        for kind in [ErrorKind::InvalidUrl, ErrorKind::InvalidRequest] {
            assert!(is_dead(&on(FACTS, failed(kind))));
            // Without a session nothing was tried.
            let facts = Facts { begun: false, reached: false, ..FACTS };
            assert_eq!(on(facts, failed(kind)), release(REST));
        }
    }

    #[test]
    fn a_failure_comes_again_until_it_was_delivered_often_enough() {
        for number in 1..5 {
            assert_eq!(on(Facts { number, ..FACTS }, failed(ErrorKind::Io)), retry(REST));
        }
        for number in [5, 6, u32::MAX] {
            assert!(is_dead(&on(Facts { number, ..FACTS }, failed(ErrorKind::Io))), "{number}");
        }
    }

    #[test]
    fn what_the_end_of_the_pool_cut_short_comes_again_at_once() {
        let cut = Facts { over: true, ..FACTS };
        assert_eq!(on(cut, failed(ErrorKind::Cancelled)), retry(Duration::ZERO));
        assert_eq!(on(cut, failed(ErrorKind::Timeout)), retry(Duration::ZERO));
        let waiting = Facts { begun: false, reached: false, ..cut };
        assert_eq!(on(waiting, failed(ErrorKind::Cancelled)), release(Duration::ZERO));
    }

    #[test]
    fn a_job_rests_as_long_as_its_server_asks_but_no_shorter_than_usual_nor_for_ever() {
        let hour = Duration::from_secs(3600);
        for (asked, over, rest) in [
            (Duration::ZERO, false, REST),
            (REST * 2, false, REST * 2),
            (REST, true, REST),
            (Duration::MAX, false, hour),
        ] {
            let facts = Facts { asked: Some(asked), over, ..FACTS };
            assert_eq!(on(facts, failed(ErrorKind::Status)), retry(rest));
        }
    }

    #[test]
    fn what_its_own_token_cancelled_is_not_wanted() {
        for begun in [false, true] {
            assert!(is_dead(&on(Facts { begun, ..FACTS }, failed(ErrorKind::Cancelled))));
        }
    }

    #[test]
    fn what_cannot_be_repeated_goes_back_only_if_no_server_had_it_or_it_is_allowed() {
        let unsafe_one = Facts { repeatable: false, ..FACTS };
        assert!(is_dead(&on(unsafe_one, failed(ErrorKind::Closed))));
        assert!(is_dead(&on(Facts { over: true, ..unsafe_one }, failed(ErrorKind::Cancelled))));
        let not_sent = Facts { reached: false, ..unsafe_one };
        assert_eq!(on(not_sent, failed(ErrorKind::Connect)), retry(REST));
        let allowed = QueueOptions::new().allow_unsafe_redelivery(true);
        let error = failed(ErrorKind::Closed);
        assert_eq!(verdict(&allowed, unsafe_one, Some(&error)), retry(REST));
    }

    #[test]
    fn what_a_breaker_holds_back_after_a_try_counts_as_tried() {
        let refused = |facts| on(facts, failed(ErrorKind::CircuitOpen));
        let last = Facts { number: 5, ..FACTS };
        assert_eq!(refused(Facts { reached: false, ..last }), release(REST));
        let tried = Facts { tried: true, ..FACTS };
        assert_eq!(refused(tried), retry(REST));
        assert!(is_dead(&refused(Facts { tried: true, ..last })));
        assert!(is_dead(&refused(Facts { repeatable: false, ..tried })));
    }

    #[test]
    fn what_nobody_saw_comes_again_at_once() {
        let options = QueueOptions::new();
        let back = |facts| Verdict::Nack(unseen(&options, facts));
        assert_eq!(back(FACTS), retry(Duration::ZERO));
        assert_eq!(back(Facts { begun: false, ..FACTS }), release(Duration::ZERO));
        assert!(is_dead(&back(Facts { repeatable: false, ..FACTS })));
        assert_eq!(
            back(Facts { repeatable: false, reached: false, ..FACTS }),
            retry(Duration::ZERO)
        );
    }

    #[test]
    fn a_server_may_have_had_what_was_being_sent() {
        for phase in [Phase::Setup, Phase::Dns, Phase::Connect, Phase::Tls, Phase::Proxy] {
            assert!(!may_have_reached(&failed(ErrorKind::Timeout).during(phase)), "{phase:?}");
            let later_hop = failed(ErrorKind::Timeout).during(phase).after_sending();
            assert!(may_have_reached(&later_hop), "{phase:?}");
        }
        for phase in [Phase::Sending, Phase::Waiting, Phase::Receiving, Phase::Decoding] {
            assert!(may_have_reached(&failed(ErrorKind::Timeout).during(phase)), "{phase:?}");
        }
        assert!(!may_have_reached(&failed(ErrorKind::Cancelled)));
        assert!(may_have_reached(&failed(ErrorKind::Panic)));
    }
}
