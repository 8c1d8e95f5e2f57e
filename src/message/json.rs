//! JSON in and out. The only module that names `serde` and `serde_json`.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Request;

impl Request {
    /// Sets the body to JSON, with `Content-Type: application/json` unless the request has a
    /// type of its own (feature `json`). A value that cannot be turned into JSON is the job's
    /// exception.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.typed_body(body, "application/json"),
            Err(error) => self.note(format!("the body cannot be turned into JSON: {error}")),
        }
    }
}

/// A request from a JSON object: the dict of `requests` (feature `json`).
///
/// The members are `url` (which must be there), `method`, `params`, `headers`, `data` (text),
/// `json`, `form`, `timeout` (seconds) and `allow_redirects`; `null` stands for left out. In
/// `params`, `headers` and `form` a value is text, a number or a boolean; an array repeats the
/// name; a `null` in `params` and `form` is left out, and in `headers` it takes the session's
/// default of that name away. `id` is allowed and ignored. Anything else is the job's exception
/// of kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest).
impl From<Value> for Request {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(members) => {
                read(members).unwrap_or_else(|(url, fault)| Self::get(url).note(fault))
            }
            Value::String(url) => Self::get(url),
            other => Self::invalid(format!(
                "a request is a JSON object or a URL in quotes, not {}",
                kind(&other)
            )),
        }
    }
}

/// Parses a response's body. The error is boxed so that no other file names the parser's type.
pub(crate) fn parse<T: DeserializeOwned>(
    bytes: &[u8],
) -> Result<T, Box<dyn std::error::Error + Send + Sync>> {
    Ok(serde_json::from_slice(bytes)?)
}

type Fault = (String, String);

fn read(members: Map<String, Value>) -> Result<Request, Fault> {
    let url = members.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    read_members(members).map_err(|fault| (url, fault))
}

fn read_members(members: Map<String, Value>) -> Result<Request, String> {
    let mut request = match members.get("url") {
        Some(Value::String(url)) => {
            let method = match members.get("method") {
                None | Some(Value::Null) => "GET",
                Some(Value::String(method)) => method,
                Some(other) => return Err(expected("method", "text", other)),
            };
            Request::new(method, url.as_str())
        }
        None | Some(Value::Null) => return Err("the request has no \"url\"".into()),
        Some(other) => return Err(expected("url", "text", other)),
    };
    let mut body = None;
    for (name, value) in members {
        if value.is_null() && name != "json" {
            continue;
        }
        request = match name.as_str() {
            "url" | "method" | "id" => request,
            "params" => request.params(pairs("params", value)?.into_iter().filter_map(given)),
            "headers" => {
                pairs("headers", value)?.into_iter().fold(request, |request, pair| match pair {
                    (name, Some(value)) => request.header(name, value),
                    (name, None) => request.without_header(name),
                })
            }
            "data" | "form" | "json" => {
                // `null` means the JSON text `null` only where nothing else could be meant.
                if value.is_null() {
                    continue;
                }
                if let Some(other) = body.replace(name.clone()) {
                    return Err(format!(
                        "\"{other}\" and \"{name}\" are both given, a request has one body"
                    ));
                }
                match (name.as_str(), value) {
                    ("data", Value::String(text)) => request.data(text),
                    ("data", other) => return Err(expected("data", "text", &other)),
                    ("form", value) => {
                        request.form(pairs("form", value)?.into_iter().filter_map(given))
                    }
                    (_, value) => request.json(&value),
                }
            }
            "timeout" => request.timeout(seconds(&value)?),
            "allow_redirects" => match value {
                Value::Bool(allow) => request.allow_redirects(allow),
                other => return Err(expected("allow_redirects", "true or false", &other)),
            },
            unknown => {
                return Err(format!("\"{}\" is not a member of a request", unknown.escape_debug()));
            }
        };
    }
    Ok(request)
}

