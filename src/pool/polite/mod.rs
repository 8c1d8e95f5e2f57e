//! How origins are spared: rates, places, a rate that adapts, a circuit breaker.
//!
//! ```text
//! Hosts::of(origin) ──▶ Politeness ──▶ Gate, one for each origin
//!
//! Gate::state ──▶ Open │ Until(when) │ Full │ Refused
//! Gate::start ──▶ Pass ── the try runs ──▶ Sign::of(result) ──▶ Gate::end
//! ```
//!
//! **Invariant:** no lock, no clock, no thread in this folder: what time it is is an argument, and
//! so is every random number.

mod breaker;
mod gate;
mod hosts;
mod lately;
mod latency;
mod pace;
mod settings;
mod sign;
mod speed;

pub(super) use self::gate::{Gate, GateState, Pass};
pub(super) use self::hosts::Hosts;
pub(super) use self::pace::Pace;
pub use self::settings::{Adaptive, CircuitBreaker, Politeness};
pub(super) use self::sign::Sign;
