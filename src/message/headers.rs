//! Field names and values, in the order in which they came.

use std::fmt;

use super::show::{REDACTED, without_userinfo};

/// A list of header fields: order and duplicates are kept, names are looked up in any letter case.
///
/// What goes in is checked on the way in: a name is a token (RFC 9110 §5.6.2) and a value holds
/// no CR, LF, NUL or other control byte but the tab, so that no text can start a second field or
/// a second request. Spaces and tabs around a value are dropped (RFC 9110 §5.5).
///
/// Values are text. A server's value that is not UTF-8 is read as ISO-8859-1, which is what the
/// bytes meant when the field syntax was defined and what `requests` does.
///
/// All the text stands in one buffer, so that a response's fields cost two allocations however
/// many there are.
///
/// # Examples
///
/// ```
/// let mut headers = fetchpool::Headers::new();
/// headers.append("Accept", "text/html")?;
/// headers.append("accept", "text/plain")?;
/// assert_eq!(headers.get("ACCEPT"), Some("text/html"));
/// assert_eq!(headers.get_all("accept").count(), 2);
/// assert!(headers.append("X-Note", "one\r\nSet-Cookie: two").is_err());
/// # Ok::<(), fetchpool::InvalidHeader>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    text: String,
    fields: Vec<Field>,
}

/// Where one field stands in the text.
#[derive(Clone, Copy)]
struct Field {
    name: Span,
    value: Span,
}

/// A piece of the text.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn new(start: usize, len: usize) -> Option<Self> {
        Some(Self { start: u32::try_from(start).ok()?, len: u32::try_from(len).ok()? })
    }

    fn of(self, text: &str) -> &str {
        let start = self.start as usize;
        // It was cut from this very text; the default is never reached.
        text.get(start..start.saturating_add(self.len as usize)).unwrap_or_default()
    }
}

impl Headers {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: String::new(), fields: Vec::new() }
    }

    /// An empty list with room for `fields` fields of `bytes` bytes of text in all.
    #[must_use]
    pub(crate) fn with_capacity(fields: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), fields: Vec::with_capacity(fields) }
    }

    /// The first value of the field `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| self.is_named(field, name))?;
        Some(field.value.of(&self.text))
    }

    /// Every value of the field `name`, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let named = self.fields.iter().filter(|field| self.is_named(field, name));
        named.map(|field| field.value.of(&self.text))
    }

    fn is_named(&self, field: &Field, name: &str) -> bool {
        // Most differ in their length already.
        field.name.len as usize == name.len()
            && field.name.of(&self.text).eq_ignore_ascii_case(name)
    }

    /// Whether there is a field `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Puts the field in place of every one of the same name.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is not a token or the value holds a control byte; the list
    /// is then as it was.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        check(name, value)?;
        self.remove(name);
        self.push(name, value)
    }

    /// Adds the field behind the others, also behind those of the same name.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is not a token or the value holds a control byte; the list
    /// is then as it was.
    pub fn append(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        check(name, value)?;
        self.push(name, value)
    }

    /// Takes every field `name` out, and says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        if !self.contains(name) {
            return false;
        }
        // Rebuilt and not merely unlinked: a removed value may be a secret, and must not stay
        // behind in the buffer.
        let mut kept = Self::with_capacity(self.fields.len(), self.text.len());
        for (n, v) in self.iter().filter(|(n, _)| !n.eq_ignore_ascii_case(name)) {
            // Cannot fail: the kept text is no longer than the text it came from.
            let _ = kept.push(n, v);
        }
        *self = kept;
        true
    }

    /// Every field as `(name, value)`, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.fields.iter().map(|field| (field.name.of(&self.text), field.value.of(&self.text)))
    }

    /// How many fields there are, duplicates counted.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds a field that a parser has already checked. The value may be any bytes: what is not
    /// UTF-8 is read as ISO-8859-1.
    pub(crate) fn append_received(
        &mut self,
        name: &str,
        value: &[u8],
    ) -> Result<(), InvalidHeader> {
        match std::str::from_utf8(value) {
            Ok(value) => self.push(name, value),
            Err(_) => self.push(name, &value.iter().map(|&b| char::from(b)).collect::<String>()),
        }
    }

    fn push(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let value = trimmed(value);
        let start = self.text.len();
        let middle = start.saturating_add(name.len());
        let field = Span::new(start, name.len()).zip(Span::new(middle, value.len()));
        let (name_span, value_span) = field.ok_or_else(|| InvalidHeader::too_long(name))?;
        self.text.push_str(name);
        self.text.push_str(value);
        self.fields.push(Field { name: name_span, value: value_span });
        Ok(())
    }

    /// The fields of a whole head that a parser has already checked: each name, and behind it its
    /// value without the spaces and tabs around it. They stand in the text, which is copied once,
    /// and as it is.
    pub(crate) fn cut_from<'a>(
        head: &'a str,
        fields: impl ExactSizeIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, InvalidHeader> {
        let span = |part: &[u8]| {
            let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
            let span = Span { start: start as u32, len: part.len() as u32 };
            (span, start.saturating_add(part.len()))
        };
        let mut end = head.len();
        let fields = fields.map(|(name, value)| {
            let ((name, _), (value, value_end)) = (span(name.as_bytes()), span(value));
            end = end.max(value_end);
            Field { name, value }
        });
        let fields = fields.collect();
        // Where all of them stand in a text that is short enough, no number was cut short.
        if end > head.len() || u32::try_from(end).is_err() {
            return Err(InvalidHeader::too_long(head.get(..80).unwrap_or_default()));
        }
        Ok(Self { text: head.to_owned(), fields })
    }

    /// Every field whose name has a length that is wanted, in order: for a caller who looks for
    /// several names at once, since most others differ from them in that.
    #[inline]
    pub(crate) fn with_name_len(
        &self,
        is_wanted: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = (&str, &str)> {
        let wanted = self.fields.iter().filter(move |field| is_wanted(field.name.len as usize));
        wanted.map(|field| (field.name.of(&self.text), field.value.of(&self.text)))
    }
}

