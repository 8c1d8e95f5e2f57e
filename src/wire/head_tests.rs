//! Tests of the reading of heads.

use super::*;

fn read(bytes: &[u8]) -> Result<Option<ResponseHead>, WireError> {
    read_within(bytes, &Limits::default())
}

fn read_within(bytes: &[u8], limits: &Limits) -> Result<Option<ResponseHead>, WireError> {
    let mut buffer = Buffer::new();
    buffer.space(bytes.len().max(1))[..bytes.len()].copy_from_slice(bytes);
    buffer.advance(bytes.len());
    Ok(take(&mut buffer, limits)?.map(|(head, _)| head))
}

#[test]
fn a_head_is_read_with_order_duplicates_and_empty_values() {
    let head = read(b"HTTP/1.1 404 Not Found\r\nA: 1\r\nb:2 \r\nA:\r\n\r\nbody").unwrap().unwrap();
    assert_eq!((head.status, head.version, &*head.reason), (404, Version::Http11, "Not Found"));
    assert_eq!(head.headers.iter().collect::<Vec<_>>(), [("A", "1"), ("b", "2"), ("A", "")]);
}

#[test]
fn a_status_line_may_lack_its_reason_and_end_in_a_bare_line_feed() {
    for bytes in ["HTTP/1.0 200\r\n\r\n", "HTTP/1.0 200 \r\n\r\n", "HTTP/1.0 200 OK\nA: b\n\n"] {
        let head = read(bytes.as_bytes()).unwrap().unwrap();
        assert_eq!((head.status, head.version), (200, Version::Http10), "{bytes:?}");
    }
}

#[test]
fn what_is_not_http_is_known_at_its_first_wrong_byte() {
    for bytes in [
        "X",
        "\r\n",
        "<html>",
        "HTTP/2 200\r\n",
        "HTTX",
        "SSH-2.0-OpenSSH",
        "\x16\x03\x01",
        " HTTP/1.1",
    ] {
        assert!(matches!(read(bytes.as_bytes()), Err(WireError::NotHttp(_))), "{bytes:?}");
    }
    for bytes in [
        "HTTP/1.x",
        "HTTP/1.2",
        "HTTP/1.1  ",
        "HTTP/1.1 2x",
        "HTTP/1.1 20 ",
        "HTTP/1.1 2000",
        "HTTP/1.1 200X",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1\t200 OK\r\n\r\n",
    ] {
        assert!(matches!(read(bytes.as_bytes()), Err(WireError::BadStatusLine(_))), "{bytes:?}");
    }
    let whole = b"HTTP/1.1 200 OK\r\n\r\n";
    for cut in 0..whole.len() {
        assert!(matches!(read(&whole[..cut]), Ok(None)), "cut at {cut}");
    }
}

#[test]
fn malformed_fields_are_errors_that_show_the_line_escaped() {
    for field in [
        "no colon",
        "A : b",
        ": b",
        "A\0: b",
        "A: b\0c",
        "A: b\rc",
        "ä: b",
        "A: \x1b[31m",
        " folded: first",
        " ",
        "A: b\r\n ",
        "A: b\r\n\t\r\nC: d",
        "A: b\n \t\n",
        "A: b\r\n c\rd",
        "A: b\r\n \rc",
        "A: b\rc\r\n d",
        "A: b\r\n c\0",
        "A: b\r\n \x1b",
    ] {
        let bytes = alloc::format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n");
        let error = read(bytes.as_bytes()).err().unwrap_or_else(|| panic!("{field:?} passed"));
        assert!(matches!(error, WireError::BadHeaderField(_)), "{field:?}: {error}");
        assert!(!alloc::format!("{error}").contains(char::is_control), "{error}");
    }
}

