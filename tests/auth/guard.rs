//! A server that guards what it has by digest, and does its own sums.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use md5::Digest as _;

use crate::support::script::{Recorded, Script, Server, ok, reply};

pub(crate) const USER: &str = "Mufasa";
pub(crate) const PASSWORD: &str = "Circle of Life";
pub(crate) const REALM: &str = "the \"house\", all of it";

/// What a guard asks for, and when it asks anew.
#[derive(Clone, Default)]
pub(crate) struct Guard {
    /// Empty for a challenge that does not say.
    pub(crate) algorithm: &'static str,
    /// Empty for a challenge that does not say.
    pub(crate) qop: &'static str,
    /// Further parameters of the challenge, from a comma on.
    pub(crate) rest: &'static str,
    /// How many requests one nonce is good for; 0 for any number.
    pub(crate) uses: usize,
    /// Whether it says so when a nonce is used up.
    pub(crate) tells_stale: bool,
    /// Whether it names the next nonce in good time.
    pub(crate) tells_next: bool,
}

/// Where it stands: the number of the nonce that counts, and how often it was used.
#[derive(Default)]
struct State {
    nonce: usize,
    used: usize,
}

impl Guard {
    /// One that asks by this algorithm and quality.
    pub(crate) fn by(algorithm: &'static str, qop: &'static str) -> Self {
        Self { algorithm, qop, ..Self::default() }
    }

    /// A server that answers 200 with the path to those who know the password.
    pub(crate) fn serve(self) -> Server {
        let state = Arc::new(Mutex::new(State::default()));
        Script::site(move |request| self.answer(request, &mut state.lock().unwrap()))
    }

    fn answer(&self, request: &Recorded, state: &mut State) -> Vec<u8> {
        let given = request.headers("authorization");
        assert!(given.len() < 2, "{given:?}");
        let nonce = |number: usize| format!("n\\\"{number}");
        let mut stale = false;
        if let Some(params) = given.first().and_then(|value| parse(value)) {
            let current = unquoted(&nonce(state.nonce));
            let good = self.is_good(request, &params);
            let fresh = params["nonce"] == current && (self.uses == 0 || state.used < self.uses);
            if good && fresh {
                state.used += 1;
                if let Some(count) = params.get("nc") {
                    assert_eq!(u64::from_str_radix(count, 16), Ok(state.used as u64), "{params:?}");
                }
                let mut fields = String::new();
                if self.tells_next && state.used == self.uses {
                    *state = State { nonce: state.nonce + 1, used: 0 };
                    let next = nonce(state.nonce);
                    fields = format!("Authentication-Info: nextnonce=\"{next}\", qop=auth\r\n");
                }
                return reply("200 OK", &fields, request.target());
            }
            stale = good && self.tells_stale;
        }
        *state = State { nonce: state.nonce + 1, used: 0 };
        let realm = REALM.replace('"', "\\\"");
        let mut field = format!("Digest realm=\"{realm}\", nonce=\"{}\"", nonce(state.nonce));
        if !self.algorithm.is_empty() {
            let _ = write!(field, ", algorithm={}", self.algorithm);
        }
        if !self.qop.is_empty() {
            let _ = write!(field, ", qop=\"{}\", opaque=\"o\"", self.qop);
        }
        field += self.rest;
        if stale {
            field += ", stale=true";
        }
        reply("401 Who", &format!("WWW-Authenticate: {field}\r\n"), "who are you?")
    }

    /// Whether the parameters prove that the password is known (RFC 7616 §3.4.1).
    fn is_good(&self, request: &Recorded, params: &BTreeMap<String, String>) -> bool {
        let (base, session) = match self.algorithm.strip_suffix("-sess") {
            Some(base) => (base, true),
            None => (self.algorithm, false),
        };
        let hash = |text: String| match base {
            "" | "MD5" => hex(&md5::Md5::digest(text)),
            "SHA-256" => hex(&sha2::Sha256::digest(text)),
            "SHA-512-256" => hex(&sha2::Sha512_256::digest(text)),
            other => panic!("{other}"),
        };
        let user = match self.rest.contains("userhash=true") {
            true => hash(format!("{USER}:{REALM}")),
            false => USER.to_owned(),
        };
        let mut key = hash(format!("{USER}:{REALM}:{PASSWORD}"));
        if session {
            key = hash(format!("{key}:{}:{}", params["nonce"], params["cnonce"]));
        }
        let mut what = format!("{}:{}", request.method(), request.target());
        if params.get("qop").is_some_and(|qop| qop == "auth-int") {
            what += ":";
            what += &hash(String::from_utf8(request.body().to_vec()).unwrap());
        }
        let what = hash(what);
        let middle = match self.qop {
            "" => params["nonce"].clone(),
            _ => {
                let [nc, cnonce, qop] = ["nc", "cnonce", "qop"].map(|name| params[name].as_str());
                assert!(cnonce.len() >= 16 && params["opaque"] == "o", "{params:?}");
                format!("{}:{nc}:{cnonce}:{qop}", params["nonce"])
            }
        };
        assert_eq!(params["realm"], REALM);
        assert_eq!(params["uri"], request.target(), "what the request line has");
        assert_eq!(params.get("algorithm").map_or("", String::as_str), self.algorithm);
        params["username"] == user && params["response"] == hash(format!("{key}:{middle}:{what}"))
    }
}

/// The parameters of a Digest field; `None` for another scheme. Reads one byte after another.
pub(crate) fn parse(value: &str) -> Option<BTreeMap<String, String>> {
    let mut rest = value.strip_prefix("Digest ")?;
    let mut params = BTreeMap::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').expect("name=value");
        let (text, after) = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut chars = quoted.char_indices();
                let end = loop {
                    match chars.next().expect("the end of a quote") {
                        (at, '"') => break at,
                        (_, '\\') => drop(chars.next()),
                        _ => {}
                    }
                };
                (unquoted(&quoted[..end]), &quoted[end + 1..])
            }
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        assert!(params.insert(name.to_owned(), text).is_none(), "{name} twice in {value}");
        rest = after.strip_prefix(", ").unwrap_or(after);
    }
    Some(params)
}

/// The number of its nonce's use that each request gave; 0 for a request without a digest.
pub(crate) fn counts(server: &Server) -> Vec<u32> {
    let count = |request: &Recorded| {
        let params = request.header("authorization").and_then(|value| parse(&value));
        params.map_or(0, |params| u32::from_str_radix(&params["nc"], 16).unwrap())
    };
    server.requests().iter().map(count).collect()
}

fn unquoted(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A 401 with these challenges, one in each field.
pub(crate) fn refusal(challenges: &[&str]) -> Vec<u8> {
    let fields: String =
        challenges.iter().map(|challenge| format!("WWW-Authenticate: {challenge}\r\n")).collect();
    reply("401 No", &fields, "no")
}

/// A site that refuses everything with these challenges.
pub(crate) fn refusing(challenges: &'static [&'static str]) -> Server {
    Script::site(move |_| refusal(challenges))
}

/// A site that asks by this challenge, and takes whatever it gets.
pub(crate) fn trusting(challenge: &'static str) -> Server {
    Script::site(move |request| match request.header("authorization") {
        Some(_) => ok("in"),
        None => refusal(&[challenge]),
    })
}
