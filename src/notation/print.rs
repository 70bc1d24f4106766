use std::fmt::{self, Write};

use super::{Dictionary, Value, base64};

impl fmt::Display for Value {
    /// Prints on one line, in the form that every known client reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => print_string(text, f),
            Self::Data(bytes) => {
                let mut text = String::new();
                base64::encode(bytes, &mut text);
                write!(f, "[{text}]")
            }
            Self::Number(number) => write!(f, "#{number}"),
            Self::Timestamp(moment) => write!(f, "#T{moment}"),
            Self::Address(address, None) => write!(f, "#I[{address}]"),
            Self::Address(address, Some(port)) => write!(f, "#I[{address}]:{port}"),
            Self::Null => f.write_str("#NULL#"),
            Self::Array(values) => {
                f.write_char('(')?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    write!(f, "{value}")?;
                }
                f.write_char(')')
            }
            Self::Dictionary(dictionary) => write!(f, "{dictionary}"),
            Self::Xml(element) => write!(f, "{element}"),
        }
    }
}

impl fmt::Display for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (key, value) in self.iter() {
            print_string(key, f)?;
            write!(f, "={value};")?;
        }
        f.write_char('}')
    }
}

/// Prints a string bare where all clients read it so, and quoted elsewhere. A line feed is `\e`,
/// the line separator of multi-line texts.
fn print_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_bare = text
        .bytes()
        .enumerate()
        .all(|(index, byte)| byte.is_ascii_alphanumeric() || (index > 0 && matches!(byte, b'_' | b'.' | b'-' | b'@')));
    if is_bare && !text.is_empty() {
        return f.write_str(text);
    }
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\""),
            '\\' => f.write_str("\\\\"),
            '\n' => f.write_str("\\e"),
            '\r' => f.write_str("\\r"),
            '\t' => f.write_str("\\t"),
            '\0'..='\x1f' | '\x7f' => write!(f, "\\{:03}", u32::from(character)),
            _ => f.write_char(character),
        }?;
    }
    f.write_char('"')
}