#[test]
fn what_another_may_read_otherwise_is_known_to_be_read_with_leniency() {
    let lenient = |bytes: &[u8]| {
        let mut buffer = Buffer::new();
        buffer.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        buffer.advance(bytes.len());
        take(&mut buffer, &Limits::default()).unwrap().unwrap().1
    };
    assert!(!lenient(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"));
    assert!(!lenient(b"HTTP/1.1 200\r\n\r\nbody\n a"));
    let doubtful: [&[u8]; 5] = [
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n\n",
        b"HTTP/1.1 200\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    ];
    for bytes in doubtful {
        assert!(lenient(bytes), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_folded_line_becomes_a_space_and_is_an_error_where_it_frames_the_message() {
    let head = read(b"HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n\td \r\nE: f\r\n\r\n").unwrap().unwrap();
    assert_eq!(head.headers.get("a"), Some("b c d"));
    assert_eq!(head.headers.get("e"), Some("f"));
    for name in ["Content-Length", "transfer-encoding", "Connection"] {
        for value in ["1\r\n 2", "\r\n 2", "2\r\n\t,", "\n\t2"] {
            let bytes = alloc::format!("HTTP/1.1 200 OK\r\n{name}: {value}\r\n\r\n");
            let error = read(bytes.as_bytes()).err();
            assert_eq!(error, Some(WireError::FoldedFraming), "{name}: {value:?}");
        }
    }
}

#[test]
fn a_field_whose_name_only_resembles_a_framing_one_may_be_folded() {
    for name in ["Connection-Info", "Connectio", "Connectiom", "X-Transfer-Coding"] {
        let bytes = alloc::format!("HTTP/1.1 200 OK\r\n{name}: 1\r\n 2\r\n\r\n");
        let head = read(bytes.as_bytes()).unwrap().unwrap();
        assert_eq!(head.headers.get(name), Some("1 2"), "{name}");
    }
}

#[test]
fn the_error_of_a_field_shows_the_line_that_is_malformed() {
    for (lines, bad) in [
        ("Good: a\r\nBad name: b\r\n", "Bad name: b"),
        ("Good: a\r\n folded\r\n\tagain\r\n(bad): b\r\nworse\r\n", "(bad): b"),
        ("worse\r\nGood: a\r\n", "worse"),
        ("Good: a\n: none\n", ": none"),
        ("Good: a\r\n \t\r\nGood: b\r\n", " \t"),
    ] {
        let error = read(alloc::format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes()).err();
        let shown = match bad {
            " \t" => Found::new(b" \t\r"),
            bad => Found::new(bad.as_bytes()),
        };
        assert_eq!(error, Some(WireError::BadHeaderField(shown)), "{lines:?}");
    }
}

/// The parser is the only one to look at each byte of a name. A bare line feed, or a fold, is what
/// sends a head the longer way.
#[test]
fn whatever_the_parser_takes_for_a_name_is_a_token() {
    for (len, byte) in [1, 2, 7, 8, 9, 16, 17, 33]
        .into_iter()
        .flat_map(|len| (0..=255).map(move |byte| (len, byte)))
    {
        for at in [0, len / 2, len - 1] {
            let mut name = alloc::vec![b'n'; len];
            name[at] = byte;
            for end in ["\r\n\r\n", " v\r\n\r\n", " v\n\r\n", " v\r\n w\r\n\r\n"] {
                let head = [b"HTTP/1.1 200 OK\r\n", &name[..], b":", end.as_bytes()].concat();
                let read = read(&head);
                let shown = head.escape_ascii();
                if is_token(&name) {
                    let headers = read.expect("a head").expect("all of it").headers;
                    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_bytes()).collect();
                    assert_eq!(names, [&name[..]], "{shown}");
                } else if let Ok(Some(head)) = read {
                    // It ended the name, or the line, or the head.
                    assert!(matches!(byte, b':' | b'\n'), "{shown}");
                    assert!(
                        head.headers.iter().all(|(name, _)| is_token(name.as_bytes())),
                        "{shown}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_value_comes_without_the_white_space_around_it() {
    for value in ["", "v", "v \t w"] {
        for (before, behind) in ["", " ", "\t", " \t  "]
            .into_iter()
            .flat_map(|space| [("", space), (space, ""), (space, space)])
        {
            for line_end in ["\r\n", "\n"] {
                let field = alloc::format!("A:{before}{value}{behind}{line_end}");
                let head = alloc::format!("HTTP/1.1 200 OK\r\n{field}{field}B: b\r\n\r\n");
                let headers = read(head.as_bytes()).unwrap().unwrap().headers;
                let wanted = [("A", value), ("A", value), ("B", "b")];
                assert_eq!(headers.iter().collect::<Vec<_>>(), wanted, "{head:?}");
            }
        }
    }
}

#[test]
fn a_head_is_a_usual_one_if_its_fields_fill_its_lines() {
    let head = "HTTP/1.1 200 OK\r\nA: b\r\nC:\r\nD: e\r\n\r\n";
    let field = |name: usize, value: usize, len: usize| Header {
        name: &head[name..name + 1],
        value: &head.as_bytes()[value..value + len],
    };
    let all = [field(17, 20, 1), field(23, 25, 0), field(27, 30, 1)];
    let is_usual = |fields: &[Header<'_>]| is_one_field_a_line(head.as_bytes(), fields);
    assert!(is_usual(&all));
    for rest in [&all[1..], &[all[0], all[2]], &all[..2], &all[..1], &[]] {
        assert!(!is_usual(rest), "{rest:?}");
    }
    // A line that is told short or long, at either end, or is another's.
    for wrong in [field(16, 20, 1), field(18, 20, 1), field(17, 20, 0), field(17, 20, 2)] {
        assert!(!is_usual(&[wrong, all[1], all[2]]));
    }
    for wrong in [field(23, 30, 1), field(27, 25, 0), field(24, 25, 0)] {
        assert!(!is_usual(&[all[0], wrong, all[2]]));
    }
    let elsewhere = Header { name: "C", value: b"" };
    assert!(!is_usual(&[all[0], elsewhere, all[2]]));
    assert!(is_one_field_a_line(b"HTTP/1.1 200\r\n\r\n", &[]));
    for bytes in ["HTTP/1.1 200\n\r\n", "HTTP/1.1 200\r\n\n", "\r\n", "\n", ""] {
        assert!(!is_one_field_a_line(bytes.as_bytes(), &[]), "{bytes:?}");
    }
}

/// What comes in two pieces goes the longer way, also where the whole of it would not.
#[test]
fn a_head_that_is_cut_is_read_as_the_whole_one() {
    let limits = Limits { head_bytes: 100, head_fields: 3, ..Limits::default() };
    let fields = "Content-Type: text/html\r\nETag: \"1\"\r\n";
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 404\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
        "HTTP/1.1 200 \r\nA:\r\nB: \t \r\nC: d \r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA:\nB: c\r\n\r\n",
        // As many bytes between the two as a CRLF has.
        "HTTP/1.1 200 OK\r\nA: b \nB: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\nB: \t\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\nB: c\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\nB:\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nD: e\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA:\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection:\r\n close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n \r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \u{fc}\r\n\r\n",
        "HTTP/1.1 200 \u{fc}\r\nA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        "HTTP/1.1 099 OK\r\nA: b\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\nA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA:\r\nA:\r\nA:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n",
        &alloc::format!("HTTP/1.1 200 OK\r\n{fields}A: {}\r\n\r\n", "x".repeat(40)),
        &alloc::format!("HTTP/1.1 200 OK\r\n{fields}A: {}\r\n\r\n", "x".repeat(41)),
    ] {
        for bytes in [head.as_bytes().to_vec(), head.chars().map(|c| c as u8).collect()] {
            let read = |pieces: [&[u8]; 2]| {
                let mut buffer = Buffer::new();
                let mut read = Ok(None);
                for piece in pieces {
                    if let Ok(None) = read {
                        buffer.space(piece.len())[..piece.len()].copy_from_slice(piece);
                        buffer.advance(piece.len());
                        read = take(&mut buffer, &limits);
                    }
                }
                let read = read.map(|read| read.expect("a whole head"));
                let head = read.map(|(head, lenient)| alloc::format!("{head:?} {lenient}"));
                head.map(|head| (head, buffer.filled().len()))
            };
            let whole = read([&[bytes.as_slice(), b"\r\nbody"].concat(), b""]);
            assert!(whole.as_ref().map_or(true, |(_, left)| *left == 6), "{head:?}: {whole:?}");
            for cut in 1..bytes.len() {
                let (front, back) = bytes.split_at(cut);
                let cut_up = read([front, &[back, b"\r\nbody"].concat()]);
                assert_eq!(cut_up, whole, "{head:?} cut at {cut}");
            }
        }
    }
}

#[test]
fn each_limit_passes_at_its_value_and_fails_one_above() {
    let limits =
        Limits { head_bytes: 40, head_fields: 2, status_line_bytes: 20, ..Limits::default() };
    let line = |n: usize| alloc::format!("HTTP/1.1 200 {}\r\n", "x".repeat(n - 13));
    assert!(read_within(alloc::format!("{}\r\n", line(20)).as_bytes(), &limits).unwrap().is_some());
    for long in [alloc::format!("{}\r\n", line(21)), line(21), line(22)[..21].into()] {
        let error = read_within(long.as_bytes(), &limits).err();
        assert_eq!(error, Some(WireError::StatusLineTooLong { limit: 20 }), "{long:?}");
    }
    for cut in 0..=22 {
        assert!(read_within(&line(20).as_bytes()[..cut], &limits).unwrap().is_none(), "{cut}");
    }
    let bare = |n: usize| line(n).replace('\r', "");
    assert!(read_within(alloc::format!("{}\n", bare(20)).as_bytes(), &limits).is_ok());
    assert!(read_within(bare(21).as_bytes(), &limits).is_err());
    let head = |n: usize| alloc::format!("HTTP/1.1 200\r\nA: {}\r\n\r\n", "x".repeat(n - 21));
    assert!(read_within(head(40).as_bytes(), &limits).unwrap().is_some());
    for long in [head(41), head(60)[..40].into()] {
        let error = read_within(long.as_bytes(), &limits).err();
        assert_eq!(error, Some(WireError::HeadTooLong { limit: 40 }), "{long:?}");
    }
    let fields = |n: usize| alloc::format!("HTTP/1.1 200\r\n{}\r\n", "A:\r\n".repeat(n));
    assert!(read_within(fields(2).as_bytes(), &limits).unwrap().is_some());
    let error = read_within(fields(3).as_bytes(), &limits).err();
    assert_eq!(error, Some(WireError::TooManyFields { limit: 2 }));
    let limits = Limits { head_bytes: 0, ..limits };
    assert_eq!(read_within(b"", &limits).err(), Some(WireError::HeadTooLong { limit: 0 }));
    let limits = Limits::default();
    assert!(read_within(fields(256).as_bytes(), &limits).unwrap().is_some());
    let error = read_within(fields(257).as_bytes(), &limits).err();
    assert_eq!(error, Some(WireError::TooManyFields { limit: 256 }));
}
