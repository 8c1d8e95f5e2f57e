//! A thousand unlike jobs on sixteen threads give a thousand outcomes, every time (P1).
//!
//! Good, missing, misspelt, refused, slow, chunked, compressed, redirected, over TLS, closed, cut
//! short, reset and rubbish: each kind of job knows what must become of it.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use fetchpool::{Error, ErrorKind, Outcome, Pool, PoolBuilder, Request, Response};

use support::farm::{Echo, Farm, refused, within};

/// Jobs in a batch.
const JOBS: usize = 1000;

/// Threads for a batch.
const THREADS: usize = 16;

/// Batches, by each way of reading them.
const RUNS: usize = 50;

/// What a batch may take: some hundred times what it does.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn map_gives_each_of_a_thousand_mixed_jobs_its_outcome_in_fifty_runs() {
    let field = Field::new();
    for run in 0..RUNS {
        let (jobs, pool) = (field.jobs(run), field.pool());
        let (responses, exceptions) = within(LIMIT, move || pool.map(jobs));
        assert_eq!(responses.len() + exceptions.len(), JOBS, "in run {run}");
        let mut seen = vec![false; JOBS];
        for response in responses {
            let index = response.index();
            let tag = response.tag::<Tag>().cloned();
            let (request, response) = response.into_parts();
            field.check(run, &mut seen, index, tag, &request, Ok(response));
        }
        for exception in exceptions {
            let index = exception.index();
            let tag = exception.tag::<Tag>().cloned();
            let (request, error) = exception.into_parts();
            field.check(run, &mut seen, index, tag, &request, Err(error));
        }
        assert!(seen.iter().all(|&seen| seen), "in run {run}");
    }
}

#[test]
fn a_pool_gives_each_of_a_thousand_mixed_jobs_its_outcome_in_fifty_runs() {
    let field = Field::new();
    for run in 0..RUNS {
        let pool = field.pool().job_queue(field.jobs(run)).build().unwrap();
        let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
        assert_eq!(outcomes.len(), JOBS, "in run {run}");
        let mut seen = vec![false; JOBS];
        for outcome in outcomes {
            let index = outcome.index();
            let tag = outcome.tag::<Tag>().cloned();
            let request = outcome.request().clone();
            field.check(run, &mut seen, index, tag, &request, outcome.result());
        }
        assert!(seen.iter().all(|&seen| seen), "in run {run}");
    }
}

/// What a job carries, to be recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    run: usize,
    number: usize,
    kind: Kind,
}

/// The kinds of jobs in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Post,
    Missing,
    Failing,
    Slow,
    Chunked,
    #[cfg(feature = "gzip")]
    Gzip,
    Redirected,
    Closing,
    #[cfg(feature = "tls")]
    Tls,
    #[cfg(feature = "tls")]
    TlsChunked,
    BadUrl,
    BadHeader,
    Refused,
    Truncated,
    Reset,
    Garbage,
}

impl Kind {
    const ALL: &[Self] = &[
        Self::Good,
        Self::Post,
        Self::Missing,
        Self::Failing,
        Self::Slow,
        Self::Chunked,
        #[cfg(feature = "gzip")]
        Self::Gzip,
        Self::Redirected,
        Self::Closing,
        #[cfg(feature = "tls")]
        Self::Tls,
        #[cfg(feature = "tls")]
        Self::TlsChunked,
        Self::BadUrl,
        Self::BadHeader,
        Self::Refused,
        Self::Truncated,
        Self::Reset,
        Self::Garbage,
    ];

    /// The kind of a job. Another in each run, so that each has other neighbours.
    fn of(run: usize, number: usize) -> Self {
        // One kind in a row would be no mixture: the step has no factor in common with the count.
        let kind = Self::ALL[(number * 11 + number / 17 + run) % Self::ALL.len()];
        match kind {
            // Most of the slow ones become good ones: a batch has 1,000 jobs to get through.
            Self::Slow if !number.is_multiple_of(4) => Self::Good,
            kind => kind,
        }
    }
}

/// The servers for the batches.
struct Field {
    farm: Farm,
    gone: SocketAddr,
}

impl Field {
    fn new() -> Self {
        #[cfg(feature = "tls")]
        let farm = Farm::with_tls();
        #[cfg(not(feature = "tls"))]
        let farm = Farm::new();
        Self { farm, gone: refused() }
    }

