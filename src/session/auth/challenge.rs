//! What a server wants to know: the challenges of `WWW-Authenticate` (RFC 9110 §11.6.1). Pure:
//! text in, schemes and parameters out.
//!
//! Commas part the challenges of a field, and the parameters of a challenge, alike; which it was is
//! known only behind the next word. Each byte is looked at a few times at most. What stands
//! behind a fault is not guessed at: the challenges before it count, it and the rest do not.

use std::borrow::Cow;

/// One challenge: a scheme, and its parameters in order.
pub(in crate::session) struct Challenge<'a> {
    pub(in crate::session) scheme: &'a str,
    pub(in crate::session) params: Params<'a>,
}

/// The parameters of a challenge, quoting undone.
#[derive(Default)]
pub(in crate::session) struct Params<'a>(pub(in crate::session) Vec<(&'a str, Cow<'a, str>)>);

#[cfg(feature = "digest")]
impl Params<'_> {
    /// The parameter of this name, in any letter case.
    ///
    /// # Errors
    ///
    /// There is more than one (RFC 9110 §11.2 forbids it), and which of them is meant is anybody's
    /// guess.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Ambiguous> {
        let mut values = self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_ref());
        if values.next().is_some() { Err(Ambiguous) } else { Ok(first) }
    }
}

/// A parameter is there twice.
#[cfg(feature = "digest")]
pub(super) struct Ambiguous;

/// The challenges of one field, in order.
pub(in crate::session) fn challenges(value: &str) -> Vec<Challenge<'_>> {
    let mut found = Vec::new();
    let mut reader = Reader(value);
    reader.skip_commas();
    while let Some(challenge) = reader.challenge() {
        found.push(challenge);
    }
    found
}

/// The parameters of a field that is a list of nothing else, such as `Authentication-Info`; none
/// if it is malformed anywhere.
#[cfg(feature = "digest")]
pub(super) fn params(value: &str) -> Params<'_> {
    let mut reader = Reader(value);
    reader.skip_commas();
    let mut params = Params::default();
    let whole = reader.params(&mut params);
    if whole && reader.0.is_empty() { params } else { Params::default() }
}

/// What is still to be read.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    /// The next challenge, up to the scheme of the one behind it. `None` at the end, or at a fault.
    fn challenge(&mut self) -> Option<Challenge<'a>> {
        let scheme = self.take_while(is_token)?;
        let mut params = Params::default();
        let whole = if self.ends() {
            true
        } else {
            // Between a scheme and what it says stands a space, never `=`.
            self.0.starts_with(' ') && (self.token68() || self.params(&mut params))
        };
        whole.then_some(Challenge { scheme, params })
    }

    /// Passes over the one word that some schemes have in the place of parameters.
    fn token68(&mut self) -> bool {
        let mut ahead = *self;
        ahead.skip_spaces();
        let word = ahead.take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
        ahead.0 = ahead.0.trim_start_matches('=');
        let is_one = word.is_some() && ahead.ends();
        if is_one {
            *self = ahead;
        }
        is_one
    }

    /// Reads parameters up to the end, or to a word that is no parameter: the next scheme. Whether
    /// there was at least one, and no fault.
    fn params(&mut self, params: &mut Params<'a>) -> bool {
        loop {
            let mut ahead = *self;
            ahead.skip_spaces();
            let Some(name) = ahead.take_while(is_token) else { return self.0.is_empty() };
            ahead.skip_spaces();
            let Some(rest) = ahead.0.strip_prefix('=') else { return !params.0.is_empty() };
            ahead.0 = rest;
            ahead.skip_spaces();
            let value = match ahead.0.strip_prefix('"') {
                Some(quoted) => {
                    ahead.0 = quoted;
                    ahead.quoted()
                }
                None => ahead.take_while(is_token).map(Cow::Borrowed),
            };
            let Some(value) = value else { return false };
            params.0.push((name, value));
            if !ahead.ends() {
                return false;
            }
            *self = ahead;
        }
    }

    /// The rest of a quoted string, and its end.
    fn quoted(&mut self) -> Option<Cow<'a, str>> {
        let end = self.0.find(['"', '\\'])?;
        let (plain, rest) = self.0.split_at_checked(end)?;
        if let Some(rest) = rest.strip_prefix('"') {
            self.0 = rest;
            return Some(Cow::Borrowed(plain));
        }
        let mut text = String::from(plain);
        let mut chars = rest.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(chars.next()?),
                other => text.push(other),
            }
        }
        self.0 = chars.as_str();
        Some(Cow::Owned(text))
    }

    /// Whether an element of the list ends here; then goes on to the next one.
    fn ends(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let ends = rest.is_empty() || rest.starts_with(',');
        if ends {
            self.skip_commas();
        }
        ends
    }

    /// Passes over commas: an element may be empty (RFC 9110 §5.6.1).
    fn skip_commas(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
    }

    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    /// At least one byte of this kind.
    fn take_while(&mut self, is_it: impl Fn(u8) -> bool) -> Option<&'a str> {
        let length = self.0.bytes().take_while(|&byte| is_it(byte)).count();
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        (length > 0).then_some(taken)
    }
}

