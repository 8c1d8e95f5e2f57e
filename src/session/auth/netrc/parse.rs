//! The text of a netrc. Pure.

use super::{Entries, Login};

/// Reads a whole text, or says what is wrong with it and where.
pub(super) fn entries(text: &str) -> Result<Entries, Fault> {
    let mut words = Words { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut entries = Entries::default();
    let mut open: Option<Entry> = None;
    while let Some(word) = words.next()? {
        let line = words.line;
        let fault = |what| Err(Fault { line, what });
        match &*word {
            "machine" | "default" => {
                entries.close(open.take());
                let host = match &*word {
                    "machine" => Some(name(&words.value("machine has no name")?)),
                    _ => None,
                };
                open = Some(Entry { host, login: None, password: None });
            }
            "login" | "user" => {
                let value = words.value("login has no value")?;
                let Some(entry) = &mut open else { return fault(OUTSIDE) };
                if value.contains(':') {
                    return fault("the login holds a colon (RFC 7617 section 2)");
                }
                if entry.login.replace(value).is_some() {
                    return fault("a second login for one machine");
                }
            }
            "password" => {
                let value = words.value("password has no value")?;
                let Some(entry) = &mut open else { return fault(OUTSIDE) };
                if entry.password.replace(value).is_some() {
                    return fault("a second password for one machine");
                }
            }
            "account" => drop(words.value("account has no value")?),
            "macdef" => {
                words.value("macdef has no name")?;
                words.skip_macro();
            }
            _ => {
                return fault(UNKNOWN);
            }
        }
    }
    entries.close(open);
    Ok(entries)
}

/// What is wrong, and where: nothing of the text itself, which holds passwords.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// The name of a host as it is compared.
pub(super) fn name(host: &str) -> String {
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inside.unwrap_or(host).to_ascii_lowercase()
}

/// A machine whose words are still being read.
struct Entry {
    /// `None` for the default.
    host: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

impl Entries {
    fn close(&mut self, entry: Option<Entry>) {
        let Some(entry) = entry else { return };
        let logins = match entry.host {
            Some(host) => self.hosts.entry(host).or_default(),
            None => self.default.get_or_insert_default(),
        };
        if entry.login.is_some() || entry.password.is_some() {
            let user = entry.login.unwrap_or_default();
            logins.push(Login { user, password: entry.password.unwrap_or_default() });
        }
    }
}

/// The words of a text.
struct Words<'a> {
    rest: &'a str,
    /// Of the word that was read last, from 1.
    line: usize,
}

impl<'a> Words<'a> {
    /// The next word; comments are passed over.
    fn next(&mut self) -> Result<Option<String>, Fault> {
        loop {
            self.skip_spaces();
            if !self.rest.starts_with('#') {
                return self.word();
            }
            self.rest = self.rest.find('\n').and_then(|end| self.rest.get(end..)).unwrap_or("");
        }
    }

    /// What a word is followed by. It may begin with `#`, as a password may.
    fn value(&mut self, missing: &'static str) -> Result<String, Fault> {
        let line = self.line;
        self.skip_spaces();
        self.word()?.ok_or(Fault { line, what: missing })
    }

    fn word(&mut self) -> Result<Option<String>, Fault> {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            return self.quoted(quoted).map(Some);
        }
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let Some((word, rest)) = self.rest.split_at_checked(end) else { return Ok(None) };
        self.rest = rest;
        Ok((!word.is_empty()).then(|| word.to_owned()))
    }

    /// A word in quotes, from behind the first of them.
    fn quoted(&mut self, text: &'a str) -> Result<String, Fault> {
        let fault = |what| Err(Fault { line: self.line, what });
        let mut word = String::new();
        let mut chars = text.chars();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => match chars.next() {
                    Some('n') => word.push('\n'),
                    Some('r') => word.push('\r'),
                    Some('t') => word.push('\t'),
                    Some(other @ ('"' | '\\')) => word.push(other),
                    _ => return fault("a backslash before none of \", \\, n, r and t"),
                },
                None | Some('\n') => return fault("a quote that does not end in its line"),
                Some(other) => word.push(other),
            }
        }
        self.rest = chars.as_str();
        if !self.rest.is_empty() && !self.rest.starts_with(char::is_whitespace) {
            return fault("something stands right behind a quote");
        }
        Ok(word)
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest.trim_start();
        let passed = self.rest.len().saturating_sub(rest.len());
        let lines = self.rest.bytes().take(passed).filter(|&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(lines);
        self.rest = rest;
    }

    /// Passes over the lines of a macro, up to a blank one.
    fn skip_macro(&mut self) {
        // The rest of the line with its name.
        let mut first = true;
        while let Some((line, rest)) = self.rest.split_once('\n') {
            if !first && line.trim().is_empty() {
                return;
            }
            first = false;
            self.line = self.line.saturating_add(1);
            self.rest = rest;
        }
        self.rest = "";
    }
}

