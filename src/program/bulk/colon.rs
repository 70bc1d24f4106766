//! Fields between colons: Dovecot's passwd-file and `/etc/shadow`.

use std::io::{self, Read, Write};

use keyturn::directory::Account;
use keyturn::model::DomainName;

use super::entry::{Entry, Password, Reject, first_hash, real_name};
use super::format::{Numbered, Source};
use super::lines;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Which fields there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `user:password:uid:gid:gecos:home:shell:more`
    PasswdFile,
    /// `user:hash:days since 1970:…`
    Shadow,
}

/// One account a line; blank lines and those that begin with `#` are none.
pub(super) struct Lines {
    lines: lines::Lines,
    kind: Kind,
    domain: DomainName,
}

impl Lines {
    pub(super) fn new(input: Box<dyn Read>, kind: Kind, domain: DomainName) -> Self {
        Self { lines: lines::Lines::new(input), kind, domain }
    }
}

impl Source for Lines {
    fn next(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            let Some((line, text)) = self.lines.next()? else { return Ok(None) };
            let entry = match text {
                Ok(text) if text.trim_ascii().is_empty() || text.starts_with('#') => continue,
                Ok(text) => read(text, self.kind, &self.domain),
                Err(reject) => Err(reject),
            };
            return Ok(Some(Numbered { line, entry }));
        }
    }
}

fn read(text: &str, kind: Kind, domain: &DomainName) -> Result<Entry, Reject> {
    let mut fields = text.split(':');
    let mut entry = Entry::new(fields.next().unwrap_or_default(), domain)?;
    entry.password = password(fields.next().ok_or("the line has no field for a password")?)?;
    match kind {
        Kind::PasswdFile => {
            let gecos = fields.nth(2).unwrap_or_default();
            entry.set_real_name(gecos.split(',').next().unwrap_or_default());
        }
        Kind::Shadow => {
            let days: Option<u64> = fields.next().and_then(|days| days.parse().ok());
            entry.changed_at = days.and_then(|days| days.checked_mul(SECONDS_PER_DAY));
        }
    }
    Ok(entry)
}

fn password(field: &str) -> Result<Option<Password>, Reject> {
    match field {
        "" => Err("the account needs no password to be opened".into()),
        "*" | "!" | "!!" | "!*" => Ok(None),
        _ if field.starts_with('!') || field.starts_with('*') => {
            Err("the account is locked: unlock it first, or leave the line out".into())
        }
        _ => Password::labelled(field.as_bytes()).map(Some),
    }
}

pub(super) fn print_passwd_file(account: &Account, out: &mut Vec<u8>) {
    let hash = first_hash(account).map_or_else(|| "*".to_owned(), |hash| label(&hash));
    let carries = |name: &&str| !name.contains([':', ',', '\n', '\r']);
    let name = Some(real_name(account)).filter(carries).unwrap_or_default();
    writeln!(out, "{}:{hash}:::{name}::", account.name).expect("a Vec takes every byte");
}

/// Only the name before the `@`: the system's accounts have no domain.
pub(super) fn print_shadow(account: &Account, out: &mut Vec<u8>) {
    let hash = first_hash(account).unwrap_or_else(|| "*".to_owned());
    let days = account.credentials.changed_at / SECONDS_PER_DAY;
    writeln!(out, "{}:{hash}:{days}:0:99999:7:::", account.name.local()).expect("a Vec takes every byte");
}

/// `hash` with the scheme in braces before it, without which Dovecot takes its default.
pub(super) fn label(hash: &str) -> String {
    let label = match hash.split('$').nth(1) {
        _ if hash.starts_with('{') => return hash.to_owned(),
        Some("argon2id") => "ARGON2ID",
        Some("argon2i") => "ARGON2I",
        Some("scrypt") => "SCRYPT",
        _ => "CRYPT",
    };
    format!("{{{label}}}{hash}")
}
