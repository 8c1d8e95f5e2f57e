//! What was learned on the way to a response, for the error where there is none.

use std::net::SocketAddr;

use crate::connection::Connection;
use crate::error::{Attempt, Error};
use crate::message::{Hop, Timings};

/// The way of one request so far.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) timings: Timings,
    /// The redirects that were followed.
    pub(super) history: Vec<Hop>,
    /// The tries that failed and were not the last.
    attempts: Vec<Attempt>,
    /// The try of the moment.
    current: Option<Current>,
}

/// A try whose end is not known yet. It must cost nothing: most tries end well.
#[derive(Default)]
struct Current {
    reused: bool,
    /// Addresses that did not connect.
    passed_over: Vec<SocketAddr>,
    peer: Option<SocketAddr>,
}

impl Trail {
    /// A try begins for which there is no connection yet.
    pub(super) fn begin(&mut self) {
        self.current = Some(Current::default());
    }

    /// It goes over this connection.
    pub(super) fn goes_over(&mut self, connection: &Connection, reused: bool) {
        let passed_over = connection.passed_over().to_vec();
        self.current = Some(Current { reused, passed_over, peer: connection.peer() });
    }

    /// It failed, by this status if by one, and there will be another.
    pub(super) fn failed(&mut self, mut error: Error, status: Option<u16>, url: &str) {
        error = error.at(url);
        if let Some(attempt) = self.end(&mut error) {
            self.attempts.push(Attempt { status: status.or(attempt.status), ..attempt });
        }
    }

    /// The tries before the one that brought the response.
    pub(super) fn into_attempts(self) -> Vec<Attempt> {
        self.attempts
    }

    /// The error that the request ends with, told all of this.
    pub(super) fn close(mut self, mut error: Error) -> Error {
        error = error.after(self.timings);
        let last = self.end(&mut error);
        self.attempts.extend(last);
        error.with_trail(self.attempts, self.history)
    }

    fn end(&mut self, error: &mut Error) -> Option<Attempt> {
        let current = self.current.take()?;
        let mut addresses = error.take_tried();
        if addresses.is_empty() {
            addresses = current.passed_over;
            addresses.extend(current.peer);
        }
        Some(error.to_attempt(addresses, current.reused))
    }
}
