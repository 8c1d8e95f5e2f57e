//! The head of a request: which fields go along with a hop, and whose.

use super::Session;
#[cfg(feature = "digest")]
use super::auth::Asked;
use super::auth::{Proof, SignableRequest, choose};
use super::call::Course;
use super::redirect::Step;
use crate::connection::Proxy;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Headers, Request};
use crate::wire::{self, BodyLength, RequestHead, WireError, Written};

impl Session {
    /// Writes the head: the session's fields unless the request has its own, then the request's.
    /// The body has this length, and it may be asked whether it is wanted. Each call is for a
    /// request that goes out: it is counted and signed for itself.
    pub(super) fn encode(
        &mut self,
        course: &Course<'_>,
        step: &Step,
        proxy: Option<&Proxy>,
        (length, expects_continue): (BodyLength, bool),
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let request = course.request;
        let auth = self.authorization(request, step, proxy)?;
        let cookie = self.cookie(request, step);
        let length = match length {
            BodyLength::None if step.method.expects_body() => BodyLength::Known(0),
            length => length,
        };
        let forwards = proxy.filter(|proxy| proxy.forwards(&step.target));
        let head = RequestHead {
            method: step.method.as_str(),
            target: match forwards {
                Some(_) => step.target.absolute(),
                None => step.target.path_and_query(),
            },
            host: step.target.authority(),
            body: length,
            expects_continue,
            close: !self.config.keep_alive,
            ahead: Written::NONE,
        };
        // Nothing is added to the session's own fields, and none is left out.
        if proxy.is_none()
            && (auth.is_none() && cookie.is_none() && self.config.signer.is_none())
            && (step.with_credentials && step.with_body && request.is_plain())
        {
            let usual = match self.usual.take() {
                Some(usual) => usual,
                None => self.write_usual()?,
            };
            let written = wire::encode(out, &RequestHead { ahead: &usual, ..head }, []);
            self.usual = Some(usual);
            return written.map_err(unsendable);
        }
        let config = &self.config;
        // A proxy that forwards the request reads its head; any other sees nothing of it, and what is
        // meant for a proxy is not for the target.
        let to_proxy = forwards.and_then(Proxy::authorization);
        let own_to_proxy = forwards.is_some() && to_proxy.is_none();
        let goes_along = |name: &str| {
            (own_to_proxy || !is_for_proxy(name))
                && (step.with_credentials || !crate::message::is_secret(name))
                && (step.with_body || !describes_body(name))
        };
        // The caller's own are part of it.
        let goes_along = |name: &str| {
            goes_along(name) && !(cookie.is_some() && name.eq_ignore_ascii_case("cookie"))
        };
        let defaults = config.headers.iter().filter(|(name, _)| {
            goes_along(name)
                && (step.with_credentials || is_neutral(name))
                && request.sends_default(name)
                && !(auth.is_some() && name.eq_ignore_ascii_case("authorization"))
        });
        let own = request.headers().iter().filter(|(name, _)| goes_along(name));
        let content_type = request.content().1.filter(|_| step.with_body);
        agrees_with(content_type, request)?;
        let has = |name: &str| request.headers().contains(name) || config.headers.contains(name);
        let added = [
            (
                ACCEPT_ENCODING,
                self.accept_encoding
                    .filter(|_| request.sends_default(ACCEPT_ENCODING) && !has(ACCEPT_ENCODING)),
            ),
            ("Authorization", auth.as_deref().filter(|value| !value.is_empty())),
            ("Cookie", cookie.as_deref()),
            ("Content-Type", content_type.filter(|_| !request.headers().contains("content-type"))),
        ];
        let added = added.into_iter().filter_map(|(name, value)| Some((name, value?)));
        // A body's own type is more than the session's default for all bodies.
        let typed = content_type.is_some();
        let defaults =
            defaults.filter(|(name, _)| !(typed && name.eq_ignore_ascii_case("content-type")));
        let fields = defaults.chain(added).chain(own);
        // Nobody's business but the proxy's: not that of who signs for the target, either.
        let to_proxy = to_proxy.as_deref().map(|value| ("Proxy-Authorization", value));
        let signer = config.signer.as_ref().filter(|_| step.with_credentials);
        let written = match signer {
            Some(signer) if signer.signs(&step.target)? => {
                let mut headers = Headers::new();
                for (name, value) in fields {
                    headers.append(name, value)?;
                }
                let headers = signer.sign(SignableRequest {
                    method: &step.method,
                    target: &step.target,
                    headers,
                    body: body_at_hand(request, step),
                    attempt: course.number,
                })?;
                wire::encode(out, &head, headers.iter().chain(to_proxy))
            }
            _ => wire::encode(out, &head, fields.chain(to_proxy)),
        };
        written.map_err(unsendable)
    }

