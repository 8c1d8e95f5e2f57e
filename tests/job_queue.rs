//! Queue engines as the source of a pool's jobs.
//!
//! - `engines`: the queue in memory keeps the contract, and the contract's tests find who does not
//! - `unruly`: an engine that misbehaves on purpose

#[cfg(feature = "conformance")]
#[path = "job_queue/engines.rs"]
mod engines;
#[path = "job_queue/unruly.rs"]
mod unruly;
