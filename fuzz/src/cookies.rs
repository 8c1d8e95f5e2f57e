//! Properties of what a session does with cookies.

use fetchpool::internals::Jar;

use super::plain;

/// A story in lines: `=URL` is where the next lines come from, `?URL` asks for the `Cookie` field
/// that goes there, `+SECONDS` lets time pass, `:COOKIES` is what the caller sends itself, and any
/// other line is a `Set-Cookie` of that URL. Each cookie gets a value that says which line it is
/// from, and so for each one that is sent, by a plain reading of its line:
///
/// - the host is the one that set it, or both are within the domain that the line names, which is
///   no address and has a dot within;
/// - `Secure` came over https, goes over https, and its prefix is kept;
/// - the path is, or is below, that of the line;
/// - its time is not over, no later cookie has taken its place, and it is sent once;
///
/// and the field can be sent, is within its limits, begins with what the caller sends, and has
/// longer paths first. The text of the jar reads back to the same jar.
pub fn session_cookies(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if !Jar::default().set("a=b", "http://a/", 0) {
        return; // There are no cookies without their feature.
    }
    let mut story = Story::default();
    for line in text.split('\n').take(60) {
        match line.split_at_checked(1) {
            Some(("=", url)) => story.from = plain_url(url),
            Some(("?", url)) => story.ask(url),
            Some(("+", seconds)) => story.now += 1000 * seconds.parse::<u32>().map_or(0, i64::from),
            Some((":", own)) => story.own = own.to_owned(),
            _ => story.set(line),
        }
    }
    assert!(story.jar.text_reads_back(story.now), "{text:?}");
}

struct Story {
    jar: Jar,
    /// 2027-01-15 08:00:00 UTC.
    now: i64,
    from: Option<Place>,
    own: String,
    set: Vec<Cookie>,
}

impl Default for Story {
    fn default() -> Self {
        let (jar, own, set) = (Jar::default(), String::new(), Vec::new());
        Self { jar, now: 1_800_000_000_000, from: None, own, set }
    }
}

/// A URL, by a plain reading of its one canonical form.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    url: String,
    https: bool,
    host: String,
    path: String,
}

/// A line that was taken.
#[derive(Debug)]
struct Cookie {
    name: String,
    from: Place,
    domain: Option<String>,
    path: String,
    secure: bool,
    until: Option<i64>,
}

fn plain_url(url: &str) -> Option<Place> {
    let url = fetchpool::internals::ParsedUrl::parse(url)?.printed()[2].to_owned();
    let (https, host, _) = plain::origin(&url)?;
    let rest = url.split_once("://")?.1;
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    let path = path[..path.find(['?', '#']).unwrap_or(path.len())].to_owned();
    Some(Place { url, https, host, path })
}

