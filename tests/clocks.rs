//! Time limits hold, whatever a server does: P6 of the design.
//!
//! - `drips`: a server that sends one byte at a time, in every part of an answer
//! - `lookups`: a look-up whose answer never comes
//! - `connecting`: addresses that never answer, TLS handshakes that never end
//! - `uploads`: a peer that stops reading
//! - `phases`: the first byte, the time between two bytes, and what the messages say
//! - `between`: what lies between two exchanges counts for neither
//! - `low_speed`: just fast enough, and too slow
//! - `chains`: redirects and retries have one time for all of them
//! - `deadline`: the pool's own clock, which counts waiting, too
//! - `pauses`: a slow reader stops the requests' clocks, and not the pool's
//! - `extremes`: times beyond the clock, and no time at all
//!
//! What they are made of:
//!
//! - `trial`: one request that must run into one clock, and the job behind it
//! - `peer`: a server whose connections each run a function, plain or over TLS (`secure`)
//! - `dead`: addresses that never answer

mod support;

#[path = "clocks/between.rs"]
mod between;
#[path = "clocks/chains.rs"]
mod chains;
#[path = "clocks/connecting.rs"]
mod connecting;
#[path = "clocks/dead.rs"]
mod dead;
#[path = "clocks/deadline.rs"]
mod deadline;
#[path = "clocks/drips.rs"]
mod drips;
#[path = "clocks/extremes.rs"]
mod extremes;
#[path = "clocks/lookups.rs"]
mod lookups;
#[path = "clocks/low_speed.rs"]
mod low_speed;
#[path = "clocks/pauses.rs"]
mod pauses;
#[path = "clocks/peer.rs"]
mod peer;
#[path = "clocks/phases.rs"]
mod phases;
#[cfg(feature = "tls")]
#[path = "clocks/secure.rs"]
mod secure;
#[path = "clocks/trial.rs"]
mod trial;
#[path = "clocks/uploads.rs"]
mod uploads;

use support::farm;
