use std::fmt;

use super::{NESTING_MAX, Syntax};

/// One XML element, kept as it was written.
///
/// Invariant: UTF-8 on one line, its tags matching. Nothing else of XML is checked, for nothing
/// here reads what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xml(String);

impl Xml {
    /// The element as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the element at the front of `text`; returns it with the bytes it takes, or how far
    /// it could be read and what is wrong there.
    pub(super) fn parse_prefix(text: &[u8]) -> Result<(Self, usize), (usize, Syntax)> {
        let mut open: Vec<&[u8]> = Vec::new();
        let mut at = 0;
        loop {
            at += text[at..].iter().position(|&byte| byte == b'<').ok_or((0, Syntax::Unended))?;
            let (kind, length) = markup(&text[at..]).map_err(|what| (at, what))?;
            match kind {
                Markup::Open(name) if open.len() < NESTING_MAX => open.push(name),
                Markup::Open(_) => return Err((at, Syntax::TooDeep)),
                Markup::Close(name) if open.last() == Some(&name) => {
                    open.pop();
                }
                Markup::Close(_) => return Err((at, Syntax::BadXml)),
                Markup::Empty => {}
                Markup::Aside if open.is_empty() => return Err((at, Syntax::BadXml)),
                Markup::Aside => {}
            }
            at += length;
            if open.is_empty() {
                break;
            }
        }
        let element = &text[..at];
        if element.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err((0, Syntax::BadXml));
        }
        let element = std::str::from_utf8(element).map_err(|error| (error.valid_up_to(), Syntax::BadUtf8))?;
        Ok((Self(element.into()), at))
    }
}

impl fmt::Display for Xml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a `<` can begin (XML 1.0, sections 2.5 to 2.7 and 3.1).
enum Markup<'a> {
    Open(&'a [u8]),
    Close(&'a [u8]),
    Empty,
    /// A comment, a CDATA section or a processing instruction.
    Aside,
}

/// Reads the markup at the front of `text`; returns it with the bytes it takes.
fn markup(text: &[u8]) -> Result<(Markup<'_>, usize), Syntax> {
    for (begin, end) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if let Some(rest) = text.strip_prefix(begin.as_bytes()) {
            let inside = rest.windows(end.len()).position(|window| window == end.as_bytes());
            return Ok((Markup::Aside, begin.len() + inside.ok_or(Syntax::Unended)? + end.len()));
        }
    }
    let end = tag_end(text)?;
    let inside = &text[1..end];
    let (name, markup): (_, fn(_) -> _) = match inside {
        [b'/', name @ ..] => (name.trim_ascii_end(), Markup::Close),
        [name @ .., b'/'] => (name, |_| Markup::Empty),
        name => (name, Markup::Open),
    };
    let name = name.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let is_name = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80);
    if !is_name {
        return Err(Syntax::BadXml);
    }
    Ok((markup(name), end + 1))
}

/// The offset of the `>` that ends the tag at the front of `text`; attribute values may hold others.
fn tag_end(text: &[u8]) -> Result<usize, Syntax> {
    let mut quote = None;
    for (index, &byte) in text.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Ok(index),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    Err(Syntax::Unended)
}
