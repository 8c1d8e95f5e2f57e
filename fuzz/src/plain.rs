//! Plain readings, to compare with: short, slow, and of one opinion with nobody.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A head, read line by line.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) len: usize,
    /// Whether nothing at all is wrong with it.
    pub(super) is_clean: bool,
    /// Whether each line ends in CRLF and none is folded.
    is_exact: bool,
    http10: bool,
}

impl Head {
    pub(super) const fn is_http10(&self) -> bool {
        self.http10
    }
}

/// The head in front of the bytes; `None` if its empty line is not there.
pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut len = 0;
    let mut is_exact = true;
    loop {
        let rest = &bytes[len..];
        let line = &rest[..rest.iter().position(|&byte| byte == b'\n')?];
        len += line.len() + 1;
        is_exact &= line.ends_with(b"\r") && !line.starts_with(b" ") && !line.starts_with(b"\t");
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() && !lines.is_empty() {
            break;
        }
        lines.push(line);
    }
    let (first, lines) = lines.split_first()?;
    let status = first.get(9..12).and_then(|code| str::from_utf8(code).ok()?.parse().ok());
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    for line in lines {
        match fields.last_mut() {
            Some((_, value)) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                value.extend([b" ", line.trim_ascii()].concat());
            }
            _ => {
                let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
                let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
                fields.push((latin1(&line[..colon]), value.to_vec()));
            }
        }
    }
    Some(Head {
        status: status.unwrap_or(0),
        is_clean: is_clean(first, lines),
        is_exact,
        http10: first.starts_with(b"HTTP/1.0"),
        fields: fields.into_iter().map(|(name, value)| (name, text(&value))).collect(),
        len,
    })
}

fn is_clean(first: &[u8], lines: &[&[u8]]) -> bool {
    let visible = |text: &[u8]| text.iter().all(|&byte| (b' '..=b'~').contains(&byte));
    let field = |line: &&[u8]| {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(0);
        colon > 0 && line[..colon].iter().all(u8::is_ascii_alphanumeric) && visible(line)
    };
    let codes = [&b"HTTP/1.1 200 "[..], b"HTTP/1.0 404 ", b"HTTP/1.1 103 "];
    codes.iter().any(|code| first.starts_with(code))
        && visible(first)
        && lines.len() <= 256
        && lines.iter().all(field)
}

/// The text of a field's value, which is UTF-8 or else taken for Latin-1.
pub(super) fn text(value: &[u8]) -> String {
    match str::from_utf8(value) {
        Ok(text) => text.trim_matches([' ', '\t']).to_owned(),
        Err(_) => latin1(value).trim_matches([' ', '\t']).to_owned(),
    }
}

/// The head behind those of interim responses.
pub(super) fn final_head(bytes: &[u8]) -> Option<Head> {
    let head = head(bytes)?;
    match head.status / 100 {
        1 => final_head(&bytes[head.len..]),
        _ => Some(head),
    }
}

/// What stands behind the final head.
pub(super) fn final_body(bytes: &[u8]) -> &[u8] {
    match head(bytes) {
        Some(head) if head.status / 100 == 1 => final_body(&bytes[head.len..]),
        Some(head) => &bytes[head.len..],
        None => &[],
    }
}

/// The lines of a chunked body that hold sizes, and those of its trailer; read as far as they can
/// be by somebody who is content with signs and white space.
pub(super) fn chunk_lines(mut rest: &[u8]) -> (Vec<&[u8]>, Vec<&[u8]>) {
    let (mut sizes, mut trailers) = (Vec::new(), Vec::new());
    let mut is_last = false;
    while let Some(len) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = &rest[..len];
        rest = &rest[len + 2..];
        if is_last {
            trailers.push(line);
            if line.is_empty() {
                trailers.pop();
                break;
            }
            continue;
        }
        sizes.push(line);
        let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let size = str::from_utf8(size).map(str::trim).unwrap_or_default();
        match usize::from_str_radix(size, 16) {
            Ok(0) => is_last = true,
            Ok(size) => rest = rest.get(size.saturating_add(2)..).unwrap_or_default(),
            Err(_) => break,
        }
    }
    (sizes, trailers)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The length of a response that says where it ends in the one way that nobody can read otherwise,
