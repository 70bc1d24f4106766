//! Values in columns under a line of names: CSV (RFC 4180), and CommuniGate Pro's account lists,
//! whose columns are parted by tabs and may be settings.

use std::io::{self, Read};

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use keyturn::auth::Verifier;
use keyturn::directory::Account;
use keyturn::model::DomainName;
use keyturn::notation::{Form, Value};

use super::entry::{Entry, Password, Reject, first_hash, real_name};
use super::format::{Numbered, Source};

/// What begins a password that is a hash already, as CommuniGate Pro marks it.
const READY_HASH: char = '\u{2}';

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Csv,
    Communigate,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Name,
    Domain,
    Password,
    Hashes,
    RealName,
    Aliases,
    Rights,
    Settings,
    Created,
    Changed,
    /// The setting of that name.
    Setting(String),
    /// Nothing that is kept here.
    Ignored,
}

impl Kind {
    fn column(self, name: &str) -> Column {
        let folded = name.trim_ascii().to_ascii_lowercase().replace([' ', '_', '-'], "");
        match folded.as_str() {
            "account" | "accountname" | "name" | "user" | "username" | "login" | "email" | "mail" => Column::Name,
            "domain" => Column::Domain,
            "password" => Column::Password,
            "hash" | "hashes" | "unixpassword" => Column::Hashes,
            "realname" | "fullname" => Column::RealName,
            "alias" | "aliases" => Column::Aliases,
            "rights" => Column::Rights,
            "settings" => Column::Settings,
            "created" => Column::Created,
            "changed" => Column::Changed,
            "type" | "storage" | "external" | "telnum" | "telnums" => Column::Ignored,
            _ if self == Self::Communigate => Column::Setting(name.trim_ascii().to_owned()),
            _ => Column::Ignored,
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Csv => &["account", "hashes", "aliases", "rights", "settings", "created", "changed"],
            Self::Communigate => &["Name", "UnixPassword", "RealName", "Aliases"],
        }
    }

    fn delimiter(self) -> u8 {
        match self {
            Self::Csv => b',',
            Self::Communigate => b'\t',
        }
    }
}

/// One account a row.
pub(super) struct Rows {
    reader: csv::Reader<Box<dyn Read>>,
    row: StringRecord,
    columns: Vec<Column>,
    ignored: Vec<String>,
    domain: DomainName,
}

impl Rows {
    /// Reads the line of names.
    pub(super) fn open(input: Box<dyn Read>, kind: Kind, domain: DomainName) -> Result<Self, Reject> {
        let quoting = kind == Kind::Csv;
        let mut reader = ReaderBuilder::new().delimiter(kind.delimiter()).quoting(quoting).from_reader(input);
        let names = reader.headers().map_err(|_| "the line of column names cannot be read")?.clone();
        let columns: Vec<_> = names.iter().map(|name| kind.column(name)).collect();
        if !columns.contains(&Column::Name) {
            return Err("the first line names the columns, and none of them is that of the account's name".into());
        }
        let ignored = names.iter().zip(&columns).filter(|(_, column)| **column == Column::Ignored);
        let ignored = ignored.map(|(name, _)| name.to_owned()).collect();
        Ok(Self { reader, row: StringRecord::new(), columns, ignored, domain })
    }

    fn entry(&self) -> Result<Entry, Reject> {
        let cells = || self.columns.iter().zip(self.row.iter().map(str::trim_ascii));
        let cell = |wanted: &Column| cells().find(|(column, _)| *column == wanted).map_or("", |(_, cell)| cell);
        let domain = match cell(&Column::Domain) {
            "" => self.domain.clone(),
            name => DomainName::parse(name)?,
        };
        let mut entry = Entry::new(cell(&Column::Name), &domain)?;
        for (column, cell) in cells().filter(|(_, cell)| !cell.is_empty()) {
            read_cell(&mut entry, column, cell)?;
        }
        Ok(entry)
    }
}

