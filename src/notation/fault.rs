use std::fmt;

use super::{NESTING_MAX, TEXT_BYTES_MAX};

/// Where and why a text is not in the notation. It never quotes the text, which may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxFault {
    /// The offset, in bytes, of what is wrong.
    pub at: usize,
    /// What is wrong there.
    pub what: Syntax,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// No value begins here.
    NoValue,
    /// Something follows the value.
    Trailing,
    /// Another byte was expected here.
    Expected(u8),
    /// A dictionary's key is missing, or is not a string.
    NoKey,
    /// A key that the dictionary has already.
    DuplicateKey,
    /// A quoted string, datablock, comment or XML element has no end.
    Unended,
    /// A backslash is followed by no known escape.
    BadEscape,
    /// A string that is not UTF-8.
    BadUtf8,
    /// A string with a zero byte.
    ZeroByte,
    /// A datablock that is not base64 (RFC 4648, section 4).
    BadBase64,
    /// A number that is malformed or does not fit in 64 bits.
    BadNumber,
    /// A timestamp that is malformed or no moment of the calendar.
    BadTimestamp,
    /// A network address or port that is malformed.
    BadAddress,
    /// XML whose tags do not match, or that has a line break.
    BadXml,
    /// An object that is only ever printed.
    Unreadable,
    /// More than [`NESTING_MAX`] levels.
    TooDeep,
    /// More than [`TEXT_BYTES_MAX`] bytes.
    TooLong,
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Syntax::NoValue => f.write_str("a value is missing"),
            Syntax::Trailing => f.write_str("something follows the value"),
            Syntax::Expected(byte) => write!(f, "'{}' is missing", byte.escape_ascii()),
            Syntax::NoKey => f.write_str("a key is missing"),
            Syntax::DuplicateKey => f.write_str("the dictionary has this key already"),
            Syntax::Unended => f.write_str("this has no end"),
            Syntax::BadEscape => f.write_str("this is no escape sequence"),
            Syntax::BadUtf8 => f.write_str("the string is not UTF-8"),
            Syntax::ZeroByte => f.write_str("a string has no zero byte"),
            Syntax::BadBase64 => f.write_str("the datablock is not base64"),
            Syntax::BadNumber => f.write_str("this is no 64-bit number"),
            Syntax::BadTimestamp => f.write_str("this is no timestamp"),
            Syntax::BadAddress => f.write_str("this is no network address"),
            Syntax::BadXml => f.write_str("the XML tags do not match, or span lines"),
            Syntax::Unreadable => f.write_str("an object of this type cannot be read"),
            Syntax::TooDeep => write!(f, "more than {NESTING_MAX} levels"),
            Syntax::TooLong => write!(f, "more than {TEXT_BYTES_MAX} bytes"),
        }?;
        write!(f, ", at byte {}", self.at)
    }
}

impl std::error::Error for SyntaxFault {}
