//! The `Link` field (RFC 8288): what a paged API says comes next.

use super::Target;

/// One link of a response's `Link` fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    url: String,
    params: Vec<(String, String)>,
}

impl Link {
    /// Where it leads: resolved against the response's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its relation, such as `next`; there may be several, with spaces between.
    #[must_use]
    pub fn rel(&self) -> Option<&str> {
        self.param("rel")
    }

    /// The first parameter of that name, in any letter case.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Whether `rel` is among its relations.
    pub(super) fn is(&self, rel: &str) -> bool {
        self.rel().is_some_and(|all| all.split(' ').any(|one| one.eq_ignore_ascii_case(rel)))
    }
}

/// Reads one field value. What is malformed ends the reading of that value and is left out: a
/// link is a hint, and a hint that cannot be read is none.
pub(super) fn parse(value: &str, base: &str) -> Vec<Link> {
    let Ok(base) = Target::parse(base) else { return Vec::new() };
    let mut links = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((reference, after)) = after.split_once('>') else { break };
        let (params, after) = parse_params(after);
        if let Ok(target) = base.join(reference.trim()) {
            links.push(Link { url: target.as_str().to_owned(), params });
        }
        rest = after;
    }
    links
}

/// Reads `;name=value` pairs up to the comma that ends the link; gives the text after it.
fn parse_params(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut params = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(after) = rest.strip_prefix(';') else {
            return (params, rest.strip_prefix(',').unwrap_or(rest));
        };
        let end = after.find(['=', ';', ',']).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let (value, after) = match after.strip_prefix('=') {
            Some(after) => parse_value(after.trim_start()),
            None => (String::new(), after),
        };
        if !name.trim().is_empty() {
            params.push((name.trim().to_owned(), value));
        }
        rest = after;
    }
}

/// Reads a token or a quoted string (RFC 9110 §5.6.4).
fn parse_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            other => value.push(other),
        }
    }
    (value, chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_with_quotes_commas_and_relative_references() {
        let value =
            r#"<https://x/a,b?p=2>; rel="next"; title="a, \"b\"; c" , </p?page=9>;rel=last;x, <q>"#;
        let links = parse(value, "http://h/dir/");
        let urls: Vec<_> = links.iter().map(Link::url).collect();
        assert_eq!(urls, ["https://x/a,b?p=2", "http://h/p?page=9", "http://h/dir/q"]);
        assert!(links[0].is("NEXT") && !links[1].is("next"));
        assert_eq!(links[0].param("Title"), Some("a, \"b\"; c"));
        assert_eq!(links[1].param("x"), Some(""));
    }

    #[test]
    fn rubbish_gives_no_link_and_ends() {
        for value in ["", "<", "<a", ";;;", "a>b", "<javascript:x>; rel=next", "<a>;\"", ",,,,"] {
            let links = parse(value, "http://h/");
            assert!(links.iter().all(|link| link.url().starts_with("http")), "{value}: {links:?}");
        }
    }
}