/// The pairs of an object, arrays spread out; `None` for a `null`.
fn pairs(what: &str, value: Value) -> Result<Vec<(String, Option<String>)>, String> {
    let Value::Object(members) = value else { return Err(expected(what, "an object", &value)) };
    let mut pairs = Vec::with_capacity(members.len());
    for (name, value) in members {
        match value {
            Value::Array(values) => {
                for value in values {
                    if let Some(text) = scalar(what, value)? {
                        pairs.push((name.clone(), Some(text)));
                    }
                }
            }
            single => pairs.push((name, scalar(what, single)?)),
        }
    }
    Ok(pairs)
}

fn given((name, value): (String, Option<String>)) -> Option<(String, String)> {
    value.map(|value| (name, value))
}

fn scalar(what: &str, value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(value) => Ok(Some(value.to_string())),
        other => Err(expected(
            &format!("a value in {what}"),
            "text, a number, a boolean or an array of them",
            &other,
        )),
    }
}

/// A time in seconds. One that is too long for the clock is as long as can be.
fn seconds(value: &Value) -> Result<Duration, String> {
    match value.as_f64() {
        Some(seconds) if seconds >= 0.0 => {
            Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        }
        _ => Err(expected("timeout", "seconds, 0 or more", value)),
    }
}

fn expected(what: &str, wanted: &str, found: &Value) -> String {
    format!("{what} must be {wanted}, not {}", kind(found))
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "text".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dict_of_requests_becomes_the_request_it_means() {
        let request = Request::from(json!({
            "id": [1], "url": "http://h/?a=1", "method": "put",
            "params": {"k": ["1", 2], "none": null, "t": true},
            "headers": {"X-A": "b", "User-Agent": null, "X-N": [1, "2"]},
            "data": "raw", "timeout": 1.5, "allow_redirects": false, "json": null,
        }));
        assert_eq!(request.fault(), None);
        assert_eq!(request.method().as_str(), "PUT");
        let params: Vec<_> = request.added_params().collect();
        assert_eq!(params, [("k", "1"), ("k", "2"), ("t", "true")]);
        let headers: Vec<_> = request.headers().iter().collect();
        assert_eq!(headers, [("X-A", "b"), ("X-N", "1"), ("X-N", "2")]);
        assert!(!request.sends_default("user-agent") && request.sends_default("accept"));
        assert_eq!(request.content().0.as_bytes(), Some(&b"raw"[..]));
        assert_eq!(request.own_timeout(), Some(Duration::from_millis(1500)));
        assert_eq!(request.own_allow_redirects(), Some(false));
    }

    #[test]
    fn what_is_wrong_with_an_object_is_told_and_never_panics() {
        for (value, says) in [
            (json!({}), "no \"url\""),
            (json!(7), "not 7"),
            (json!({"url": 7}), "url must be text"),
            (json!({"url": "u", "method": []}), "method must be text, not an array"),
            (json!({"url": "u", "params": "x"}), "params must be an object"),
            (json!({"url": "u", "params": {"a": {"b": 1}}}), "a value in params"),
            (json!({"url": "u", "timeout": -1}), "timeout must be seconds"),
            (json!({"url": "u", "timeout": "1"}), "timeout must be seconds"),
            (json!({"url": "u", "data": "a", "json": {}}), "one body"),
            (json!({"url": "u", "headerz": {}}), "headerz"),
            (json!({"url": "u", "headers": {"a": "b\r\nc"}}), "control byte"),
        ] {
            let request = Request::from(value);
            assert!(
                request.fault().is_some_and(|fault| fault.contains(says)),
                "{request:?} {says}"
            );
        }
    }

    #[test]
    fn a_timeout_beyond_the_clock_saturates() {
        let request = Request::from(json!({"url": "u", "timeout": 1e19}));
        assert!(request.own_timeout().is_some_and(|t| t > Duration::from_secs(1 << 60)));
        let request = Request::from(json!({"url": "u", "timeout": 1e300}));
        assert_eq!(request.own_timeout(), Some(Duration::MAX));
    }
}