    /// What goes out with a request that says nothing of its fields, where nobody forwards it.
    fn write_usual(&self) -> Result<Written, Error> {
        let headers = &self.config.headers;
        let defaults = headers.iter().filter(|(name, _)| !is_for_proxy(name));
        let coding = self.accept_encoding.filter(|_| !headers.contains(ACCEPT_ENCODING));
        let added = coding.map(|value| (ACCEPT_ENCODING, value));
        Written::of(defaults.chain(added)).map_err(unsendable)
    }

    /// The credentials that go along with this hop: the URL's own, or the session's. Empty where
    /// there are some, and the server has not yet said what it makes of them.
    fn authorization(
        &mut self,
        request: &Request,
        step: &Step,
        proxy: Option<&Proxy>,
    ) -> Result<Option<String>, Error> {
        #[cfg(feature = "digest")]
        self.spaces.send_none();
        if !step.with_credentials || !request.sends_default("authorization") {
            return Ok(None);
        }
        let (auth, netrc) = (self.config.auth.as_ref(), self.config.netrc.as_ref());
        let netrc = netrc.filter(|netrc| proxy.is_none() || netrc.may_be_overheard(&step.target));
        Ok(match choose(&step.target, auth, netrc)? {
            None => None,
            Some(Proof::Field(value)) => Some(value.into_owned()),
            #[cfg(feature = "digest")]
            Some(Proof::Digest(login)) => {
                Some(self.spaces.answer(login, &asked(request, step)).unwrap_or_default())
            }
        })
    }

    /// The one `Cookie` field of this hop, of a session that has a jar: what the caller has set,
    /// and the jar's cookies for the URL. A request without the field is without the jar's, too.
    #[cfg(feature = "cookies")]
    fn cookie(&self, request: &Request, step: &Step) -> Option<String> {
        let jar = self.jar.as_ref()?;
        let headers = match request.headers().contains("cookie") {
            true => request.headers(),
            false if request.sends_default("cookie") => &self.config.headers,
            false => return None,
        };
        let theirs = headers.get_all("cookie").filter(|value| !value.is_empty());
        let theirs: Vec<&str> = theirs.filter(|_| step.with_credentials).collect();
        jar.field(&step.target, &theirs.join("; "), super::cookies::now())
    }

    #[cfg(not(feature = "cookies"))]
    #[expect(clippy::unused_self, reason = "what it stands in for needs it")]
    const fn cookie(&self, _: &Request, _: &Step) -> Option<String> {
        None
    }
}

/// Refuses a type of the request's own for a form with files in it, unless it names the boundary of
/// that form: no server could read it.
fn agrees_with(content_type: Option<&str>, request: &Request) -> Result<(), Error> {
    let boundary = content_type.and_then(|written| Some(written.split_once("; boundary=")?.1));
    let Some(boundary) = boundary else { return Ok(()) };
    match request.headers().get_all("content-type").find(|own| !own.contains(boundary)) {
        None => Ok(()),
        Some(own) => {
            let detail = format!("the Content-Type \"{own}\" lacks the boundary of the form");
            Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup))
        }
    }
}

/// The bytes of the body that goes along; `None` if it is not there as bytes.
fn body_at_hand<'a>(request: &'a Request, step: &Step) -> Option<&'a [u8]> {
    if step.with_body { request.content().0.as_bytes() } else { Some(&[]) }
}

/// What a digest is made of.
#[cfg(feature = "digest")]
pub(super) fn asked<'a>(request: &'a Request, step: &'a Step) -> Asked<'a> {
    let (method, target) = (step.method.as_str(), &step.target);
    Asked { method, target, body: body_at_hand(request, step) }
}

fn unsendable(error: WireError) -> Error {
    Error::from(error).during(Phase::Setup)
}

/// A field that is nobody's business but a proxy's.
fn is_for_proxy(name: &str) -> bool {
    name.eq_ignore_ascii_case("proxy-authorization")
}

/// Fields that a session may send to any origin. All others it sets were meant for the origins of
/// the jobs, and one of them may be a key by a name of its own.
fn is_neutral(name: &str) -> bool {
    ["user-agent", "accept", "accept-language", "accept-encoding", "cache-control", "pragma"]
        .iter()
        .any(|neutral| name.eq_ignore_ascii_case(neutral))
}

/// Fields that make no sense without the body they describe (RFC 9110 §15.4).
fn describes_body(name: &str) -> bool {
    name.len() > 8
        && name.as_bytes().get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
}

const ACCEPT_ENCODING: &str = "Accept-Encoding";
