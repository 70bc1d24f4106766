//! What may follow a command's name, and reading it.
//!
//! A grammar is the text that HELP shows:
//!
//! ```text
//! accountName PASSWORD|TO newPassword [METHOD accessMode] [CHECK]
//! ```
//!
//! Capitals are keywords, which are sent in any letter case; `|` parts two spellings of one.
//! Anything else is the name of an argument, whose ending tells its kind ([`Kind::of`]).
//! Brackets hold what may be left out; such parts may come in any order among their neighbours.

use crate::notation::{Form, Syntax, SyntaxFault, Value};

use super::arguments::Arguments;

/// Why a line does not fit a grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// An argument or keyword is missing, or something is left over.
    Shape,
    /// A string that is neither quoted nor of the characters that bare ones have.
    BadString,
    /// An object that is not in the notation.
    Notation(SyntaxFault),
}

/// How an argument is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A string: quoted, or bare up to the next blank or opening bracket.
    Word,
    /// A string: quoted, or bare up to the next blank.
    Password,
    /// `{key=value;}`.
    Dictionary,
    /// `(value,value)`.
    Array,
    /// Any object.
    Object,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "object" | "value" | "datablock" => Self::Object,
            "newPassword" | "password" | "secret" => Self::Password,
            _ if name.ends_with("Dict") => Self::Dictionary,
            _ if name.ends_with("Array") => Self::Array,
            _ => Self::Word,
        }
    }
}

/// One word of a grammar.
#[derive(Clone, Copy, Debug)]
enum Part {
    Keyword(&'static str),
    Argument(&'static str, Kind),
}

impl Part {
    fn parse(text: &'static str) -> Self {
        let is_keyword = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'|');
        if is_keyword { Self::Keyword(text) } else { Self::Argument(text, Kind::of(text)) }
    }
}

/// A part that must be there, or parts that may be left out together.
#[derive(Debug)]
enum Item {
    Needed(Part),
    Optional(Vec<Part>),
}

impl Item {
    /// The part that it begins with; an item without any is never made.
    fn opener(&self) -> Option<Part> {
        match self {
            Self::Needed(part) => Some(*part),
            Self::Optional(parts) => parts.first().copied(),
        }
    }

    fn parts(&self) -> &[Part] {
        match self {
            Self::Needed(part) => std::slice::from_ref(part),
            Self::Optional(parts) => parts,
        }
    }
}

/// A grammar, taken apart.
#[derive(Debug)]
pub(super) struct Grammar(Vec<Item>);

impl Grammar {
    pub(super) fn parse(text: &'static str) -> Self {
        let mut items = Vec::new();
        let mut open: Option<Vec<Part>> = None;
        for word in text.split_ascii_whitespace() {
            let opens = word.strip_prefix('[');
            let closes = word.strip_suffix(']').is_some();
            let part = Part::parse(opens.unwrap_or(word).trim_end_matches(']'));
            match (&mut open, opens) {
                (None, None) => items.push(Item::Needed(part)),
                (None, Some(_)) => open = Some(vec![part]),
                (Some(parts), _) => parts.push(part),
            }
            if closes && let Some(parts) = open.take() {
                items.push(Item::Optional(parts));
            }
        }
        Self(items)
    }

    /// Reads the arguments that it describes from `text`, what follows the command's name.
    pub(super) fn read(&self, text: &[u8]) -> Result<Arguments, Misfit> {
        let mut cursor = Cursor { text, at: 0 };
        let mut arguments = Arguments::default();
        let mut rest = self.0.as_slice();
        while let Some(first) = rest.first() {
            match first {
                Item::Needed(part) => {
                    cursor.part(*part, &mut arguments)?;
                    rest = &rest[1..];
                }
                Item::Optional(_) => {
                    let count = rest.iter().take_while(|item| matches!(item, Item::Optional(_))).count();
                    let (options, after) = rest.split_at(count);
                    cursor.options(options, after.first(), &mut arguments)?;
                    rest = after;
                }
            }
        }
        cursor.skip_blanks();
        if cursor.rest().is_empty() { Ok(arguments) } else { Err(Misfit::Shape) }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().iter().take_while(|&&byte| byte == b' ').count();
    }

