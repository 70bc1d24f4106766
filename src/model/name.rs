use std::fmt;

use super::limits::{DOMAIN_NAME_BYTES_MAX, LOCAL_NAME_BYTES_MAX, LOGIN_NAME_BYTES_MAX};

/// A login name exactly as a client sent it; whether it names anything is for the directory to say.
///
/// Invariant: 1 to [`LOGIN_NAME_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginName(Box<[u8]>);

impl LoginName {
    /// Copies `bytes`, or returns `None` when there are none or too many.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=LOGIN_NAME_BYTES_MAX).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The bytes as sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for LoginName {
    /// Prints bytes outside printable ASCII, and the backslash, as `\ddd` (decimal), as the
    /// System Log does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in &self.0 {
            match byte {
                b'\\' | 0..=0x1f | 0x7f.. => write!(f, "\\{byte:03}")?,
                _ => write!(f, "{}", char::from(byte))?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginName({self})")
    }
}

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// No byte at all.
    Empty,
    /// More bytes than the kind of name allows.
    TooLong {
        /// The most it may have.
        bytes_max: usize,
    },
    /// A byte other than a Latin letter, a digit, `_`, `-` or `.`.
    BadByte(u8),
    /// A dot at the front, at the end, or two in a row.
    BadDot,
    /// An account name without `@domain`.
    NoDomain,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name must not be empty"),
            Self::TooLong { bytes_max } => write!(f, "a name has at most {bytes_max} bytes"),
            Self::BadByte(byte) => {
                let shown = char::from(*byte).escape_default();
                write!(f, "a name has letters, digits, '_', '-' and '.', not '{shown}'")
            }
            Self::BadDot => f.write_str("a name neither begins nor ends with '.', nor has two in a row"),
            Self::NoDomain => f.write_str("the name lacks its '@domain'"),
        }
    }
}

impl std::error::Error for NameFault {}

/// The grammar of CommuniGate Pro object names; the result is lower case.
fn object_name(text: &str, bytes_max: usize) -> Result<Box<str>, NameFault> {
    if text.is_empty() {
        return Err(NameFault::Empty);
    }
    if text.len() > bytes_max {
        return Err(NameFault::TooLong { bytes_max });
    }
    let ordinary = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    if let Some(byte) = text.bytes().find(|byte| !ordinary(byte)) {
        return Err(NameFault::BadByte(byte));
    }
    if text.starts_with('.') || text.ends_with('.') || text.contains("..") {
        return Err(NameFault::BadDot);
    }
    Ok(text.to_ascii_lowercase().into())
}

/// The canonical name of a domain: lower case, checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Box<str>);

impl DomainName {
    /// Checks `text` and folds its case.
    ///
    /// # Errors
    /// [`NameFault`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        object_name(text, DOMAIN_NAME_BYTES_MAX).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical name of an account: `local@domain`, lower case, checked. Printing it is the
/// inverse of parsing it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName {
    local: Box<str>,
    domain: DomainName,
}

impl AccountName {
    /// Checks `local`, folds its case and joins it to `domain`.
    ///
    /// # Errors
    /// [`NameFault`] says what is wrong with `local`.
    pub fn new(local: &str, domain: DomainName) -> Result<Self, NameFault> {
        Ok(Self { local: object_name(local, LOCAL_NAME_BYTES_MAX)?, domain })
    }

    /// Parses `local@domain`.
    ///
    /// # Errors
    /// [`NameFault`] says what is wrong; a text without `@` is [`NameFault::NoDomain`].
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let (local, domain) = text.rsplit_once('@').ok_or(NameFault::NoDomain)?;
        Self::new(local, DomainName::parse(domain)?)
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part after the `@`.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_case_and_print_back() {
        let name = AccountName::parse("John.Doe@Example.COM").unwrap();
        assert_eq!(name.to_string(), "john.doe@example.com");
        assert_eq!(AccountName::parse(&name.to_string()), Ok(name));
    }

    #[test]
    fn bad_names_are_refused_with_their_reason() {
        let cases = [
            ("", NameFault::NoDomain),
            ("@x", NameFault::Empty),
            ("a b@x", NameFault::BadByte(b' ')),
            (".a@x", NameFault::BadDot),
            ("a..b@x", NameFault::BadDot),
            ("a@x.", NameFault::BadDot),
        ];
        for (text, fault) in cases {
            assert_eq!(AccountName::parse(text), Err(fault), "{text:?}");
        }
        let long = format!("{}@x", "a".repeat(LOCAL_NAME_BYTES_MAX + 1));
        assert_eq!(AccountName::parse(&long), Err(NameFault::TooLong { bytes_max: LOCAL_NAME_BYTES_MAX }));
    }

    #[test]
    fn login_names_print_without_control_bytes() {
        let name = LoginName::new(b"a\r\n\\\xff").unwrap();
        assert_eq!(name.to_string(), "a\\013\\010\\092\\255");
        assert!(LoginName::new(b"").is_none());
        assert!(LoginName::new(&[b'a'; LOGIN_NAME_BYTES_MAX + 1]).is_none());
    }
}
