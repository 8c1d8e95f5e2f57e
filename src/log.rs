//! Debug lines through the `log` crate, where the feature is on. The only module that names it.
//!
//! What is written here is a contract: methods, URLs without user information, addresses, status
//! codes and times. Never a header field, a body or a credential.

/// Writes one debug line; without the feature `log`, nothing, at no cost.
macro_rules! debug {
    ($($argument:tt)*) => {{
        // A logger is the caller's code, and may panic.
        #[cfg(feature = "log")]
        let _ = $crate::catch::catch(|| ::log::debug!(target: "fetchpool", $($argument)*));
        #[cfg(not(feature = "log"))]
        if false {
            let _ = format_args!($($argument)*);
        }
    }};
}

pub(crate) use debug;
