//! Reading one TOML table key by key, noting every problem instead of stopping at the first.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;
use crate::model::{NetworkFault, NetworkList};

/// What is wrong so far, and which keys there are.
pub(super) struct Problems<'i> {
    text: &'i str,
    list: Vec<ConfigError>,
    /// Every key that was asked for, with its table: the keys that exist.
    known: Vec<(&'static str, &'static str)>,
    /// Every key nobody asked for: its table, its name, its line.
    unknown: Vec<(&'static str, String, usize)>,
}

impl<'i> Problems<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self { text, list: Vec::new(), known: Vec::new(), unknown: Vec::new() }
    }

    /// Notes a problem at the bytes `at` of the text.
    pub(super) fn note(&mut self, at: &Range<usize>, field: &str, why: impl Display) {
        self.list.push(ConfigError { line: self.line(at), field: field.to_owned(), why: why.to_string() });
    }

    /// The line, counted from 1, in which the bytes `at` begin.
    pub(super) fn line(&self, at: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..at.start).unwrap_or(self.text.as_bytes());
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    /// All problems in the order of the file, those of unknown keys with a suggestion each.
    pub(super) fn into_list(self) -> Vec<ConfigError> {
        let Self { mut list, known, unknown, .. } = self;
        for (table, key, line) in unknown {
            let why = suggestion(&known, table, &key);
            list.push(ConfigError { line, field: path(table, &key), why });
        }
        list.sort();
        list.dedup();
        list
    }
}

/// What to say about a `key` that does not exist in `table`.
fn suggestion(known: &[(&'static str, &'static str)], table: &str, key: &str) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(&key.to_lowercase(), name);
    let here = known.iter().filter(|(place, _)| *place == table);
    let nearest = here.map(|&(_, name)| (distance(name), name)).min();
    // A third of the letters may be wrong; with more, the guess confuses more than it helps.
    if let Some((wrong, name)) = nearest
        && wrong * 3 <= name.len().max(key.len())
    {
        return format!("is not a key; `{name}` is");
    }
    match known.iter().find(|&&(place, name)| place != table && distance(name) <= 1) {
        Some(("", name)) => format!("is not a key here; `{name}` belongs above the first [table]"),
        Some(("listener", name)) => format!("is not a key here; `{name}` belongs under [[listener]]"),
        Some((place, name)) => format!("is not a key here; `{name}` belongs under [{place}]"),
        None => "is not a key".to_owned(),
    }
}

