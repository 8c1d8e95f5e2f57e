//! Tables of bytes and what they amount to, cut at every place.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::wire::Class;

/// What a response amounts to when its bytes come in pieces.
#[derive(Debug, PartialEq, Eq)]
struct Story {
    interim: Vec<u16>,
    status: Option<u16>,
    body: Vec<u8>,
    end: Result<Verdict, Class>,
}

/// Plays pieces to an exchange and closes behind them if it still wants more. With `direct` the
/// body is read past the buffer wherever that is allowed.
fn play(request: RequestKind, pieces: &[&[u8]], direct: bool) -> Story {
    let mut exchange = Exchange::new(request, &Limits::default());
    let mut buffer = Buffer::new();
    let mut story =
        Story { interim: Vec::new(), status: None, body: Vec::new(), end: Err(Class::Truncated) };
    let mut left = pieces.concat();
    let mut sizes: Vec<usize> = pieces.iter().map(|piece| piece.len()).filter(|&n| n > 0).collect();
    story.end = (|| {
        loop {
            match exchange.next_event(&mut buffer)? {
                Event::Interim(status) => story.interim.push(status),
                Event::Head(head) => story.status = Some(head.status),
                Event::Data(count) => story.body.extend_from_slice(buffer.take(count)),
                Event::End => break,
                Event::NeedInput if left.is_empty() => exchange.receive_close()?,
                Event::NeedInput => {
                    let mut count = sizes[0];
                    let straight = usize::try_from(exchange.direct()).unwrap_or(usize::MAX);
                    if direct && straight > 0 && buffer.is_empty() {
                        count = count.min(straight);
                        story.body.extend(left.drain(..count));
                        exchange.receive_direct(count as u64)?;
                    } else {
                        buffer.space(count)[..count].copy_from_slice(&left[..count]);
                        buffer.advance(count);
                        left.drain(..count);
                    }
                    sizes[0] -= count;
                    if sizes[0] == 0 {
                        sizes.remove(0);
                    }
                }
            }
        }
        // What the peer had sent by then is there to be seen.
        if !left.is_empty() {
            buffer.space(left.len())[..left.len()].copy_from_slice(&left);
            buffer.advance(left.len());
        }
        Ok(exchange.verdict(&buffer))
    })()
    .map_err(|error: WireError| error.class());
    story
}

/// Plays a response whole, cut at every place, and byte by byte: it must be the same story.
fn story(request: RequestKind, bytes: &str) -> Story {
    let bytes = bytes.as_bytes();
    let whole = play(request, &[bytes], false);
    for cut in 0..=bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(play(request, &[a, b], false), whole, "{} cut at {cut}", bytes.escape_ascii());
        assert_eq!(
            play(request, &[a, b], true),
            whole,
            "{} cut at {cut}, direct",
            bytes.escape_ascii()
        );
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(play(request, &single, false), whole, "{} byte by byte", bytes.escape_ascii());
    assert_eq!(
        play(request, &single, true),
        whole,
        "{} byte by byte, direct",
        bytes.escape_ascii()
    );
    whole
}

fn reads(bytes: &str, body: &str, verdict: Verdict) {
    let story = story(RequestKind::Other, bytes);
    assert_eq!(
        (String::from_utf8_lossy(&story.body).as_ref(), story.end),
        (body, Ok(verdict)),
        "{bytes:?}"
    );
}

fn fails(bytes: &str, class: Class) {
    assert_eq!(story(RequestKind::Other, bytes).end, Err(class), "{bytes:?}");
}

#[test]
fn a_complete_response_leaves_its_connection_fit_for_another() {
    reads("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", Verdict::Reuse);
    reads("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", Verdict::Reuse);
    reads(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "ok",
        Verdict::Reuse,
    );
    reads(
        "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
        "ok",
        Verdict::Reuse,
    );
    reads("HTTP/1.1 204 No Content\r\n\r\n", "", Verdict::Reuse);
    reads("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", Verdict::Reuse);
}

#[test]
fn a_connection_is_closed_for_a_reason() {
    let close = Verdict::Close;
    reads(
        "HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 2\r\n\r\nok",
        "ok",
        close(CloseReason::NotPersistent),
    );
    reads(
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "ok",
        close(CloseReason::NotPersistent),
    );
    reads("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", close(CloseReason::UntilClose));
    reads(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "",
        close(CloseReason::DoubtfulFraming),
    );
    for doubtful in [
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    ] {
        reads(doubtful, "ok", close(CloseReason::DoubtfulFraming));
    }
    reads(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 smuggled",
        "ok",
        close(CloseReason::ExtraBytes),
    );
    reads(
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nno",
        "",
        close(CloseReason::ExtraBytes),
    );
}

#[test]
fn a_truncated_response_is_never_a_success() {
    fails("", Class::Truncated);
    fails("HTTP/1.1 200 OK\r\nContent-Le", Class::Truncated);
    fails("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", Class::Truncated);
    fails("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok", Class::Truncated);
    fails("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", Class::Truncated);
    fails(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
        Class::Truncated,
    );
}

