//! What a pool promises, from the outside: P1 to P10 of the design.
//!
//! - `lists`: `map`, a list in, two lists out
//! - `threads`: how many there are, what they are called
//! - `hooks`: the initializer and the auth generator
//! - `queues`: lists, iterators and channels as the source of jobs
//! - `reading`: any order of reading ends
//! - `order`: outcomes in the order of the input, through a window
//! - `budget`: how much the bodies may take
//! - `ending`: dropping and cancelling
//! - `cancel`: tokens, and what a cancel wakes
//! - `closing`: the steps of an end, what is handed back, what a drop leaves
//! - `onward`: cancelling from aside, and going on with what was left
//! - `counts`: statistics that add up
//! - `observing`: who is told what, and when
//! - `errors`: a bad job is an outcome and takes no other with it
//! - `polite`: rates, limits, pauses and broken circuits of each origin
//! - `retries`: retries, waits and rates
//! - `session_thread`: one worker for one's own queues
//! - `stuck`: jobs that could be forgotten, or wait for somebody who never comes
//! - `traps`: moments that are easily missed, and callers' code that does its worst
//! - `values`: what is `Send`, and how much memory a batch takes

mod support;

#[path = "pool/budget.rs"]
mod budget;
#[path = "pool/cancel.rs"]
mod cancel;
#[path = "pool/child.rs"]
mod child;
#[path = "pool/closing.rs"]
mod closing;
#[path = "pool/counts.rs"]
mod counts;
#[path = "pool/ending.rs"]
mod ending;
#[path = "pool/errors.rs"]
mod errors;
#[path = "pool/hooks.rs"]
mod hooks;
#[path = "pool/lists.rs"]
mod lists;
#[path = "pool/observing.rs"]
mod observing;
#[path = "pool/onward.rs"]
mod onward;
#[path = "pool/order.rs"]
mod order;
#[path = "pool/queues.rs"]
mod queues;
#[path = "pool/polite.rs"]
mod polite;
#[path = "pool/reading.rs"]
mod reading;
#[path = "pool/retries.rs"]
mod retries;
#[path = "pool/session_thread.rs"]
mod session_thread;
#[path = "pool/stuck.rs"]
mod stuck;
#[path = "pool/threads.rs"]
mod threads;
#[path = "pool/traps.rs"]
mod traps;
#[path = "pool/values.rs"]
mod values;

use support::{dead, farm, script, standstill};
