//! What a Digest challenge asks for (RFC 7616 §3.3), and which of several is answered. Pure.

use super::challenge::{Ambiguous, Challenge, Params, challenges};
use super::hash::Algorithm;
use crate::message::{Headers, Target};

/// A Digest challenge that can be answered.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) realm: String,
    pub(super) nonce: String,
    pub(super) opaque: Option<String>,
    pub(super) algorithm: Algorithm,
    /// Whether the name of the algorithm is said in the answer, as it was in the challenge.
    pub(super) says_algorithm: bool,
    /// Whether the key is one for this nonce (`-sess`).
    pub(super) session: bool,
    pub(super) protection: Protection,
    pub(super) stale: bool,
    pub(super) utf8: bool,
    pub(super) userhash: bool,
    /// The paths that the challenge is for, as the beginnings of theirs; all of the origin if none.
    pub(super) paths: Vec<String>,
}

/// What the digest protects, the better ones last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// Method and path, as RFC 2069 had it: the nonce is not counted.
    Old,
    /// Method and path.
    Auth,
    /// The body as well.
    AuthInt,
}

impl Terms {
    /// The strongest of the challenges that can be answered, the first one among equals. `with_body`
    /// says that the body is at hand, so that it can be hashed.
    pub(super) fn strongest(headers: &Headers, target: &Target, with_body: bool) -> Option<Self> {
        let fields = headers.get_all("www-authenticate");
        let mut strongest: Option<Self> = None;
        for challenge in fields.flat_map(challenges) {
            let Ok(Some(terms)) = Self::of(&challenge, target, with_body) else { continue };
            if strongest.as_ref().is_none_or(|other| terms.algorithm > other.algorithm) {
                strongest = Some(terms);
            }
        }
        strongest
    }

    fn of(
        challenge: &Challenge<'_>,
        target: &Target,
        with_body: bool,
    ) -> Result<Option<Self>, Ambiguous> {
        if !challenge.scheme.eq_ignore_ascii_case("digest") {
            return Ok(None);
        }
        let params = &challenge.params;
        let (Some(realm), Some(nonce)) = (text(params, "realm")?, text(params, "nonce")?) else {
            return Ok(None);
        };
        let named = params.get("algorithm")?;
        let name = named.unwrap_or(Algorithm::Md5.name());
        let (name, session) = match without_suffix(name, "-sess") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(algorithm) = Algorithm::named(name) else { return Ok(None) };
        let protection = match params.get("qop")? {
            None => Some(Protection::Old),
            Some(offered) => Protection::best(offered, with_body),
        };
        // Without a quality of protection there is no cnonce, which the key of a session is made of.
        let protection = protection.filter(|p| !(session && *p == Protection::Old));
        let Some(protection) = protection else { return Ok(None) };
        let is = |name: &str, word: &str| {
            params.get(name).map(|v| v.is_some_and(|value| value.eq_ignore_ascii_case(word)))
        };
        Ok(Some(Self {
            realm,
            nonce,
            opaque: match params.get("opaque")? {
                Some(_) => match text(params, "opaque")? {
                    Some(opaque) => Some(opaque),
                    None => return Ok(None),
                },
                None => None,
            },
            algorithm,
            says_algorithm: named.is_some(),
            session,
            protection,
            stale: is("stale", "true")?,
            utf8: is("charset", "utf-8")?,
            userhash: is("userhash", "true")?,
            paths: paths(params.get("domain")?.unwrap_or_default(), target),
        }))
    }
}

impl Protection {
    fn best(offered: &str, with_body: bool) -> Option<Self> {
        let has = |name: &str| {
            offered.split(',').any(|word| word.trim_matches([' ', '\t']).eq_ignore_ascii_case(name))
        };
        if has("auth") {
            // Few servers can do more, and whoever may change the body may change the challenge.
            Some(Self::Auth)
        } else if has("auth-int") && with_body {
            Some(Self::AuthInt)
        } else {
            None
        }
    }

    /// As it is said in an answer.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Old => None,
            Self::Auth => Some("auth"),
            Self::AuthInt => Some("auth-int"),
        }
    }
}

/// A parameter that is sent back, if it is no longer than what may be sent back.
fn text(params: &Params<'_>, name: &str) -> Result<Option<String>, Ambiguous> {
    Ok(params.get(name)?.filter(|value| is_short(value)).map(str::to_owned))
}

/// Whether a server's text is short enough to be kept, and sent with each request.
pub(super) const fn is_short(value: &str) -> bool {
    value.len() <= TEXT_BYTES
}

fn without_suffix<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let (name, end) = name.split_at_checked(name.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(name)
}

