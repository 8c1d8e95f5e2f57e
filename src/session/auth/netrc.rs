//! Logins by host, from a file that other programs read, too: `.netrc`.

mod file;
mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::login::Login;
use crate::error::Error;
use crate::message::{Host, Target};

/// Logins by host, as a `.netrc` has them. Nothing reads one unless it is asked to, and puts it
/// into [`SessionConfig::netrc`](crate::SessionConfig::netrc).
///
/// They are sent by the Basic scheme, and to a job's own URL only, never over a redirect to
/// another origin, whatever the file has for that. A host is meant by its exact name, in any letter
/// case, and at every port. Where it has several logins the first one counts, or that of the user
/// in the URL (`https://ann@host/`). A host without an entry gets that of `default`, if there is
/// one; a host with an entry that holds neither login nor password gets nothing.
///
/// Over `http` they go to this machine only (`localhost`, `127.0.0.0/8`, `::1`) and through no proxy,
/// unless [`danger_over_http`](Self::danger_over_http) says otherwise: a `.netrc` does not tell for
/// which scheme a password was meant, and over `http` everybody on the way reads it.
///
/// Danger: a `default` goes to every host of the list. Bind credentials by
/// [`Auth::for_origin`](crate::Auth::for_origin) where the list of URLs is not wholly your own.
///
/// # The file
///
/// Words, parted by spaces and line ends: `machine NAME`, `default`, `login NAME` (or `user`),
/// `password TEXT`, `account TEXT` (passed over), and `macdef NAME` with all lines up to a blank
/// one (passed over). A word in double quotes may hold spaces, and `\"`, `\\`, `\n`, `\r`, `\t`,
/// as with curl from 7.84 on. `#` where none of these words is the value begins a comment. A word
/// that is none of these is an error: it may be the second half of a password without quotes.
///
/// # Examples
///
/// ```
/// use fetchpool::{Netrc, SessionConfig};
///
/// let mut session = SessionConfig::new();
/// session.netrc = Some(Netrc::parse(
///     "machine api.example.com login ann password \"s3cret word\" # of the API",
/// )?);
/// assert!(!format!("{session:?}").contains("s3cret"));
///
/// let error = Netrc::parse("machine host\nlogin").unwrap_err();
/// assert!(error.message().contains("line 2"));
/// # Ok::<(), fetchpool::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Netrc {
    entries: Arc<Entries>,
    over_http: bool,
}

/// The logins of each host, first to last; a host that is there and has none gets nothing.
#[derive(Default, PartialEq, Eq)]
struct Entries {
    /// By name in lower case, without the brackets of an IPv6 address.
    hosts: BTreeMap<String, Vec<Login>>,
    default: Option<Vec<Login>>,
}

impl Netrc {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a text that is malformed. It
    /// names the line, and nothing of what stands there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::of("the netrc", text)
    }

    /// Reads a file, of at most 1 MiB.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a file that cannot be read or
    /// is malformed. It names the path and the line.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        file::read(path.as_ref()).and_then(|text| Self::of(&file::shown(path.as_ref()), &text))
    }

    /// Reads the file that the environment variable `NETRC` names, or else `.netrc` in the home
    /// directory (on Windows also `_netrc`). If there is none in the home directory, the netrc is
    /// empty.
    ///
    /// As with ftp(1), the file in the home directory must not be open to others, where it holds a
    /// password (on Unix): `chmod 600 ~/.netrc`. One that was named by its path may be, since
    /// secrets that are mounted into containers often are.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file); also if `NETRC` names a file that is not there, and for a
    /// file in the home directory that others may read or write.
    pub fn from_env() -> Result<Self, Error> {
        if let Some(path) = std::env::var_os("NETRC").filter(|path| !path.is_empty()) {
            return Self::from_file(path);
        }
        let Some(path) = file::of_home() else { return Self::parse("") };
        let netrc = Self::from_file(&path)?;
        if netrc.holds_password() {
            file::is_private(&path)?;
        }
        Ok(netrc)
    }

    /// Sends them over `http` as well, to any host and through proxies. Danger: everybody on the way reads them.
    #[must_use]
    pub const fn danger_over_http(mut self, over_http: bool) -> Self {
        self.over_http = over_http;
        self
    }

    fn of(name: &str, text: &str) -> Result<Self, Error> {
        let entries = parse::entries(text).map_err(|fault| file::malformed(name, &fault))?;
        Ok(Self { entries: Arc::new(entries), over_http: false })
    }

    fn holds_password(&self) -> bool {
        let all = self.entries.hosts.values().chain(&self.entries.default).flatten();
        all.into_iter().any(|login| !login.password.is_empty() && login.user != "anonymous")
    }

    /// Whether they go to this target also where somebody on the way sees them pass: to another
    /// machine, or through a proxy, to which even this machine is another one.
    pub(in crate::session) fn may_be_overheard(&self, target: &Target) -> bool {
        target.is_https() || self.over_http
    }

    /// The login for a request to this target: the first, or the one of this user.
    pub(super) fn login(&self, target: &Target, user: Option<&[u8]>) -> Option<&Login> {
        if !(self.may_be_overheard(target) || is_this_machine(target)) {
            return None;
        }
        let host = parse::name(target.host_str());
        let logins = self.entries.hosts.get(&host).or(self.entries.default.as_ref())?;
        logins.iter().find(|login| user.is_none_or(|user| login.user.as_bytes() == user))
    }
}

