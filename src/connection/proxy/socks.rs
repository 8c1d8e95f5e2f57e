//! SOCKS5 (RFC 1928) with user and password (RFC 1929), as far as a client needs it: the bytes, and
//! who sends which when.
//!
//! Every message of a proxy says by its first bytes how long it is, so that exactly it is read: what
//! comes behind belongs to the target.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::setting::Proxy;
use crate::connection::patience::Patience;
use crate::connection::stream::Stream;
use crate::error::{Error, ErrorKind, Phase};

/// Where a proxy is asked to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection) enum Destined<'a> {
    Address(SocketAddr),
    Name(&'a str, u16),
}

/// Asks the proxy at the other end for a connection.
pub(in crate::connection) fn negotiate(
    stream: &mut Stream,
    proxy: &Proxy,
    to: Destined<'_>,
    patience: &Patience<'_>,
) -> Result<(), Refused> {
    let mut talk = Talk { stream, patience };
    let credentials = proxy.credentials();
    talk.say(if credentials.is_some() {
        &[VERSION, 2, OPEN, BY_PASSWORD]
    } else {
        &[VERSION, 1, OPEN]
    })?;
    let chosen = talk.hear(|bytes| method(bytes, credentials.is_some()))?;
    if let (BY_PASSWORD, Some((user, password))) = (chosen, credentials) {
        talk.say(&by_password(user, password)?)?;
        talk.hear(accepted)?;
    }
    talk.say(&connect(to)?)?;
    talk.hear(reply)
}

/// Why there is no connection.
pub(in crate::connection) struct Refused {
    pub(in crate::connection) error: Error,
    /// Another address of the same host may do.
    pub(in crate::connection) is_the_address: bool,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, is_the_address: false }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let is_the_address = matches!(fault, Fault::Refused(3..=6 | 8));
        let error = Error::new(ErrorKind::Proxy, fault.to_string()).during(Phase::Proxy);
        Self { error, is_the_address }
    }
}

/// A conversation, each word under the deadline.
struct Talk<'a> {
    stream: &'a mut Stream,
    patience: &'a Patience<'a>,
}

