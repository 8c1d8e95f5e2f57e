//! FLOOR 0: plain values. What a caller hands in and gets back; nothing here opens a socket.

mod attempt;
mod base64;
mod body;
mod buffers;
mod cancel;
#[cfg(feature = "charset")]
mod charset;
mod collected;
mod date;
mod download;
mod headers;
#[cfg(feature = "json")]
pub(crate) mod json;
mod kind;
mod links;
mod method;
mod multipart;
pub(crate) mod random;
mod receive;
mod received;
mod request;
mod response;
mod response_head;
mod retry_after;
mod retry_policy;
mod show;
mod source;
mod target;
mod targets;
mod timings;
mod tls_info;
mod user_agent;
mod validator;

pub use self::attempt::Attempt;
pub(crate) use self::attempt::remember;
pub(crate) use self::base64::encode as base64;
pub use self::body::Body;
pub use self::buffers::Buffers;
pub(crate) use self::buffers::Lent;
pub use self::cancel::CancelToken;
pub(crate) use self::cancel::{Afterwards, OnCancel, Watch};
pub(crate) use self::collected::Collected;
#[cfg(any(feature = "cookies", fuzzing, fetchpool_internals))]
pub(crate) use self::date::parse_date;
pub(crate) use self::download::{Download, Found, Note, place};
pub use self::headers::{Headers, InvalidHeader};
pub(crate) use self::headers::{is_secret, is_token};
pub use self::kind::{ErrorKind, Fault, Phase};
pub use self::links::Link;
pub use self::method::{InvalidMethod, Method};
pub use self::multipart::{Multipart, Part};
pub use self::receive::Receive;
pub(crate) use self::receive::{ChunkFn, Destination, WriterSlot};
pub(crate) use self::received::Received;
pub use self::request::Request;
pub(crate) use self::response::ResponseParts;
pub use self::response::{Hop, Response, Version};
pub use self::response_head::ResponseHead;
#[cfg(any(fuzzing, fetchpool_internals))]
pub(crate) use self::retry_after::wait as retry_after;
pub use self::retry_policy::RetryPolicy;
pub(crate) use self::retry_policy::{MILLION, Ration};
pub(crate) use self::show::{REDACTED, one_line, without_userinfo};
pub(crate) use self::source::{Opened, is_gone};
pub(crate) use self::target::{Host, InvalidUrl, Origin, Target, redact};
pub(crate) use self::targets::Targets;
pub use self::timings::{Clock, Timings};
pub use self::tls_info::{TlsInfo, TlsVersion};
pub use self::user_agent::user_agent;
pub(crate) use self::validator::{Validator, rest_of_whole};