/// A value without the spaces and tabs around it. (`str::trim_matches` looks at characters, at ten
/// times the cost.)
fn trimmed(value: &str) -> &str {
    let mut value = value;
    while let Some(rest) = value.strip_prefix([' ', '\t']) {
        value = rest;
    }
    while let Some(rest) = value.strip_suffix([' ', '\t']) {
        value = rest;
    }
    value
}

impl fmt::Debug for Headers {
    /// A map of the fields; credentials are not shown, nor is the user information of URLs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| {
            (name, if is_secret(name) { REDACTED.into() } else { without_userinfo(value) })
        };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

impl PartialEq for Headers {
    /// Equal if the fields are the same in the same order; names in any letter case.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .zip(other.iter())
                .all(|((a, v), (b, w))| a.eq_ignore_ascii_case(b) && v == w)
    }
}

impl Eq for Headers {}

/// Why a header field was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHeader {
    what: String,
}

impl InvalidHeader {
    /// The field is one that the crate alone writes.
    pub(crate) fn own(name: &str) -> Self {
        Self { what: format!("the header field {name:?} is written by the client alone") }
    }

    fn too_long(name: &str) -> Self {
        Self { what: format!("header field {name:?} is longer than 4 GiB") }
    }
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for InvalidHeader {}

/// Refuses what could end a field early or make a parser disagree about where it ends.
fn check(name: &str, value: &str) -> Result<(), InvalidHeader> {
    if !is_token(name.as_bytes()) {
        let what = format!("header field name {name:?} is not a token (RFC 9110 section 5.6.2)");
        return Err(InvalidHeader { what });
    }
    // The value itself is not shown: it may be a secret.
    match value.bytes().find(|&b| (b < 0x20 && b != b'\t') || b == 0x7f) {
        Some(byte) => Err(InvalidHeader {
            what: format!("header field {name:?} holds the control byte 0x{byte:02x}"),
        }),
        None => Ok(()),
    }
}

/// Whether the bytes are a token (RFC 9110 §5.6.2): what a method and a field name must be.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| {
            matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~')
                || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.')
        })
}