/// and lets the connection go on.
pub(super) fn persistent_len(to_head: bool, bytes: &[u8]) -> Option<usize> {
    let head = head(bytes)?;
    let rest = &bytes[head.len..];
    let list = |name: &str| -> Vec<String> {
        let values = head.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let values = values.flat_map(|(_, value)| value.split(','));
        // RFC 9110 §5.6.3: a byte 0xa0 is no whitespace, though the character of that number is.
        values.map(|value| value.trim_matches([' ', '\t']).to_ascii_lowercase()).collect()
    };
    let says = |option: &str| list("connection").iter().any(|token| token == option);
    if !head.is_exact || says("close") || (head.http10 && !says("keep-alive")) {
        return None;
    }
    let (codings, lengths) = (list("transfer-encoding"), list("content-length"));
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| number.to_string() == text);
    let empty = to_head || matches!(head.status, 204 | 304);
    let body = match (head.status, &codings[..], &lengths[..]) {
        (100..200, [], []) => persistent_len(to_head, rest)?,
        (100..200, ..) => return None,
        (_, [], []) if empty => 0,
        (204, [], [length]) if length == "0" => 0,
        (204, ..) => return None,
        (205, [], [length]) if length == "0" => 0,
        (205, ..) if !empty => return None,
        (_, [coding], []) if coding == "chunked" && !head.http10 => {
            if empty {
                0
            } else {
                chunked_len(rest)?
            }
        }
        (_, [], [length]) => {
            let length = number(length)?;
            if empty { 0 } else { usize::try_from(length).ok()? }
        }
        _ => return None,
    };
    head.len.checked_add(body)
}

/// The length of a chunked body, its trailers and all.
pub(super) fn chunked_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let line = |at: &mut usize| {
        let rest = &bytes[*at..];
        let len = rest.windows(2).position(|pair| pair == b"\r\n")?;
        *at += len + 2;
        Some(&rest[..len])
    };
    loop {
        let size = line(&mut at)?.split(|&byte| byte == b';').next()?;
        if !size.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        match usize::from_str_radix(str::from_utf8(size).ok()?, 16).ok()? {
            0 => break,
            size => at = at.checked_add(size).filter(|&at| at <= bytes.len())?,
        }
        if !line(&mut at)?.is_empty() {
            return None;
        }
    }
    while !line(&mut at)?.is_empty() {}
    Some(at)
}

/// Whether a request of these parts is one that nobody could object to.
pub(super) fn is_sendable(parts: [&str; 3], fields: &[(&str, &str)]) -> bool {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let owned = ["host", "connection", "expect"];
    parts.into_iter().all(plain)
        && fields.iter().all(|(name, value)| plain(name) && plain(value) && !owned.contains(name))
}

/// Whether scheme is https, host and port, of a URL that is in its one canonical form.
pub(super) fn origin(url: &str) -> Option<(bool, String, u16)> {
    let (https, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let default = if https { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().ok().filter(|number: &u16| number.to_string() == port)?)
        }
        _ => (authority, default),
    };
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_known = match ipv6 {
        Some(ipv6) => ipv6.parse::<Ipv6Addr>().is_ok(),
        None => is_host_name(host) || host.parse::<Ipv4Addr>().is_ok(),
    };
    is_known.then(|| (https, host.to_owned(), port))
}

/// Whether every reader takes this for a name, and for the whole of it: nothing in it ends a host,
/// and `getaddrinfo` does not take it for a number, as it does `127.1` and `0x7f.1`.
pub(super) fn is_host_name(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let is_safe = |byte: u8| {
        byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !b"@/\\?#:[]<>^|%".contains(&byte)
    };
    !host.is_empty() && host.bytes().all(is_safe) && !is_number
}