/// The paths of `domain` that lie in the target's origin; the target's own is always one, since it
/// was asked for. Other origins were named by a server that has no say there.
fn paths(domain: &str, target: &Target) -> Vec<String> {
    let mut paths: Vec<String> = domain
        .split_ascii_whitespace()
        .take(PATHS)
        .filter_map(|uri| target.join(uri).ok())
        .filter(|there| there.same_origin(target))
        .map(|there| there.path_and_query().to_owned())
        .filter(|path| is_short(path))
        .collect();
    if !domain.trim_ascii().is_empty() {
        paths.push(target.path_and_query().to_owned());
    }
    paths
}

/// Realms, nonces and the like are of some hundred bytes at most; each is sent with every request.
const TEXT_BYTES: usize = 2 << 10;
/// How many paths of a protection space are remembered.
const PATHS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn strongest(fields: &[&str]) -> Option<Terms> {
        let mut headers = Headers::new();
        for field in fields {
            headers.append("WWW-Authenticate", field).unwrap();
        }
        let target = Target::parse("http://h/dir/page?q").unwrap();
        Terms::strongest(&headers, &target, true)
    }

    const START: &str = "Digest realm=\"r\", nonce=\"n\"";

    #[test]
    fn the_strongest_is_taken_wherever_it_stands_and_the_first_of_equals() {
        let md5 = format!("{START}, algorithm=MD5");
        let sha = "digest REALM=r, Nonce=\"other\", algorithm=\"sha-256\"";
        let both = format!("Basic realm=\"x\", {md5}, {sha}");
        for fields in
            [&[&*md5, sha][..], &[sha, &md5], &[&both], &["Basic", &md5, "Negotiate", sha]]
        {
            let terms = strongest(fields).unwrap();
            assert_eq!(
                (terms.algorithm, &*terms.nonce),
                (Algorithm::Sha256, "other"),
                "{fields:?}"
            );
        }
        let first = strongest(&[&md5, "Digest realm=\"r\", nonce=\"2\", algorithm=MD5"]).unwrap();
        assert_eq!(first.nonce, "n");
        let cut = strongest(&[&md5, "Digest realm=\"r\", nonce=\"2\", algorithm=SHA-512-256"]);
        assert_eq!(cut.unwrap().algorithm, Algorithm::Sha512Of256);
    }

    #[test]
    fn what_is_not_understood_is_not_answered() {
        for rest in [
            ", algorithm=SHA-1",
            ", algorithm=\"\"",
            ", algorithm=-sess",
            ", algorithm=MD5, algorithm=SHA-256",
            ", qop=\"\"",
            ", qop=\"auth-conf\"",
            ", qop=auth, qop=auth",
            ", realm=\"second\"",
            ", opaque=a, opaque=b",
            // The key of a session is made of a cnonce, and there is none without a qop.
            ", algorithm=MD5-sess",
        ] {
            assert!(strongest(&[&format!("{START}{rest}")]).is_none(), "{rest}");
        }
        let long = "x".repeat(TEXT_BYTES + 1);
        for field in [
            "Digest",
            "Digest realm=\"r\"",
            "Digest nonce=\"n\"",
            "Basic realm=\"r\", nonce=\"n\"",
            &format!("Digest realm=\"r\", nonce=\"{long}\""),
            &format!("{START}, opaque=\"{long}\""),
        ] {
            assert!(strongest(&[field]).is_none(), "{field}");
        }
    }

    #[test]
    fn auth_comes_before_auth_int_which_needs_the_body() {
        let of = |qop: &str| strongest(&[&format!("{START}, qop={qop}")]).unwrap().protection;
        assert_eq!(of("\"auth-int,auth\""), Protection::Auth);
        assert_eq!(of("\" other , AUTH \""), Protection::Auth);
        assert_eq!(of("auth-int"), Protection::AuthInt);
        assert_eq!(strongest(&[START]).unwrap().protection, Protection::Old);
        assert_eq!(Protection::best("auth-int", false), None);
    }

    #[test]
    fn a_domain_names_paths_of_the_own_origin_only() {
        let of =
            |domain: &str| strongest(&[&format!("{START}, domain=\"{domain}\"")]).unwrap().paths;
        assert_eq!(of(""), [""; 0]);
        assert_eq!(
            of("/a http://h/b  http://other/c //h:81/d sub"),
            ["/a", "/b", "/dir/sub", "/dir/page?q"]
        );
        assert_eq!(of("http://other/"), ["/dir/page?q"]);
        assert_eq!(of(&"/x ".repeat(1_000)).len(), PATHS + 1);
    }
}
