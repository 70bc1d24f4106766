//! LDIF (RFC 2849), as far as directories of mail accounts go.

use std::io::{self, Read, Write};

use base64ct::{Base64, Encoding};
use keyturn::auth::Verifier;
use keyturn::directory::Account;
use keyturn::model::DomainName;
use zeroize::Zeroizing;

use super::colon::label;
use super::entry::{Entry, Password, Reject, plain_after_label, real_name};
use super::format::{Numbered, Source};
use super::lines::Lines;

/// Attributes of one entry.
const ATTRIBUTES_MAX: usize = 10_000;

/// The entries that are accounts: those with a `mail`, a `uid` or both.
pub(super) struct Entries {
    lines: Lines,
    domain: DomainName,
    attributes: Vec<(String, Zeroizing<Vec<u8>>)>,
}

impl Entries {
    pub(super) fn new(input: Box<dyn Read>, domain: DomainName) -> Self {
        Self { lines: Lines::new(input), domain, attributes: Vec::new() }
    }

    /// Reads the lines of one entry; returns where it begins.
    fn gather(&mut self) -> io::Result<Option<(u64, Result<(), Reject>)>> {
        self.attributes.clear();
        let mut begin = None;
        let mut outcome = Ok(());
        let mut logical: Zeroizing<String> = Zeroizing::default();
        while let Some((number, text)) = self.lines.next()? {
            let text = match text {
                Ok(text) => text,
                Err(reject) => {
                    begin.get_or_insert(number);
                    outcome = Err(reject);
                    continue;
                }
            };
            if let Some(more) = text.strip_prefix(' ') {
                logical.push_str(more);
                continue;
            }
            let taken = take(&logical, &mut self.attributes);
            outcome = outcome.and(taken);
            logical.clear();
            if text.is_empty() && begin.is_some() {
                return Ok(begin.map(|line| (line, outcome)));
            }
            if !text.is_empty() && !text.starts_with('#') && !text.starts_with("version:") {
                begin.get_or_insert(number);
                logical.push_str(text);
            }
        }
        let taken = take(&logical, &mut self.attributes);
        Ok(begin.map(|line| (line, outcome.and(taken))))
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.attributes.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(name).filter_map(|value| std::str::from_utf8(value).ok())
    }

    fn entry(&self) -> Option<Result<Entry, Reject>> {
        if self.texts("changetype").any(|change| change != "add") {
            return Some(Err("only entries to be added are read".into()));
        }
        let name = self.texts("mail").chain(self.texts("uid")).next()?;
        Some(self.account(name))
    }

    fn account(&self, name: &str) -> Result<Entry, Reject> {
        let mut entry = Entry::new(name, &self.domain)?;
        for value in self.values("userPassword") {
            let is_labelled = plain_after_label(value).is_some() || value.starts_with(b"{") || value.starts_with(b"$");
            let password = if is_labelled { Password::labelled(value) } else { Password::plain(value) };
            entry.password = Some(Password::join(entry.password.take(), password?)?);
        }
        // A `cn` must be there, so directories put the account's name where a person's is unknown.
        let common = self.texts("cn").filter(|name| *name != entry.name.local());
        let name = self.texts("displayName").chain(common).next();
        entry.set_real_name(name.unwrap_or_default());
        for attribute in ["mailAlternateAddress", "mailAlias"] {
            entry.add_aliases(self.texts(attribute))?;
        }
        Ok(entry)
    }
}

impl Source for Entries {
    fn next(&mut self) -> io::Result<Option<Numbered>> {
        while let Some((line, gathered)) = self.gather()? {
            let entry = match gathered {
                Ok(()) => self.entry(),
                Err(reject) => Some(Err(reject)),
            };
            if let Some(entry) = entry {
                return Ok(Some(Numbered { line, entry }));
            }
        }
        Ok(None)
    }
}

/// Adds the attribute on a whole line.
fn take(line: &str, attributes: &mut Vec<(String, Zeroizing<Vec<u8>>)>) -> Result<(), Reject> {
    if line.is_empty() {
        return Ok(());
    }
    if attributes.len() == ATTRIBUTES_MAX {
        return Err("the entry has too many attributes".into());
    }
    let (name, value) = line.split_once(':').ok_or("a line of the entry has no ':'")?;
    let value = match value.as_bytes().first() {
        Some(b':') => Base64::decode_vec(value[1..].trim_ascii()).map_err(|_| "a value is not in base64")?,
        Some(b'<') => return Err("a value is in another file".into()),
        _ => value.trim_start_matches(' ').as_bytes().to_vec(),
    };
    // Options such as `;lang-en` say nothing here.
    let name = name.split(';').next().unwrap_or_default();
    attributes.push((name.to_owned(), Zeroizing::new(value)));
    Ok(())
}

pub(super) fn print(account: &Account, out: &mut Vec<u8>) {
    let (local, domain) = (account.name.local(), account.name.domain().as_str());
    let name = real_name(account);
    let mut attribute = |key: &str, value: &str| {
        let is_safe = value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
            && !value.starts_with([' ', ':', '<'])
            && !value.ends_with(' ');
        let done = if is_safe {
            writeln!(out, "{key}: {value}")
        } else {
            writeln!(out, "{key}:: {}", Base64::encode_string(value.as_bytes()))
        };
        done.expect("a Vec takes every byte");
    };
    let components: Vec<_> = domain.split('.').map(|part| format!("dc={part}")).collect();
    attribute("\ndn", &format!("uid={local},{}", components.join(",")));
    attribute("objectClass", "inetOrgPerson");
    attribute("objectClass", "extensibleObject");
    attribute("uid", local);
    attribute("cn", local);
    attribute("sn", local);
    attribute("mail", &account.name.to_string());
    if !name.is_empty() {
        attribute("displayName", name);
    }
    account.aliases().for_each(|alias| attribute("mailAlternateAddress", &alias.to_string()));
    let hashes = account.credentials.verifiers.iter().map(Verifier::to_text);
    hashes.for_each(|hash| attribute("userPassword", &label(&hash)));
}
