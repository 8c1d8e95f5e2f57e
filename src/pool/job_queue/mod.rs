//! Somebody else's queue as the source of the jobs: a server's, a database's, or the one in memory.
//!
//! ```text
//!  engine ── claim ──▶ job, ticket, lease ──▶ worker ──▶ outcome ──▶ ack │ nack
//!                                 │
//!                       clerk ── extend, every third of the lease ──▶ Held │ Lost ──▶ cancel
//! ```
//!
//! Decisions (`verdict`, `lease`, `shelf`) are pure and get the time as an argument; `clerk` has
//! the one thread, and runs what must not hold up somebody else. Code of an engine is the caller's: it
//! is run without a lock, and its panics are caught.

mod claim;
mod clerk;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod delivery;
mod fault;
mod lease;
mod memory;
mod options;
mod shelf;
mod types;
mod verdict;

pub use self::claim::{Claim, Claimed, ClaimedJob};
pub(super) use self::clerk::Clerk;
pub use self::contract::JobQueue;
pub use self::delivery::Delivery;
pub use self::fault::QueueError;
pub use self::memory::MemoryQueue;
pub use self::options::{AckOn, QueueOptions};
pub use self::shelf::DeadLetter;
pub use self::types::{Depth, Lease, Nack, Settled, Submitted, Ticket};