impl Story {
    fn set(&mut self, line: &str) {
        let Some(from) = self.from.clone() else { return };
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let value = format!("v{}", self.set.len());
        let line = match line.contains(';') {
            true => format!("{name}={value};{attributes}"),
            false => format!("{name}={value}"),
        };
        let taken = self.jar.set(&line, &from.url, self.now);
        let name = name.trim_matches([' ', '\t']).to_owned();
        let last = |key: &str| {
            let mut all = attributes.split(';').map(|av| av.split_once('=').unwrap_or((av, "")));
            let mut found = None;
            for (name, value) in all.by_ref() {
                let value = value.trim_matches([' ', '\t']);
                if name.trim_matches([' ', '\t']).eq_ignore_ascii_case(key) && value.len() <= 1024 {
                    found = Some(value.to_owned());
                }
            }
            found
        };
        let secure = last("secure").is_some();
        let domain = last("domain").filter(|domain| !["", "."].contains(&domain.as_str()));
        let given = last("path").filter(|path| path.starts_with('/'));
        let is_root = given.as_deref() == Some("/");
        let default = from.path.rfind('/').map_or("/", |at| &from.path[..at.max(1)]);
        let path = given.unwrap_or_else(|| default.to_owned());
        let lower = name.trim().to_ascii_lowercase();
        // Digits alone (RFC 6265 §5.2.2): not `+1`, which Rust reads as a number.
        let age = last("max-age").filter(|age| age.bytes().all(|byte| byte.is_ascii_digit()));
        let age = age.and_then(|age| age.parse::<u32>().ok()).map(i64::from);
        if line.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') || name.is_empty() {
            assert!(!taken, "{line:?}");
        }
        if secure || lower.starts_with("__secure-") || lower.starts_with("__host-") {
            assert!(!taken || (from.https && secure), "{line:?} from {from:?}");
        }
        if lower.starts_with("__host-") {
            assert!(!taken || is_root, "{line:?} from {from:?}");
        }
        // One without anything to object to is taken, unless it must leave a Secure one alone.
        let is_plain = !line.contains(|c: char| c.is_control()) && !name.is_empty();
        let is_alone = !self.set.iter().any(|other| other.name == name && other.secure);
        if is_plain && domain.is_none() && !secure && !lower.starts_with("__") && is_alone {
            assert!(taken || line.len() > 4000, "{line:?} from {from:?}");
        }
        if !taken {
            // Its number is not used again: the next value must be another one.
            self.set.push(Cookie::none(from));
            return;
        }
        // A date is more than this reading knows of.
        let until = age.map(|age| self.now + age * 1000);
        self.set.push(Cookie { name, from, domain, path, secure, until });
    }

    fn ask(&mut self, url: &str) {
        let Some(to) = plain_url(url) else { return };
        let is_sendable = !self.own.bytes().any(|byte| byte.is_ascii_control());
        let own = if is_sendable { self.own.trim_matches([' ', '\t']) } else { "" };
        let Some(field) = self.jar.field(&to.url, own, self.now) else {
            return assert!(own.is_empty(), "{own:?} was lost");
        };
        let head = fetchpool::internals::encode_head(
            ["GET", "/", "host"],
            None,
            false,
            &[("Cookie", &field)],
        );
        assert!(head.is_some(), "{field:?} cannot be sent");
        assert!(field.len() <= own.len().max(8190), "{} bytes", field.len());
        let rest = field.strip_prefix(own).expect("the caller's own come first");
        let rest = rest.strip_prefix("; ").unwrap_or(rest);
        let own: Vec<&str> =
            own.split(';').map(|pair| pair.split('=').next().unwrap_or(pair).trim()).collect();
        let mut sent: Vec<usize> = Vec::new();
        for pair in rest.split("; ").filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.rsplit_once("=v").expect("a name and a value");
            let number: usize = value.parse().expect("a value of ours");
            let cookie = &self.set[number];
            assert_eq!(cookie.name, name);
            assert!(!own.contains(&name), "{name:?} is the caller's");
            assert!(!sent.contains(&number), "{number} is sent twice");
            cookie.may_go(&to, self.now);
            let later = self.set.iter().skip(number + 1).find(|later| cookie.is_like(later));
            assert!(later.is_none(), "{cookie:?} was replaced by {later:?}");
            let before = sent.last().map_or(usize::MAX, |&before| self.set[before].path.len());
            assert!(before >= cookie.path.len(), "{cookie:?} stands behind a shorter path");
            sent.push(number);
        }
    }
}

impl Cookie {
    /// One that was not taken, and must never be sent.
    fn none(from: Place) -> Self {
        let (domain, path) = (None, "never".to_owned());
        Self { name: String::new(), from, domain, path, secure: true, until: Some(0) }
    }

    /// The same name, from the same URL, with the same attributes.
    fn is_like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.from == other.from
            && self.domain == other.domain
            && self.path == other.path
    }

    fn may_go(&self, to: &Place, now: i64) {
        assert!(to.https || !self.secure, "{self:?} is Secure, and went to {to:?}");
        assert!(self.until.is_none_or(|until| now < until), "{self:?} is over at {now}");
        let below = to.path.strip_prefix(&self.path).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        });
        assert!(below, "{self:?} is of another path than {to:?}");
        if self.from.host == to.host {
            return;
        }
        let domain = self.domain.as_deref().unwrap_or_else(|| panic!("{self:?} went to {to:?}"));
        let labels = |host: &str| host.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (from, to) = (labels(&self.from.host), labels(&to.host));
        let shared: Vec<_> =
            from.iter().rev().zip(to.iter().rev()).take_while(|(one, two)| one == two).collect();
        let is_address = |labels: &[String]| {
            let last = labels.last().map_or("", String::as_str);
            last.ends_with(']') || last.bytes().all(|byte| byte.is_ascii_digit())
        };
        assert!(shared.len() >= 2, "{self:?} went to {to:?}");
        assert!(!is_address(&from) && !is_address(&to), "{self:?} went to {to:?}");
        // Other alphabets are more than this reading knows of.
        if domain.is_ascii() {
            let domain = domain.to_ascii_lowercase();
            let domain = labels(domain.strip_prefix('.').unwrap_or(&domain));
            assert!(domain.len() >= 2 && from.ends_with(&domain) && to.ends_with(&domain));
            let known = [["co", "uk"], ["com", "au"], ["or", "jp"]];
            assert!(!known.iter().any(|public| domain == *public), "{self:?} went to {to:?}");
        }
    }
}