fn read_cell(entry: &mut Entry, column: &Column, cell: &str) -> Result<(), Reject> {
    let seconds = || cell.parse().map(Some).map_err(|_| "a time is no number of seconds since 1970");
    match column {
        Column::Name | Column::Domain | Column::Ignored => {}
        Column::Password if cell.starts_with(READY_HASH) || cell.starts_with("\\002") => add_hash(entry, cell)?,
        Column::Password => {
            let password = Password::plain(cell.as_bytes())?;
            entry.password = Some(Password::join(entry.password.take(), password)?);
        }
        Column::Hashes => cell.split_ascii_whitespace().try_for_each(|hash| add_hash(entry, hash))?,
        Column::RealName => entry.set_real_name(cell),
        Column::Aliases => entry.add_aliases(words(cell))?,
        Column::Rights => entry.rights = words(cell).map(Box::from).collect(),
        Column::Settings => {
            entry.add_settings(cell)?;
            entry.is_complete = true;
        }
        Column::Created => entry.created_at = seconds()?,
        Column::Changed => entry.changed_at = seconds()?,
        Column::Setting(name) => {
            let value = Value::parse(cell.as_bytes(), Form::Line).unwrap_or_else(|_| Value::from(cell));
            entry.settings.insert(name, value);
        }
    }
    Ok(())
}

fn add_hash(entry: &mut Entry, text: &str) -> Result<(), Reject> {
    entry.password = Some(Password::join(entry.password.take(), Password::hash(text.as_bytes())?)?);
    Ok(())
}

fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([' ', ',', ';']).filter(|word| !word.is_empty())
}

impl Source for Rows {
    fn next(&mut self) -> io::Result<Option<Numbered>> {
        let before = self.reader.position().line();
        match self.reader.read_record(&mut self.row) {
            Ok(true) => {
                let line = self.row.position().map_or(before, csv::Position::line);
                Ok(Some(Numbered { line, entry: self.entry() }))
            }
            Ok(false) => Ok(None),
            Err(fault) => {
                let line = fault.position().map_or(before, csv::Position::line);
                let why = match fault.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        Reject::new(format_args!("the line has {len} columns instead of {expected_len}"))
                    }
                    csv::ErrorKind::Utf8 { .. } => "the line is not UTF-8".into(),
                    csv::ErrorKind::Io(_) | _ => return Err(fault.into()),
                };
                Ok(Some(Numbered { line, entry: Err(why) }))
            }
        }
    }

    fn ignored(&self) -> Vec<String> {
        self.ignored.clone()
    }
}

pub(super) fn print_header(kind: Kind) -> Vec<u8> {
    let mut out = Vec::new();
    print_row(kind, kind.names().iter().map(|name| (*name).to_owned()), &mut out);
    out
}

pub(super) fn print(kind: Kind, account: &Account, out: &mut Vec<u8>) {
    let aliases: Vec<_> = account.aliases().map(|alias| alias.local()).collect();
    let cells = match kind {
        Kind::Csv => {
            let hashes: Vec<_> = account.credentials.verifiers.iter().map(Verifier::to_text).collect();
            let rights: Vec<_> = account.rights().iter().map(|right| &**right).collect();
            let (created, changed) = (account.created_at(), account.credentials.changed_at);
            let settings = account.explicit_settings().to_string();
            vec![
                account.name.to_string(),
                hashes.join(" "),
                aliases.join(" "),
                rights.join(" "),
                settings,
                created.to_string(),
                changed.to_string(),
            ]
        }
        Kind::Communigate => {
            let carries = |name: &&str| !name.contains(['\t', '\n', '\r']) && *name == name.trim_ascii();
            let name = Some(real_name(account)).filter(carries).unwrap_or_default();
            let hash = first_hash(account).unwrap_or_default();
            vec![account.name.to_string(), hash, name.to_owned(), aliases.join(",")]
        }
    };
    print_row(kind, cells.into_iter(), out);
}

fn print_row(kind: Kind, cells: impl Iterator<Item = String>, out: &mut Vec<u8>) {
    let style = if kind == Kind::Csv { csv::QuoteStyle::Necessary } else { csv::QuoteStyle::Never };
    let mut writer = WriterBuilder::new().delimiter(kind.delimiter()).quote_style(style).from_writer(out);
    writer.write_record(cells).expect("a Vec takes every byte");
}