impl Talk<'_> {
    fn say(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let progress = self
                .stream
                .write_for(STALL, bytes, self.patience)
                .map_err(|error| self.patience.error(error, Phase::Proxy, ErrorKind::Io, ""))?;
            bytes = bytes.get(progress.taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads one message, and not a byte more.
    fn hear<T>(&mut self, read: impl Fn(&[u8]) -> Result<Heard<T>, Fault>) -> Result<T, Refused> {
        let mut bytes = [0; LONGEST_REPLY];
        let mut have = 0;
        loop {
            let more = match read(bytes.get(..have).unwrap_or_default())? {
                Heard::All(heard) => return Ok(heard),
                Heard::Needs(more) => more,
            };
            let end = have.saturating_add(more);
            let room = bytes.get_mut(have..end).unwrap_or_default();
            let count = self
                .stream
                .read(room, self.patience)
                .map_err(|error| self.patience.error(error, Phase::Proxy, ErrorKind::Io, ""))?;
            if count == 0 {
                return Err(Fault::Closed.into());
            }
            have = have.saturating_add(count);
        }
    }
}

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard<T> {
    All(T),
    /// So many more, at least.
    Needs(usize),
}

/// What a proxy says to the greeting: the method of authentication that it has chosen (RFC 1928 §3).
fn method(bytes: &[u8], by_password: bool) -> Result<Heard<u8>, Fault> {
    match *bytes {
        [] => Ok(Heard::Needs(2)),
        [version, ..] if version != VERSION => Err(Fault::NotSocks(version)),
        [_] => Ok(Heard::Needs(1)),
        [_, OPEN, ..] => Ok(Heard::All(OPEN)),
        [_, BY_PASSWORD, ..] if by_password => Ok(Heard::All(BY_PASSWORD)),
        [_, NONE, ..] => Err(Fault::NoMethod { by_password }),
        [_, other, ..] => Err(Fault::OtherMethod(other)),
    }
}

/// What it says to user and password (RFC 1929 §2).
fn accepted(bytes: &[u8]) -> Result<Heard<()>, Fault> {
    match *bytes {
        [] => Ok(Heard::Needs(2)),
        [version, ..] if version != PASSWORD_VERSION => Err(Fault::BadAnswer(version)),
        [_] => Ok(Heard::Needs(1)),
        [_, 0, ..] => Ok(Heard::All(())),
        [..] => Err(Fault::WrongPassword),
    }
}

/// What it says to the request (RFC 1928 §6). A refusal is told by its first two bytes: some proxies
/// send no more.
fn reply(bytes: &[u8]) -> Result<Heard<()>, Fault> {
    match *bytes {
        [] => return Ok(Heard::Needs(2)),
        [version, ..] if version != VERSION => return Err(Fault::NotSocks(version)),
        [_] => return Ok(Heard::Needs(1)),
        [_, code, ..] if code != 0 => return Err(Fault::Refused(code)),
        [_, _, reserved, ..] if reserved != 0 => return Err(Fault::Reserved(reserved)),
        _ => {}
    }
    // The address from which the proxy connects: of no interest, but it has to be read. The shortest
    // reply of all has seven bytes, so that one byte of it can be waited for.
    let length = match *bytes {
        [_, _, _, V4, ..] => 10,
        [_, _, _, V6, ..] => 22,
        [_, _, _, NAME, length, ..] => usize::from(length).saturating_add(7),
        [_, _, _, other, ..] if other != NAME => return Err(Fault::AddressType(other)),
        _ => 5,
    };
    let missing = length.saturating_sub(bytes.len());
    Ok(if missing == 0 { Heard::All(()) } else { Heard::Needs(missing) })
}

/// User and password (RFC 1929 §2).
fn by_password(user: &[u8], password: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![PASSWORD_VERSION];
    for part in [user, password] {
        bytes.push(length(part, "the user or the password")?);
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

/// The request for a connection (RFC 1928 §4).
fn connect(to: Destined<'_>) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![VERSION, CONNECT, 0];
    let port = match to {
        Destined::Address(address) => {
            match address.ip() {
                IpAddr::V4(ip) => {
                    bytes.push(V4);
                    bytes.extend_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    bytes.push(V6);
                    bytes.extend_from_slice(&ip.octets());
                }
            }
            address.port()
        }
        Destined::Name(name, port) => {
            bytes.extend_from_slice(&[NAME, length(name.as_bytes(), "the host's name")?]);
            bytes.extend_from_slice(name.as_bytes());
            port
        }
    };
    bytes.extend_from_slice(&port.to_be_bytes());
    Ok(bytes)
}

/// A length in one byte, which is all that there is room for.
fn length(bytes: &[u8], what: &str) -> Result<u8, Error> {
    match u8::try_from(bytes.len()) {
        Ok(length @ 1..) => Ok(length),
        _ => {
            let detail = format!("{what} must have 1 to 255 bytes for SOCKS");
            Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup))
        }
    }
}

/// What a proxy did wrong, or why it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Closed,
    NotSocks(u8),
    NoMethod { by_password: bool },
    OtherMethod(u8),
    BadAnswer(u8),
    WrongPassword,
    Refused(u8),
    Reserved(u8),
    AddressType(u8),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Closed => {
                f.write_str("it closed the connection in the middle of the negotiation")
            }
            Self::NotSocks(byte @ (b'H' | b'h' | b'<')) => write!(
                f,
                "it does not speak SOCKS5, its answer begins with \"{}\": is it an HTTP proxy?",
                char::from(byte)
            ),
            Self::NotSocks(byte) => {
                write!(f, "it does not speak SOCKS5, its answer begins with byte {byte:#04x}")
            }
            Self::NoMethod { by_password: false } => {
                f.write_str("it wants to be told who asks, and there are no credentials for it")
            }
            Self::NoMethod { by_password: true } => {
                f.write_str("it takes neither user and password nor nobody")
            }
            Self::OtherMethod(method) => {
                write!(f, "it chose a method of authentication that was not offered: {method}")
            }
            Self::BadAnswer(byte) => {
                write!(f, "its answer to user and password begins with byte {byte:#04x}, not 0x01")
            }
            Self::WrongPassword => f.write_str("it does not take this user and password"),
            Self::Refused(code) => {
                let why = match code {
                    1 => "general failure",
                    2 => "its rules do not allow this connection",
                    3 => "the network cannot be reached",
                    4 => "the host cannot be reached",
                    5 => "the connection was refused",
                    6 => "the time to live ran out on the way",
                    7 => "it cannot do this command",
                    8 => "it cannot do this type of address",
                    _ => "for a reason that has no name",
                };
                write!(f, "{why} (SOCKS reply {code})")
            }
            Self::Reserved(byte) => {
                write!(f, "its reply has {byte:#04x} where RFC 1928 has 0x00")
            }
            Self::AddressType(kind) => {
                write!(f, "its reply has an unknown type of address: {kind}")
            }
        }
    }
}

