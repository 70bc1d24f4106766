use std::fmt;

use zeroize::Zeroize;

use crate::notation::{Dictionary, Value};

/// The arguments of one command by the names its grammar gives them. A keyword that was sent is
/// there under its first spelling.
///
/// They may hold passwords: dropping them overwrites their strings.
#[derive(Default)]
pub(super) struct Arguments(Vec<(&'static str, Value)>);

impl Arguments {
    pub(super) fn bind(&mut self, name: &'static str, value: Value) {
        self.0.push((name, value));
    }

    /// Whether the keyword or argument was sent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(bound, _)| *bound == name).map(|(_, value)| value)
    }

    /// The argument that was sent last.
    pub(super) fn last(&self) -> Option<&Value> {
        self.0.last().map(|(_, value)| value)
    }

    /// The text of a string argument that may be left out.
    pub(super) fn find_text(&self, name: &str) -> Option<&str> {
        self.find(name).and_then(Value::as_str)
    }

    /// A string argument that the grammar demands.
    ///
    /// # Panics
    /// When it does not: then the row of the table and its function disagree.
    pub(super) fn text(&self, name: &str) -> &str {
        self.find_text(name).unwrap_or_else(|| panic!("the grammar has no {name}"))
    }

    /// A dictionary argument; empty when it was left out.
    pub(super) fn dictionary(&self, name: &str) -> Dictionary {
        match self.find(name) {
            Some(Value::Dictionary(dictionary)) => dictionary.clone(),
            _ => Dictionary::new(),
        }
    }

    /// An array argument; empty when it was left out.
    pub(super) fn array(&self, name: &str) -> &[Value] {
        match self.find(name) {
            Some(Value::Array(values)) => values,
            _ => &[],
        }
    }
}

impl Drop for Arguments {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

#[cfg(test)]
impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let blank = if index > 0 { " " } else { "" };
            if name.bytes().all(|byte| byte.is_ascii_uppercase()) {
                write!(f, "{blank}{name}")?;
            } else {
                write!(f, "{blank}{name}={value}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Arguments {
    /// Shows the names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
