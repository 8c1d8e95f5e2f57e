//! Domains under which anybody can have a name, and which therefore have no cookies.

use std::fmt;
use std::sync::Arc;

/// Says of a domain whether it is a public suffix.
#[derive(Clone, Default)]
pub(super) struct Suffixes {
    own: Option<Arc<IsPublic>>,
}

type IsPublic = dyn Fn(&str) -> bool + Send + Sync;

impl Suffixes {
    /// Asks the caller's own function instead of the list or the rule that is compiled in.
    pub(super) fn by(own: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { own: Some(Arc::new(own)) }
    }

    /// Whether the domain, which is lower-case ASCII, is a public suffix. One of a single label
    /// always is, whatever anybody says; a dot at the end makes no other domain.
    pub(super) fn contain(&self, domain: &str) -> bool {
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        !domain.contains('.')
            || match &self.own {
                Some(own) => own(domain),
                None => is_public(domain),
            }
    }

    /// The part of a host's name that all hosts have in common which can share a cookie with it:
    /// its shortest end that is no public suffix.
    pub(super) fn site<'a>(&self, host: &'a str) -> &'a str {
        host.rmatch_indices('.')
            .filter_map(|(dot, _)| host.get(dot + 1..))
            .find(|end| !end.is_empty() && !self.contain(end))
            .unwrap_or(host)
    }
}

impl fmt::Debug for Suffixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.own.is_some() { "own" } else { "built in" })
    }
}

/// By Mozilla's list, as the crate `psl` has compiled it.
#[cfg(feature = "public-suffix")]
fn is_public(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

/// By the look of it: `co.uk`, `com.au`, `or.jp`. No list, and nothing like one.
#[cfg(not(feature = "public-suffix"))]
fn is_public(domain: &str) -> bool {
    let is_kind = |label: &str| {
        ["ac", "co", "com", "edu", "gob", "gov", "go", "mil", "ne", "net", "or", "org"]
            .contains(&label)
    };
    domain.split_once('.').is_some_and(|(kind, country)| is_kind(kind) && country.len() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_a_registry_is_public_and_what_is_registered_is_not() {
        let suffixes = Suffixes::default();
        for public in ["com", "uk", "co.uk", "com.au", "localhost", "internal", "co.uk.", "com."] {
            assert!(suffixes.contain(public), "{public}");
        }
        for own in ["example.com", "example.co.uk", "a.internal", "example.com.", "www.ck"] {
            assert!(!suffixes.contain(own), "{own}");
        }
    }

    #[cfg(feature = "public-suffix")]
    #[test]
    fn the_list_has_wildcards_exceptions_private_domains_and_other_alphabets() {
        let suffixes = Suffixes::default();
        for public in [
            "github.io",
            "s3.amazonaws.com",
            "foo.ck",
            "x.kawasaki.jp",
            "xn--p1ai",
            "xn--55qx5d.cn",
            "pvt.k12.ma.us",
        ] {
            assert!(suffixes.contain(public), "{public}");
        }
        for own in ["a.github.io", "www.ck", "city.kawasaki.jp", "a.xn--55qx5d.cn", "amazonaws.com"]
        {
            assert!(!suffixes.contain(own), "{own}");
        }
    }

    #[test]
    fn a_site_is_what_may_share_cookies() {
        let suffixes = Suffixes::default();
        for (host, site) in [
            ("example.com", "example.com"),
            ("a.b.example.com", "example.com"),
            ("a.example.com.", "example.com."),
            ("a.b.example.co.uk", "example.co.uk"),
            ("localhost", "localhost"),
            ("com", "com"),
            ("a.internal", "a.internal"),
            ("b.a.internal", "a.internal"),
            ("..", ".."),
        ] {
            assert_eq!(suffixes.site(host), site, "{host}");
        }
    }

    #[test]
    fn the_callers_own_rule_takes_the_place_of_the_list_but_single_labels_stay_public() {
        let suffixes = Suffixes::by(|domain| domain == "shared.corp");
        assert!(suffixes.contain("shared.corp") && suffixes.contain("shared.corp."));
        assert!(!suffixes.contain("co.uk") && suffixes.contain("corp"));
        assert_eq!(suffixes.site("x.a.shared.corp"), "a.shared.corp");
    }
}
