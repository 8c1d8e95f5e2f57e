//! Properties of plain values.

use std::net::IpAddr;

use fetchpool::internals::ParsedUrl;

use super::plain;

/// A URL that is accepted prints as one that parses to the same, and what goes into the head and
/// to the look-up holds nothing that another reader would take apart once more.
pub fn message_target(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Some(url) = ParsedUrl::parse(text) else { return };
    let printed = url.printed();
    let again = ParsedUrl::parse(printed[2]);
    assert_eq!(again.as_ref().map(ParsedUrl::printed), Some(printed), "from {text:?}");
    assert_eq!(again.as_ref().map(ParsedUrl::origin), Some(url.origin()), "from {text:?}");
    assert!(url.origin_is_stable(), "{url:?} from {text:?}");
    assert_eq!(plain::origin(printed[2]), Some(url.origin()), "from {text:?}");

    let [authority, path, _] = printed;
    assert!(path.starts_with('/') && !path.contains('#'), "{path:?} from {text:?}");
    assert!(path.bytes().chain(authority.bytes()).all(|b| b.is_ascii_graphic()), "{url:?}");
    let (_, host, _) = url.origin();
    match url.host() {
        (Some(ip), _) => {
            assert_eq!(host.trim_matches(['[', ']']).parse::<IpAddr>(), Ok(ip), "from {text:?}");
        }
        (None, name) => {
            assert!(name == host && plain::is_host_name(name), "{name:?} from {text:?}");
        }
    }
}
