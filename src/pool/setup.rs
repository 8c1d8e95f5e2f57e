//! How each worker comes to its session.

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};

use crate::catch::catch;
use crate::connection::Interrupt;
use crate::error::{Error, ErrorKind, Phase};
use crate::session::{Session, SessionConfig};

/// What a hook over [`SessionConfig`] may return: nothing, or a `Result` whose error becomes the
/// exception of every job that the worker takes.
#[diagnostic::on_unimplemented(
    message = "a hook returns nothing or a `Result`, not `{Self}`",
    note = "end its last line with a semicolon, or return `Ok(())`"
)]
pub trait HookResult {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

impl HookResult for () {
    fn into_result(self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(())
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> HookResult for Result<(), E> {
    fn into_result(self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self.map_err(Into::into)
    }
}

type Hook = dyn Fn(&mut SessionConfig) -> Result<(), Box<dyn StdError + Send + Sync>> + Send + Sync;

/// The settings to start from and the hooks that change them, once in each worker.
#[derive(Clone, Default)]
pub(super) struct Setup {
    pub(super) config: SessionConfig,
    /// The same, for all workers, where no hook changes it.
    shared: OnceLock<Arc<SessionConfig>>,
    initializer: Option<Arc<Hook>>,
    auth_generator: Option<Arc<Hook>>,
}

impl Setup {
    pub(super) fn set_initializer<R: HookResult>(
        &mut self,
        hook: impl Fn(&mut SessionConfig) -> R + Send + Sync + 'static,
    ) {
        self.initializer = Some(Arc::new(move |config| hook(config).into_result()));
    }

    pub(super) fn set_auth_generator<R: HookResult>(
        &mut self,
        hook: impl Fn(&mut SessionConfig) -> R + Send + Sync + 'static,
    ) {
        self.auth_generator = Some(Arc::new(move |config| hook(config).into_result()));
    }

    /// The session of one worker, in a box: it is large, and a worker's stack is to be small. What is
    /// wrong with it is told for each job that it takes.
    pub(super) fn session(&self, interrupt: &Interrupt) -> Result<Box<Session>, SetupFault> {
        if self.initializer.is_none() && self.auth_generator.is_none() {
            let shared = self.shared.get_or_init(|| self.own_config());
            return session(Arc::clone(shared), interrupt);
        }
        let mut shared = self.own_config();
        // Nobody else has it yet.
        let config = Arc::make_mut(&mut shared);
        for (name, hook) in
            [("initializer", &self.initializer), ("auth_generator", &self.auth_generator)]
        {
            let Some(hook) = hook else { continue };
            // Also how the error prints is the caller's code.
            let run = || hook(&mut *config).map_err(|error| format!("the {name} failed: {error}"));
            match catch(run) {
                Ok(Ok(())) => {}
                Ok(Err(detail)) => {
                    return Err(SetupFault { kind: ErrorKind::InvalidRequest, detail });
                }
                Err(panicked) => {
                    let error = Error::panicked(&format!("the {name} panicked"), &panicked);
                    return Err(SetupFault::of(&error));
                }
            }
        }
        session(shared, interrupt)
    }

    /// A copy. Its kilobyte is not to lie on the stack while more is called.
    #[inline(never)]
    fn own_config(&self) -> Arc<SessionConfig> {
        Arc::new(self.config.clone())
    }
}

fn session(config: Arc<SessionConfig>, interrupt: &Interrupt) -> Result<Box<Session>, SetupFault> {
    Session::with_interrupt(config, interrupt.clone()).map_err(|error| SetupFault::of(&error))
}

/// Why a worker has no session, kept to be told more than once.
pub(super) struct SetupFault {
    kind: ErrorKind,
    detail: String,
}

impl SetupFault {
    fn of(error: &Error) -> Self {
        Self { kind: error.kind(), detail: error.message() }
    }

    pub(super) fn error(&self) -> Error {
        Error::new(self.kind, self.detail.clone()).during(Phase::Setup)
    }
}