/// `key` as an operator finds it in the file.
fn path(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

/// One table being read. What was not asked for when it is dropped is an unknown key.
pub(super) struct Fields<'p, 't, 'i> {
    problems: &'p mut Problems<'i>,
    /// `None`: the table is not in the file, and every key has its default.
    table: Option<&'t DeTable<'i>>,
    name: &'static str,
    /// Where the table begins, for keys it lacks.
    at: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'p, 't, 'i> Fields<'p, 't, 'i> {
    pub(super) fn new(
        problems: &'p mut Problems<'i>,
        name: &'static str,
        table: Option<&'t DeTable<'i>>,
        at: Range<usize>,
    ) -> Self {
        Self { problems, table, name, at, asked: Vec::new() }
    }

    /// The value under `key`, which from now on is a known key.
    fn ask(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'i>>> {
        self.asked.push(key);
        self.table?.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn note(&mut self, at: &Range<usize>, key: &str, why: impl Display) {
        self.problems.note(at, &path(self.name, key), why);
    }

    /// A whole number in `range`; `default` when the key is absent or wrong.
    pub(super) fn number<T: TryFrom<u64>>(&mut self, key: &'static str, range: RangeInclusive<u64>, default: T) -> T {
        self.number_if_any(key, range).unwrap_or(default)
    }

    /// A whole number in `range`, if the key is there and right.
    pub(super) fn number_if_any<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<T> {
        let value = self.ask(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            let why = format!("must be a whole number, not {}", kind(value.get_ref()));
            self.note(&value.span(), key, why);
            return None;
        };
        let in_range = u64::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| range.contains(n));
        let fitting = in_range.and_then(|n| T::try_from(n).ok());
        if fitting.is_none() {
            let why = format!("must be {} to {}, not {number}", range.start(), range.end());
            self.note(&value.span(), key, why);
        }
        fitting
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.ask(key) else { return default };
        if let DeValue::Boolean(flag) = value.get_ref() {
            return *flag;
        }
        let why = format!("must be true or false, not {}", kind(value.get_ref()));
        self.note(&value.span(), key, why);
        default
    }

    /// A flag that may be true only where `may`; else a problem: `why`.
    pub(super) fn flag_where(&mut self, key: &'static str, may: bool, why: &str) -> bool {
        let flag = self.flag(key, false);
        if flag && !may {
            self.refuse(key, why);
        }
        flag
    }

    /// A text that `check` accepts, if the key is there and right.
    pub(super) fn text<T, E: Display>(
        &mut self,
        key: &'static str,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.ask(key)?;
        let DeValue::String(text) = value.get_ref() else {
            let why = format!("must be a text in quotes, not {}", kind(value.get_ref()));
            self.note(&value.span(), key, why);
            return None;
        };
        check(text).map_err(|why| self.note(&value.span(), key, why)).ok()
    }

    /// Like [`Fields::text`], and a problem when the key is absent.
    pub(super) fn text_needed<T, E: Display>(
        &mut self,
        key: &'static str,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.table.is_some_and(|table| !table.iter().any(|(name, _)| name.get_ref() == key)) {
            self.note(&self.at.clone(), key, "is missing");
        }
        self.text(key, check)
    }

    /// A problem with what stands under `key`.
    pub(super) fn refuse(&mut self, key: &'static str, why: impl Display) {
        let at = self.ask(key).map_or_else(|| self.at.clone(), Spanned::span);
        self.note(&at, key, why);
    }

    /// A list of networks, each a text, if the key is there. It has at least one address.
    pub(super) fn networks(&mut self, key: &'static str) -> Option<NetworkList> {
        let value = self.ask(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            let why =
                format!("must be a list such as [\"192.0.2.0/24\", \"2001:db8::1\"], not {}", kind(value.get_ref()));
            self.note(&value.span(), key, why);
            return None;
        };
        let mut entries = Vec::new();
        for element in array.iter() {
            let DeValue::String(text) = element.get_ref() else {
                let why = format!("must hold texts in quotes, not {}", kind(element.get_ref()));
                self.note(&element.span(), key, why);
                continue;
            };
            match text.parse::<NetworkList>() {
                Ok(_) => entries.push(text.as_ref()),
                Err(NetworkFault { what, .. }) => self.note(&element.span(), key, what),
            }
        }
        let networks: NetworkList = entries.join("\n").parse().ok()?;
        if networks.is_empty() && entries.len() == array.len() {
            self.note(&value.span(), key, "has no address; leave it out");
        }
        Some(networks)
    }

    /// The table under `key`, empty when there is none.
    pub(super) fn table(&mut self, key: &'static str) -> Fields<'_, 't, 'i> {
        let value = self.ask(key);
        let table = value.and_then(|value| match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other @ (DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)) => {
                let why = format!("must be a table written [{key}], not {}", kind(other));
                self.note(&value.span(), key, why);
                None
            }
        });
        let at = value.map_or(0..0, Spanned::span);
        Fields::new(self.problems, key, table, at)
    }

    /// The tables under `key`, each read by `read` together with where it begins; `None` when the
    /// key is absent or no list of tables.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Fields<'_, 't, 'i>) -> T,
    ) -> Option<Vec<T>> {
        let Some(value) = self.ask(key) else {
            // Its keys are known all the same, for suggestions.
            read(&mut Fields::new(self.problems, key, None, 0..0));
            return None;
        };
        let array = value.get_ref().as_array().filter(|array| array.iter().all(|element| element.get_ref().is_table()));
        let Some(array) = array else {
            let why = format!("must be tables, each written [[{key}]], not {}", kind(value.get_ref()));
            self.note(&value.span(), key, why);
            return None;
        };
        if array.is_empty() {
            self.note(&value.span(), key, "must not be empty; leave it out to have the default");
        }
        let tables = array.iter().map(|element| (element.get_ref().as_table(), element.span()));
        Some(tables.map(|(table, at)| read(&mut Fields::new(self.problems, key, table, at))).collect())
    }
}

impl Drop for Fields<'_, '_, '_> {
    fn drop(&mut self) {
        let Self { problems, table, name, asked, .. } = self;
        for key in asked.iter() {
            if !problems.known.contains(&(name, key)) {
                problems.known.push((name, key));
            }
        }
        for (key, _) in table.iter().flat_map(|table| table.iter()) {
            if !asked.contains(&key.get_ref().as_ref()) {
                let line = problems.line(&key.span());
                problems.unknown.push((name, key.get_ref().to_string(), line));
            }
        }
    }
}

/// What a value is, in words.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
