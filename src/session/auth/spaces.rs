//! The protection spaces that a session has come upon (RFC 7616 §3.3): what each origin's server
//! wants to be answered, so that it need not ask again.

use super::challenge::params;
use super::digest::{Key, field};
use super::login::{Asked, Login};
use super::terms::{Terms, is_short};
use crate::message::{Headers, Origin, Target, random};

/// One space for each origin, and what the request under way was sent with.
#[derive(Default)]
pub(in crate::session) struct Spaces {
    /// Least recently used first.
    known: Vec<Space>,
    /// The nonce that the last request answered, if it did.
    sent: Option<String>,
}

struct Space {
    origin: Origin,
    terms: Terms,
    key: Key,
    /// The random number that a session's key was made with. Elsewhere each request has its own.
    cnonce: String,
    /// How many requests were sent by this nonce.
    count: u32,
}

impl Spaces {
    /// Notes that a request is sent without an answer.
    pub(in crate::session) fn send_none(&mut self) {
        self.sent = None;
    }

    /// The value of `Authorization`, if the server is known to want one. Each call is a request of
    /// its own to the server, which counts them.
    pub(in crate::session) fn answer(
        &mut self,
        login: &Login,
        asked: &Asked<'_>,
    ) -> Option<String> {
        self.sent = None;
        let place = self.known.iter().position(|space| space.origin.contains(asked.target))?;
        let mut space = self.known.remove(place);
        // A nonce that was counted to the end is no good any more.
        let count = space.count.checked_add(1)?;
        let value = space.answer(login, asked, count);
        if value.is_some() {
            space.count = count;
            self.sent = Some(space.terms.nonce.clone());
        }
        self.known.push(space);
        value
    }

    /// Takes a 401 in. Whether the request should be sent once more, with an answer to its
    /// challenge; `answered` is how often that was done already.
    ///
    /// Not if the server has refused an answer to this very nonce, or one that was just made for it:
    /// the password is wrong, and would be so again.
    pub(in crate::session) fn meet(
        &mut self,
        login: &Login,
        asked: &Asked<'_>,
        headers: &Headers,
        answered: u32,
    ) -> bool {
        let terms = Terms::strongest(headers, asked.target, asked.body.is_some());
        let refused = |terms: &Terms| {
            self.sent.as_ref() == Some(&terms.nonce) || answered > u32::from(terms.stale)
        };
        let terms = terms.filter(|terms| !refused(terms));
        self.known.retain(|space| !space.origin.contains(asked.target));
        let Some(terms) = terms else { return false };
        if self.known.len() >= SPACES {
            self.known.remove(0);
        }
        let cnonce = random::token();
        let key = Key::new(&terms, login, &cnonce);
        self.known.push(Space { origin: asked.target.origin(), terms, key, cnonce, count: 0 });
        true
    }

    /// Takes the answer to a request in: it may name the nonce for the next one (RFC 7616 §3.5).
    pub(in crate::session) fn learn(&mut self, target: &Target, headers: &Headers) {
        let (Some(sent), Some(info)) = (&self.sent, headers.get("authentication-info")) else {
            return;
        };
        let params = params(info);
        let Ok(Some(next)) = params.get("nextnonce") else { return };
        let same = |space: &&mut Space| space.origin.contains(target) && space.terms.nonce == *sent;
        let space = self.known.iter_mut().find(same);
        if let Some(space) = space.filter(|_| next != sent && !next.is_empty() && is_short(next)) {
            // The key of a session stays as it was made.
            next.clone_into(&mut space.terms.nonce);
            space.count = 0;
        }
    }
}

impl Space {
    fn answer(&self, login: &Login, asked: &Asked<'_>, count: u32) -> Option<String> {
        let path = asked.target.path_and_query();
        let paths = &self.terms.paths;
        if !paths.is_empty() && !paths.iter().any(|start| path.starts_with(start.as_str())) {
            return None;
        }
        let fresh;
        let cnonce = match self.terms.session {
            true => &self.cnonce,
            false => {
                fresh = random::token();
                &fresh
            }
        };
        field(&self.terms, &self.key, login, asked, (count, cnonce))
    }
}

