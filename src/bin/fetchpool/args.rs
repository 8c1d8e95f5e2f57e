//! The options, and what each of their values may be.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, Parser};
use fetchpool::Headers;

/// Fetches many URLs in parallel, on threads that keep their connections.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
#[command(group = ArgGroup::new("work").args(["urls", "input", "demo"]).required(true).multiple(true))]
pub(crate) struct Args {
    /// What to GET, before what --input says
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// Read one URL or one JSON object a line from FILE, or from stdin if it is `-`
    #[arg(long, value_name = "FILE|-")]
    pub(crate) input: Option<PathBuf>,

    /// Worker threads [default: the number of CPUs; with --demo 16]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_535))]
    pub(crate) threads: Option<usize>,

    /// Seconds that one whole request may take, redirects and body included [default: 30]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// Seconds that connecting may take [default: 10]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) connect_timeout: Option<Duration>,

    /// Seconds that everything may take; what is not done by then fails with `timeout`
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) deadline: Option<Duration>,

    /// Cut a transfer that stayed under this many bytes a second for 10 s, waiting for the
    /// response included
    #[arg(long, value_name = "BYTES_PER_S", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub(crate) low_speed: Option<u64>,

    /// Trust the certificates of this file, and not the built-in ones
    #[arg(long, value_name = "PEM")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Accept any TLS certificate of a server, not of a proxy: anyone on the way can read and change
    /// everything
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Show servers that ask for one the certificate of this file, which may hold the key as well
    #[arg(long, value_name = "PEM")]
    pub(crate) cert: Option<PathBuf>,

    /// The key of --cert
    #[arg(long, value_name = "PEM", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// Go through this proxy: http://, https://, socks5:// (names are looked up here) or socks5h://
    /// (names are looked up there), each with [USER:PASSWORD@]HOST[:PORT]
    #[arg(long, value_name = "URL", conflicts_with = "proxy_from_env")]
    pub(crate) proxy: Option<String>,

    /// Take the proxies from `http_proxy`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`
    #[arg(long)]
    pub(crate) proxy_from_env: bool,

    /// Connect to ADDR for HOST and PORT, without a look-up; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = resolve)]
    pub(crate) resolve: Vec<Resolve>,

    /// Send every request over this Unix domain socket; its URL still says host and path
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proxy", "proxy_from_env"])]
    pub(crate) unix_socket: Option<PathBuf>,

    /// Keep the cookies that servers set, and send them back; all threads share them
    #[arg(long)]
    pub(crate) cookies: bool,

    /// POST each URL with this file as the field NAME of a form (multipart/form-data); may be
    /// repeated. A JSON object says for itself what it sends
    #[arg(long, value_name = "NAME=FILE", value_parser = form_file)]
    pub(crate) form_file: Vec<FormFile>,

    /// Longest body, decoded; a longer one is `too_large` [default: 64 MiB, and 16 GiB for what
    /// --output writes as it comes]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_body: Option<u64>,

    /// Redirects to follow; one more is `too_many_redirects` [default: 10]
    #[arg(long, value_name = "N")]
    pub(crate) max_redirects: Option<usize>,

    /// Send this header field with every request that has none of that name; may be repeated
    // Looked at later, by `header`: what is refused here is repeated in the complaint.
    #[arg(long = "header", value_name = "K: V")]
    pub(crate) headers: Vec<String>,

    /// The User-Agent
    #[arg(long, value_name = "UA", value_parser = user_agent)]
    pub(crate) user_agent: Option<String>,

    /// Try an idempotent request this often again after a broken connection, a time-out, or one of
    /// 408, 425, 429, 500, 502, 503 and 504; within --timeout, after a wait that grows from at most
    /// 200 ms to at most 60 s, or as long as a Retry-After says
    #[arg(long, value_name = "N")]
    pub(crate) retries: Option<u32>,

    /// Longest wait, in seconds, that a Retry-After may ask for: after that --retries tries again
    /// all the same [default: 60]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true, requires = "retries")]
    pub(crate) retry_after_max: Option<Duration>,

    /// Start at most this many requests a second
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,

    /// Start at most this many requests a second to each origin (scheme, host and port); those to
    /// others go on meanwhile
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    pub(crate) rate_per_host: Option<f64>,

    /// Run at most this many requests at a time to each origin
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_per_host: Option<usize>,

    /// Slow down for an origin that answers 429 or 503, or more and more slowly, and speed up
    /// again; --rate-per-host is then where it begins and the most that it comes to
    #[arg(long)]
    pub(crate) adaptive: bool,

    /// Cancel everything else when the first request has failed (a 404 is no failure)
    #[arg(long)]
    pub(crate) fail_early: bool,

    /// Print the results in the order of the input
    #[arg(long)]
    pub(crate) ordered: bool,

    /// Use a new connection for each request
    #[arg(long)]
    pub(crate) no_keepalive: bool,

    /// Write the body of each response to a file in DIR, which is made if need be
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// Keep what came of a body that broke off, and go on from there when it is fetched into DIR
    /// again, by a retry or another run, if the server allows it
    #[arg(long, requires = "output", conflicts_with = "body")]
    pub(crate) range_resume: bool,

    /// Put the body into each line of JSON
    #[arg(long)]
    pub(crate) body: bool,

    /// Print one JSON object a line; the default where stdout is not a terminal
    #[arg(long)]
    pub(crate) jsonl: bool,

    /// Start a server on loopback, run a batch against it, and tell how it went
    #[arg(long, conflicts_with_all = ["urls", "input", "output", "range_resume", "form_file"])]
    pub(crate) demo: bool,
}