/// Fields whose values are credentials: never shown, never carried to another origin.
pub(crate) fn is_secret(name: &str) -> bool {
    SECRET_FIELDS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

const SECRET_FIELDS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_letter_case_and_order_is_kept() {
        let mut headers = Headers::new();
        headers.append("X-One", "1").unwrap();
        headers.append("x-two", " 2\t").unwrap();
        headers.append("X-ONE", "3").unwrap();
        assert_eq!(headers.get("x-one"), Some("1"));
        assert_eq!(headers.get_all("X-one").collect::<Vec<_>>(), ["1", "3"]);
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("X-One", "1"), ("x-two", "2"), ("X-ONE", "3")]);
    }

    #[test]
    fn insert_replaces_every_field_of_the_name_and_leaves_no_trace_of_the_old_value() {
        let mut headers = Headers::new();
        headers.append("Authorization", "Bearer old-secret").unwrap();
        headers.append("A", "b").unwrap();
        headers.insert("AUTHORIZATION", "Bearer new").unwrap();
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [("A", "b"), ("AUTHORIZATION", "Bearer new")]
        );
        assert!(!headers.text.contains("old-secret"));
    }

    #[test]
    fn every_control_byte_is_refused_in_a_value_but_the_tab() {
        for byte in (0..0x20_u8).chain([0x7f]) {
            let value = format!("a{}b", char::from(byte));
            let accepted = Headers::new().append("X", &value).is_ok();
            assert_eq!(accepted, byte == b'\t', "byte {byte:#x}");
        }
    }

    #[test]
    fn a_token_is_made_of_letters_digits_and_fifteen_others() {
        let others = b"!#$%&'*+-.^_`|~";
        for byte in 0..=255_u8 {
            let wanted = byte.is_ascii_alphanumeric() || others.contains(&byte);
            assert_eq!(is_token(&[b'a', byte]), wanted, "{byte:#x}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn a_name_must_be_a_token() {
        for name in ["", "a b", "a:b", "a\r\nb", "ä", "a\0", "(a)", "a/b"] {
            assert!(Headers::new().append(name, "v").is_err(), "{name:?}");
        }
        assert!(Headers::new().append("!#$%&'*+-.^_`|~09azAZ", "v").is_ok());
    }

    #[test]
    fn a_value_that_is_not_utf8_is_read_as_latin1() {
        let mut headers = Headers::new();
        headers.append_received("X", b"caf\xe9").unwrap();
        headers.append_received("Y", "café".as_bytes()).unwrap();
        assert_eq!(headers.get("x"), Some("café"));
        assert_eq!(headers.get("y"), Some("café"));
    }

    #[test]
    fn fields_are_cut_from_the_text_that_they_stand_in_and_from_no_other() {
        let head = "A: b\r\nLong-Name:  c d \r\nE:\r\n";
        let cut = |text: &str, pieces: &[(usize, usize, usize, usize)]| {
            let pieces: Vec<_> =
                pieces.iter().map(|&(n, m, v, w)| (&head[n..m], &head[v..w])).collect();
            let pairs = pieces.iter().map(|&(name, value)| (name, value.as_bytes()));
            Headers::cut_from(text, pairs)
        };
        let all = [(0, 1, 3, 4), (6, 15, 18, 21), (24, 25, 26, 26)];
        let headers = cut(head, &all).unwrap();
        let wanted = [("A", "b"), ("Long-Name", "c d"), ("E", "")];
        assert_eq!(headers.iter().collect::<Vec<_>>(), wanted);
        for (elsewhere, fields) in [
            (&head[..25], &all[..]),
            (&head[..20], &all),
            (&head[1..], &all[..0]),
            (&head[4..], &all),
        ] {
            assert_eq!(cut(elsewhere, fields).is_ok(), fields.is_empty(), "{elsewhere:?}");
        }
    }

    #[test]
    fn fields_are_told_by_the_length_of_their_names_in_order() {
        let mut headers = Headers::new();
        for (name, value) in [("Abc", "1"), ("Ab", "2"), ("Abcd", "3"), ("xyz", "4")] {
            headers.append(name, value).unwrap();
        }
        let found = headers.with_name_len(|len| matches!(len, 3 | 4));
        assert_eq!(found.collect::<Vec<_>>(), [("Abc", "1"), ("Abcd", "3"), ("xyz", "4")]);
        assert_eq!(headers.with_name_len(|_| false).count(), 0);
    }

    #[test]
    fn debug_does_not_show_credentials() {
        let mut headers = Headers::new();
        headers.append("proxy-AUTHORIZATION", "Basic c2VjcmV0").unwrap();
        headers.append("Accept", "*/*").unwrap();
        let shown = format!("{headers:?}");
        assert!(!shown.contains("c2VjcmV0") && shown.contains("*/*"), "{shown}");
    }
}
