//! Many HTTP requests in parallel on plain threads, each with its own keep-alive session.
//!
//! ```text
//!                    ┌─▶ worker 1 ── session ══ kept connections ══▶ servers
//! requests ── queue ─┼─▶ worker 2 ── session ══ …
//!                    └─▶ worker n ── session ══ …
//!                            │
//!      responses() ◀─────────┤      one outcome for each request:
//!     exceptions() ◀─────────┘      a response or an exception
//! ```
//!
//! It carries the design of Python's `requests_toolbelt.threaded` into Rust, and mends what that
//! one gets wrong. There is no async runtime in it and no HTTP library below it: threads, queues,
//! sockets and HTTP/1.1 are this crate's own, over `rustls`, `httparse`, `url` and `flate2`.
//!
//! # Examples
//!
//! A list of requests, all at once:
//!
//! ```no_run
//! let (responses, exceptions) = fetchpool::map([
//!     "https://api.github.com/users/octocat",
//!     "https://api.github.com/users/defunkt",
//! ]);
//! for response in responses {
//!     println!("Status: {}, URL: {}", response.status(), response.url());
//! }
//! for exception in exceptions {
//!     println!("Error: {}", exception.error().message());
//! }
//! ```
//!
//! Each worker's session set up by a hook, and outcomes read as they come:
//!
//! ```no_run
//! use fetchpool::{Outcome, Pool, SessionConfig, user_agent};
//!
//! let pool = Pool::builder()
//!     .num_threads(16)
//!     .initializer(|session: &mut SessionConfig| {
//!         session.user_agent(user_agent("my-scraper", "1.0")).header("Accept", "text/html");
//!     })
//!     .job_queue((1..=1000).map(|page| format!("https://example.com/{page}")))
//!     .build()?;
//! for outcome in pool.outcomes() {
//!     match outcome {
//!         Outcome::Response(response) => println!("{}: {}", response.url(), response.status()),
//!         Outcome::Exception(exception) => println!("{}", exception.error()),
//!     }
//! }
//! # Ok::<(), fetchpool::Error>(())
//! ```
//!
//! A batch under control: in the order of the input, with a time limit for the whole, watched from
//! another thread, and gone on with later where it was cut short:
//!
//! ```no_run
//! use fetchpool::{CancelToken, OnError, Pool};
//! use std::time::Duration;
//!
//! let stop = CancelToken::new(); // for a signal handler, say
//! let urls = (1..=1000).map(|page| format!("https://example.com/{page}"));
//! let pool = Pool::builder()
//!     .ordered()
//!     .deadline(Duration::from_secs(60))
//!     .on_error(OnError::StopAfter(20))
//!     .cancel_token(&stop)
//!     .job_queue(urls)
//!     .build()?;
//! std::thread::scope(|scope| {
//!     scope.spawn(|| {
//!         while !pool.is_done() {
//!             std::thread::sleep(Duration::from_secs(1));
//!             let stats = pool.stats();
//!             eprintln!("{} done, {} under way", stats.delivered, stats.unfinished());
//!         }
//!     });
//!     for outcome in pool.outcomes() {
//!         println!("{}: {}", outcome.index(), outcome.is_response());
//!     }
//! });
//! let rest = Pool::builder().job_queue(pool.close()).build()?; // what was not taken
//! # drop(rest);
//! # Ok::<(), fetchpool::Error>(())
//! ```
//!
//! # What it promises
//!
//! - **One outcome for each job**, whatever happens to it: [`Pool`] says how.
//! - **A time-out that holds**: it covers look-up, every address, TLS, every redirect and the
//!   whole body, however slowly that drips.
//! - **Cancel is real**: [`Pool::cancel`] and a [`CancelToken`] wake whatever a worker waits for.
//! - **Order when asked**, by [`PoolBuilder::ordered`], and counts that add up, by [`Pool::stats`]; an
//!   [`Observer`] is told of each step.
//! - **Nothing unbounded**: every size and number has a ceiling, in [`Limits`]; a million jobs from
//!   an iterator use the memory of a thousand.
//! - **Strict reading**: what is malformed is an error, what is cut off is never a success, and a
//!   connection that is in doubt is not used again.
//! - **Addresses can be kept out**: an [`AddressPolicy`] is asked about the address itself, on every
//!   hop; [`PublicOnly`](AddressPolicy::PublicOnly) keeps a list of URLs out of one's own network.
//! - **Credentials stay home**: they are not carried over a redirect to another origin, and not
//!   shown in any message; those of a [`Proxy`] go to it alone.
//! - **Bodies are streams where you want it**: out of a file or a reader ([`Body`]), into a file, a
//!   writer or a function ([`Receive`]), and then in constant memory.
//! - **Errors keep what was learned**: each [`Attempt`], the redirects before, and what had arrived.
//! - **No `unsafe`** in this crate, and no panic on any input.
//!
//! # What it does not do
//!
//! HTTP/2 and HTTP/3, async, JavaScript. It blocks its threads: within an async program, run it
//! on a thread of its own.
//!
//! # Features
//!
//! On by default: `tls` (rustls with ring and webpki-roots), `gzip` (gzip and deflate bodies),
//! `zlib-rs` (decodes twice as fast). Off: `aws-lc-rs` (instead of ring, where `tls` is off),
//! `tls-no-provider` (rustls with a provider that the program installs), `json`, `charset` (text
//! by its declared charset), `cookies` (kept and sent back, where a session asks), `public-suffix`
//! (Mozilla's list compiled in, for cookies), `digest` (Digest authentication), `brotli` and `zstd`
//! (bodies coded so), `log` (debug lines), `conformance` (tests for a [`JobQueue`] of one's own),
//! `cli` (the command line).

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::mem_forget
    )
)]

extern crate alloc;

mod map;
mod pool;
mod session;
mod connection;
mod observer;
mod error;
mod wire;
mod message;
mod log;
mod catch;

#[cfg(feature = "tls-no-provider")]
pub use crate::connection::TlsConfig;
pub use crate::connection::{
    AddressPolicy, Destination, DnsCache, LowSpeed, Proxies, Proxy, Resolver,
};
pub use crate::error::{Attempt, Error, ErrorKind, Fault, Phase};
pub use crate::map::map;
pub use crate::message::{
    Body, Buffers, CancelToken, Clock, Headers, Hop, InvalidHeader, InvalidMethod, Link, Method,
    Multipart, Part, Receive, Request, Response, ResponseHead, RetryPolicy, Timings, TlsInfo,
    TlsVersion, Version, user_agent,
};
pub use crate::observer::{Observed, Observer};
#[cfg(feature = "conformance")]
pub use crate::pool::conformance;
pub use crate::pool::{
    AckOn, Adaptive, CircuitBreaker, Claim, Claimed, ClaimedJob, DeadLetter, Delivery, Depth,
    Exceptions, HookResult, JobQueue, Lease, MemoryQueue, Nack, OnError, Outcome, Politeness, Pool,
    PoolBuilder, QueueError, QueueOptions, Responses, SessionThread, Settled, Stats, Submitted,
    ThreadException, ThreadResponse, Ticket, Unpulled,
};
pub use crate::session::{Auth, Netrc, Session, SessionConfig, SignableRequest, Signer};
#[cfg(feature = "cookies")]
pub use crate::session::{Cookie, CookieJar, Cookies};
pub use crate::wire::Limits;

/// The parts that only the fuzzers and the benches see. Not part of the API.
#[cfg(any(fuzzing, fetchpool_internals))]
#[doc(hidden)]
pub mod internals;

/// The examples of the README compile, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
