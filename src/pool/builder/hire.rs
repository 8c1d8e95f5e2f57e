//! A pool whose jobs come from a queue engine.

use std::sync::Arc;

use super::PoolBuilder;
use crate::error::Error;
use crate::observer::Observer;
use crate::pool::engine::Office;
use crate::pool::job_queue::{JobQueue, QueueOptions};

/// An engine, and how its jobs are treated.
pub(super) struct Hired {
    engine: Box<dyn JobQueue>,
    options: QueueOptions,
}

impl Hired {
    pub(super) fn open(self, observer: Option<Arc<dyn Observer>>) -> Result<Arc<Office>, Error> {
        Office::open(self.engine, self.options, observer)
    }
}

impl PoolBuilder {
    /// A queue engine where the jobs come from: see [`JobQueue`]. To go on using it, give a clone of
    /// an `Arc`. Of this and [`job_queue`](Self::job_queue) the later one counts.
    ///
    /// A job is claimed when a worker is free for it, and none ahead of that, whatever
    /// [`look_ahead`](Self::look_ahead) says. Those that the politeness to their origins holds back, or
    /// that wait to be tried again, are leased meanwhile: as many as there are threads, unless
    /// [`waiting_capacity`](Self::waiting_capacity) says otherwise.
    ///
    /// What was not claimed when the pool ends is still in the engine, what was and is not begun goes
    /// back there, and [`Pool::close`](crate::Pool::close) hands nothing back. Dropping the pool waits
    /// for the engine no longer than for anything else of the caller's, 100 ms;
    /// [`join_all`](crate::Pool::join_all) waits until it was told of every job.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::{JobQueue, MemoryQueue, Pool, QueueOptions, Request};
    /// use std::sync::Arc;
    ///
    /// let queue = Arc::new(MemoryQueue::new());
    /// queue.submit(Request::get("no URL"), Some("first"))?;
    /// queue.close();
    /// let pool = Pool::builder().queue(Arc::clone(&queue), QueueOptions::new()).build()?;
    /// assert_eq!(pool.exceptions().count(), 1);
    /// assert_eq!(queue.take_dead_letters().len(), 1); // it could never be sent
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue(mut self, engine: impl JobQueue + 'static, options: QueueOptions) -> Self {
        self.engine = Some(Hired { engine: Box::new(engine), options });
        self.source = None;
        self
    }
}
