//! Parsing URLs one after the other.

use std::ops::Range;

use super::target::{InvalidUrl, Target};

/// Parses URLs of which many are of the same origin as one before, as those of a list are: then scheme,
/// host and port are not parsed again.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// Roots of origins: that of the last URL, as long as all were of one; after that a few places for
    /// each of [`SETS`] sets, by what the text of it comes to, and in each the last to come first.
    roots: Vec<Option<(u32, Box<Target>)>>,
}

impl Targets {
    /// Parses an absolute URL: as [`Target::parse`] does, to the last byte.
    pub(crate) fn parse(&mut self, text: &str) -> Result<Target, InvalidUrl> {
        let (mark, set) = self.place(text);
        let mut roots = self.roots.get(set).into_iter().flatten().flatten();
        if let Some((_, root)) = roots.find(|(known, _)| *known == mark)
            && let Some(target) = root.plainly_within(text)
        {
            return Ok(target);
        }
        let target = Target::parse(text)?;
        self.remember(&target);
        Ok(target)
    }

    fn remember(&mut self, target: &Target) {
        if target.authority().len() > LONGEST {
            return;
        }
        let is_known = |set: &[Option<(u32, Box<Target>)>]| {
            set.iter().flatten().any(|(_, root)| root.same_origin(target))
        };
        match self.roots.len() {
            0 => self.roots.push(None),
            // There is more than one origin. That of the others is found where it belongs when it comes
            // again.
            1 if !is_known(&self.roots) => {
                self.roots.clear();
                self.roots.resize_with(SETS * WAYS, || None);
            }
            _ => {}
        }
        let (mark, set) = self.place(target.as_str());
        let Some(set) = self.roots.get_mut(set) else { return };
        if !is_known(set) {
            set.rotate_right(1);
            if let Some(first) = set.first_mut() {
                *first = Some((mark, Box::new(target.root())));
            }
        }
    }

    /// What the text's origin is told by, and where its root is, if it is here. Others may be there: so
    /// who chooses texts that meet at one place has them parsed whole, and nothing more.
    fn place(&self, text: &str) -> (u32, Range<usize>) {
        if self.roots.len() <= 1 {
            return (0, 0..self.roots.len());
        }
        let is_https = text.starts_with("https");
        let scheme = if is_https { "https://" } else { "http://" };
        let authority = text.bytes().skip(scheme.len()).take_while(|byte| *byte != b'/');
        let mark = authority.fold(OFFSET ^ u32::from(is_https), |mark, byte| {
            (mark ^ u32::from(byte)).wrapping_mul(PRIME)
        });
        // Of short texts the bits above the lowest say little until they are multiplied once more.
        let set =
            usize::try_from(mark.wrapping_mul(GOLDEN) >> 16).unwrap_or_default() % SETS * WAYS;
        (mark, set..set.saturating_add(WAYS))
    }
}

/// Room for 256 origins.
const SETS: usize = 64;
const WAYS: usize = 4;
/// A name has 253 characters at most and a dot behind it, and a port five and a colon. What is longer leads
/// nowhere, and many of them would take much memory.
const LONGEST: usize = 260;
/// FNV-1a: short texts, that differ in a few bytes.
const OFFSET: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;
/// The golden ratio of 2^32.
const GOLDEN: u32 = 0x9e37_79b1;

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
        let pairs = urls.iter().flat_map(|before| urls.map(|first| (*before, first)));
        for (before, first) in pairs {
            for second in urls {
                let mut targets = Targets::default();
                let _ = targets.parse(first);
                let _ = targets.parse(before);
                let _ = targets.parse(first);
                let (found, wanted) = (targets.parse(second), Target::parse(second));
                assert_eq!(found, wanted, "{second:?} behind {before:?} and {first:?}");
                let Ok((found, wanted)) = found.and_then(|found| Ok((found, wanted?))) else {
                    continue;
                };
                let parts = |target: &Target| {
                    let texts = [target.authority(), target.path_and_query(), target.absolute()];
                    let texts = texts.map(str::to_owned);
                    (target.origin(), target.explicit_port(), target.userinfo().is_some(), texts)
                };
                assert_eq!(
                    parts(&found),
                    parts(&wanted),
                    "{second:?} behind {before:?} and {first:?}"
                );
            }
        }
    }

    #[test]
    fn of_those_before_nothing_is_kept_but_their_origins() {
        let mut targets = Targets::default();
        targets.parse("http://user:password@h/secret?token=1#f").unwrap();
        targets.parse("https://user:password@i:81/secret?token=1#f").unwrap();
        targets.parse("http://user:password@h/secret?token=1#f").unwrap();
        let mut kept: Vec<_> = targets
            .roots
            .iter()
            .flatten()
            .map(|(_, root)| (root.as_str(), root.userinfo()))
            .collect();
        kept.sort_unstable();
        assert_eq!(kept, [("http://h/", None), ("https://i:81/", None)]);
    }

    #[test]
    fn an_origin_is_known_again_among_many_others() {
        let mut targets = Targets::default();
        let urls: Vec<_> =
            (0..50).map(|n| format!("https://127.0.1.{n}:{}/a", 40_000 + n)).collect();
        let parse = |targets: &mut Targets| {
            urls.iter().for_each(|url| assert_eq!(targets.parse(url), Target::parse(url)));
        };
        parse(&mut targets);
        parse(&mut targets);
        let known = |url: &&String| {
            let mut roots = targets.roots[targets.place(url).1].iter().flatten();
            roots.any(|(_, root)| root.plainly_within(url).is_some())
        };
        assert_eq!(urls.iter().filter(known).count(), 50);
    }

    #[test]
    fn origins_that_differ_in_one_character_have_places_of_their_own() {
        let mut targets = Targets::default();
        for url in ["http://a/", "http://b/", "https://a/", "http://a:81/", "http://a:82/"] {
            targets.parse(url).unwrap();
            targets.parse("http://other/").unwrap();
            targets.parse(url).unwrap();
        }
        assert_eq!(targets.roots.iter().flatten().count(), 6);
    }

    #[test]
    fn room_for_more_than_one_origin_is_made_when_there_is_a_second_one() {
        let mut targets = Targets::default();
        for url in ["http://h/a", "http://H/b", "http://h:80/c", "no URL", "http://h/d"] {
            let _ = targets.parse(url);
            assert!(targets.roots.len() <= 1, "{url}");
        }
        targets.parse("http://i/").unwrap();
        assert_eq!(targets.roots.len(), SETS * WAYS);
    }

    #[test]
    fn an_origin_that_takes_much_room_is_not_kept() {
        let long = format!("http://{}", "a".repeat(1 << 20));
        let mut targets = Targets::default();
        for url in
            [format!("{long}/"), "http://h/".into(), format!("{long}b/"), format!("{long}c:81/")]
        {
            assert!(targets.parse(&url) == Target::parse(&url));
        }
        let kept = targets.roots.iter().flatten().map(|(_, root)| root.as_str().len());
        assert_eq!(kept.collect::<Vec<_>>(), ["http://h/".len()]);
    }

    #[test]
    fn an_origin_with_the_longest_name_there_is_is_kept() {
        // Of 253 characters, in labels of 63.
        let name = [63, 63, 63, 61].map(|length| "a".repeat(length)).join(".");
        let url = format!("https://{name}:65535/");
        let mut targets = Targets::default();
        targets.parse(&url).unwrap();
        assert_eq!(targets.roots.iter().flatten().count(), 1);
    }
}
