//! Reads Rust as far as the house rules need it: which paths does a file name?

use std::collections::BTreeSet;

pub(crate) struct Token {
    pub(crate) line: usize,
    /// An identifier or number, `::`, an arrow, or one other character; a literal behind a `"`.
    pub(crate) text: String,
}

/// A path that the code names: `use` trees are spread out.
pub(crate) struct Name {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
    /// The modules of the file's own text around it.
    pub(crate) inline: Vec<String>,
    /// It stands in a `pub use`.
    pub(crate) exported: bool,
}

/// Everything but comments.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let length = skipped(rest).unwrap_or(0);
        if length > 0 {
            let quoted = !rest.starts_with('/') && !rest.starts_with(char::is_whitespace);
            if quoted {
                tokens.push(Token { line, text: format!("\"{}", &rest[..length]) });
            }
            line += rest[..length].matches('\n').count();
            at += length;
            continue;
        }
        // `r#type` is the name `type`.
        let raw = if rest.starts_with("r#") { 2 } else { 0 };
        let rest = &rest[raw..];
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = match word {
            0 if ["::", "->", "=>"].iter().any(|pair| rest.starts_with(pair)) => 2,
            0 => rest.chars().next().map_or(1, char::len_utf8),
            word => word,
        };
        tokens.push(Token { line, text: rest[..length].to_owned() });
        at += raw + length;
    }
    tokens
}

/// How long the space, comment or literal is that `rest` starts with.
fn skipped(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    if first.is_whitespace() {
        return Some(first.len_utf8());
    }
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    // `b"…"`, `c"…"`, `r"…"`, `br#"…"#`, `b'…'`
    let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r')).filter(|at| *at <= 2)?;
    let (prefix, literal) = rest.split_at(prefix);
    if prefix.ends_with('r') {
        let hashes = literal.find(|c| c != '#')?;
        let body = literal[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", &literal[..hashes]);
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(prefix.len() + hashes + 1 + length);
    }
    match literal.chars().next()? {
        '"' => Some(prefix.len() + quoted(literal, '"')),
        '\'' if literal[1..].starts_with('\\') => Some(prefix.len() + quoted(literal, '\'')),
        // One character and a quote; otherwise it is a lifetime.
        '\'' => {
            let length = 1 + literal[1..].chars().next()?.len_utf8();
            literal[length..].starts_with('\'').then_some(prefix.len() + length + 1)
        }
        _ => None,
    }
}

/// The length of a literal up to its closing quote.
fn quoted(literal: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in literal.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    literal.len()
}

/// The length of a block comment, with those inside it.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The names after `mod`: those win over crates of the same name.
pub(crate) fn declared_modules(tokens: &[Token]) -> BTreeSet<String> {
    let pairs = tokens.windows(2).filter(|pair| pair[0].text == "mod");
    pairs.map(|pair| pair[1].text.clone()).collect()
}

/// Every path in the code.
pub(crate) fn names(tokens: &[Token]) -> Vec<Name> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut names = Vec::new();
    let mut inline: Vec<(usize, String)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let here: Vec<String> = inline.iter().map(|(_, name)| name.clone()).collect();
        match text(at) {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.retain(|(outside, _)| *outside < depth);
            }
            "mod" if text(at + 2) == "{" => inline.push((depth, text(at + 1).to_owned())),
            "use" if text(at + 1) != "<" => {
                let exported = at > 0 && matches!(text(at - 1), "pub" | ")");
                at += 1;
                let tree = use_tree(tokens, &mut at, &[]);
                names.extend(tree.into_iter().map(|(line, path)| Name {
                    line,
                    path,
                    inline: here.clone(),
                    exported,
                }));
                continue;
            }
            word if is_word(word) && !matches!(text(at.wrapping_sub(1)), "." | "::" | "fn") => {
                let mut path = vec![word.to_owned()];
                let line = tokens[at].line;
                while text(at + 1) == "::" && is_word(text(at + 2)) {
                    path.push(text(at + 2).to_owned());
                    at += 2;
                }
                // A word alone is a variable, a keyword, a field: not a path.
                if path.len() > 1 {
                    names.push(Name { line, path, inline: here, exported: false });
                }
            }
            "::" if !is_word(text(at.wrapping_sub(1))) && text(at.wrapping_sub(1)) != ">" => {
                // `::std::net`: the word after it starts the path.
                let mut path = Vec::new();
                let line = tokens[at].line;
                while text(at) == "::" && is_word(text(at + 1)) {
                    path.push(text(at + 1).to_owned());
                    at += 2;
                }
                names.push(Name { line, path, inline: here, exported: false });
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// The paths of one `use`, from behind the word to behind its `;`, `,` or `}`.
fn use_tree(tokens: &[Token], at: &mut usize, before: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut path = before.to_vec();
    let mut names = Vec::new();
    let mut line = 0;
    let mut grouped = false;
    while let Some(token) = tokens.get(*at) {
        match token.text.as_str() {
            ";" | "," | "}" => break,
            "{" => {
                grouped = true;
                *at += 1;
                while tokens.get(*at).is_some_and(|token| token.text != "}") {
                    names.extend(use_tree(tokens, at, &path));
                    if tokens.get(*at).is_some_and(|token| token.text == ",") {
                        *at += 1;
                    }
                }
            }
            "as" => *at += 1,
            "::" => {}
            word => {
                line = token.line;
                path.push(word.to_owned());
            }
        }
        *at += 1;
    }
    if !grouped && path.len() > before.len() {
        names.push((line, path));
    }
    if before.is_empty() {
        *at += 1;
    }
    names
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
