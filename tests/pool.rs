//! What a pool promises, from the outside: P1 to P4, P7 to P10 of the design.
//!
//! - `lists`: `map`, a list in, two lists out
//! - `threads`: how many there are, what they are called
//! - `hooks`: the initializer and the auth generator
//! - `queues`: lists, iterators and channels as the source of jobs
//! - `reading`: any order of reading ends
//! - `ending`: dropping and cancelling
//! - `errors`: a bad job is an outcome and takes no other with it
//! - `retries`: retries, waits and rates
//! - `session_thread`: one worker for one's own queues
//! - `traps`: moments that are easily missed, and callers' code that does its worst
//! - `values`: what is `Send`, and how much memory a batch takes

mod support;

#[path = "pool/child.rs"]
mod child;
#[path = "pool/ending.rs"]
mod ending;
#[path = "pool/errors.rs"]
mod errors;
#[path = "pool/hooks.rs"]
mod hooks;
#[path = "pool/lists.rs"]
mod lists;
#[path = "pool/queues.rs"]
mod queues;
#[path = "pool/reading.rs"]
mod reading;
#[path = "pool/retries.rs"]
mod retries;
#[path = "pool/session_thread.rs"]
mod session_thread;
#[path = "pool/threads.rs"]
mod threads;
#[path = "pool/traps.rs"]
mod traps;
#[path = "pool/values.rs"]
mod values;

use support::farm;
