use std::cmp::Ordering;
use std::net::IpAddr;

use super::{Timestamp, Xml};

/// One object of the notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text without a zero byte; bare or quoted.
    String(String),
    /// Bytes: `[base64]`.
    Data(Vec<u8>),
    /// `#` and an integer.
    Number(i64),
    /// `#T` and a moment.
    Timestamp(Timestamp),
    /// `#I[address]`, with or without `:port`.
    Address(IpAddr, Option<u16>),
    /// `#NULL#`.
    Null,
    /// `(value,value)`.
    Array(Vec<Value>),
    /// `{key=value;}`.
    Dictionary(Dictionary),
    /// `<tag>...</tag>`, as it is.
    Xml(Xml),
}

impl Value {
    /// The text of a string; `None` for every other object.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

/// Values under keys. A key is case-sensitive and occurs once; the order is that of the keys
/// without regard to case, then of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// Sorted by [`key_order`], without duplicates.
    pairs: Vec<(String, Value)>,
}

fn key_order(a: &str, b: &str) -> Ordering {
    let folded = |byte: u8| byte.to_ascii_lowercase();
    a.bytes().map(folded).cmp(b.bytes().map(folded)).then_with(|| a.cmp(b))
}

impl Dictionary {
    /// An empty dictionary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A dictionary of `pairs`, or the index in `pairs` of a key that was there before.
    pub(super) fn from_pairs(pairs: Vec<(String, Value)>) -> Result<Self, usize> {
        let mut numbered: Vec<_> = pairs.into_iter().enumerate().collect();
        numbered.sort_by(|(_, (a, _)), (_, (b, _))| key_order(a, b));
        let twins = |pair: &[(usize, (String, Value))]| match pair {
            [(_, (first, _)), (index, (second, _))] if first == second => Some(*index),
            _ => None,
        };
        if let Some(index) = numbered.windows(2).find_map(twins) {
            return Err(index);
        }
        Ok(Self { pairs: numbered.into_iter().map(|(_, pair)| pair).collect() })
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.find(key).ok().and_then(|index| self.pairs.get(index)).map(|(_, value)| value)
    }

    /// Puts `value` under `key`; returns what was there.
    pub fn insert(&mut self, key: &str, value: Value) -> Option<Value> {
        match self.find(key) {
            Ok(index) => Some(std::mem::replace(&mut self.pairs[index].1, value)),
            Err(index) => {
                self.pairs.insert(index, (key.into(), value));
                None
            }
        }
    }

    /// Takes the value under `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.find(key).ok().map(|index| self.pairs.remove(index).1)
    }

    /// The pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Takes all pairs out.
    pub(super) fn take_pairs(&mut self) -> impl Iterator<Item = (String, Value)> {
        std::mem::take(&mut self.pairs).into_iter()
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.pairs.binary_search_by(|(other, _)| key_order(other, key))
    }
}

impl<'a> FromIterator<(&'a str, Value)> for Dictionary {
    /// The last of several values under one key stays.
    fn from_iter<I: IntoIterator<Item = (&'a str, Value)>>(pairs: I) -> Self {
        let mut dictionary = Self::new();
        for (key, value) in pairs {
            dictionary.insert(key, value);
        }
        dictionary
    }
}