fn is_token(byte: u8) -> bool {
    crate::message::is_token(&[byte])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Vec<String> {
        let shown = |challenge: Challenge<'_>| {
            let params =
                challenge.params.0.iter().map(|(name, value)| format!(" {name}={value:?}"));
            challenge.scheme.to_owned() + &params.collect::<String>()
        };
        challenges(value).into_iter().map(shown).collect()
    }

    #[test]
    fn challenges_are_told_apart_from_their_parameters() {
        for (value, expected) in [
            ("", &[][..]),
            (" , ,, ", &[]),
            ("Basic", &["Basic"]),
            ("Negotiate, Basic", &["Negotiate", "Basic"]),
            ("Negotiate abc+/==", &["Negotiate"]),
            ("NTLM TlRM==, Basic realm=\"a\"", &["NTLM", "Basic realm=\"a\""]),
            ("Basic realm=\"a\"", &["Basic realm=\"a\""]),
            ("Basic realm = \"a\"\t, charset =UTF-8", &["Basic realm=\"a\" charset=\"UTF-8\""]),
            (
                "Basic realm=simple,Digest nonce=n",
                &["Basic realm=\"simple\"", "Digest nonce=\"n\""],
            ),
            (
                // RFC 9110 §11.6.1.
                "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
                &[
                    "Basic realm=\"simple\"",
                    "Newauth realm=\"apps\" type=\"1\" title=\"Login to \\\"apps\\\"\"",
                ],
            ),
            (
                "Digest realm=\"a, Basic realm=b\", nonce=\"c\\\\d\"",
                &["Digest realm=\"a, Basic realm=b\" nonce=\"c\\\\d\""],
            ),
            (",,Digest  a=\"\",,b=c,,", &["Digest a=\"\" b=\"c\""]),
            ("Digest a=\"ü\\ß\"", &["Digest a=\"üß\""]),
            ("A b=c, D, E f=\"g\"", &["A b=\"c\"", "D", "E f=\"g\""]),
            // One word is no parameter without its value.
            ("A b, C d=e", &["A", "C d=\"e\""]),
            ("A b=", &["A"]),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    #[test]
    fn what_stands_before_a_fault_counts_and_nothing_behind_it() {
        for (value, expected) in [
            ("=", &[][..]),
            ("\"a\"", &[]),
            ("realm=\"a\"", &[]),
            ("Digest realm=\"a", &[]),
            ("Digest realm=\"a\\", &[]),
            ("Digest realm=\"a\\\"", &[]),
            ("Digest realm=\"a\" nonce=\"b\"", &[]),
            ("Digest realm=\"a\"x, Basic", &[]),
            ("Digest realm=a b", &[]),
            ("Digest realm==\"a\"", &[]),
            ("Digest,realm=\"a\"", &["Digest"]),
            ("Digest a=b, =c", &[]),
            ("Basic, Digest a=b, c=\"", &["Basic"]),
            ("Basic realm=\"a\", Dig\u{e9}st a=b, Basic", &["Basic realm=\"a\""]),
            ("Basic\trealm=\"a\"", &[]),
            ("Basic/x realm=\"a\"", &[]),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    #[cfg(feature = "digest")]
    #[test]
    fn a_parameter_that_is_there_twice_is_none() {
        let found = challenges("Digest a=b, A=c, d=e");
        let params = &found[0].params;
        assert!(params.get("a").is_err());
        assert!(params.get("D").is_ok_and(|value| value == Some("e")));
        assert!(params.get("f").is_ok_and(|value| value.is_none()));
    }

    /// A sequence that looks random and is the same each time.
    struct Dice(u64);

    impl Dice {
        fn throw(&mut self, sides: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % sides
        }

        fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
            from[self.throw(from.len())]
        }
    }

    #[test]
    fn what_is_written_by_the_grammar_is_read_back_as_it_was() {
        let mut dice = Dice(7);
        for _ in 0..2_000 {
            let (mut text, mut expected) = (String::new(), Vec::new());
            for _ in 0..dice.throw(4) {
                text += dice.pick(&["", " ,", ",\t"]);
                let scheme = dice.pick(&["Basic", "DIGEST", "x-y!"]);
                (text, expected) = (text + scheme, [expected, vec![scheme.to_owned()]].concat());
                for number in 0..dice.throw(4) {
                    let name = dice.pick(&["realm", "a", "Q-0"]);
                    let value: String = (0..dice.throw(5))
                        .map(|_| dice.pick(&["a", ",", "\"", "\\", " ", "=", "é", "Basic b=\"c\""]))
                        .collect();
                    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
                    text += if number == 0 { " " } else { dice.pick(&[",", ", ", " ,,\t"]) };
                    text += &[name, dice.pick(&["=", " =", "= "]), "\"", &quoted, "\""].concat();
                    expected.last_mut().unwrap().push_str(&format!(" {name}={value:?}"));
                }
                text += dice.pick(&[",", " , ", ",,"]);
            }
            assert_eq!(read(&text), expected, "{text}");
        }
    }

    #[test]
    fn no_text_makes_it_panic_or_find_more_than_is_there() {
        let mut dice = Dice(11);
        let parts = [
            "Digest",
            "a",
            " ",
            "\t",
            ",",
            "=",
            "==",
            "\"",
            "\\",
            "é",
            "\u{1f600}",
            "\"x\"",
            "a=b",
        ];
        for _ in 0..20_000 {
            let text: String = (0..dice.throw(14)).map(|_| dice.pick(&parts)).collect();
            let found = challenges(&text);
            let names = found.iter().map(|c| c.scheme.len()).sum::<usize>();
            let params = found.iter().flat_map(|c| &c.params.0);
            let all = names + params.map(|(n, v)| n.len() + v.len() + 1).sum::<usize>();
            assert!(all <= text.len(), "{text}");
        }
    }

    #[test]
    fn the_longest_of_fields_is_read_in_no_time() {
        for part in ["a", "a ", "a=", ",", "a=b,", "a,", "\"", "\\", "a=\"\\", "A b=c,"] {
            let started = std::time::Instant::now();
            challenges(&part.repeat((1 << 18) / part.len()));
            challenges(&("D a=".to_owned() + &part.repeat((1 << 18) / part.len())));
            challenges(&("D a=\"".to_owned() + &part.repeat((1 << 18) / part.len())));
            assert!(started.elapsed() < std::time::Duration::from_secs(5), "{part}");
        }
    }
}