fn is_this_machine(target: &Target) -> bool {
    match target.host() {
        Host::Ip(ip) => ip.is_loopback(),
        Host::Name(name) => name == "localhost",
    }
}

impl fmt::Debug for Netrc {
    /// The hosts: logins are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netrc")
            .field("hosts", &self.entries.hosts.keys())
            .field("default", &self.entries.default.is_some())
            .field("over_http", &self.over_http)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "machine a.test login ann password 1\n\
                        machine a.test login bob password 2\n\
                        machine EMPTY.test\n\
                        machine ::1 login six password 6\n";

    fn found(netrc: &Netrc, url: &str, user: Option<&str>) -> Option<String> {
        let target = Target::parse(url).unwrap();
        let login = netrc.login(&target, user.map(str::as_bytes))?;
        Some(format!("{}:{}", login.user, login.password))
    }

    #[test]
    fn a_host_is_meant_by_its_exact_name() {
        let netrc = Netrc::parse(TEXT).unwrap();
        for (url, login) in [
            ("https://a.test/", Some("ann:1")),
            ("https://A.TEST:8443/x", Some("ann:1")),
            ("https://a.test./", None),
            ("https://sub.a.test/", None),
            ("https://test/", None),
            ("https://aatest/", None),
            ("https://other.test/", None),
            ("https://empty.test/", None),
            ("https://[::1]/", Some("six:6")),
            // CVE-2024-47081: all this is who asks, and what follows is the host.
            ("https://a.test:@other.test/", None),
            ("https://a.test:443@other.test/", None),
            ("https://other.test/@a.test", None),
        ] {
            assert_eq!(found(&netrc, url, None).as_deref(), login, "{url}");
        }
    }

    #[test]
    fn the_user_of_the_url_chooses_among_several() {
        let netrc = Netrc::parse(&format!("{TEXT}default login eve password 3")).unwrap();
        for (url, user, login) in [
            ("https://a.test/", Some("bob"), Some("bob:2")),
            ("https://a.test/", Some("eve"), None),
            ("https://a.test/", Some("BOB"), None),
            ("https://other.test/", Some("eve"), Some("eve:3")),
            ("https://other.test/", None, Some("eve:3")),
            ("https://empty.test/", None, None),
        ] {
            assert_eq!(found(&netrc, url, user).as_deref(), login, "{url} {user:?}");
        }
    }

    #[test]
    fn over_http_they_go_to_this_machine_only() {
        let netrc = Netrc::parse("default login ann password 1").unwrap();
        for (url, goes) in [
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9:81/", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            // Some systems ask a name server about it, who may say anything.
            ("http://app.localhost/", false),
            ("http://localhost.test/", false),
            ("http://10.0.0.1/", false),
            ("http://a.test/", false),
            ("https://a.test/", true),
        ] {
            assert_eq!(found(&netrc, url, None).is_some(), goes, "{url}");
            assert!(found(&netrc.clone().danger_over_http(true), url, None).is_some(), "{url}");
        }
    }
}