    /// The bytes up to the next of `ends`, without taking them.
    fn run(&self, ends: &[u8]) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| ends.contains(byte)).unwrap_or(rest.len());
        &rest[..length]
    }

    fn is_at(&self, keyword: &str) -> bool {
        let word = self.run(b" {(");
        keyword.split('|').any(|spelling| word.eq_ignore_ascii_case(spelling.as_bytes()))
    }

    /// Reads each of `options` that is there, in any order.
    fn options(&mut self, options: &[Item], after: Option<&Item>, arguments: &mut Arguments) -> Result<(), Misfit> {
        let mut waiting: Vec<&Item> = options.iter().collect();
        loop {
            self.skip_blanks();
            let mut openers = waiting.iter().copied().chain(after).filter_map(Item::opener);
            let is_keyword = openers.any(|part| matches!(part, Part::Keyword(word) if self.is_at(word)));
            let begins = |item: &&Item| match item.opener() {
                Some(Part::Keyword(word)) => self.is_at(word),
                Some(Part::Argument(_, Kind::Dictionary)) => self.rest().starts_with(b"{"),
                Some(Part::Argument(_, Kind::Array)) => self.rest().starts_with(b"("),
                Some(Part::Argument(_, Kind::Object)) => !self.rest().is_empty(),
                Some(Part::Argument(_, Kind::Word | Kind::Password)) => {
                    !is_keyword && self.rest().first().is_some_and(|first| !b"{(".contains(first))
                }
                None => false,
            };
            let Some(index) = waiting.iter().position(begins) else { return Ok(()) };
            for part in waiting.remove(index).parts() {
                self.part(*part, arguments)?;
            }
        }
    }

    fn part(&mut self, part: Part, arguments: &mut Arguments) -> Result<(), Misfit> {
        self.skip_blanks();
        match part {
            Part::Keyword(keyword) if self.is_at(keyword) => {
                self.at += self.run(b" {(").len();
                let name = keyword.split('|').next().unwrap_or(keyword);
                arguments.bind(name, Value::Null);
                Ok(())
            }
            Part::Keyword(_) => Err(Misfit::Shape),
            Part::Argument(name, kind) => {
                let value = self.argument(kind)?;
                arguments.bind(name, value);
                Ok(())
            }
        }
    }

    fn argument(&mut self, kind: Kind) -> Result<Value, Misfit> {
        if self.rest().is_empty() {
            return Err(Misfit::Shape);
        }
        match kind {
            Kind::Word => self.string(b" {("),
            Kind::Password => self.string(b" "),
            Kind::Dictionary if !self.rest().starts_with(b"{") => Err(Misfit::Shape),
            Kind::Array if !self.rest().starts_with(b"(") => Err(Misfit::Shape),
            Kind::Dictionary | Kind::Array | Kind::Object => {
                let shift = |fault: SyntaxFault| SyntaxFault { at: fault.at + self.at, ..fault };
                let (value, length) =
                    Value::parse_prefix(self.rest(), Form::Line).map_err(|fault| Misfit::Notation(shift(fault)))?;
                self.at += length;
                Ok(value)
            }
        }
    }

    /// One quoted string, or a bare one up to the next of `ends`. Two quoted strings in a row are
    /// two arguments, although in an object they would be one string.
    fn string(&mut self, ends: &[u8]) -> Result<Value, Misfit> {
        let text = if self.rest().starts_with(b"\"") { self.quoted()? } else { self.run(ends) };
        let is_bare = !text.starts_with(b"\"");
        if is_bare && (text.is_empty() || text.iter().any(|&byte| byte < b' ' || byte == b'"' && ends.len() > 1)) {
            return Err(Misfit::BadString);
        }
        self.at += text.len();
        if is_bare {
            return std::str::from_utf8(text).map(Value::from).map_err(|_| Misfit::BadString);
        }
        Value::parse(text, Form::Line).map_err(Misfit::Notation)
    }

    /// The quoted string at the front, quotes included.
    fn quoted(&self) -> Result<&'a [u8], Misfit> {
        let rest = self.rest();
        let mut is_escaped = false;
        for (index, &byte) in rest.iter().enumerate().skip(1) {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => return Ok(&rest[..=index]),
                _ => {}
            }
        }
        Err(Misfit::Notation(SyntaxFault { at: self.at, what: Syntax::Unended }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(grammar: &'static str, text: &str) -> String {
        match Grammar::parse(grammar).read(text.as_bytes()) {
            Ok(arguments) => arguments.to_string(),
            Err(misfit) => format!("{misfit:?}"),
        }
    }

    #[test]
    fn names_are_taken_bare_or_quoted_up_to_what_follows() {
        let grammar = "accountName [settingsDict]";
        for (text, expected) in [
            ("john", "accountName=john"),
            (" john ", "accountName=john"),
            ("\"john\"", "accountName=john"),
            ("john.doe@example.com {a=1;}", "accountName=john.doe@example.com settingsDict={a=1;}"),
            ("name{a=1;}", "accountName=name settingsDict={a=1;}"),
            ("a+b%c/d:e*", "accountName=\"a+b%c/d:e*\""),
            ("[10.0.0.1]", "accountName=\"[10.0.0.1]\""),
            ("", "Shape"),
            ("a b", "Shape"),
            ("a{}{}", "Shape"),
            ("{}", "BadString"),
            ("x\"y", "BadString"),
            ("\"x", "Notation(SyntaxFault { at: 0, what: Unended })"),
            ("a {a=1}", "Notation(SyntaxFault { at: 6, what: Expected(59) })"),
        ] {
            assert_eq!(show(grammar, text), expected, "{text}");
        }
    }

    #[test]
    fn two_quoted_strings_are_two_arguments() {
        assert_eq!(show("accountName keyName", r#""a" "b""#), "accountName=a keyName=b");
    }

    #[test]
    fn options_come_in_any_order_and_are_no_names() {
        let grammar = "accountName [accountType] [PATH storage] [LEGACY|EXTERNAL] [settingsDict]";
        for (text, expected) in [
            ("a", "accountName=a"),
            ("a MultiMailbox", "accountName=a accountType=MultiMailbox"),
            ("a legacy", "accountName=a LEGACY"),
            ("a external {x=y;}", "accountName=a LEGACY settingsDict={x=y;}"),
            ("a Legacy path p AGrade", "accountName=a LEGACY PATH storage=p accountType=AGrade"),
            ("a path", "Shape"),
        ] {
            assert_eq!(show(grammar, text), expected, "{text}");
        }
        assert_eq!(show("[domainName] settingsDict", "{}"), "settingsDict={}");
        assert_eq!(show("[domainName] settingsDict", "d{}"), "domainName=d settingsDict={}");
        assert_eq!(show("[domainName]", ""), "");
        let objects = "domainName [FILTER substring] limit [ACCOUNTS] [COOKIE cookie]";
        assert_eq!(show(objects, "d 10"), "domainName=d limit=10");
        assert_eq!(
            show(objects, "d filter x 10 cookie \"\" accounts"),
            "domainName=d FILTER substring=x limit=10 COOKIE cookie=\"\" ACCOUNTS"
        );
    }

    #[test]
    fn a_bare_password_ends_at_a_blank_only() {
        let grammar = "accountName PASSWORD|TO newPassword [CHECK]";
        for (text, expected) in [
            ("a PASSWORD s{e(c\"r;et", "accountName=a PASSWORD newPassword=\"s{e(c\\\"r;et\""),
            ("a to secret check", "accountName=a PASSWORD newPassword=secret CHECK"),
            ("a password \"two words\"", "accountName=a PASSWORD newPassword=\"two words\""),
            ("a password \"\\002{SHA}x=\"", "accountName=a PASSWORD newPassword=\"\\002{SHA}x=\""),
            ("a password", "Shape"),
            ("a secret", "Shape"),
        ] {
            assert_eq!(show(grammar, text), expected, "{text}");
        }
    }

    #[test]
    fn an_object_is_whatever_the_notation_has() {
        for text in ["#5", "(a,b)", "{a=b;}", "word", "#NULL#", "<a>x</a>", "[aGk=]"] {
            assert_eq!(show("object", text), format!("object={text}"));
        }
    }
}
