//! From options to a pool.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fetchpool::{
    Adaptive, CookieJar, Error, LowSpeed, Multipart, OnError, Politeness, PoolBuilder, Proxy,
    RetryPolicy, Session, SessionConfig,
};

use crate::Usage;
use crate::args::{Args, FormFile, Resolve, header};

/// A pool with the options' settings, still without jobs.
pub(crate) fn pool(args: &Args) -> Result<PoolBuilder, Usage> {
    let mut pool = fetchpool::Pool::builder().session(session(args)?);
    if let Some(threads) = args.threads {
        pool = pool.num_threads(threads);
    }
    if let Some(retries) = args.retries {
        let mut policy = RetryPolicy::new(retries);
        if let Some(longest) = args.retry_after_max {
            policy = policy.retry_after_max(longest);
        }
        pool = pool.retry(policy);
    }
    if let Some(rate) = args.rate {
        pool = pool.rate(rate);
    }
    pool = pool.politeness(politeness(args));
    if let Some(deadline) = args.deadline {
        pool = pool.deadline(deadline);
    }
    if args.fail_early {
        pool = pool.on_error(OnError::Stop);
    }
    if args.ordered {
        pool = pool.ordered();
    }
    Ok(pool)
}

/// How each origin is treated.
fn politeness(args: &Args) -> Politeness {
    let mut politeness = Politeness::new();
    if let Some(rate) = args.rate_per_host {
        politeness = politeness.rate(rate);
    }
    if let Some(requests) = args.max_per_host {
        politeness = politeness.max_concurrent(requests);
    }
    if args.adaptive {
        politeness = politeness.adaptive(Adaptive::new());
    }
    politeness
}

/// What every worker starts from. Tried out once here, so that an unreadable certificate is one
/// complaint and not the error of every job.
fn session(args: &Args) -> Result<SessionConfig, Usage> {
    let mut config = SessionConfig::new();
    if let Some(timeout) = args.timeout {
        config.timeout = Some(timeout);
    }
    if let Some(timeout) = args.connect_timeout {
        config.connect_timeout = Some(timeout);
    }
    if let Some(bytes_per_second) = args.low_speed {
        config.low_speed = Some(LowSpeed::new(bytes_per_second, LOW_SPEED_WINDOW));
    }
    if let Some(bytes) = args.max_body {
        config.limits.body_bytes = bytes;
        config.limits.sink_bytes = bytes;
    }
    if let Some(redirects) = args.max_redirects {
        config.limits.redirects = redirects;
    }
    config.keep_alive = !args.no_keepalive;
    if args.cookies {
        config.cookie_jar(&CookieJar::new());
    }
    tls(args, &mut config)?;
    way(args, &mut config)?;
    headers(args, &mut config)?;
    match Session::new(config.clone()) {
        Ok(_) => Ok(config),
        Err(error) => Err(refused(&error)),
    }
}

/// Whom to trust, and who we are. Files are read once, as one may be a pipe, and tried out by
/// themselves, so that the complaint can name the one that is at fault.
fn tls(args: &Args, config: &mut SessionConfig) -> Result<(), Usage> {
    let read = |option: &str, path: &Path| {
        fs::read(path).map_err(|error| Usage(format!("{option} {}: {error}", path.display())))
    };
    if args.insecure {
        config.tls.danger_accept_invalid_certs(true);
    }
    if let Some(path) = &args.ca_file {
        config.tls.webpki_roots(false).add_root_pem(read("--ca-file", path)?);
        Session::new(config.clone())
            .map_err(|error| Usage(format!("--ca-file {}: {}", path.display(), error.message())))?;
    }
    if let Some(path) = &args.cert {
        let certificate = read("--cert", path)?;
        let (key, with) = match &args.key {
            Some(key) => (read("--key", key)?, format!(" --key {}", key.display())),
            None => (certificate.clone(), String::new()),
        };
        config.tls.client_cert_pem(certificate, key);
        Session::new(config.clone()).map_err(|error| {
            Usage(format!("--cert {}{with}: {}", path.display(), error.message()))
        })?;
    }
    Ok(())
}

/// Where connections go, if not to where the URL says.
fn way(args: &Args, config: &mut SessionConfig) -> Result<(), Usage> {
    if let Some(url) = &args.proxy {
        let proxy = Proxy::new(url);
        proxy.check().map_err(|error| Usage(format!("--proxy: {}", error.message())))?;
        config.proxy(proxy);
    }
    if args.proxy_from_env {
        config.proxy_from_env();
    }
    for Resolve { host, port, addresses } in &args.resolve {
        let addresses = addresses.iter().map(|address| SocketAddr::new(*address, *port));
        config.resolve(host, *port, addresses);
    }
    #[cfg(unix)]
    {
        config.unix_socket.clone_from(&args.unix_socket);
    }
    Ok(())
}

/// The form of `--form-file`, if there is one.
pub(crate) fn form(args: &Args) -> Option<Multipart> {
    let files = &args.form_file;
    let with = |form: Multipart, file: &FormFile| form.file(&file.name, &file.path);
    (!files.is_empty()).then(|| files.iter().fold(Multipart::new(), with))
}

/// The first of a name replaces the default one, more of it repeat the field.
fn headers(args: &Args, config: &mut SessionConfig) -> Result<(), Usage> {
    let agent = args.user_agent.iter().map(|agent| ("User-Agent", agent.as_str()));
    let given = args.headers.iter().map(|text| header(text));
    let given = given.collect::<Result<Vec<_>, _>>();
    let given = given.map_err(|fault| Usage(format!("--header: {fault}")))?;
    let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut seen: Vec<&str> = Vec::new();
    let is_range =
        |name: &str| ["Range", "If-Range"].iter().any(|own| name.eq_ignore_ascii_case(own));
    if args.range_resume && given.clone().any(|(name, _)| is_range(name)) {
        return Err(Usage("--header: --range-resume itself says which range it wants".into()));
    }
    for (name, value) in agent.chain(given) {
        let added = if seen.iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            config.headers.append(name, value)
        } else {
            seen.push(name);
            config.headers.insert(name, value)
        };
        added.map_err(|error| Usage(error.to_string()))?;
    }
    Ok(())
}

pub(crate) fn refused(error: &Error) -> Usage {
    Usage(error.message())
}

/// How long a transfer may stay under `--low-speed`.
const LOW_SPEED_WINDOW: Duration = Duration::from_secs(10);
