//! Errors of a circuit that is open.

use std::time::Duration;

use super::{Error, ErrorKind};

impl Error {
    /// The error of a job for an origin that is left alone for so long still, after so many failures
    /// in a row.
    pub(crate) fn circuit_open(origin: &str, failures: u32, left: Duration) -> Self {
        let times = if failures == 1 { "once" } else { &format!("{failures} times in a row") };
        // A second that has begun counts: "for 0 s more" would be odd.
        let started = u64::from(left.subsec_nanos() > 0);
        let seconds = left.as_secs().saturating_add(started);
        let detail = format!("{origin} failed {times} and is left alone for {seconds} s more");
        Self::new(ErrorKind::CircuitOpen, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    #[test]
    fn the_error_of_an_open_circuit_says_for_whom_why_and_for_how_long() {
        let error = Error::circuit_open("https://a.example:443", 5, Duration::from_millis(11_001));
        assert_eq!(
            error.message(),
            "circuit open: https://a.example:443 failed 5 times in a row and is left alone for 12 s more"
        );
        assert_eq!((error.fault(), error.phase(), error.url()), (Fault::Network, None, None));
        let error = Error::circuit_open("http://b:80", 1, Duration::from_secs(30));
        assert!(error.message().ends_with("b:80 failed once and is left alone for 30 s more"));
    }
}
