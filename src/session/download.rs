//! Downloads to a file, gone on with where an earlier try left off.

use std::path::Path;
use std::sync::Arc;

use super::Session;
use super::body::{find, read_note};
use super::call::Call;
use super::trail::Trail;
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Destination, Download, Found, Receive, Request, Response, Target};

impl Session {
    /// Sends a request, and asks for the rest where a part of the file is there. If the server has
    /// something else to say of it, the whole is asked for.
    pub(super) fn fetch(
        &mut self,
        request: &Request,
        call: &Call<'_>,
        trail: &mut Trail,
    ) -> Result<Response, Error> {
        Self::check_destination(request)?;
        match request.destination() {
            Destination::Resumable(path) => self.resume(request, path, call, trail),
            _ => self.follow(request, call, trail),
        }
    }

    /// Apart: its copies of the request would lie on the stack of every other one that waits.
    #[inline(never)]
    fn resume(
        &mut self,
        request: &Request,
        path: &Path,
        call: &Call<'_>,
        trail: &mut Trail,
    ) -> Result<Response, Error> {
        self.check_resumable(request)?;
        let Ok(mut target) = Target::parse(request.url()) else {
            // What is wrong with it is told there.
            return self.follow(request, call, trail);
        };
        let own = self.config.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        target.add_params(own.chain(request.added_params()));
        let url = target.as_str().to_owned();
        let mut plain = request.clone();
        if request.sends_default("accept-encoding") {
            // A part of something coded cannot be gone on with.
            plain = plain.header("Accept-Encoding", "identity");
        }
        let left = read_note(path);
        let found = left.as_ref().and_then(|note| find(path, note, &url));
        let part =
            |found| Arc::new(Download::new(path.to_path_buf(), url.clone(), left.clone(), found));
        if let Some(found) = found {
            debug!("{} bytes of {} are there", found.from.saturating_add(1), path.display());
            let part = part(Some(found.clone()));
            let ranged = ranged(plain.clone(), &found)
                .receive(Receive(Destination::Download(Arc::clone(&part))));
            match self.follow(&ranged, call, trail) {
                Err(error) if part.is_refused() => trail.failed(error, None, &url),
                result => return result,
            }
            debug!("{} is begun anew", path.display());
        }
        let whole = plain.receive(Receive(Destination::Download(part(None))));
        self.follow(&whole, call, trail)
    }

    fn check_resumable(&self, request: &Request) -> Result<(), Error> {
        if request.method().as_str() != "GET" {
            let detail = format!("a file is resumed by GET, and not by {}", request.method());
            return Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup));
        }
        let sends = |name: &&str| {
            request.headers().contains(name)
                || (self.config.headers.contains(name) && request.sends_default(name))
        };
        match ["Range", "If-Range"].into_iter().find(sends) {
            Some(name) => {
                let detail = format!("{name} is set, and a resumable file sets it itself");
                Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup))
            }
            None => Ok(()),
        }
    }
}

/// The same request, for the rest of what is there.
fn ranged(request: Request, found: &Found) -> Request {
    request
        .header("Range", format!("bytes={}-", found.from))
        .header("If-Range", found.note.validator.as_str())
}
