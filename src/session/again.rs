//! A request, tried again: when there is to be another try, and the waiting for it where nobody else
//! does that.

use std::time::{Duration, Instant, SystemTime};

use super::Session;
use super::call::Call;
use super::nap::Nap;
use super::retry::Tried;
use crate::connection::Deadline;
use crate::error::{Error, ErrorKind, after_attempts, attempts_of};
use crate::log::debug;
use crate::message::random::{FOR_RETRY, unit};
use crate::message::{Clock, Ration, Request, Response, RetryPolicy, remember};
use crate::observer::{Observed, Watched};

/// There is to be another try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Again {
    /// After this time.
    pub(crate) wait: Duration,
    /// And that is then.
    pub(crate) due: Instant,
    /// What the budget must have for it; `None` if nothing.
    pub(crate) ration: Option<Ration>,
}

impl Session {
    /// What holds for the request: its own word comes before the session's.
    pub(crate) fn retry_policy<'a>(&'a self, request: &'a Request) -> Option<&'a RetryPolicy> {
        request.own_retry().unwrap_or(self.config.retry.as_ref())
    }

    /// Whether the request is to be tried again, after what came of this call.
    pub(crate) fn again(
        &self,
        request: &Request,
        call: &Call<'_>,
        result: Result<&Response, &Error>,
    ) -> Option<Again> {
        let policy = self.retry_policy(request)?;
        let retries = call.number.saturating_sub(1);
        let now = Instant::now();
        let left = |deadline: Deadline| deadline.left(now).unwrap_or(Some(Duration::ZERO));
        let left = [left(self.deadline_of(request, call.began)), left(call.batch)];
        let index = call.index.unwrap_or(self.requests);
        let tried = Tried {
            policy,
            retries,
            request,
            result,
            left: left.into_iter().flatten().min(),
            random: unit(self.config.seed, [FOR_RETRY, index, call.number.into()]),
            now: SystemTime::now(),
        };
        let wait = tried.wait()?;
        Some(Again { wait, due: now.checked_add(wait)?, ration: policy.ration() })
    }

    /// Sends a request as often as its policy says, and waits in between.
    pub(crate) fn run_to_the_end(
        &mut self,
        request: &Request,
        mut call: Call<'_>,
    ) -> Result<Response, Error> {
        self.budget.requested();
        let mut earlier = Vec::new();
        let result = loop {
            let result = self.run(request, &call);
            let Some(again) = self.again(request, &call, result.as_ref()) else { break result };
            if again.ration.is_some_and(|ration| !self.budget.withdraw(ration)) {
                debug!("the budget for retries is spent");
                break result;
            }
            debug!("{:?} is tried again in {:?}", request.redacted_url(), again.wait);
            let observer = self.config.observer.clone();
            let observed = Observed::new(call.index, request);
            Watched::new(observer.as_deref(), observed).tell(|observer, job| {
                observer.retry(job, call.number, again.wait, result.as_ref());
            });
            remember(&mut earlier, attempts_of(result, again.wait));
            if self.is_called_off_within(again.wait, request) {
                break Err(Error::new(ErrorKind::Cancelled, "").at(request.url()));
            }
            call.number = call.number.saturating_add(1);
        };
        self.requests = self.requests.wrapping_add(1);
        after_attempts(result, earlier)
    }

    /// When a request that was begun then must be over.
    pub(crate) fn deadline_of(&self, request: &Request, began: Instant) -> Deadline {
        let timeout = request.own_timeout().or(self.config.timeout);
        Deadline::after(began, timeout, Clock::Request)
    }

    fn is_called_off_within(&self, wait: Duration, request: &Request) -> bool {
        let watch = self.interrupt.begin(request.own_cancel_token());
        Nap::take(wait, &self.interrupt);
        drop(watch);
        self.interrupt.is_raised()
    }
}
