//! What an error knows of the tries that led to it, and what a try that is followed by another came to.

use std::net::SocketAddr;
use std::time::Duration;

#[cfg(any(feature = "tls-no-provider", test))]
use super::Fault;
use super::{Attempt, Error, ErrorKind};
use crate::message::{Hop, Response};

impl Error {
    /// Says which addresses were tried, unless that is known already.
    #[must_use]
    pub(crate) fn tried(mut self, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        if self.0.tried.is_empty() {
            self.0.tried.extend(addresses);
        }
        self
    }

    /// Those addresses, taken out.
    pub(crate) fn take_tried(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.0.tried)
    }

    /// Says that the network broke, and the peer did nothing wrong that is known of.
    #[cfg(any(feature = "tls-no-provider", test))]
    #[must_use]
    pub(crate) fn of_the_network(mut self) -> Self {
        self.0.fault = Some(Fault::Network);
        self
    }

    /// The try that ended with this error.
    pub(crate) fn to_attempt(&self, addresses: Vec<SocketAddr>, reused: bool) -> Attempt {
        // A response that broke off was not the reason.
        let by_status = matches!(self.0.kind, ErrorKind::Status | ErrorKind::Proxy);
        Attempt {
            url: self.0.url.clone().unwrap_or_default(),
            kind: self.0.kind,
            phase: self.0.phase,
            status: self.0.response.as_ref().filter(|_| by_status).map(Response::status),
            message: self.message(),
            addresses,
            reused,
            waited: None,
        }
    }

    /// Says how the request had come so far.
    #[must_use]
    pub(crate) fn with_trail(mut self, attempts: Vec<Attempt>, history: Vec<Hop>) -> Self {
        self.0.attempts = attempts;
        self.0.history = history;
        self
    }

    /// The tries that ended with this error; a response that was made an error of was one.
    fn into_attempts(mut self) -> Vec<Attempt> {
        if self.0.attempts.is_empty() {
            let response = self.0.response.as_ref();
            let peer = response.and_then(Response::peer_addr);
            let reused = response.is_some_and(|response| response.timings().reused);
            return vec![self.to_attempt(peer.into_iter().collect(), reused)];
        }
        std::mem::take(&mut self.0.attempts)
    }

    /// Puts the attempts of earlier tries of the request before its own.
    #[must_use]
    pub(crate) fn after_attempts(mut self, mut earlier: Vec<Attempt>) -> Self {
        if !earlier.is_empty() {
            earlier.append(&mut self.0.attempts);
            self.0.attempts = earlier;
        }
        self
    }
}

/// What was tried so far, by what came of it; there will be another try after this time.
pub(crate) fn attempts_of(result: Result<Response, Error>, wait: Duration) -> Vec<Attempt> {
    let mut attempts = match result {
        Ok(mut response) => {
            let mut attempts = std::mem::take(&mut response.0.attempts);
            attempts.append(&mut response.into_status_error().into_attempts());
            attempts
        }
        Err(error) => error.into_attempts(),
    };
    if let Some(last) = attempts.last_mut() {
        last.waited = Some(wait);
    }
    attempts
}

/// The same result, with what earlier tries of the request came to.
pub(crate) fn after_attempts(
    result: Result<Response, Error>,
    mut earlier: Vec<Attempt>,
) -> Result<Response, Error> {
    match result {
        Ok(mut response) => {
            earlier.append(&mut response.0.attempts);
            response.0.attempts = earlier;
            Ok(response)
        }
        Err(error) => Err(error.after_attempts(earlier)),
    }
}
