//! One worker for one's own threading.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::claim::{Claim, Desk, Seat};
use super::job::Job;
use super::outcome::{Outcome, ThreadException, ThreadResponse};
use super::polite::Sign;
use super::setup::{HookResult, Setup};
use super::worker::{Waits, Worker};
use crate::catch::catch;
use crate::connection::{Deadline, Interrupt};
use crate::error::{Error, ErrorKind};
use crate::message::{Request, Response};
use crate::session::{SessionConfig, Traffic};

/// One worker thread with a session of its own, for programs that arrange their queues
/// themselves. [`Pool`](crate::Pool) does more, and is what most want.
///
/// It takes jobs until the sending end of the job queue is gone, and sends each one's outcome to
/// one of the two queues. Several threads can share one job queue; what is in the queues is
/// bounded only by what sends to them (a pool bounds it). A job that is tried again
/// ([`SessionConfig::retry`]) is waited for, and the thread takes no other one meanwhile.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex, mpsc};
/// use fetchpool::{Request, SessionConfig, SessionThread};
///
/// let (jobs, queue) = mpsc::channel();
/// let (responses, _) = mpsc::channel();
/// let (exceptions, failed) = mpsc::channel();
/// let thread = SessionThread::spawn(
///     Arc::new(Mutex::new(queue)),
///     responses,
///     exceptions,
///     |session: &mut SessionConfig| session.max_idle_connections = 4,
/// )?;
/// jobs.send(Request::get("not a URL"))?;
/// drop(jobs);
/// thread.join();
/// assert_eq!(failed.recv()?.kind().as_str(), "invalid_url");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SessionThread {
    handle: JoinHandle<()>,
}

impl SessionThread {
    /// Starts the thread. The initializer runs in it once, before its first job.
    ///
    /// # Errors
    ///
    /// Kind [`Io`](ErrorKind::Io) if the system has no thread to give.
    pub fn spawn<R: HookResult>(
        jobs: Arc<Mutex<Receiver<Request>>>,
        responses: Sender<ThreadResponse>,
        exceptions: Sender<ThreadException>,
        initializer: impl Fn(&mut SessionConfig) -> R + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let mut setup = Setup::default();
        setup.set_initializer(initializer);
        let desk = Queues { responses, exceptions };
        let handle = Builder::new()
            .name("fetchpool".into())
            .spawn(move || run(&jobs, &desk, &setup))
            .map_err(|error| {
                Error::new(ErrorKind::Io, "no thread can be started").because(error)
            })?;
        Ok(Self { handle })
    }

    /// Whether the thread still takes jobs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.handle.is_finished()
    }

    /// Waits until the thread has ended: after the last sender of the job queue is gone, and the
    /// jobs in it are done.
    pub fn join(self) {
        // The thread catches every panic of a job, so there is none to pass on.
        let _ = self.handle.join();
    }
}

impl fmt::Debug for SessionThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionThread").field("is_alive", &self.is_alive()).finish()
    }
}

fn run(jobs: &Mutex<Receiver<Request>>, desk: &Queues, setup: &Setup) {
    let mut worker = Worker::new(setup, Interrupt::default());
    let seat = Seat::default();
    for index in 0.. {
        // The one that waits for a job holds the lock, and the others wait for that. Poison is
        // ignored: `recv` takes a whole job or none.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(request) = job else { return };
        let now = Instant::now();
        let job = Box::new(Job::new(index, request, now));
        worker.serve(Claim::new(job, &seat, desk), now, Deadline::never(), None, Waits::Here);
    }
}

struct Queues {
    responses: Sender<ThreadResponse>,
    exceptions: Sender<ThreadException>,
}

impl Desk for Queues {
    fn deliver(&self, job: Box<Job>, result: Result<Response, Error>, _: Traffic) {
        // Fails only if nobody reads that queue any more: then nobody is left to tell, and what
        // comes back is dropped here, with what the caller attached to it.
        let _ = catch(|| match Outcome::of(job, result) {
            Outcome::Response(response) => drop(self.responses.send(response)),
            Outcome::Exception(exception) => drop(self.exceptions.send(exception)),
        });
    }

    fn park(&self, job: Box<Job>, _: Instant, _: Sign, traffic: Traffic) {
        // None is parked here; if one were, this would be its answer.
        let error = Error::new(ErrorKind::Cancelled, "nothing is parked without a pool");
        self.deliver(job, Err(error), traffic);
    }
}