const UNKNOWN: &str =
    "a word that is none of machine, default, login, password, account and macdef";
const OUTSIDE: &str = "login or password stands before the first machine";

#[cfg(test)]
mod tests {
    use super::*;

    /// Every login, as `host=user:password`.
    fn read(text: &str) -> Result<Vec<String>, Fault> {
        let entries = entries(text)?;
        let hosts = entries.hosts.iter().map(|(host, logins)| (host.as_str(), logins));
        let all = hosts.chain(entries.default.iter().map(|logins| ("*", logins)));
        Ok(all
            .flat_map(|(host, logins)| {
                let shown = |login: &Login| format!("{host}={}:{}", login.user, login.password);
                if logins.is_empty() {
                    vec![host.to_owned()]
                } else {
                    logins.iter().map(shown).collect()
                }
            })
            .collect())
    }

    #[test]
    fn each_form_that_other_programs_read_is_read() {
        for (text, logins) in [
            ("", &[][..]),
            (" \n# comment only\n\t#another", &[]),
            ("machine h login u password p", &["h=u:p"]),
            ("machine H.Test\r\n  login u\r\n  password p\r\n", &["h.test=u:p"]),
            ("machine h password p login u", &["h=u:p"]),
            ("machine h user u password p account a", &["h=u:p"]),
            ("\u{feff}machine h login u password p", &["h=u:p"]),
            ("machine h", &["h"]),
            ("machine h login u", &["h=u:"]),
            ("machine h password p", &["h=:p"]),
            ("machine [::1] login u password p", &["::1=u:p"]),
            ("machine b login u password p machine a login v password q", &["a=v:q", "b=u:p"]),
            ("machine a login u password p machine a login v password q", &["a=u:p", "a=v:q"]),
            ("default login u password p", &["*=u:p"]),
            ("default", &["*"]),
            ("machine h # of h\nlogin u # of u\npassword p#p # of p", &["h=u:p#p"]),
            ("machine h login u password #p", &["h=u:#p"]),
            ("machine h login u password \"p p\\\"\\\\\\n\\r\\t#\"", &["h=u:p p\"\\\n\r\t#"]),
            ("machine h login \"u\" password \"\"", &["h=u:"]),
            // Without quotes a backslash is one, as with curl.
            ("machine h login u password p\\n\"", &["h=u:p\\n\""]),
            ("machine h login u password \u{e9}\u{1f600}", &["h=u:\u{e9}\u{1f600}"]),
            ("machine password login password password login", &["password=password:login"]),
            ("macdef init\nmachine x\nlogin x\n\nmachine h login u password p", &["h=u:p"]),
            ("machine h login u macdef m\n\tput a\n \n password p", &["h=u:p"]),
            ("machine h login u password p\nmacdef m\nto the end", &["h=u:p"]),
        ] {
            assert_eq!(read(text).unwrap(), logins, "{text}");
        }
    }

    #[test]
    fn what_is_malformed_is_told_by_its_line() {
        for (text, line, what) in [
            ("login u", 1, OUTSIDE),
            ("\n\npassword p", 3, OUTSIDE),
            ("machine", 1, "machine has no name"),
            ("machine h\nlogin u\n  password", 3, "password has no value"),
            ("machine h login", 1, "login has no value"),
            ("machine h\n\naccount\n", 3, "account has no value"),
            ("macdef", 1, "macdef has no name"),
            ("machine h login u:v", 1, "the login holds a colon (RFC 7617 section 2)"),
            ("machine h login u\nlogin v", 2, "a second login for one machine"),
            ("machine h password u\npassword v", 2, "a second password for one machine"),
            ("machine h\nlogin u password \"p\np\"", 2, "a quote that does not end in its line"),
            ("machine h password \"p", 1, "a quote that does not end in its line"),
            ("machine h password \"p\"x", 1, "something stands right behind a quote"),
            ("machine h password \"\\x\"", 1, "a backslash before none of \", \\, n, r and t"),
            ("machine h password two\nwords", 2, UNKNOWN),
            ("macdef m\nx\n\nmachine h password two words", 4, UNKNOWN),
            ("# one\nMACHINE h", 2, UNKNOWN),
        ] {
            assert_eq!(read(text), Err(Fault { line, what }), "{text}");
        }
    }

    #[test]
    fn a_long_text_is_read_in_no_time() {
        for part in ["machine h login u password p\n", "#\n", "\n", "macdef m\n\n", "machine h "] {
            let started = std::time::Instant::now();
            assert!(read(&part.repeat((1 << 20) / part.len())).is_ok(), "{part}");
            assert!(started.elapsed() < std::time::Duration::from_secs(5), "{part}");
        }
    }
}
