//! A list of requests that is run to its end.

use std::sync::Arc;
use std::time::Duration;

use super::lists::{Exceptions, Responses};
use super::outcome::{Outcome, ThreadException, ThreadResponse};
use super::queue::Next;
use super::stop::Stop;
use super::{Pool, PoolBuilder};
use crate::error::Error;
use crate::message::Request;

impl PoolBuilder {
    /// Runs a list of requests and waits until every one has its outcome: gives the responses and
    /// the exceptions, each in the order of the list.
    ///
    /// Everything is kept in memory until it is returned, as the name promises; for long lists
    /// read [`Pool::outcomes`] as they come. If the pool cannot be started, every request comes
    /// back as an exception that says why; if it ends early, by its [`deadline`](Self::deadline) or
    /// [`on_error`](Self::on_error), every request that was not taken does.
    pub fn map<I>(self, requests: I) -> (Responses, Exceptions)
    where
        I: IntoIterator,
        I::Item: Into<Request>,
    {
        let requests: Vec<Request> = requests.into_iter().map(Into::into).collect();
        let mut outcomes: Vec<Outcome>;
        match self.job_queue(requests).start() {
            Ok(pool) => {
                outcomes = pool.outcomes().collect();
                outcomes.extend(pool.answer_unpulled());
            }
            Err((error, mut jobs)) => {
                let requests = std::iter::from_fn(|| match jobs.next(Duration::ZERO) {
                    Next::Job(request) => Some(Arc::unwrap_or_clone(request)),
                    // A list has nothing else.
                    _ => None,
                });
                let same = || Error::new(error.kind(), error.message());
                outcomes =
                    (0..).zip(requests).map(|(n, job)| Outcome::new(n, job, Err(same()))).collect();
            }
        }
        let (mut responses, mut exceptions) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                Outcome::Response(response) => responses.push(response),
                Outcome::Exception(exception) => exceptions.push(exception),
            }
        }
        responses.sort_by_key(ThreadResponse::index);
        exceptions.sort_by_key(ThreadException::index);
        (Responses::of(responses), Exceptions::of(exceptions))
    }
}

impl Pool {
    /// Outcomes for the jobs that were not taken from a queue that ended early: they were given as
    /// a list, and each is owed one.
    fn answer_unpulled(&self) -> impl Iterator<Item = Outcome> {
        let schedule = &self.crew.schedule;
        let (stop, deadline) =
            (schedule.stopped().unwrap_or(Stop::Closed), schedule.rules.deadline);
        self.close().numbered().map(move |(index, request)| {
            let error = stop.error(deadline).at(request.url());
            Outcome::new(index, request, Err(error))
        })
    }
}