/// After how long a write that moves nothing is begun anew.
const STALL: Duration = Duration::from_secs(1);
const VERSION: u8 = 5;
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
/// Methods of authentication.
const OPEN: u8 = 0;
const BY_PASSWORD: u8 = 2;
const NONE: u8 = 0xff;
/// Types of address.
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;
/// With a name of 255 bytes.
const LONGEST_REPLY: usize = 262;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_bytes_of_rfc_1928() {
        let v4 = Destined::Address("192.0.2.1:80".parse().unwrap());
        assert_eq!(connect(v4).unwrap(), [5, 1, 0, 1, 192, 0, 2, 1, 0, 80]);
        let v6 = connect(Destined::Address("[2001:db8::1]:443".parse().unwrap())).unwrap();
        assert_eq!(v6[..8], [5, 1, 0, 4, 0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!((v6.len(), &v6[19..]), (22, &[1, 1, 187][..]));
        let name = connect(Destined::Name("h.test", 8080)).unwrap();
        assert_eq!(name, b"\x05\x01\x00\x03\x06h.test\x1f\x90");
        assert!(connect(Destined::Name(&"x".repeat(255), 1)).is_ok());
        let error = connect(Destined::Name(&"x".repeat(256), 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(by_password(b"ada", b"pw").unwrap(), b"\x01\x03ada\x02pw");
        assert!(by_password(b"", b"pw").is_err() && by_password(b"a", &[0; 256]).is_err());
    }

    #[test]
    fn a_method_is_one_that_was_offered() {
        assert_eq!(method(&[5, 0], false), Ok(Heard::All(0)));
        assert_eq!(method(&[5, 0], true), Ok(Heard::All(0)));
        assert_eq!(method(&[5, 2], true), Ok(Heard::All(2)));
        assert_eq!(method(&[5, 2], false), Err(Fault::OtherMethod(2)));
        assert_eq!(method(&[5, 1], true), Err(Fault::OtherMethod(1)));
        assert_eq!(method(&[5, 0xff], true), Err(Fault::NoMethod { by_password: true }));
        assert_eq!(method(b"H", false), Err(Fault::NotSocks(b'H')));
        assert_eq!(method(&[4, 0], false), Err(Fault::NotSocks(4)));
        assert_eq!(
            (method(&[], false), method(&[5], false)),
            (Ok(Heard::Needs(2)), Ok(Heard::Needs(1)))
        );
    }

    #[test]
    fn a_password_is_taken_by_a_zero_alone() {
        assert_eq!(accepted(&[1, 0]), Ok(Heard::All(())));
        for code in 1..=255 {
            assert_eq!(accepted(&[1, code]), Err(Fault::WrongPassword));
        }
        assert_eq!(accepted(&[5, 0]), Err(Fault::BadAnswer(5)));
    }

    #[test]
    fn a_reply_is_read_to_its_last_byte_and_no_further_however_it_is_cut() {
        let v4 = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];
        let v6 = [&[5, 0, 0, 4][..], &[0; 18]].concat();
        let name = [&[5, 0, 0, 3, 2][..], b"ab\0\x50"].concat();
        let nameless = [5, 0, 0, 3, 0, 0, 80];
        let long = [&[5, 0, 0, 3, 255][..], &[b'x'; 257]].concat();
        for whole in [&v4[..], &v6, &name, &nameless, &long] {
            for cut in 0..whole.len() {
                match reply(&whole[..cut]) {
                    Ok(Heard::Needs(more)) => {
                        assert!((1..=whole.len() - cut).contains(&more), "{cut} of {whole:?}");
                    }
                    other => panic!("{other:?} at {cut} of {whole:?}"),
                }
            }
            assert_eq!(reply(whole), Ok(Heard::All(())));
            assert!(whole.len() <= LONGEST_REPLY);
        }
    }

    #[test]
    fn every_refusal_is_told_for_people_also_if_it_ends_there() {
        for code in 1..=255_u8 {
            assert_eq!(reply(&[5, code]), Err(Fault::Refused(code)));
            let told = Fault::Refused(code).to_string();
            assert!(told.ends_with(&format!("(SOCKS reply {code})")) && told.len() > 24, "{told}");
        }
        for (fault, words) in [
            (Fault::Refused(2), "rules"),
            (Fault::Refused(5), "refused"),
            (Fault::NotSocks(b'H'), "HTTP proxy?"),
            (Fault::NoMethod { by_password: false }, "no credentials"),
            (Fault::WrongPassword, "does not take this user and password"),
        ] {
            assert!(fault.to_string().contains(words), "{fault}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused_at_its_first_wrong_byte() {
        assert_eq!(reply(b"H"), Err(Fault::NotSocks(b'H')));
        assert_eq!(reply(&[5, 0, 1]), Err(Fault::Reserved(1)));
        assert_eq!(reply(&[5, 0, 0, 2]), Err(Fault::AddressType(2)));
        assert_eq!(reply(&[5, 0, 0, 0]), Err(Fault::AddressType(0)));
    }
}
