//! What it means that a proxy answered, but did not do what it was asked for.

use super::setting::Proxy;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::Response;

/// The error of a proxy that gave this response when it was asked for `what`.
pub(crate) fn refusal(proxy: &Proxy, what: &str, response: Response) -> Error {
    let reason: String = response.reason().escape_debug().take(80).collect();
    let status = response.status();
    let hint = match (status, proxy.credentials().is_some()) {
        (407, true) => ": it does not take the credentials",
        (407, false) => ": it wants credentials, and there are none for it",
        _ => "",
    };
    let detail = format!("refused {what}: {status} {reason}{hint}");
    let error = Error::new(ErrorKind::Proxy, format!("the proxy {proxy} {detail}"));
    error.during(Phase::Proxy).with_response(response)
}