/// How many origins are remembered.
const SPACES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &str, value: &str) -> Headers {
        let mut headers = Headers::new();
        headers.append(name, value).unwrap();
        headers
    }

    struct Client {
        spaces: Spaces,
        login: Login,
        target: Target,
    }

    impl Client {
        fn new() -> Self {
            let login = Login { user: "u".into(), password: "p".into() };
            Self { spaces: Spaces::default(), login, target: Target::parse("http://h/").unwrap() }
        }

        fn send(&mut self) -> Option<String> {
            let asked = Asked { method: "GET", target: &self.target, body: Some(b"") };
            self.spaces.answer(&self.login, &asked)
        }

        fn meet(&mut self, rest: &str, answered: u32) -> bool {
            let challenge = format!("Digest realm=r, qop=auth, {rest}");
            let asked = Asked { method: "GET", target: &self.target, body: Some(b"") };
            let headers = headers("WWW-Authenticate", &challenge);
            self.spaces.meet(&self.login, &asked, &headers, answered)
        }
    }

    #[test]
    fn requests_by_one_nonce_are_counted_and_each_has_a_number_of_its_own() {
        let mut client = Client::new();
        assert_eq!(client.send(), None);
        assert!(client.meet("nonce=a", 0));
        let values: Vec<String> = (0..3).map(|_| client.send().unwrap()).collect();
        for (value, count) in values.iter().zip(["00000001", "00000002", "00000003"]) {
            assert!(value.contains(&format!("nc={count}")), "{value}");
        }
        let cnonce = |value: &str| value.split_once("cnonce=").unwrap().1.to_owned();
        assert_ne!(cnonce(&values[0]), cnonce(&values[1]));
        assert!(client.meet("nonce=b, algorithm=MD5-sess", 0));
        let [one, two] = [client.send().unwrap(), client.send().unwrap()];
        assert_eq!(cnonce(&one), cnonce(&two), "its key was made with this one");
    }

    #[test]
    fn a_refused_answer_is_not_given_again_unless_its_nonce_was_stale() {
        let mut client = Client::new();
        assert!(client.meet("nonce=a", 0));
        client.send();
        assert!(!client.meet("nonce=b", 1));
        assert_eq!(client.send(), None, "what was refused is forgotten");
        assert!(client.meet("nonce=a", 0));
        client.send();
        assert!(client.meet("nonce=b, stale=TRUE", 1));
        client.send();
        assert!(!client.meet("nonce=c, stale=true", 2));
        // Of an earlier request; the server may not say that it was stale.
        assert!(client.meet("nonce=a", 0));
        client.send();
        assert!(client.meet("nonce=b", 0));
        client.send();
        assert!(!client.meet("nonce=b, stale=true", 0), "the same nonce, and the same password");
    }

    #[test]
    fn the_next_nonce_is_taken_from_the_answer_to_the_one_before() {
        let mut client = Client::new();
        assert!(client.meet("nonce=a", 0));
        for (info, nonce, count) in [
            ("nextnonce=\"a\"", "a", "00000002"),
            ("rspauth=\"x\", nextnonce=\"b\", qop=auth", "b", "00000001"),
            ("nextnonce=c, nextnonce=d", "b", "00000002"),
            ("nextnonce=\"\"", "b", "00000003"),
            ("nextnonce=\"c", "b", "00000004"),
        ] {
            client.send().unwrap();
            client.spaces.learn(&client.target.clone(), &headers("Authentication-Info", info));
            let mut ahead = client.spaces.known[0].count;
            ahead += 1;
            assert_eq!(client.spaces.known[0].terms.nonce, nonce, "{info}");
            assert_eq!(format!("{ahead:08x}"), count, "{info}");
        }
        client.spaces.send_none();
        let other = headers("Authentication-Info", "nextnonce=z");
        client.spaces.learn(&client.target.clone(), &other);
        assert_eq!(client.spaces.known[0].terms.nonce, "b", "nothing was answered");
    }

    #[test]
    fn no_more_than_so_many_origins_are_remembered() {
        let mut client = Client::new();
        for number in 0..SPACES + 10 {
            client.target = Target::parse(&format!("http://h{number}/")).unwrap();
            assert!(client.meet("nonce=a", 0));
        }
        assert_eq!(client.spaces.known.len(), SPACES);
        assert!(client.spaces.known.iter().all(|space| space.origin.host != "h0"));
    }

    #[test]
    fn a_nonce_that_was_counted_to_the_end_is_given_up() {
        let mut client = Client::new();
        assert!(client.meet("nonce=a", 0));
        client.spaces.known[0].count = u32::MAX - 1;
        assert!(client.send().is_some_and(|value| value.contains("nc=ffffffff")));
        assert_eq!(client.send(), None);
    }
}