    /// Sixteen threads that trust the farm.
    fn pool(&self) -> PoolBuilder {
        let pool = Pool::builder().num_threads(THREADS);
        #[cfg(feature = "tls")]
        let pool = pool.initializer_with(
            self.farm.root_pem().to_owned(),
            |session: &mut fetchpool::SessionConfig, root: &String| {
                session.tls.add_root_pem(root.as_str());
            },
        );
        pool
    }

    fn jobs(&self, run: usize) -> Vec<Request> {
        let tags = (0..JOBS).map(|number| Tag { run, number, kind: Kind::of(run, number) });
        tags.map(|tag| self.job(&tag).tag(tag)).collect()
    }

    fn job(&self, tag: &Tag) -> Request {
        let number = tag.number;
        let get = |route: &str| {
            Request::get(self.farm.url(&format!("{route}/{run}-{number}", run = tag.run)))
        };
        match tag.kind {
            Kind::Good => get("/ok"),
            Kind::Post => {
                Request::post(self.farm.url("/echo")).data(format!("{}-{number}", tag.run))
            }
            Kind::Missing => get("/status/404"),
            Kind::Failing => get("/status/503"),
            Kind::Slow => get("/delay/30"),
            Kind::Chunked => get("/chunked"),
            #[cfg(feature = "gzip")]
            Kind::Gzip => get("/gzip"),
            Kind::Redirected => get("/redirect/2"),
            Kind::Closing => get("/close"),
            #[cfg(feature = "tls")]
            Kind::Tls => Request::get(self.farm.tls_url(&format!("/ok/{}-{number}", tag.run))),
            #[cfg(feature = "tls")]
            Kind::TlsChunked => {
                Request::get(self.farm.tls_url(&format!("/chunked/{}-{number}", tag.run)))
            }
            Kind::BadUrl => Request::get(format!("http://[{number}")),
            Kind::BadHeader => get("/ok").header("X-Split", format!("{number}\r\nX-More: 1")),
            Kind::Refused => Request::get(format!("http://{}/{number}", self.gone)),
            Kind::Truncated => get("/truncated"),
            Kind::Reset => get("/reset"),
            Kind::Garbage => get("/garbage"),
        }
    }

    /// Checks one outcome: whose it is, that it is the first of its job, and what it says.
    #[track_caller]
    fn check(
        &self,
        run: usize,
        seen: &mut [bool],
        index: u64,
        tag: Option<Tag>,
        request: &Request,
        result: Result<Response, Error>,
    ) {
        let number = usize::try_from(index).unwrap();
        let expected = Tag { run, number, kind: Kind::of(run, number) };
        assert_eq!(tag.as_ref(), Some(&expected));
        assert_eq!(request.url(), self.job(&expected).url());
        assert!(!std::mem::replace(&mut seen[number], true), "{expected:?} came twice");

        let id = format!("{run}-{number}");
        match (expected.kind, result) {
            (Kind::Post, Ok(response)) => {
                assert_eq!(Echo::of(response.bytes()).body(), id, "{expected:?}");
            }
            (_, Ok(response)) => {
                let status = match expected.kind {
                    Kind::Missing => 404,
                    Kind::Failing => 503,
                    _ => 200,
                };
                let hops = if expected.kind == Kind::Redirected { 2 } else { 0 };
                assert!(errors(expected.kind).is_empty(), "{expected:?} gave {response:?}");
                assert_eq!(response.status(), status, "{expected:?}");
                assert_eq!(response.text(), id, "{expected:?}");
                assert_eq!(response.history().len(), hops, "{expected:?}");
            }
            (kind, Err(error)) => {
                let allowed = errors(kind);
                assert!(allowed.contains(&error.kind()), "{expected:?}: {}", error.message());
            }
        }
    }
}

/// What a job of this kind may fail with; nothing if it must succeed.
fn errors(kind: Kind) -> &'static [ErrorKind] {
    match kind {
        Kind::BadUrl => &[ErrorKind::InvalidUrl],
        Kind::BadHeader => &[ErrorKind::InvalidRequest],
        Kind::Refused => &[ErrorKind::Connect],
        Kind::Truncated => &[ErrorKind::Closed],
        // RST, or the end of the stream where the system was quicker with that.
        Kind::Reset => &[ErrorKind::Io, ErrorKind::Closed],
        Kind::Garbage => &[ErrorKind::Protocol],
        _ => &[],
    }
}
