//! Errors of other floors as this one, and this one as that of the standard library.

use std::io;

use super::{Error, ErrorKind, Phase};
use crate::message::{InvalidHeader, InvalidMethod, InvalidUrl};
use crate::wire::{Class, WireError};

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Timeout => Self::from(io::ErrorKind::TimedOut).kind(),
            ErrorKind::Closed => io::ErrorKind::UnexpectedEof,
            ErrorKind::InvalidUrl | ErrorKind::InvalidRequest => io::ErrorKind::InvalidInput,
            ErrorKind::Protocol | ErrorKind::Decode => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<InvalidUrl> for Error {
    fn from(error: InvalidUrl) -> Self {
        Self::new(ErrorKind::InvalidUrl, error.to_string()).during(Phase::Setup)
    }
}

impl From<InvalidHeader> for Error {
    fn from(error: InvalidHeader) -> Self {
        Self::new(ErrorKind::InvalidRequest, error.to_string()).during(Phase::Setup)
    }
}

impl From<InvalidMethod> for Error {
    fn from(error: InvalidMethod) -> Self {
        Self::new(ErrorKind::InvalidRequest, error.to_string()).during(Phase::Setup)
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        let kind = match error.class() {
            Class::Malformed => ErrorKind::Protocol,
            Class::LimitReached => ErrorKind::TooLarge,
            Class::Truncated => ErrorKind::Closed,
            Class::BadRequest => ErrorKind::InvalidRequest,
        };
        Self::new(kind, error.to_string())
    }
}