const AFTER_HELP: &str = "\
An input line that begins with `{` is a JSON object:
  {\"id\": any, \"url\": str, \"method\": str, \"params\": object, \"headers\": object, \"data\": str,
   \"json\": any, \"form\": object, \"timeout\": seconds, \"allow_redirects\": bool}
Any other line is a URL. Blank lines are skipped; a line that cannot be read fails by itself.

Files in DIR are named by the job's index (from 0, in input order) and the last part of the URL's
path, without its query: 000012-report.pdf, or 000012 if the path ends in a slash. Bytes other
than ASCII letters, digits, `.`, `-` and `_` become `_`. A file appears when it is whole, and
takes the place of an earlier one of that name. What --range-resume keeps of it until then is
beside it, as NAME.*.part and NAME.resume; the status of a file that was gone on with is 206.

Ctrl-C, SIGTERM and SIGHUP cancel what runs, and answer every line that was read; a second one ends
the program at once.

Exit status: 0 all requests got a response (a 404 is one), 1 some failed, 2 usage, 130 cancelled.";

/// What `--resolve` says of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolve {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) addresses: Vec<IpAddr>,
}

/// `HOST:PORT:ADDR[,ADDR]`; an IPv6 address may stand in brackets, as the host that it cannot be
/// without.
fn resolve(text: &str) -> Result<Resolve, String> {
    let (host, rest) = text.split_once(':').ok_or("there is no port")?;
    let (port, addresses) = rest.split_once(':').ok_or("there is no address")?;
    if host.is_empty() {
        return Err("there is no host".into());
    }
    // To curl it says something: what looks as if it worked would go elsewhere.
    if host.starts_with(['+', '-']) {
        return Err("a host does not begin with + or -".into());
    }
    let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
    let address = |text: &str| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().map_err(|_| format!("{text:?} is no IP address"))
    };
    let addresses = addresses.split(',').map(address).collect::<Result<_, _>>()?;
    Ok(Resolve { host: host.to_owned(), port, addresses })
}

/// A field of a form that is a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormFile {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

fn form_file(text: &str) -> Result<FormFile, String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok(FormFile { name: name.to_owned(), path: path.into() })
        }
        _ => Err("not NAME=FILE".into()),
    }
}

/// A time in seconds; one that is too long for the clock is as long as can be.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 => {
            Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        }
        _ => Err("not a number of seconds above 0".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("not a number of requests above 0".into()),
    }
}

/// A field as it is given. The error does not repeat the value, which may be a secret.
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("there is no colon")?;
    Headers::new().append(name, value).map_err(|error| error.to_string())?;
    if OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Err(format!("{name} is written by fetchpool alone"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn user_agent(text: &str) -> Result<String, String> {
    header(&format!("User-Agent:{text}")).map(|(_, value)| value)
}

/// Fields that decide where a message ends and where it goes. Two writers of them are how one
/// request becomes two (RFC 9112 §11.2).
const OWN_FIELDS: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_time_is_a_positive_number_and_saturates() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for huge in ["1e300", "inf", "18446744073709551616"] {
            assert_eq!(seconds(huge), Ok(Duration::MAX), "{huge}");
        }
        for bad in ["", "0", "-1", "NaN", "1s", "1,5"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_is_a_positive_finite_number() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for bad in ["0", "-1", "inf", "NaN", "x"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_resolved_host_has_a_port_and_addresses() {
        let read = resolve("Example.test:443:127.0.0.1,[::1],::2").unwrap();
        assert_eq!((read.host.as_str(), read.port), ("Example.test", 443));
        let addresses: Vec<String> = read.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1", "::1", "::2"]);
        for bad in [
            "",
            "h",
            "h:1",
            ":1:127.0.0.1",
            "h:x:127.0.0.1",
            "h:1:",
            "h:1:host",
            "h:70000:::1",
            "+h:1:::1",
        ] {
            assert!(resolve(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_of_a_form_has_a_name_and_a_path() {
        let read = form_file("a=b=c").unwrap();
        assert_eq!((read.name.as_str(), read.path.to_str()), ("a", Some("b=c")));
        for bad in ["", "a", "=b", "a="] {
            assert!(form_file(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_is_a_name_a_colon_and_a_value() {
        assert_eq!(header("A:b:c"), Ok(("A".into(), "b:c".into())));
        assert_eq!(header("A:"), Ok(("A".into(), String::new())));
        for bad in ["", "A", ": b", "A b: c", "A: b\r\nC: d", "A: \0", "A : b"] {
            assert!(header(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_fields_that_frame_a_message_cannot_be_given() {
        for own in ["Host: h", "CONTENT-LENGTH: 1", "Transfer-encoding: chunked", "connection: x"] {
            assert!(header(own).is_err(), "{own}");
        }
    }
}
