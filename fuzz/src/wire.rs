//! Properties of HTTP/1.1 on bytes.

use fetchpool::Limits;
use fetchpool::internals::{Incoming, Story, encode_chunks, encode_head, read_head};

use super::plain;

/// A head is read as a plain reading has it, line by line; one without fault is accepted; what
/// stands behind it is not touched.
pub fn wire_head(input: &[u8]) {
    let (read, used) = read_head(input);
    match (read, plain::head(input)) {
        (Ok(Some(head)), Some(plain)) => {
            assert_eq!((head.status, used), (plain.status, plain.len));
            match head.fields {
                Some(fields) => assert_eq!(fields, plain.fields),
                None => assert_eq!(head.status / 100, 1),
            }
        }
        (Err(error), Some(plain)) => {
            assert!(!plain.is_clean, "{error}: {plain:?}");
            // A switch of protocols is known only once its head is read.
            assert!(used == 0 || plain.status == 101, "{error}: {plain:?}");
        }
        (Ok(None) | Err(_), None) => assert_eq!(used, 0),
        (read, plain) => panic!("{read:?}, but plainly {plain:?}"),
    }
}

/// What is encoded, also by the client's own encoder, decodes to itself, however it is chunked and
/// cut, and what follows is left;
/// read as coded, the input gives the same at any cut, and never more than went in.
pub fn wire_chunked(input: &[u8]) {
    const HEAD: &[u8] = b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (chunk, cut) in [(1, usize::MAX), (3, 7), (7, 3), (16, 1), (usize::MAX, 2)] {
        let mut coded = HEAD.to_vec();
        for (number, data) in input.chunks(chunk).enumerate() {
            let extension = if number == 1 { ";a=\"b c\"" } else { "" };
            coded.extend_from_slice(format!("0{:X}{extension}\r\n", data.len()).as_bytes());
            coded.extend_from_slice(data);
            coded.extend_from_slice(b"\r\n");
        }
        coded.extend_from_slice(b"000;end\r\nTrailer: t\r\n\r\nnext");
        for direct in [false, true] {
            let story = Incoming::default().read(false, &low(), coded.chunks(cut), direct);
            assert_eq!((&story.body[..], &story.end), (input, &Ok(false)), "{chunk} {cut}");
            assert_eq!(story.left, 4, "chunks of {chunk} cut at {cut}");
        }
    }
    for size in [1, 7, 16, 255, 1 << 16] {
        let own = encode_chunks(input, size);
        let coded = [HEAD, &own].concat();
        let story = Incoming::default().read(false, &low(), [&coded[..]], false);
        assert_eq!((&story.body[..], &story.end, story.left), (input, &Ok(true), 0), "{size}");
        assert_eq!(plain::chunked_len(&own), Some(own.len()), "own chunks of {size}");
    }
    let coded = [HEAD, input].concat();
    let whole = whole(false, &coded);
    assert!(whole.body.len() + whole.left <= input.len(), "more came out than went in");
    if whole.end.is_ok() {
        assert_eq!(plain::chunked_len(input), Some(input.len() - whole.left), "{whole:?}");
    }
    assert_same_at_any_cut(false, &coded, &whole);
}

/// The same bytes make the same response, in whatever pieces they come.
pub fn wire_split(input: &[u8]) {
    for to_head in [false, true] {
        assert_same_at_any_cut(to_head, input, &whole(to_head, input));
    }
}

/// Responses on one connection, a byte 0xff between one and the next: the connection goes on only
/// where, by a plain reading, the response ends with its last byte.
pub fn wire_exchanges(input: &[u8]) {
    let mut connection = Incoming::default();
    for (number, response) in input.split(|&byte| byte == 0xff).enumerate() {
        let to_head = number % 3 == 2;
        let pieces = response.chunks(1 + response.len() / (1 + number % 5));
        let story = connection.read(to_head, &Limits::default(), pieces, number % 2 == 1);
        if story.end != Ok(true) {
            return;
        }
        assert_eq!(story.left, 0, "reused with bytes left over");
        assert_eq!(plain::persistent_len(to_head, response), Some(response.len()), "{story:?}");
    }
}

/// A request of parts with a byte 0xff between them (method, target, host, length of the body or
/// nothing, `close` or nothing, names and values): what is accepted is one head that reads back to
/// the same parts, and what has no fault is accepted.
pub fn wire_encode(input: &[u8]) {
    let parts: Result<Vec<&str>, _> = input.split(|&b| b == 0xff).map(str::from_utf8).collect();
    let Ok([method, target, host, length, close, fields @ ..]) = parts.as_deref() else { return };
    let fields: Vec<(&str, &str)> = fields.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let (length, close) = (length.parse::<usize>().ok(), *close == "close");
    let Some(out) = encode_head([method, target, host], length, close, &fields) else {
        return assert!(!plain::is_sendable([method, target, host], &fields), "refused: {parts:?}");
    };
    let mut wanted = vec![("Host".to_owned(), (*host).to_owned())];
    let trimmed = |value: &str| value.trim_matches([' ', '\t']).to_owned();
    wanted.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), trimmed(value))));
    wanted.extend(length.map(|length| ("Content-Length".to_owned(), length.to_string())));
    wanted.extend(close.then(|| ("Connection".to_owned(), "close".to_owned())));

    let mut slots = vec![httparse::EMPTY_HEADER; wanted.len()];
    let mut read = httparse::Request::new(&mut slots);
    assert_eq!(read.parse(&out), Ok(httparse::Status::Complete(out.len())), "not one head");
    assert_eq!((read.method, read.path, read.version), (Some(*method), Some(*target), Some(1)));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let fields = read.headers.iter().map(|field| (field.name.to_owned(), text(field.value)));
    assert_eq!(fields.collect::<Vec<_>>(), wanted);
}

/// Ceilings low enough for a fuzzer to reach.
fn low() -> Limits {
    let mut limits = Limits::default();
    limits.head_bytes = 512;
    limits.head_fields = 8;
    limits.status_line_bytes = 64;
    limits.interim_responses = 3;
    limits.chunk_extension_bytes = 24;
    limits.trailer_bytes = 32;
    limits
}

fn whole(to_head: bool, input: &[u8]) -> Story {
    Incoming::default().read(to_head, &low(), [input], false)
}

fn assert_same_at_any_cut(to_head: bool, input: &[u8], whole: &Story) {
    let check = |pieces: &[&[u8]]| {
        for direct in [false, true] {
            let cut = Incoming::default().read(to_head, &low(), pieces.iter().copied(), direct);
            let lens = || pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>();
            assert_eq!(&cut, whole, "in pieces of {:?}, direct: {direct}", lens());
        }
    };
    for size in [1, 2, 7] {
        check(&input.chunks(size).collect::<Vec<_>>());
    }
    // Cut in two at a few places, which another input moves.
    let step = 1 + input.len() / 8;
    let moved = input.iter().map(|&byte| usize::from(byte)).sum::<usize>() % step;
    for cut in (moved..input.len()).step_by(step) {
        let (before, after) = input.split_at(cut);
        check(&[before, after]);
    }
}
