//! Every field of [`Limits`] from both sides: what reaches it passes, one more does not, and the
//! error names it and its value. At the default and at values of one's own.
//!
//! What else is to be said of each limit is in `limits`, `redirects`, `coding` and `bombs`.

use super::*;
use crate::support::script::{redirect, reply};
use fetchpool::{Fault, Limits, Receive};

/// One limit, and a server whose answer reaches exactly so much of it.
struct Ceiling {
    /// The name of the field, which is what errors call it.
    name: &'static str,
    default: usize,
    /// Other values to try.
    values: [usize; 2],
    set: fn(&mut Limits, usize),
    serve: fn(usize) -> Server,
    /// Where its body goes.
    receive: fn() -> Receive,
}

/// A body of this size, in two chunks: a length would be refused before the body comes.
fn body_of(size: usize) -> Server {
    let (one, two) = (size / 2, size - size / 2);
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for size in [one, two].into_iter().filter(|size| *size > 0) {
        bytes.extend(format!("{size:x}\r\n").bytes());
        bytes.resize(bytes.len() + size, b'x');
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    once(bytes)
}

fn ceilings() -> Vec<Ceiling> {
    vec![
        Ceiling {
            name: "head_bytes",
            default: 64 << 10,
            values: [100, 70_000],
            set: |limits, value| limits.head_bytes = value,
            serve: |size| {
                let rest = reply("200 OK", "X: ", "ok").len() - "ok".len() + "\r\n".len();
                let filler = "x".repeat(size - rest);
                once(reply("200 OK", &format!("X: {filler}\r\n"), "ok"))
            },
            receive: Receive::memory,
        },
        Ceiling {
            name: "head_fields",
            default: 256,
            values: [1, 300],
            set: |limits, value| limits.head_fields = value,
            serve: |count| once(reply("200 OK", &"X: y\r\n".repeat(count - 1), "ok")),
            receive: Receive::memory,
        },
        Ceiling {
            name: "status_line_bytes",
            default: 8 << 10,
            values: [20, 10_000],
            set: |limits, value| limits.status_line_bytes = value,
            serve: |size| {
                let reason = "x".repeat(size - "HTTP/1.1 200 ".len());
                once(reply(&format!("200 {reason}"), "", "ok"))
            },
            receive: Receive::memory,
        },
        Ceiling {
            name: "interim_responses",
            default: 16,
            values: [1, 40],
            set: |limits, value| limits.interim_responses = value,
            serve: |count| {
                let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(count);
                once([interim, OK.to_vec()].concat())
            },
            receive: Receive::memory,
        },
        Ceiling {
            name: "chunk_extension_bytes",
            default: 16 << 10,
            values: [2, 20_000],
            set: |limits, value| limits.chunk_extension_bytes = value,
            // In two chunks: it is for the whole body.
            serve: |size| {
                let (one, two) = ("x".repeat(size / 2), "x".repeat(size - size / 2));
                once(chunked(&format!("1;{one}\r\no\r\n1;{two}\r\nk\r\n0\r\n\r\n")))
            },
            receive: Receive::memory,
        },
        Ceiling {
            name: "trailer_bytes",
            default: 16 << 10,
            values: [20, 20_000],
            set: |limits, value| limits.trailer_bytes = value,
            // In two fields, each with its CRLF.
            serve: |size| {
                let value = "x".repeat(size - "A: b\r\nX: \r\n".len());
                once(chunked(&format!("2\r\nok\r\n0\r\nA: b\r\nX: {value}\r\n\r\n")))
            },
            receive: Receive::memory,
        },
        Ceiling {
            name: "redirects",
            default: 10,
            values: [1, 20],
            set: |limits, value| limits.redirects = value,
            serve: |count| {
                Script::site(move |request| match request.target()[1..].parse().unwrap_or(0) {
                    hop if hop < count => redirect(302, &format!("/{}", hop + 1)),
                    _ => OK.to_vec(),
                })
            },
            receive: Receive::memory,
        },
        Ceiling {
            name: "body_bytes",
            default: 64 << 20,
            values: [1, 100_000],
            set: |limits, value| limits.body_bytes = value as u64,
            serve: body_of,
            receive: Receive::memory,
        },
        Ceiling {
            name: "sink_bytes",
            default: 16 << 30,
            values: [1, 100_000],
            set: |limits, value| limits.sink_bytes = value as u64,
            serve: body_of,
            receive: Receive::discard,
        },
        #[cfg(feature = "gzip")]
        Ceiling {
            name: "decompression_ratio",
            default: 1000,
            values: [7, 500],
            set: |limits, value| limits.decompression_ratio = u32::try_from(value).unwrap(),
            serve: |ratio| once(reply("200 OK", "Content-Encoding: gzip\r\n", of_ratio(ratio))),
            receive: Receive::memory,
        },
        #[cfg(feature = "gzip")]
        Ceiling {
            name: "codings",
            default: 2,
            values: [1, 5],
            set: |limits, value| limits.codings = value,
            serve: |count| {
                let body = (0..count).fold(b"ok".to_vec(), |body, _| coding::gzip(&body));
                let coding = "Content-Encoding: gzip\r\n".repeat(count);
                once(reply("200 OK", &coding, body))
            },
            receive: Receive::memory,
        },
    ]
}

/// What a server can send in a test: a default above it is not reached here.
const SERVED: usize = 1 << 30;

/// A server with one answer.
fn once(bytes: impl AsRef<[u8]>) -> Server {
    Script::new().reply(bytes).close().serve()
}

fn chunked(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

/// A gzip body that reaches this ratio, and would exceed it with one byte less to decode.
#[cfg(feature = "gzip")]
fn of_ratio(ratio: usize) -> Vec<u8> {
    let plain = coding::gzip(&vec![0; 2 << 20]);
    let mut inflate = flate2::Decompress::new(false);
    let mut room = vec![0; 1 << 16];
    // How many bytes are missing in front at each byte past the first mebibyte, which is free.
    let mut missing = 0;
    for (at, byte) in plain.iter().enumerate().skip(10) {
        let byte = std::slice::from_ref(byte);
        let status = inflate.decompress(byte, &mut room, flate2::FlushDecompress::None).unwrap();
        let made = usize::try_from(inflate.total_out()).unwrap();
        if made > 1 << 20 {
            missing = missing.max(made.div_ceil(ratio) - (at + 1));
        }
        if status == flate2::Status::StreamEnd {
            break;
        }
    }
    // A name in the header fills them up.
    let mut body = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    body.resize(10 + missing - 1, b'n');
    body.push(0);
    body.extend_from_slice(&plain[10..]);
    body
}

/// The fields of the limits and their defaults, as `Debug` prints them.
fn fields() -> Vec<(String, usize)> {
    let printed = format!("{:?}", Limits::default());
    let inside = printed.trim_start_matches("Limits {").trim_end_matches('}');
    let field = |field: &str| {
        let (name, value) = field.split_once(": ").expect("a name and a value");
        (name.trim().to_owned(), value.trim().parse().expect("a number"))
    };
    inside.split(", ").map(field).collect()
}

/// What a GET gives at this value, everything else being without limit.
fn get(ceiling: &Ceiling, server: &Server, value: Option<usize>) -> Result<Response, Error> {
    let mut session = session(|config| {
        if let Some(value) = value {
            for other in ceilings() {
                (other.set)(&mut config.limits, u32::MAX as usize);
            }
            (ceiling.set)(&mut config.limits, value);
        }
    });
    session.request(Request::get(server.url("/")).receive((ceiling.receive)()))
}

#[test]
fn every_limit_passes_at_its_value_and_fails_one_above_and_is_named() {
    for ceiling in ceilings() {
        let Ceiling { name, serve, .. } = ceiling;
        for (value, at) in ceiling
            .values
            .into_iter()
            .flat_map(|value| [(value, Some(value))])
            .chain((ceiling.default <= SERVED).then_some((ceiling.default, None)))
        {
            let response = get(&ceiling, &serve(value), at).unwrap_or_else(|error| {
                panic!("{name} of {value} is not reached: {error}");
            });
            assert_eq!(response.status(), 200, "{name} of {value}");
            let Err(error) = get(&ceiling, &serve(value + 1), at) else {
                panic!("{name} of {value} and one more passes");
            };
            let kind = match name {
                "redirects" => ErrorKind::TooManyRedirects,
                _ => ErrorKind::TooLarge,
            };
            assert_eq!((error.kind(), error.fault()), (kind, Fault::Limit), "{name} of {value}");
            assert!(error.message().contains(&format!("limit {name} of {value}")), "{error}");
        }
    }
}

#[test]
fn no_limit_is_without_a_test_from_both_sides_and_the_defaults_are_as_documented() {
    let tested: Vec<(String, usize)> =
        ceilings().iter().map(|ceiling| (ceiling.name.to_owned(), ceiling.default)).collect();
    let coded = ["decompression_ratio", "codings"];
    let there = fields()
        .into_iter()
        .filter(|(name, _)| cfg!(feature = "gzip") || !coded.contains(&&**name));
    assert_eq!(there.collect::<Vec<_>>(), tested, "left: the fields, right: those tested here");
}

#[test]
fn the_defaults_of_the_session_are_as_documented() {
    let config = SessionConfig::new();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!((config.timeout, config.connect_timeout), (seconds(30), seconds(10)));
    assert_eq!((Some(config.idle_timeout), config.max_idle_connections), (seconds(60), 32));
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn as_many_idle_connections_as_the_limit_are_kept_and_not_one_more() {
    for limit in [Some(3), None] {
        let mut session = session(|config| {
            config.max_idle_connections = limit.unwrap_or(config.max_idle_connections);
        });
        let limit = limit.unwrap_or(32);
        let servers: Vec<Server> = (0..=limit).map(|_| Script::site(|_| OK.to_vec())).collect();
        let mut reused = |server: &Server| {
            session.request(server.url("/")).expect("a response").timings().reused
        };
        assert!(servers[1..].iter().all(|server| !reused(server)));
        assert!(servers[1..].iter().all(&mut reused), "{limit} are kept");
        // One more takes the place of the one that was idle longest.
        assert!(!reused(&servers[0]));
        assert!(servers[2..].iter().all(&mut reused), "{limit} are kept, the last among them");
        assert!(!reused(&servers[1]), "{limit} and one more are not");
    }
}
