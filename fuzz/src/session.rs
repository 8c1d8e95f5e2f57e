//! Properties of what a session decides.

use fetchpool::internals::{challenges, decode, redirects};

use super::plain;

/// A chain of redirects, the job's URL in the first line and a `Location` in each other one:
/// credentials go along as long as each URL, by a plain reading of scheme, host and port, is of
/// the job's own origin, and never again; and a `Location` leads to `http` or `https` only and
/// brings no user information: what a URL has of it stays within its origin.
pub fn session_redirect(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let lines: Vec<&str> = text.split('\n').take(12).collect();
    let Some(chain) = redirects(lines[0], &lines[1..]) else { return };
    let home = plain::origin(chain[0].0.printed()[2]);
    let mut at_home = true;
    for (url, with_credentials) in &chain {
        let origin = plain::origin(url.printed()[2]);
        assert!(origin.is_some(), "{url:?}");
        at_home &= origin == home;
        assert_eq!(*with_credentials, at_home, "at {url:?} of {chain:?}");
    }
    for (here, _) in &chain {
        for location in &lines[1..] {
            let Some(next) = here.join(location) else { continue };
            let origin = plain::origin(next.printed()[2]);
            let same = plain::origin(here.printed()[2]) == origin;
            assert_eq!(next.userinfo(), here.userinfo().filter(|_| same), "{location:?}");
            assert_eq!(here.is_same_origin(&next), (same, same), "{here:?} to {next:?}");
            // An IPv6 address has more than one spelling.
            if let Some(plain) = plain::origin(location).filter(|_| !location.contains('[')) {
                assert_eq!(origin, Some(plain), "{location:?} gave {next:?}");
            }
        }
    }
}

/// A body, its `Content-Encoding` in the first line: what comes out keeps to the limits, and is the
/// same, or an error, at any cut.
pub fn session_coding(input: &[u8]) {
    let Some(line) = input.iter().position(|&byte| byte == b'\n') else { return };
    let (coding, body) = (&input[..line], &input[line + 1..]);
    let Ok(coding) = str::from_utf8(coding) else { return };
    if coding.len() > 80 || coding.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        return;
    }
    if coding.to_ascii_lowercase().ends_with("br") && body.first().is_some_and(is_large) {
        return;
    }
    for (cap, ratio) in CAPS {
        let whole = decode(coding, &[body], cap, ratio);
        if let Ok(decoded) = &whole {
            let most = cap.min(FREE.max(u64::from(ratio) * body.len() as u64));
            assert!(decoded.len() as u64 <= most, "{} bytes at {cap}, {ratio}", decoded.len());
        }
        let few = if body.len() < 200 { 1 } else { 1 + body.len() / 64 };
        for cut in [few, 7, 1 + body.len() / 2] {
            let cut_up = decode(coding, &body.chunks(cut).collect::<Vec<_>>(), cap, ratio);
            // Which of two faults is met first is a matter of the cut.
            let (cut_up, whole) = (cut_up.as_ref().ok(), whole.as_ref().ok());
            assert!(cut_up == whole, "in pieces of {cut} at {cap}, {ratio}");
        }
    }
}

/// A `WWW-Authenticate`: what is found in it was there, and written out in the plainest way it is
/// found once more; what stands behind a whole challenge and a comma does not change it.
pub fn challenge(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let found = challenges(text);
    let is_token = |word: &str| {
        let marks = "!#$%&'*+-.^_`|~";
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
    };
    let mut length = 0;
    let mut plain = Vec::new();
    for (scheme, params) in &found {
        assert!(is_token(scheme) && text.contains(scheme.as_str()), "{scheme:?} in {text:?}");
        let written: Vec<String> = params
            .iter()
            .map(|(name, value)| {
                assert!(is_token(name) && text.contains(name.as_str()), "{name:?} in {text:?}");
                length += name.len() + value.len() + 1;
                let value: String = value.chars().flat_map(|c| ['\\', c]).collect();
                format!("{name}=\"{value}\"")
            })
            .collect();
        length += scheme.len();
        plain.push([scheme.as_str(), &written.join(", ")].join(" "));
    }
    assert!(length <= text.len(), "more came out of {text:?} than went in: {found:?}");
    let plain = plain.join(", ");
    assert_eq!(challenges(&plain), found, "{plain:?}, which is {text:?} written out");
    let again = challenges(&format!("{plain}, Other x=y"));
    assert_eq!(again.len(), found.len() + 1, "{again:?}");
    assert_eq!(again[..found.len()], found, "with another one behind {plain:?}");
}

/// Whether a brotli body of this first byte has a window of more than a mebibyte (RFC 7932 §9.1).
/// Fourteen bytes can ask for all of it before anything comes out, which under a sanitizer takes
/// seconds, and is the same as with a smaller one.
fn is_large(first: &u8) -> bool {
    first & 1 == 1 && first >> 1 & 7 > 3
}

/// Limits that are low enough to be reached, each with a ratio: below the first mebibyte, and past
/// it, from where on the ratio counts.
const CAPS: [(u64, u32); 2] = [(64 << 10, 1000), (5 << 19, 200)];
/// What may come out at any ratio.
const FREE: u64 = 1 << 20;
