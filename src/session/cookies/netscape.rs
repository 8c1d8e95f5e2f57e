//! The text form that curl, wget and browsers' exports share: `cookies.txt` of Netscape.
//!
//! Seven columns with a tab between them: domain, whether subdomains too, path, whether https only,
//! seconds since 1970 or 0, name, value.

use super::entry::{Entry, Parts};
use super::set_cookie::millis;

/// What a file begins with; some programs read no other.
pub(super) const FIRST_LINE: &str = "# Netscape HTTP Cookie File\n";

/// One line of a file.
pub(super) fn write(entry: &Entry, out: &mut String) {
    let word = |holds| if holds { "TRUE" } else { "FALSE" };
    let end = entry.expires().map_or(0, |end| end.div_euclid(1000)).to_string();
    if entry.is_http_only() {
        out.push_str(HTTP_ONLY);
    }
    if !entry.is_host_only() {
        out.push('.');
    }
    let columns = [
        entry.domain(),
        word(!entry.is_host_only()),
        entry.path(),
        word(entry.is_secure()),
        &end,
        entry.name(),
        entry.value(),
    ];
    out.push_str(&columns.join("\t"));
    out.push('\n');
}

/// What a line says: the host and the parts of a cookie, or `None` for one without a cookie.
pub(super) fn read(line: &str) -> Result<Option<(&str, Parts<'_>)>, &'static str> {
    let (http_only, line) = match line.strip_prefix(HTTP_ONLY) {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    if line.trim().is_empty() || (line.starts_with('#') && !http_only) {
        return Ok(None);
    }
    let columns: Vec<&str> = line.split('\t').collect();
    let (domain, subdomains, path, secure, end, name, value) = match *columns.as_slice() {
        [domain, subdomains, path, secure, end, name] => {
            (domain, subdomains, path, secure, end, name, "")
        }
        [domain, subdomains, path, secure, end, name, value] => {
            (domain, subdomains, path, secure, end, name, value)
        }
        _ => return Err("has not six or seven columns with tabs between them"),
    };
    let word = |text: &str| match text {
        "TRUE" => Ok(true),
        "FALSE" => Ok(false),
        _ => Err("has something else than TRUE and FALSE in its second or fourth column"),
    };
    let subdomains = word(subdomains)?;
    // Without subdomains it is part of the name: a host may begin with a dot.
    let host = domain.strip_prefix('.').filter(|_| subdomains).unwrap_or(domain);
    let end: i64 = end.parse().map_err(|_| "has no number of seconds in its fifth column")?;
    let parts = Parts {
        name,
        value,
        domain: subdomains.then_some(host),
        path: Some(path),
        secure: word(secure)?,
        http_only,
        expires: (end != 0).then(|| millis(end)),
    };
    // With these in them they would be read otherwise when they are sent.
    if name.contains(['=', ';']) || value.contains(';') {
        return Err("has a name or a value that no cookie can have");
    }
    Ok(Some((host, parts)))
}

const HTTP_ONLY: &str = "#HttpOnly_";
