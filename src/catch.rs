//! The caller's code, called so that its panics become values.
//!
//! A panic carries a payload, and dropping that is the caller's code once more: it may panic, too,
//! at a place where nothing catches it. So a payload is taken apart here and goes no further.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code that may panic.
///
/// What it leaves half done is the callers' care: each of them gives up what the code was about.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(code)).map_err(Panicked::of)
}

/// Some code panicked, and what it said, if that was text.
#[derive(Clone, Debug)]
pub(crate) struct Panicked(Option<Box<str>>);

impl Panicked {
    /// Takes the payload of a panic apart.
    pub(crate) fn of(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let said = Self(text.map(Into::into));
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            // This one could do the same, and so on for ever: it is left where it is.
            Box::leak(second);
        }
        said
    }

    /// Says what panicked, and what it said.
    pub(crate) fn message(&self, what: &str) -> String {
        match &self.0 {
            Some(text) => format!("{what}: {text}"),
            None => what.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics when it is dropped, as often as that may be.
    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn what_was_said_is_kept() {
        assert!(catch(|| 1).is_ok_and(|one| one == 1));
        let said = |code: fn()| catch(code).unwrap_err().message("it panicked");
        assert_eq!(said(|| panic!("on purpose")), "it panicked: on purpose");
        assert_eq!(said(|| panic!("on {}", "purpose")), "it panicked: on purpose");
        assert_eq!(said(|| panic_any(5)), "it panicked");
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_gets_no_further() {
        for depth in 0..4 {
            assert!(catch(|| panic_any(Bomb(depth))).is_err());
        }
    }
}
