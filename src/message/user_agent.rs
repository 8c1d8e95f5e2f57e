//! A good `User-Agent`.

/// A `User-Agent` that says who asks, with what, and on what: the shape of
/// `requests_toolbelt.user_agent`.
///
/// # Examples
///
/// ```
/// let agent = fetchpool::user_agent("my-scraper", "1.0");
/// assert!(agent.starts_with("my-scraper/1.0 fetchpool/"));
/// ```
#[must_use]
pub fn user_agent(name: &str, version: &str) -> String {
    format!(
        "{name}/{version} fetchpool/{} {}/{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}
