//! The bytes behind each row of the table.

/// What a server sends for one row of the table, in more than one wording.
pub(crate) struct Row {
    /// The first column, word for word.
    pub(crate) name: &'static str,
    /// The request is a HEAD and not a GET.
    pub(crate) to_head: bool,
    /// Each is the whole answer to one request.
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) then: Then,
}

/// What the server does behind its answer.
pub(crate) enum Then {
    /// It waits for the next request.
    Wait,
    Close,
    /// It waits, and the answer itself comes one byte at a time.
    Drip,
    /// Once the client has its response it sends the last so many bytes of the answer, unasked.
    Late(usize),
}

/// All of them, in the order of the table.
pub(crate) fn rows() -> Vec<Row> {
    [
        lengths(),
        codings(),
        chunks(),
        trailers(),
        without_body(),
        interim(),
        status_lines(),
        fields(),
        connections(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn lengths() -> Vec<Row> {
    vec![
        wait("`Content-Length: 5`", ["5", " 5\t", "\t5"].map(length)),
        wait(
            "… twice the same, in two fields or one",
            ["5\r\ncontent-length: 5", "5\r\nX: y\r\nContent-Length: 5", "5, 5", "5 ,\t5"]
                .map(length),
        ),
        wait(
            "… with zeros in front, 20 digits at most",
            ["05", "00000000000000000005"].map(length),
        ),
        wait("… of more than 20 digits", ["000000000000000000005"].map(length)),
        wait(
            "… twice, in two fields that differ",
            ["5\r\nContent-Length: 6", "6\r\ncontent-length: 5", "5\r\nX: y\r\nContent-Length: 0"]
                .map(length),
        ),
        wait(
            "… twice, and one is no number",
            ["5\r\nContent-Length: x", "5\r\nContent-Length:", "+5\r\nContent-Length: 5"]
                .map(length),
        ),
        wait("… a list that differs", ["5, 6", "5,5,6"].map(length)),
        wait("… a list with a part that is no number", ["5, x", "5,", ",5", ","].map(length)),
        wait("… `+5`", ["+5"].map(length)),
        wait("… `-5`", ["-5"].map(length)),
        wait("… a space between digits", ["5 5", "5 0", "5\t0"].map(length)),
        wait("… `0x5`, `5_0`, `5.0`, `5;x`, `5a`", ["0x5", "5_0", "5.0", "5;x", "5a"].map(length)),
        wait(
            "… `\"5\"`, `five`, an Arabic digit, a hard space",
            ["\"5\"", "five", "\u{665}", "5\u{a0}"].map(length),
        ),
        wait("… empty", ["", " "].map(length)),
        wait("… above 64 bits", ["18446744073709551616", "99999999999999999999"].map(length)),
        close("… 2^64 - 1, and a close", [length("18446744073709551615")]),
        close("… `6`, five bytes and a close", [length("6")]),
        wait(
            "… `5` and more bytes than that, or a second response",
            [length("5") + "0", length("5") + "\r\n", length("5") + EVIL],
        ),
        wait(
            "… with `Transfer-Encoding`, before or behind",
            [
                coded("chunked\r\nContent-Length: 5"),
                response("200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
                coded("chunked\r\nContent-Length: 0"),
            ],
        ),
        wait(
            "… with `Transfer-Encoding: identity`",
            [response("200 OK", "Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello")],
        ),
        close("neither of the two fields", [response("200 OK", "", "hello")]),
    ]
}

fn codings() -> Vec<Row> {
    vec![
        wait(
            "`Transfer-Encoding: chunked`, in any case",
            ["chunked", "Chunked", "CHUNKED", " chunked\t"].map(coded),
        ),
        wait(
            "… `gzip, chunked`, in one field or two",
            ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked"].map(coded),
        ),
        wait("… `chunked, chunked`", ["chunked, chunked"].map(coded)),
        wait("… `chunked` in two fields", ["chunked\r\ntransfer-encoding: chunked"].map(coded)),
        wait(
            "… `chunked, gzip`, in one field or two",
            ["chunked, gzip", "chunked\r\nTransfer-Encoding: gzip"].map(coded),
        ),
        wait("… `chunked, identity`", ["chunked, identity"].map(coded)),
        wait("… `gzip`", ["gzip"].map(coded)),
        wait("… `identity`", ["identity"].map(coded)),
        wait(
            "… unknown, quoted or with a parameter",
            ["xchunked", "chunkedx", "chunked;q=1", "\"chunked\"", "chu nked"].map(coded),
        ),
        wait("… empty, as `Transfer-Encoding:`", ["", " "].map(coded)),
        wait("… a list with an empty last part", ["chunked,", "chunked, ,"].map(coded)),
        wait("… a list with an empty first part", [",chunked", ", chunked"].map(coded)),
        wait(
            "… in an HTTP/1.0 response",
            [old(&format!("Transfer-Encoding: chunked\r\n\r\n{CHUNKS}"))],
        ),
        wait(
            "… in an HTTP/1.0 response with `keep-alive`",
            [old(&format!("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}"))],
        ),
    ]
}

fn chunks() -> Vec<Row> {
    vec![
        wait(
            "chunks, sizes with some zeros in front",
            [
                "5\r\nhello\r\n0\r\n\r\n",
                "1\r\nh\r\n4\r\nello\r\n00\r\n\r\n",
                "00005\r\nhello\r\n0\r\n\r\n",
            ]
            .map(chunked),
        ),
        wait("chunk size `+5`", ["+5\r\nhello\r\n0\r\n\r\n"].map(chunked)),
        wait("… size `-5`", ["-5\r\nhello\r\n0\r\n\r\n"].map(chunked)),
        wait("… size `0x5`", ["0x5\r\nhello\r\n0\r\n\r\n"].map(chunked)),
        wait(
            "… size `5_0`, `5,`",
            ["5_0\r\nhello\r\n0\r\n\r\n", "5,\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait(
            "… space or tab before the size",
            [" 5\r\nhello\r\n0\r\n\r\n", "\t5\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait(
            "… space or tab behind the size",
            ["5 \r\nhello\r\n0\r\n\r\n", "5  \r\nhello\r\n0\r\n\r\n", "5\t\r\nhello\r\n0\r\n\r\n"]
                .map(chunked),
        ),
        wait(
            "… the same, and an extension behind it",
            ["5 ;x\r\nhello\r\n0\r\n\r\n", "5\t;x\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait("… a space between digits of the size", ["5 5\r\nhello\r\n0\r\n\r\n"].map(chunked)),
        wait(
            "… a size above 64 bits",
            [
                "10000000000000000\r\nhello\r\n0\r\n\r\n",
                "fffffffffffffffff\r\nhello",
                "10000000000000005\r\nhello\r\n0\r\n\r\n",
            ]
            .map(chunked),
        ),
        wait(
            "… no digits, with an extension or not",
            ["\r\nhello\r\n0\r\n\r\n", ";x\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait(
            "… what is no hex digit",
            ["g\r\nhello\r\n0\r\n\r\n", "\u{665}\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait(
            "… 16 KiB and more of zeros",
            [chunked(&format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(17 << 10)))],
        ),
        wait("… bare LF behind the size", ["5\nhello\r\n0\r\n\r\n"].map(chunked)),
        wait(
            "… bare CR behind the size",
            ["5\rhello\r\n0\r\n\r\n", "5\r\rhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait(
            "… extensions",
            ["5;x\r\nhello\r\n0;y=\"z; w\"\r\n\r\n", "5;\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait(
            "… bare LF in an extension",
            ["5;x\nhello\r\n0\r\n\r\n", "5;\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait("… bare CR in an extension", ["5;x\ry\r\nhello\r\n0\r\n\r\n"].map(chunked)),
        wait("… NUL in an extension", ["5;x\0\r\nhello\r\n0\r\n\r\n"].map(chunked)),
        wait(
            "… other control bytes in an extension",
            ["5;x\x1b\r\nhello\r\n0\r\n\r\n", "5;\x7f\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait(
            "… 16 KiB and more of extensions, in one or many",
            [
                chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(17 << 10))),
                chunked(&format!(
                    "{}0\r\n\r\n",
                    ["h", "e", "l", "l", "o"]
                        .map(|byte| format!("1;{}\r\n{byte}\r\n", "x".repeat(4 << 10)))
                        .concat()
                )),
            ],
        ),
        wait(
            "… bytes between the data and its CRLF",
            ["5\r\nhelloX\r\n0\r\n\r\n", "4\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait(
            "… a size that reaches into the CRLF behind the data",
            ["6\r\nhello\r\n0\r\n\r\n"].map(chunked),
        ),
        wait("… bare LF behind the data", ["5\r\nhello\n0\r\n\r\n"].map(chunked)),
        wait("… bare CR behind the data", ["5\r\nhello\r0\r\n\r\n"].map(chunked)),
        close(
            "… a close before the last chunk",
            [
                chunked(""),
                chunked("5\r\nhe"),
                chunked("5\r\nhello"),
                chunked("5\r\nhello\r\n"),
                chunked("5\r\nhello\r\n0"),
            ],
        ),
        close(
            "… a close before the last CRLF",
            [
                chunked("5\r\nhello\r\n0\r\n"),
                chunked("5\r\nhello\r\n0\r\nX: y\r\n"),
                chunked("5\r\nhello\r\n0\r\n\r"),
            ],
        ),
        wait("… a last line that ends in bare LF", ["5\r\nhello\r\n0\r\n\n"].map(chunked)),
        wait("… a last line that ends in bare CR", ["5\r\nhello\r\n0\r\n\r0"].map(chunked)),
        wait(
            "… and a second response behind the last",
            [chunked(CHUNKS) + EVIL, chunked(CHUNKS) + "\r\n"],
        ),
    ]
}

fn trailers() -> Vec<Row> {
    vec![
        wait("trailers", ["X: y\r\n", "X:\r\nY: z\r\n"].map(trailed)),
        wait(
            "… that would set a length, a cookie or a field, or say `close`",
            [
                "Content-Length: 9\r\n",
                "Set-Cookie: a=b\r\n",
                "X-Field: y\r\n",
                "Connection: close\r\n",
            ]
            .map(trailed),
        ),
        wait(
            "… that would set a transfer coding",
            ["Transfer-Encoding: gzip\r\n", "transfer-encoding: chunked, gzip\r\n"].map(trailed),
        ),
        wait("… without a colon", ["no colon\r\n"].map(trailed)),
        wait("… without a name", [": y\r\n"].map(trailed)),
        wait("… whose name is no token", ["X : y\r\n", "\u{e4}: y\r\n"].map(trailed)),
        wait("… with a folded line", ["X: y\r\n z\r\n"].map(trailed)),
        wait("… with space before the first name", [" X: y\r\n"].map(trailed)),
        wait("… with a bare LF between two", ["X: y\nZ: w\r\n"].map(trailed)),
        wait("… with a bare LF behind the last", ["X: y\n"].map(trailed)),
        wait("… with a bare CR", ["X: y\rz\r\n"].map(trailed)),
        wait("… with NUL", ["X: y\0\r\n"].map(trailed)),
        wait(
            "… of more than 16 KiB, in one field",
            [chunked(&format!("0\r\nX: {}\r\n\r\n", "y".repeat(17 << 10)))],
        ),
        wait(
            "… of more than 16 KiB, in many",
            [chunked(&format!("0\r\n{}\r\n", "X: 0123456789\r\n".repeat(1 << 11)))],
        ),
    ]
}

fn without_body() -> Vec<Row> {
    vec![
        head(
            "answer to HEAD, with either field or none",
            [
                length("5").replace("hello", ""),
                response("200 OK", "Transfer-Encoding: chunked\r\n", ""),
                response("200 OK", "", ""),
            ],
        ),
        head(
            "… that sends the body all the same",
            [length("5"), coded("chunked"), response("200 OK", "", "hello")],
        ),
        head(
            "… whose lengths are malformed or differ",
            [
                response("200 OK", "Content-Length: +5\r\n", ""),
                response("200 OK", "Content-Length: 5\r\nContent-Length: 6\r\n", ""),
            ],
        ),
        head(
            "… with both fields",
            [response("200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "")],
        ),
        wait(
            "204, with `Content-Length: 0` or nothing",
            [response("204 No", "", ""), response("204 No", "Content-Length: 0\r\n", "")],
        ),
        wait(
            "204 that announces a body",
            [
                response("204 No", "Content-Length: 5\r\n", ""),
                response("204 No", "Transfer-Encoding: chunked\r\n", ""),
            ],
        ),
        wait(
            "204 that sends one",
            [
                response("204 No", "Content-Length: 5\r\n", "hello"),
                response("204 No", "Transfer-Encoding: chunked\r\n", CHUNKS),
                response("204 No", "", EVIL),
            ],
        ),
        wait(
            "304, with either field or none",
            [
                response("304 Same", "", ""),
                response("304 Same", "Content-Length: 5\r\n", ""),
                response("304 Same", "Transfer-Encoding: chunked\r\n", ""),
            ],
        ),
        wait(
            "304 that sends a body",
            [
                response("304 Same", "Content-Length: 5\r\n", "hello"),
                response("304 Same", "Transfer-Encoding: chunked\r\n", CHUNKS),
                response("304 Same", "", EVIL),
            ],
        ),
        wait("205 with `Content-Length: 0`", [response("205 Reset", "Content-Length: 0\r\n", "")]),
        wait(
            "205 with a body of either framing",
            [
                response("205 Reset", "Content-Length: 5\r\n", "hello"),
                response("205 Reset", "Transfer-Encoding: chunked\r\n", CHUNKS),
            ],
        ),
        close("205 with neither field, and a close", [response("205 Reset", "", "hello")]),
    ]
}

fn interim() -> Vec<Row> {
    vec![
        wait(
            "100 that was not asked for, then 200",
            ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\nX-Field: y\r\n\r\n"]
                .map(then_final),
        ),
        wait(
            "102, 103 (twice), 199, then 200",
            [
                "HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 103 Hints\r\nX-Field: y\r\n\r\n",
                "HTTP/1.1 102 Processing\r\n\r\n",
                "HTTP/1.1 199 X\r\n\r\n",
            ]
            .map(then_final),
        ),
        wait(
            "1xx with a framing field, then 200",
            [
                "HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\n",
                "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
            ]
            .map(then_final),
        ),
        wait(
            "1xx with a body, then 200",
            ["HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nhello"].map(then_final),
        ),
        wait(
            "1xx that says `close`, or of HTTP/1.0, then 200",
            ["HTTP/1.1 103 Hints\r\nConnection: close\r\n\r\n", "HTTP/1.0 100 Continue\r\n\r\n"]
                .map(then_final),
        ),
        wait(
            "17 or more 1xx in a row, then 200",
            [
                then_final(&"HTTP/1.1 100 C\r\n\r\n".repeat(17)),
                then_final(&"HTTP/1.1 103 H\r\n\r\n".repeat(1000)),
            ],
        ),
        wait(
            "101 that was not asked for",
            [response("101 Switching", "Upgrade: websocket\r\nConnection: upgrade\r\n", "")],
        ),
        wait("… without its fields, and bytes behind it", [response("101 Switching", "", "hello")]),
        close("a close behind a 1xx", ["HTTP/1.1 100 Continue\r\n\r\n".to_owned()]),
    ]
}

fn status_lines() -> Vec<Row> {
    vec![
        wait(
            "any reason, also with a tab or beyond ASCII",
            ["HTTP/1.1 200 Fine", "HTTP/1.1 200 \u{e4}\u{1f600}", "HTTP/1.1 200 a\tb"].map(headed),
        ),
        wait("no reason", ["HTTP/1.1 200 "].map(headed)),
        wait("no reason, and no space before it", ["HTTP/1.1 200"].map(headed)),
        wait("NUL in the reason", ["HTTP/1.1 200 O\0K"].map(headed)),
        wait(
            "other control bytes in the reason",
            ["HTTP/1.1 200 O\x1bK", "HTTP/1.1 200 O\x7fK"].map(headed),
        ),
        wait("bare CR in the reason", ["HTTP/1.1 200 O\rK", "HTTP/1.1 200 OK\r"].map(headed)),
        wait("a status of one or two digits", ["HTTP/1.1 20 OK", "HTTP/1.1 2 OK"].map(headed)),
        wait("… of four digits", ["HTTP/1.1 2000 OK"].map(headed)),
        wait("… of four digits, the first of them 0", ["HTTP/1.1 0200 OK"].map(headed)),
        wait("… 000, 099", ["HTTP/1.1 000 OK", "HTTP/1.1 099 OK"].map(headed)),
        wait("… 600, 999", ["HTTP/1.1 600 Odd", "HTTP/1.1 999 Odd"].map(headed)),
        wait(
            "… no digits",
            [
                "HTTP/1.1 2x0 OK",
                "HTTP/1.1 OK",
                "HTTP/1.1 -20 OK",
                "HTTP/1.1 +20 OK",
                "HTTP/1.1 2.0 OK",
                "HTTP/1.1 \u{665}00 OK",
            ]
            .map(headed),
        ),
        wait(
            "two spaces, or space and tab, before the status",
            ["HTTP/1.1  200 OK", "HTTP/1.1 \t200 OK"].map(headed),
        ),
        wait("a tab before the status", ["HTTP/1.1\t200 OK"].map(headed)),
        wait(
            "no space, or a tab, behind the status",
            ["HTTP/1.1 200OK", "HTTP/1.1 200\tOK"].map(headed),
        ),
        wait(
            "no status, or no space before it",
            ["HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1200 OK"].map(headed),
        ),
        wait("`http/1.1` in small letters", ["http/1.1 200 OK", "Http/1.1 200 OK"].map(headed)),
        wait("`HTTP/1.2`, `HTTP/1.9`", ["HTTP/1.2 200 OK", "HTTP/1.9 200 OK"].map(headed)),
        wait(
            "`HTTP/1.10`, `HTTP/1.01`, `HTTP/1.x`, `HTTP/1.`",
            ["HTTP/1.10 200 OK", "HTTP/1.01 200 OK", "HTTP/1.x 200 OK", "HTTP/1. 200 OK"]
                .map(headed),
        ),
        wait("`HTTP/1`, `HTTP/11`", ["HTTP/1 200 OK", "HTTP/11 200 OK"].map(headed)),
        wait("`HTTP/0.9`", ["HTTP/0.9 200 OK"].map(headed)),
        wait("`HTTP/2.0`", ["HTTP/2.0 200 OK"].map(headed)),
        wait("`HTTP/2`, `HTTP/3`", ["HTTP/2 200", "HTTP/3 200"].map(headed)),
        wait(
            "empty lines before the status line",
            ["\r\nHTTP/1.1 200 OK", "\r\n\r\n\r\nHTTP/1.1 200 OK", "\nHTTP/1.1 200 OK"].map(headed),
        ),
        wait(
            "a space, a BOM, NUL before it",
            [" HTTP/1.1 200 OK", "\u{feff}HTTP/1.1 200 OK", "\0HTTP/1.1 200 OK"].map(headed),
        ),
        wait("ICY, RTSP", ["ICY 200 OK", "RTSP/1.0 200 OK"].map(headed)),
        wait(
            "text that is no HTTP/1, then silence",
            ["<html>", "y", "HTTPS", "220 mail ESMTP\r\n", "SSH-2.0-OpenSSH_9.6\r\n"],
        ),
        wait(
            "binary that is no HTTP/1, then silence",
            [&b"\0"[..], b"\x15\x03\x01\x00\x02\x02\x0a"],
        ),
        wait(
            "the HTTP/2 preface, a SETTINGS frame, then silence",
            [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64"],
        ),
    ]
}

fn fields() -> Vec<Row> {
    vec![
        wait(
            "empty values, odd tokens, values beyond ASCII",
            ["A:b", "A: ", "A:", "!#$%&'*+-.^_`|~9: b", "A: \u{e4}\u{ff}", "A: b\tc"]
                .map(with_field),
        ),
        wait("a line without a colon", ["no colon", "A"].map(with_field)),
        wait("an empty name", [": b", ":"].map(with_field)),
        wait(
            "space or tab before the colon",
            ["A : b", "Content-Length : 6", "Transfer-Encoding\t: chunked"].map(with_field),
        ),
        wait(
            "a name that is no token",
            ["A B: c", "A\u{e4}: b", "A(: b", "A\x7f: b", "A\x01: b", "\"A\": b"].map(with_field),
        ),
        wait("NUL in a name", ["A\0: b"].map(with_field)),
        wait("NUL in a value", ["A: b\0c", "A: \0", "A: b\0"].map(with_field)),
        wait("bare CR in a value", ["A: b\rc", "A: b\r", "A: \r\rc"].map(with_field)),
        wait("a line of nothing but CR", ["\r"].map(with_field)),
        wait("bare CR in a name", ["A\r: b"].map(with_field)),
        wait(
            "other control bytes in a value",
            ["A: b\x01", "A: \x1b[31m", "A: b\x7f"].map(with_field),
        ),
        wait("VT, FF in a value", ["A: b\x0bc", "A: b\x0cc"].map(with_field)),
        wait("a first line that begins with a space or tab", [" A: b", "\tA: b"].map(with_field)),
        wait(
            "… of nothing but space, or without a colon",
            [" \r\nA: b", "  HTTP/1.1 404 X"].map(with_field),
        ),
        wait(
            "obs-fold in an ordinary field",
            ["A: b\r\n c", "A: b\r\n\tc", "A:\r\n c", "A: b\r\n c\r\n d"].map(with_field),
        ),
        wait("obs-fold in `Transfer-Encoding`", ["\r\n chunked", "\r\n\tchunked"].map(coded)),
        wait("obs-fold in `Content-Length`", ["\r\n 5", "\r\n\t5"].map(length)),
        wait("… that folds to `5 0`", ["5\r\n 0"].map(length)),
        wait(
            "obs-fold in `Connection`",
            ["Connection:\r\n close", "Connection: x,\r\n close"].map(with_field),
        ),
        wait(
            "a later line of nothing but space or tab",
            ["A: b\r\n ", "A: b\r\n \t", "A: b\r\n \r\nC: d"].map(with_field),
        ),
        wait(
            "lines that end in bare LF, all or some",
            [
                "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello".to_owned(),
                "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5\r\n\r\nhello".to_owned(),
                "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello".to_owned(),
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello".to_owned(),
                "HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\nhello".to_owned(),
                "HTTP/1.1 103 H\n\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
            ],
        ),
        Row {
            then: Then::Drip,
            ..wait(
                "any of it one byte at a time",
                [
                    with_field(&format!("A: {}", "b".repeat(200))),
                    coded("chunked"),
                    then_final("HTTP/1.1 100 C\r\n\r\n"),
                ],
            )
        },
        close(
            "a close before the head, or within a line of it",
            ["", "H", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r"],
        ),
        close(
            "a close behind a line of the head",
            ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"],
        ),
    ]
}

fn connections() -> Vec<Row> {
    vec![
        wait(
            "`Connection` without `close`, or absent",
            [
                "Connection: keep-alive",
                "Connection: x",
                "Connection:",
                "Connection: closed",
                "Proxy-Connection: close",
                "Keep-Alive: timeout=5",
            ]
            .map(with_field),
        ),
        wait(
            "`Connection: close`, in any case and place",
            [
                "Connection: close",
                "connection: CLOSE",
                "Connection: x, close ,y",
                "Connection: x\r\nConnection: close",
                "Connection:close\t",
            ]
            .map(with_field),
        ),
        wait(
            "… with `keep-alive` as well",
            ["Connection: keep-alive, close", "Connection: close\r\nConnection: keep-alive"]
                .map(with_field),
        ),
        wait("HTTP/1.0 without `Connection`", ["", "Keep-Alive: timeout=5\r\n"].map(old_length)),
        wait(
            "… with `keep-alive`",
            [
                "Connection: keep-alive\r\n",
                "Connection: Keep-Alive\r\n",
                "Connection: x, keep-alive\r\n",
            ]
            .map(old_length),
        ),
        wait("… with `keep-alive, close`", ["Connection: keep-alive, close\r\n"].map(old_length)),
        wait(
            "a second response behind a redirect, in one packet",
            [
                response("302 Found", "Location: /2\r\nContent-Length: 0\r\n", EVIL),
                response(
                    "307 Away",
                    "Location: /2\r\nTransfer-Encoding: chunked\r\n",
                    &format!("0\r\n\r\n{EVIL}"),
                ),
            ],
        ),
        late("a late 408 while the connection is idle", LATE_408),
        late("a whole response while it is idle", EVIL),
        late("CRLF while it is idle", "\r\n"),
        late("any other byte while it is idle", "x"),
    ]
}

fn wait<A: Into<Vec<u8>>>(name: &'static str, answers: impl IntoIterator<Item = A>) -> Row {
    let answers = answers.into_iter().map(Into::into).collect();
    Row { name, to_head: false, answers, then: Then::Wait }
}

fn close<A: Into<Vec<u8>>>(name: &'static str, answers: impl IntoIterator<Item = A>) -> Row {
    Row { then: Then::Close, ..wait(name, answers) }
}

fn head<A: Into<Vec<u8>>>(name: &'static str, answers: impl IntoIterator<Item = A>) -> Row {
    Row { to_head: true, ..wait(name, answers) }
}

/// A good response, and these bytes unasked.
fn late(name: &'static str, bytes: &str) -> Row {
    Row { then: Then::Late(bytes.len()), ..wait(name, [length("5") + bytes]) }
}

fn response(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}\r\n{body}")
}

fn length(value: &str) -> String {
    response("200 OK", &format!("Content-Length: {value}\r\n"), "hello")
}

fn coded(value: &str) -> String {
    response("200 OK", &format!("Transfer-Encoding: {value}\r\n"), CHUNKS)
}

fn chunked(body: &str) -> String {
    response("200 OK", "Transfer-Encoding: chunked\r\n", body)
}

fn trailed(fields: &str) -> String {
    chunked(&format!("5\r\nhello\r\n0\r\n{fields}\r\n"))
}

fn then_final(interim: &str) -> String {
    format!("{interim}{}", length("5"))
}

fn headed(status_line: &str) -> String {
    format!("{status_line}\r\nContent-Length: 5\r\n\r\nhello")
}

fn with_field(line: &str) -> String {
    response("200 OK", &format!("{line}\r\nContent-Length: 5\r\n"), "hello")
}

fn old(rest: &str) -> String {
    format!("HTTP/1.0 200 OK\r\n{rest}")
}

fn old_length(fields: &str) -> String {
    old(&format!("{fields}Content-Length: 5\r\n\r\nhello"))
}

const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";
/// A response that no request asked for.
const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
const LATE_408: &str = "HTTP/1.1 408 Late\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
