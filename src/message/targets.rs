//! Parsing URLs one after the other.

use super::target::{InvalidUrl, Target};

/// Parses URLs of which most are of the same origin as the one before, as those of a list are: then
/// scheme, host and port are not parsed again.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// The root of the origin of the last one.
    root: Option<Box<Target>>,
}

impl Targets {
    /// Parses an absolute URL: as [`Target::parse`] does, to the last byte.
    pub(crate) fn parse(&mut self, text: &str) -> Result<Target, InvalidUrl> {
        if let Some(target) = self.root.as_ref().and_then(|root| root.plainly_within(text)) {
            return Ok(target);
        }
        let target = Target::parse(text)?;
        if self.root.as_ref().is_none_or(|root| !root.same_origin(&target)) {
            self.root = Some(Box::new(target.root()));
        }
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_parsed_to_the_same_whatever_was_parsed_before_it() {
        let urls = [
            "http://h/",
            "http://h/a/../b?c=d&e",
            "http://h/a?b#c",
            "http://h//x/y",
            "http://h/\\x",
            "http://h/\u{e4}",
            "http://h/a b",
            "http://h/ ",
            "http://h/%2e%2E/x",
            "http://h/:80/@evil.example/",
            "http://h",
            "http://h?q",
            "http://h:80/a",
            "http://h:8080/a",
            "http://hh/a",
            "http://H/a",
            "https://h/a",
            "http://user:pw@h/a",
            "http://h@evil.example/",
            "http://h\\@evil.example/",
            "http://127.1/x",
            "http://127.0.0.1/x",
            "http://[::1]:81/x?y",
            "http://b\u{fc}cher.example/<\"`{}|^>",
            "http://xn--bcher-kva.example/a",
            "http://h/a\tb",
            "/a",
            "",
        ];
        for first in urls {
            for second in urls {
                let mut targets = Targets::default();
                let _ = targets.parse(first);
                let (found, wanted) = (targets.parse(second), Target::parse(second));
                assert_eq!(found, wanted, "{second:?} behind {first:?}");
                let Ok((found, wanted)) = found.and_then(|found| Ok((found, wanted?))) else {
                    continue;
                };
                let parts = |target: &Target| {
                    let texts = [target.authority(), target.path_and_query(), target.absolute()];
                    let texts = texts.map(str::to_owned);
                    (target.origin(), target.explicit_port(), target.userinfo().is_some(), texts)
                };
                assert_eq!(parts(&found), parts(&wanted), "{second:?} behind {first:?}");
            }
        }
    }

    #[test]
    fn of_the_one_before_nothing_is_kept_but_its_origin() {
        let mut targets = Targets::default();
        targets.parse("http://user:password@h/secret?token=1#f").unwrap();
        let kept = targets.root.unwrap();
        assert_eq!((kept.as_str(), kept.userinfo()), ("http://h/", None));
    }
}
