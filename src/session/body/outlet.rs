//! Where the bytes of a body go that is not collected.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::output::Output;
use crate::catch::catch;
use crate::error::Error;
use crate::message::{ChunkFn, WriterSlot};

/// Where bytes go.
pub(in crate::session) enum Outlet {
    Nowhere,
    Writer(Lent),
    Chunks {
        function: Arc<ChunkFn>,
        /// It was called.
        called: bool,
    },
    File(Output),
}

impl Outlet {
    /// Takes the writer out of its slot; `None` if somebody else has.
    pub(in crate::session) fn writer(slot: &Arc<WriterSlot>) -> Option<Self> {
        let writer = slot.take()?;
        let slot = Arc::clone(slot);
        Some(Self::Writer(Lent { slot, writer: Some(writer), written: false }))
    }

    pub(in crate::session) const fn chunks(function: Arc<ChunkFn>) -> Self {
        Self::Chunks { function, called: false }
    }

    /// How many bytes were there before.
    pub(super) const fn before(&self) -> u64 {
        match self {
            Self::File(output) => output.before(),
            Self::Nowhere | Self::Writer(_) | Self::Chunks { .. } => 0,
        }
    }

    /// From where on the rest of a file was received.
    pub(in crate::session) const fn resumed_from(&self) -> Option<u64> {
        match self {
            Self::File(output) => output.resumed_from(),
            Self::Nowhere | Self::Writer(_) | Self::Chunks { .. } => None,
        }
    }

    /// Whether code of the caller's has seen some of it.
    pub(in crate::session) const fn was_handed_over(&self) -> bool {
        match self {
            Self::Writer(lent) => lent.written,
            Self::Chunks { called, .. } => *called,
            Self::File(_) | Self::Nowhere => false,
        }
    }

    /// Hands some bytes on.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Writer(lent) => lent.run(true, |writer| writer.write_all(bytes)),
            Self::Chunks { function, called } => {
                *called = true;
                answer("function", catch(|| function.call(bytes)))
            }
            Self::File(output) => output.write(bytes),
        }
    }

    /// The body is whole: the file that has it, if one does.
    pub(super) fn finish(self) -> Result<Option<PathBuf>, Error> {
        match self {
            Self::Nowhere | Self::Chunks { .. } => Ok(None),
            Self::Writer(mut lent) => lent.end().map(|()| None),
            Self::File(output) => output.finish().map(Some),
        }
    }

    /// The body will not be whole, because of this.
    pub(in crate::session) fn give_up(self, error: &Error) {
        match self {
            Self::Nowhere | Self::Chunks { .. } => {}
            Self::Writer(lent) => drop(lent),
            Self::File(output) => output.give_up(error),
        }
    }
}

/// The caller's writer, for as long as a body takes. If nothing was written to it, it goes back.
pub(in crate::session) struct Lent {
    slot: Arc<WriterSlot>,
    writer: Option<Box<dyn Write + Send>>,
    written: bool,
}

impl Lent {
    /// Lets the writer do something.
    fn run(
        &mut self,
        is_write: bool,
        call: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        self.written |= is_write;
        answer("writer", catch(|| call(writer)))
    }

    /// Flushes the writer and lets go of it, which may do something, too.
    fn end(&mut self) -> Result<(), Error> {
        self.run(true, |writer| writer.flush())?;
        let writer = self.writer.take();
        answer("writer", catch(|| drop(writer)).map(Ok))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        match self.writer.take() {
            // Unless nobody could take it again.
            Some(writer) if !self.written && Arc::strong_count(&self.slot) > 1 => {
                self.slot.put_back(writer);
            }
            // There is an error to be told already, and a panic of a drop is none of ours.
            writer => drop(catch(|| drop(writer))),
        }
    }
}

/// What came of code of the caller's.
fn answer(what: &str, result: Result<io::Result<()>, crate::catch::Panicked>) -> Result<(), Error> {
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Error::local(format!("the {what} that receives it failed"), error)),
        Err(panicked) => {
            let what = format!("the {what} that receives the body panicked");
            Err(Error::panicked(&what, &panicked))
        }
    }
}
