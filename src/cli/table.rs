//! The commands: one row each. From these rows come the parser, the rights check,
//! LISTCLICOMMANDS, HELP, the documentation page and the test of all rights.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use super::call::Perform;
use super::grammar::Grammar;
use super::kept::{Place, Whose};
use super::right::Right;

mod accounts;
mod alerts;
mod domains;
mod mail;
mod objects;
mod operation;
mod server;
mod web;

/// What a command shows when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// That it is done.
    Nothing,
    /// A string.
    Text,
    /// A number.
    Number,
    /// A timestamp.
    Time,
    /// A datablock.
    Data,
    /// An array.
    Array,
    /// A dictionary.
    Dictionary,
    /// Whatever there is.
    Object,
}

impl Shape {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text => "string",
            Self::Number => "number",
            Self::Time => "timestamp",
            Self::Data => "datablock",
            Self::Array => "array",
            Self::Dictionary => "dictionary",
            Self::Object => "object",
        }
    }
}

/// What becomes of a command here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Status {
    /// It has its full effect.
    Full(Perform),
    /// It keeps and shows what it is given, or has a part of its effect.
    Partial(Perform),
    /// It is recognised and refused.
    Unsupported,
}

/// One command.
#[derive(Clone, Copy)]
pub(super) struct Row {
    name: &'static str,
    /// Other spellings that clients still send.
    spellings: &'static [&'static str],
    /// What may follow the name; see [`super::grammar`].
    pub(super) arguments: &'static str,
    pub(super) right: Right,
    pub(super) output: Shape,
    /// What it does, as one line of HELP.
    pub(super) help: &'static str,
    pub(super) status: Status,
    /// Where it keeps what it is given, if it does no more.
    pub(super) place: Option<Place>,
}

/// A command that is not offered.
const fn row(name: &'static str, arguments: &'static str, right: Right, output: Shape, help: &'static str) -> Row {
    Row { name, spellings: &[], arguments, right, output, help, status: Status::Unsupported, place: None }
}

impl Row {
    /// Also under these names.
    const fn also(mut self, spellings: &'static [&'static str]) -> Self {
        self.spellings = spellings;
        self
    }

    /// With full effect, by `perform`.
    const fn by(mut self, perform: Perform) -> Self {
        self.status = Status::Full(perform);
        self
    }

    /// With a part of its effect, by `perform`.
    const fn partly_by(mut self, perform: Perform) -> Self {
        self.status = Status::Partial(perform);
        self
    }

    /// By `perform`, which keeps what it is given, or shows it, under `name`.
    const fn keeps(mut self, whose: Whose, name: &'static str, perform: Perform) -> Self {
        self.status = Status::Partial(perform);
        self.place = Some(Place { whose, name });
        self
    }

    /// What it keeps has its full effect.
    const fn in_full(mut self) -> Self {
        if let Status::Partial(perform) = self.status {
            self.status = Status::Full(perform);
        }
        self
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn spellings(&self) -> &'static [&'static str] {
        self.spellings
    }

    /// Whether the command changes nothing.
    pub(super) fn is_reading(&self) -> bool {
        self.output != Shape::Nothing
    }

    /// Name and arguments.
    pub(super) fn usage(&self) -> String {
        if self.arguments.is_empty() { self.name.to_owned() } else { format!("{} {}", self.name, self.arguments) }
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The areas of the table, with their titles.
pub(super) const AREAS: &[(&str, &[Row])] = &[
    ("Domains", domains::ROWS),
    ("Accounts", accounts::ROWS),
    ("Groups, forwarders, tasks and lists", objects::ROWS),
    ("What accounts hold", mail::ROWS),
    ("Alerts", alerts::ROWS),
    ("Web and real-time applications", web::ROWS),
    ("Server settings", server::ROWS),
    ("Operation", operation::ROWS),
];

/// Commands of older versions that have no successor here.
const BYGONE: &[&str] = &[
    "GETACCOUNTPLAINPASSWORD",
    "GETALERTS",
    "SETALERTS",
    "UPDATEAIRSYNCINFO",
    "UPDATECLUSTERMAILRULE",
    "UPDATECLUSTERSIGNALRULE",
    "UPDATEDOMAINMAILRULE",
    "UPDATEDOMAINSIGNALRULE",
    "UPDATESERVERMAILRULE",
    "UPDATESERVERSIGNALRULE",
];

/// What a word means as a command.
#[derive(Debug)]
pub(super) enum Found {
    /// This one, with its grammar taken apart.
    Row(&'static Row, Grammar),
    /// One of some older version.
    Bygone(&'static str),
}

/// Every row, in the order of the areas.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    AREAS.iter().flat_map(|(_, rows)| rows.iter())
}

/// Finds the command that `word` names, in any letter case.
pub(super) fn find(word: &[u8]) -> Option<&'static Found> {
    static INDEX: LazyLock<HashMap<&'static str, Found>> = LazyLock::new(|| {
        let names = |row: &'static Row| {
            let found = move |name| (name, Found::Row(row, Grammar::parse(row.arguments)));
            std::iter::once(row.name).chain(row.spellings.iter().copied()).map(found)
        };
        let bygone = BYGONE.iter().map(|&name| (name, Found::Bygone(name)));
        rows().flat_map(names).chain(bygone).collect()
    });
    let word = std::str::from_utf8(word).ok()?.to_ascii_uppercase();
    INDEX.get(word.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_documented_command_has_one_row() {
        assert_eq!(rows().count(), 357);
        let mut seen = HashSet::new();
        let spellings = rows().flat_map(|row| row.spellings().iter().copied());
        for name in rows().map(Row::name).chain(spellings).chain(BYGONE.iter().copied()) {
            assert!(seen.insert(name), "{name} stands for two commands");
            assert!(name.bytes().all(|byte| byte.is_ascii_uppercase()), "{name}");
            assert!(find(name.to_ascii_lowercase().as_bytes()).is_some(), "{name}");
        }
        assert!(find(b"").is_none() && find(b"LISTDOMAINS ").is_none() && find(b"\xff").is_none());
    }

    /// Those that have a meaning without mailboxes, queues, telephony and web pages.
    #[test]
    fn as_many_commands_are_offered_as_were_promised() {
        let offered = rows().filter(|row| !matches!(row.status, Status::Unsupported));
        assert_eq!(offered.count(), 193);
    }

    #[test]
    fn every_row_tells_what_it_does_in_one_short_line() {
        for row in rows() {
            assert!((5..=80).contains(&row.help.len()), "{row:?}: {}", row.help);
            assert!(row.help.is_ascii() && !row.help.ends_with('.'), "{row:?}: {}", row.help);
        }
    }

    #[test]
    fn every_grammar_can_be_read() {
        for row in rows() {
            // Nothing fits but what a command without needs accepts.
            let is_bare = Grammar::parse(row.arguments).read(b"").is_ok();
            let needs = row.arguments.split(' ').scan(0_i32, |depth, word| {
                *depth += i32::from(word.starts_with('['));
                let is_needed = *depth == 0 && !word.is_empty();
                *depth -= i32::from(word.ends_with(']'));
                assert!((0..=1).contains(depth), "{row:?}: brackets");
                Some(is_needed)
            });
            assert_eq!(is_bare, !needs.collect::<Vec<_>>().contains(&true), "{row:?}: {}", row.arguments);
        }
    }
}
