//! The one-call front door.

use crate::message::Request;
use crate::pool::{Exceptions, Pool, Responses};

/// Runs a list of requests in parallel and waits until every one has its outcome: gives the
/// responses and the exceptions, each in the order of the list.
///
/// As many threads as there are CPUs, each with a keep-alive session; for other settings,
/// `Pool::builder()….map(requests)`. Everything is kept in memory until it is returned, as the
/// name promises; for long lists read [`Pool::outcomes`] as they come.
///
/// It never fails and never panics: what goes wrong with a request is that request's exception.
///
/// # Examples
///
/// ```no_run
/// use fetchpool::Request;
///
/// let (responses, exceptions) = fetchpool::map([
///     Request::get("https://httpbin.org/get").param("key", "value"),
///     Request::put("https://httpbin.org/put").data("raw data"),
/// ]);
/// for response in responses {
///     println!("Status: {}, URL: {}", response.status(), response.url());
/// }
/// for exception in exceptions {
///     println!("Error: {}", exception.error());
/// }
/// ```
pub fn map<I>(requests: I) -> (Responses, Exceptions)
where
    I: IntoIterator,
    I::Item: Into<Request>,
{
    Pool::builder().map(requests)
}
