//! Responses as another client reads them: by `ureq-proto`, whose reading of bodies, of what ends
//! them and of what becomes of the connection is its own. (Heads it reads with `httparse`, as the
//! crate does; what a head says is judged by `plain`.)

use ureq_proto::client::{Call, RecvBodyResult, RecvResponseResult, SendRequestResult};
use ureq_proto::http::{HeaderMap, Method, Request};

/// A response that is whole.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) interim: usize,
    pub(super) status: u16,
    pub(super) fields: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Whether the connection may be used again, were nothing left over.
    pub(super) is_persistent: bool,
    pub(super) left: usize,
}

/// Reads what comes until the peer closes. `Ok(None)` if it is only a part of a response.
pub(super) fn read(to_head: bool, input: &[u8]) -> Result<Option<Reading>, ureq_proto::Error> {
    let mut rest = input;
    let mut call = sent(if to_head { Method::HEAD } else { Method::GET })?;
    let mut interim = 0;
    let response = loop {
        match call.try_response(rest, false)? {
            (0, None) => return Ok(None),
            (used, None) => {
                interim += 1;
                rest = &rest[used..];
            }
            (used, Some(response)) => {
                rest = &rest[used..];
                break response;
            }
        }
    };
    let mut body = Vec::new();
    let must_close = match call.proceed() {
        Some(RecvResponseResult::RecvBody(mut call)) => {
            let mut piece = vec![0; input.len().max(1)];
            loop {
                let (used, made) = call.read(rest, &mut piece)?;
                rest = &rest[used..];
                body.extend_from_slice(&piece[..made]);
                if used == 0 {
                    break;
                }
            }
            match call.proceed() {
                Some(RecvBodyResult::Redirect(call)) => call.must_close_connection(),
                Some(RecvBodyResult::Cleanup(call)) => call.must_close_connection(),
                None => return Ok(None),
            }
        }
        Some(RecvResponseResult::Redirect(call)) => call.must_close_connection(),
        Some(RecvResponseResult::Cleanup(call)) => call.must_close_connection(),
        None => return Ok(None),
    };
    Ok(Some(Reading {
        interim,
        status: response.status().as_u16(),
        fields: response.headers().clone(),
        body,
        is_persistent: !must_close,
        left: rest.len(),
    }))
}

/// A call whose request is out.
fn sent(
    method: Method,
) -> Result<Call<ureq_proto::client::state::RecvResponse>, ureq_proto::Error> {
    let request = Request::builder().method(method).uri("http://h/").body(());
    let mut call = Call::new(request.expect("a request"))?.proceed();
    call.write(&mut [0; 1024])?;
    match call.proceed()? {
        Some(SendRequestResult::RecvResponse(call)) => Ok(call),
        _ => panic!("a GET has no body"),
    }
}