#[test]
fn interim_responses_are_passed_over_up_to_the_limit() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let seen = story(RequestKind::Other, &format!("{early}{last}"));
    assert_eq!(
        (seen.interim, seen.status, seen.end),
        (Vec::from([103, 100]), Some(200), Ok(Verdict::Reuse))
    );
    let many = |n: usize| format!("{}{last}", "HTTP/1.1 100 C\r\n\r\n".repeat(n));
    assert_eq!(play(RequestKind::Other, &[many(16).as_bytes()], false).end, Ok(Verdict::Reuse));
    assert_eq!(
        play(RequestKind::Other, &[many(17).as_bytes()], false).end,
        Err(Class::LimitReached)
    );
    for interim in [
        "HTTP/1.1 103 H\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 103 H\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 103 H\nA: b\n\n",
    ] {
        let close = Verdict::Close(CloseReason::DoubtfulFraming);
        reads(&format!("{interim}{last}"), "ok", close);
    }
    for interim in ["HTTP/1.1 103 H\r\nConnection: close\r\n\r\n", "HTTP/1.0 100 C\r\n\r\n"] {
        let close = Verdict::Close(CloseReason::NotPersistent);
        reads(&format!("{interim}{last}"), "ok", close);
    }
    fails("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Class::Malformed);
}

#[test]
fn an_answer_to_head_has_no_body() {
    let seen = story(RequestKind::Head, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    assert_eq!((seen.status, seen.body.len(), seen.end), (Some(200), 0, Ok(Verdict::Reuse)));
}

#[test]
fn malformed_responses_are_errors() {
    for bytes in [
        "220 smtp.example ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n",
    ] {
        fails(bytes, Class::Malformed);
    }
}

#[test]
fn what_is_left_of_a_length_or_a_chunk_may_be_read_past_the_buffer_and_is_told_when_it_is_missing()
{
    for (bytes, left, missing) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123", 6, Missing::Body(6)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123", 6, Missing::Body(6)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123", 0, Missing::LastChunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 0, Missing::LastChunk),
        ("HTTP/1.1 200 OK\r\n\r\n123", u64::MAX, Missing::Response),
        ("HTTP/1.1 200", 0, Missing::RestOfHead),
        ("", 0, Missing::Response),
    ] {
        let mut exchange = Exchange::new(RequestKind::Other, &Limits::default());
        let mut buffer = Buffer::new();
        buffer.space(bytes.len())[..bytes.len()].copy_from_slice(bytes.as_bytes());
        buffer.advance(bytes.len());
        loop {
            match exchange.next_event(&mut buffer).unwrap() {
                Event::Data(count) => drop(buffer.take(count).to_vec()),
                Event::NeedInput => break,
                _ => {}
            }
        }
        assert_eq!(exchange.direct(), left, "{bytes:?}");
        if let Some(more) = left.checked_add(1) {
            assert_eq!(exchange.receive_direct(more), Err(WireError::OutOfStep), "{bytes:?}");
        }
        let closed = exchange.receive_close();
        match left {
            u64::MAX => assert_eq!(closed, Ok(()), "{bytes:?}"),
            _ => assert_eq!(closed, Err(WireError::Truncated(missing)), "{bytes:?}"),
        }
    }
}

#[test]
fn an_exchange_tells_how_far_it_has_come() {
    let mut exchange = Exchange::new(RequestKind::Other, &Limits::default());
    let mut buffer = Buffer::new();
    let put = |buffer: &mut Buffer, bytes: &str| {
        buffer.space(bytes.len())[..bytes.len()].copy_from_slice(bytes.as_bytes());
        buffer.advance(bytes.len());
    };
    let unfinished = Verdict::Close(CloseReason::Unfinished);
    assert!(matches!(exchange.next_event(&mut buffer), Ok(Event::NeedInput)));
    assert!(!exchange.has_received() && !exchange.is_done());
    assert_eq!((exchange.verdict(&buffer), exchange.body_length()), (unfinished, None));
    put(&mut buffer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert!(matches!(exchange.next_event(&mut buffer), Ok(Event::Head(_))));
    assert!(exchange.has_received() && exchange.is_persistent() && !exchange.is_done());
    assert_eq!((exchange.verdict(&buffer), exchange.body_length()), (unfinished, Some(5)));
    put(&mut buffer, "hello");
    assert!(matches!(exchange.next_event(&mut buffer), Ok(Event::Data(5))));
    buffer.take(5);
    assert!(exchange.is_done());
    assert_eq!((exchange.verdict(&buffer), exchange.direct()), (Verdict::Reuse, 0));
    // A close behind a response is no fault of it.
    assert_eq!(exchange.receive_close(), Ok(()));

    let mut exchange = Exchange::new(RequestKind::Other, &Limits::default());
    put(&mut buffer, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(exchange.next_event(&mut buffer), Ok(Event::Head(_))));
    assert!(!exchange.is_persistent() && exchange.is_done());
    assert_eq!(exchange.body_length(), Some(0));
}
