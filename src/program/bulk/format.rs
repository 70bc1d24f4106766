use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;

use clap::ValueEnum;
use keyturn::directory::Account;
use keyturn::model::DomainName;

use super::entry::{Entry, Reject};
use super::{colon, delimited, json, ldif};
use crate::program::failure::{Exit, Failure};

/// How accounts are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line
    Json,
    /// Comma-separated values under a line of column names
    Csv,
    /// A CommuniGate Pro account list: tab-separated values under a line of column names
    Communigate,
    /// A Dovecot passwd-file: name, hash and real name between colons
    PasswdFile,
    /// /etc/shadow: name, hash and the day of the last change between colons
    Shadow,
    /// LDIF: uid, mail, cn, userPassword and mailAlternateAddress of each entry
    Ldif,
}

/// One account of a file, or what is wrong with it, and the line where it begins.
pub(super) struct Numbered {
    pub(super) line: u64,
    pub(super) entry: Result<Entry, Reject>,
}

/// The accounts of a file, one after another.
pub(super) trait Source {
    /// The next one; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read on.
    fn next(&mut self) -> io::Result<Option<Numbered>>;

    /// Columns whose values are not imported.
    fn ignored(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Format {
    /// The format that a file of this name most likely has.
    ///
    /// # Errors
    /// The name does not tell.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        match (extension, name) {
            ("json" | "jsonl" | "ndjson", _) => Ok(Self::Json),
            ("csv", _) => Ok(Self::Csv),
            ("tsv", _) => Ok(Self::Communigate),
            ("ldif", _) => Ok(Self::Ldif),
            (_, "shadow") => Ok(Self::Shadow),
            (_, "passwd" | "users") => Ok(Self::PasswdFile),
            _ => Err(Failure::new(
                Exit::Usage,
                format_args!("{}: its name does not tell the format; name it with --format", path.display()),
            )),
        }
    }

    /// Reads accounts from `input`; a name without a domain is completed with `domain`.
    ///
    /// # Errors
    /// The file has not even the beginning of this format, for the reason told.
    pub(super) fn read(self, input: Box<dyn Read>, domain: &DomainName) -> Result<Box<dyn Source>, Reject> {
        let domain = domain.clone();
        Ok(match self {
            Self::Json => Box::new(json::Lines::new(input, domain)),
            Self::Csv => Box::new(delimited::Rows::open(input, delimited::Kind::Csv, domain)?),
            Self::Communigate => Box::new(delimited::Rows::open(input, delimited::Kind::Communigate, domain)?),
            Self::PasswdFile => Box::new(colon::Lines::new(input, colon::Kind::PasswdFile, domain)),
            Self::Shadow => Box::new(colon::Lines::new(input, colon::Kind::Shadow, domain)),
            Self::Ldif => Box::new(ldif::Entries::new(input, domain)),
        })
    }

    /// What stands before the first account.
    pub(super) fn header(self) -> Vec<u8> {
        match self {
            Self::Csv => delimited::print_header(delimited::Kind::Csv),
            Self::Communigate => delimited::print_header(delimited::Kind::Communigate),
            Self::Ldif => b"version: 1\n".to_vec(),
            Self::Json | Self::PasswdFile | Self::Shadow => Vec::new(),
        }
    }

    /// Appends `account` to `out`: as much of it as the format carries.
    pub(super) fn print(self, account: &Account, out: &mut Vec<u8>) {
        match self {
            Self::Json => json::print(account, out),
            Self::Csv => delimited::print(delimited::Kind::Csv, account, out),
            Self::Communigate => delimited::print(delimited::Kind::Communigate, account, out),
            Self::PasswdFile => colon::print_passwd_file(account, out),
            Self::Shadow => colon::print_shadow(account, out),
            Self::Ldif => ldif::print(account, out),
        }
    }
}
