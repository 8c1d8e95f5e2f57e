//! What the fuzzers see of this floor: its pure parts, driven without a socket.

use super::auth::challenge::challenges;
use super::body::Collect;
use super::coding::Decoder;
use super::redirect::{Step, next_step};
use crate::connection::Sink as _;
use crate::error::Error;
use crate::message::{Headers, Method, Target, Version};
use crate::wire::{Limits, ResponseHead};

/// The steps of a chain of redirects, each as its target and whether credentials go along; from
/// the job's URL over each `Location`, and past those that are refused.
pub(crate) fn redirects(first: Target, locations: &[&str]) -> Vec<(Target, bool)> {
    let mut step = Step::first(Method::GET, first);
    let mut chain = vec![(step.target.clone(), step.with_credentials)];
    for location in locations {
        let head = head("Location", location);
        if let Some(Ok(Some(next))) = head.map(|head| next_step(&step, &head)) {
            step = next;
            chain.push((step.target.clone(), step.with_credentials));
        }
    }
    chain
}

/// Decodes a body of this `Content-Encoding` that comes in these pieces.
pub(crate) fn decode(coding: &str, pieces: &[&[u8]], limits: &Limits) -> Result<Vec<u8>, Error> {
    let head = head("Content-Encoding", coding);
    let decoder = head.map_or(Ok(None), |head| Decoder::for_head(&head, limits))?;
    if decoder.is_none() {
        return Ok(Vec::new());
    }
    let mut sink = Collect::new(decoder, None, limits, None, None)?;
    for mut piece in pieces.iter().copied() {
        while sink.data(&mut piece)? {}
    }
    sink.finish()
}

/// The inside of a jar.
#[cfg(feature = "cookies")]
#[derive(Debug, Default)]
pub(crate) struct Jar(super::CookieJar);

#[cfg(feature = "cookies")]
impl Jar {
    pub(crate) fn set(&self, line: &str, from: &Target, now: i64) -> bool {
        self.0.put(line, from, now).is_ok()
    }

    pub(crate) fn field(&self, target: &Target, own: &str, now: i64) -> Option<String> {
        self.0.field(target, own, now)
    }

    pub(crate) fn text_reads_back(&self, now: i64) -> bool {
        let (text, again) = (self.0.text(now), super::CookieJar::new());
        again.add_text(&text, now).is_ok() && again.text(now) == text
    }
}

/// What stands in for it.
#[cfg(not(feature = "cookies"))]
#[derive(Debug, Default)]
pub(crate) struct Jar;

#[cfg(not(feature = "cookies"))]
#[expect(clippy::unused_self, reason = "what it stands in for needs it")]
impl Jar {
    pub(crate) const fn set(&self, _: &str, _: &Target, _: i64) -> bool {
        false
    }

    pub(crate) fn field(&self, _: &Target, own: &str, _: i64) -> Option<String> {
        (!own.is_empty()).then(|| own.to_owned())
    }

    pub(crate) const fn text_reads_back(&self, _: i64) -> bool {
        true
    }
}

/// The challenges of a `WWW-Authenticate`, each with its scheme and its parameters.
pub(crate) fn challenged(value: &str) -> Vec<(String, Vec<(String, String)>)> {
    let found = challenges(value).into_iter();
    found
        .map(|challenge| {
            let params = challenge.params.0.into_iter();
            let params = params.map(|(name, value)| (name.to_owned(), value.into_owned()));
            (challenge.scheme.to_owned(), params.collect())
        })
        .collect()
}

/// A redirect with one field, if that can be.
fn head(name: &str, value: &str) -> Option<ResponseHead> {
    let mut headers = Headers::new();
    headers.append(name, value).ok()?;
    Some(ResponseHead { status: 307, version: Version::Http11, reason: "".into(), headers })
}
