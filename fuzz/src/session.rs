//! Properties of what a session decides.

use fetchpool::internals::{DECODED_BYTES, ParsedUrl, decode};

use super::plain;

/// A chain of redirects, the job's URL in the first line and a `Location` in each other one:
/// two URLs are of one origin exactly where a plain reading of scheme, host and port says so, and
/// a `Location` leads to `http` or `https` only, and brings no user information: what the URL has
/// of it stays within its origin.
pub fn session_redirect(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let Some(first) = lines.next().and_then(ParsedUrl::parse) else { return };
    let mut here = first.clone();
    for location in lines {
        let Some(next) = here.join(location) else { continue };
        let shown = next.printed()[2];
        let origin = plain::origin(shown);
        assert!(origin.is_some(), "{location:?} gave {shown:?}");
        for from in [&here, &first] {
            let same = plain::origin(from.printed()[2]) == origin;
            assert_eq!(from.is_same_origin(&next), (same, same), "{from:?} to {next:?}");
        }
        let own = here.userinfo().filter(|_| plain::origin(here.printed()[2]) == origin);
        assert_eq!(next.userinfo(), own, "{location:?}");
        // An IPv6 address has more than one spelling.
        if let Some(plain) = plain::origin(location).filter(|_| !location.contains('[')) {
            assert_eq!(origin, Some(plain), "{location:?} gave {shown:?}");
        }
        here = next;
    }
}

/// A body, its `Content-Encoding` in the first line: what comes out keeps to the limit, and is the
/// same, or an error, at any cut.
pub fn session_coding(input: &[u8]) {
    let Some(line) = input.iter().position(|&byte| byte == b'\n') else { return };
    let (coding, body) = (&input[..line], &input[line + 1..]);
    let Ok(coding) = str::from_utf8(coding) else { return };
    if coding.len() > 80 || coding.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        return;
    }
    let whole = decode(coding, &[body]);
    if let Ok(decoded) = &whole {
        assert!(decoded.len() as u64 <= DECODED_BYTES, "{} bytes", decoded.len());
    }
    for cut in [1 + body.len() / 2, 1 + body.len() / 64] {
        let cut_up = decode(coding, &body.chunks(cut).collect::<Vec<_>>());
        // Which of two faults is met first is a matter of the cut.
        assert_eq!(cut_up.as_ref().ok(), whole.as_ref().ok(), "in pieces of {cut}: {cut_up:?}");
    }
}
