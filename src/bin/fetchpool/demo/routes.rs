//! What the demo's server serves. Client and server both look here, so that what is sent and what
//! is expected cannot drift apart.

use std::io::{self, Write as _};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    Small,
    Gzip,
    Chunked,
    Slow,
    Redirect,
    Missing,
    Broken,
    Large,
}

impl Route {
    /// The kind of the job with this index: a fixed mixture, well stirred.
    pub(super) fn of(index: u64) -> Self {
        // 37 and 100 have no common divisor, so that every hundred jobs meet each number once.
        match index * 37 % 100 {
            0..48 => Self::Small,
            48..60 => Self::Gzip,
            60..72 => Self::Chunked,
            72..80 => Self::Slow,
            80..90 => Self::Redirect,
            90..95 => Self::Missing,
            95..98 => Self::Broken,
            _ => Self::Large,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Small => "small JSON",
            Self::Gzip => "gzip",
            Self::Chunked => "chunked",
            Self::Slow => "slow, 5 to 50 ms",
            Self::Redirect => "redirects, 1 to 3",
            Self::Missing => "404",
            Self::Broken => "500",
            Self::Large => "1 MiB",
        }
    }

    pub(super) fn path(self, index: u64) -> String {
        match self {
            Self::Small => format!("/small/{index}"),
            Self::Gzip => format!("/gzip/{index}"),
            Self::Chunked => format!("/chunked/{index}"),
            Self::Slow => format!("/slow/{index}"),
            Self::Redirect => format!("/redirect-{}/{index}", self.hops(index)),
            Self::Missing => format!("/missing/{index}"),
            Self::Broken => format!("/broken/{index}"),
            Self::Large => format!("/large/{index}"),
        }
    }

    /// The status behind every redirect.
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::Missing => 404,
            Self::Broken => 500,
            _ => 200,
        }
    }

    /// Redirects on the way.
    pub(super) const fn hops(self, index: u64) -> usize {
        match self {
            Self::Redirect => 1 + index as usize % 3,
            _ => 0,
        }
    }

    /// The body behind every redirect, codings undone.
    pub(super) fn body(self, index: u64) -> Vec<u8> {
        let item = format!("{{\"index\": {index}, \"fruit\": \"pear\", \"price\": 1.25}}\n");
        match self {
            Self::Small | Self::Slow | Self::Redirect => item.into_bytes(),
            Self::Gzip => item.repeat(120).into_bytes(),
            Self::Chunked => item.repeat(100).into_bytes(),
            Self::Missing => b"no such fruit\n".to_vec(),
            Self::Broken => b"the cart fell over\n".to_vec(),
            Self::Large => large(index),
        }
    }
}

/// A block of 4,099 bytes over and over: a prime number, so that a piece that is lost or doubled
/// on the way shows, whatever size it has.
fn large(index: u64) -> Vec<u8> {
    let block: Vec<u8> = (0..4_099).map(|at: u64| (at * at + index) as u8).collect();
    let mut body = block.repeat(LARGE_BYTES.div_ceil(block.len()));
    body.truncate(LARGE_BYTES);
    body
}

const LARGE_BYTES: usize = 1024 * 1024;

/// The bytes that answer a path, and how long the server takes over them.
pub(super) fn answer(path: &str) -> io::Result<(Duration, Vec<u8>)> {
    let (name, index) = path.trim_start_matches('/').split_once('/').unwrap_or((path, "0"));
    let index = index.parse().unwrap_or(0);
    let mut delay = Duration::ZERO;
    let route = match name {
        "small" => Route::Small,
        "gzip" => Route::Gzip,
        "chunked" => Route::Chunked,
        "slow" => {
            delay = Duration::from_millis(5 + index % 46);
            Route::Slow
        }
        "large" => Route::Large,
        "broken" => Route::Broken,
        "redirect-1" => return Ok((delay, redirect(&Route::Small.path(index)))),
        "redirect-2" => return Ok((delay, redirect(&format!("/redirect-1/{index}")))),
        "redirect-3" => return Ok((delay, redirect(&format!("/redirect-2/{index}")))),
        _ => Route::Missing,
    };
    let body = route.body(index);
    let (fields, sent) = match route {
        Route::Gzip => ("Content-Encoding: gzip\r\n", gzip(&body)?),
        Route::Chunked => ("Transfer-Encoding: chunked\r\n", chunked(&body)),
        _ => ("", body),
    };
    let length = match route {
        Route::Chunked => String::new(),
        _ => format!("Content-Length: {}\r\n", sent.len()),
    };
    let line = match route.status() {
        404 => "404 Not Found",
        500 => "500 Internal Server Error",
        _ => "200 OK",
    };
    let head = format!(
        "HTTP/1.1 {line}\r\nServer: fetchpool-demo\r\nContent-Type: application/json\r\n\
         {fields}{length}\r\n"
    );
    Ok((delay, [head.into_bytes(), sent].concat()))
}

fn redirect(to: &str) -> Vec<u8> {
    let line = "302 Found";
    format!("HTTP/1.1 {line}\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// In chunks of growing size, so that their borders fall on all kinds of places.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(body.len() + 256);
    let (mut rest, mut size) = (body, 1);
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(size.min(rest.len()));
        sent.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        sent.extend_from_slice(chunk);
        sent.extend_from_slice(b"\r\n");
        (rest, size) = (behind, size * 3);
    }
    sent.extend_from_slice(b"0\r\n\r\n");
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_share_of_each_hundred() {
        use Route::{Broken, Chunked, Gzip, Large, Missing, Redirect, Slow, Small};

        let share = |route| (0..100).filter(|&index| Route::of(index) == route).count();
        assert_eq!(
            [Small, Gzip, Chunked, Slow, Redirect, Missing, Broken, Large].map(share),
            [48, 12, 12, 8, 10, 5, 3, 2]
        );
    }

    #[test]
    fn the_server_answers_what_the_client_expects() {
        for index in 0..300 {
            let route = Route::of(index);
            let mut path = route.path(index);
            for _ in 0..route.hops(index) {
                let text = String::from_utf8(answer(&path).unwrap().1).unwrap();
                assert!(text.starts_with("HTTP/1.1 302 "));
                path = text.split("Location: ").nth(1).unwrap().lines().next().unwrap().into();
            }
            let (delay, bytes) = answer(&path).unwrap();
            assert!(bytes.starts_with(format!("HTTP/1.1 {} ", route.status()).as_bytes()));
            assert_eq!(delay.is_zero(), route != Route::Slow);
            if !matches!(route, Route::Gzip | Route::Chunked) {
                assert!(bytes.ends_with(&route.body(index)), "{path}");
            }
        }
    }

    #[test]
    fn chunks_add_up_to_the_body() {
        assert_eq!(chunked(b"abcdef"), b"1\r\na\r\n3\r\nbcd\r\n2\r\nef\r\n0\r\n\r\n");
    }
}
