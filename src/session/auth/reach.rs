//! The origins that something is bound to.

use std::fmt;

use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Origin, Target};

/// Where credentials may go; everywhere if no origin is named.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Reach {
    origins: Vec<Origin>,
    /// The first thing that was wrong with them: no request that would carry them is sent.
    fault: Option<(ErrorKind, String)>,
}

impl Reach {
    pub(super) const fn everywhere() -> Self {
        Self { origins: Vec::new(), fault: None }
    }

    pub(super) const fn nowhere(kind: ErrorKind, detail: String) -> Self {
        Self { origins: Vec::new(), fault: Some((kind, detail)) }
    }

    /// Adds the origin of a URL. One that cannot be read must not count as none named.
    pub(super) fn add(&mut self, url: &str) {
        match Origin::parse(url) {
            Ok(origin) => self.origins.push(origin),
            Err(error) => {
                self.fault.get_or_insert_with(|| (ErrorKind::InvalidUrl, error.to_string()));
            }
        }
    }

    /// Whether the target is within reach.
    pub(super) fn has(&self, target: &Target) -> Result<bool, Error> {
        if let Some((kind, detail)) = &self.fault {
            return Err(Error::new(*kind, detail.clone()).during(Phase::Setup));
        }
        let bound = !self.origins.is_empty();
        Ok(!bound || self.origins.iter().any(|origin| origin.contains(target)))
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origins.fmt(f)
    }
}
