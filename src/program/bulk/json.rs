//! One JSON object a line (<https://jsonlines.org>).

use std::io::{self, Read, Write};

use keyturn::auth::{PasswordPurpose, Verifier, legacy};
use keyturn::directory::Account;
use keyturn::model::DomainName;
use serde_json::{Map, Value, json};
use zeroize::Zeroize;

use super::entry::{Entry, Password, Reject};
use super::format::{Numbered, Source};
use super::lines;

/// One account a line.
pub(super) struct Lines {
    lines: lines::Lines,
    domain: DomainName,
}

impl Lines {
    pub(super) fn new(input: Box<dyn Read>, domain: DomainName) -> Self {
        Self { lines: lines::Lines::new(input), domain }
    }
}

impl Source for Lines {
    fn next(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            let Some((line, text)) = self.lines.next()? else { return Ok(None) };
            let entry = match text {
                Ok(text) if text.trim_ascii().is_empty() => continue,
                Ok(text) => read(text, &self.domain),
                Err(reject) => Err(reject),
            };
            return Ok(Some(Numbered { line, entry }));
        }
    }
}

/// What serde says of a fault may repeat the text, so only its place is told.
fn read(text: &str, domain: &DomainName) -> Result<Entry, Reject> {
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|fault| Reject::new(format_args!("no JSON object; the fault is at column {}", fault.column())))?;
    let name = object.get("account").ok_or("there is no \"account\"")?;
    let mut entry = Entry::new(string(name, "account")?, domain)?;
    for (key, mut value) in object {
        let read = read_field(&mut entry, &key, &value);
        if let Value::String(text) = &mut value {
            text.zeroize();
        }
        read?;
    }
    entry.check_alternatives()?;
    Ok(entry)
}

fn read_field(entry: &mut Entry, key: &str, value: &Value) -> Result<(), Reject> {
    match key {
        "account" => {}
        "password" => {
            let password = Password::plain(string(value, "password")?.as_bytes())?;
            entry.password = Some(Password::join(entry.password.take(), password)?);
        }
        "hashes" => {
            for hash in strings(value, "hashes")? {
                let hash = Password::Hashes(vec![legacy::parse(hash.as_bytes())?]);
                entry.password = Some(Password::join(entry.password.take(), hash)?);
            }
        }
        "aliases" => entry.add_aliases(strings(value, "aliases")?)?,
        "rights" => entry.rights = strings(value, "rights")?.into_iter().map(Box::from).collect(),
        "settings" => {
            entry.add_settings(string(value, "settings")?)?;
            entry.is_complete = true;
        }
        "applications" => {
            let hashes = value.as_object().ok_or("\"applications\" is no object of tags and hashes")?;
            for (tag, hash) in hashes {
                let purpose = PasswordPurpose::Application(tag.as_str().into());
                entry.add_alternative(purpose, string(hash, "applications")?.as_bytes())?;
            }
        }
        "sip" => entry.add_alternative(PasswordPurpose::Sip, string(value, "sip")?.as_bytes())?,
        "radius" => entry.add_alternative(PasswordPurpose::Radius, string(value, "radius")?.as_bytes())?,
        "created" => entry.created_at = Some(number(value, "created")?),
        "changed" => entry.changed_at = Some(number(value, "changed")?),
        _ => {
            return Err("there is an unknown key; known are account, password, hashes, applications, sip, radius, \
                         aliases, rights, settings, created and changed"
                .into());
        }
    }
    Ok(())
}

fn string<'a>(value: &'a Value, key: &str) -> Result<&'a str, Reject> {
    value.as_str().ok_or_else(|| Reject::new(format_args!("\"{key}\" is no string")))
}

fn strings<'a>(value: &'a Value, key: &str) -> Result<Vec<&'a str>, Reject> {
    let strings = value.as_array().and_then(|values| values.iter().map(Value::as_str).collect());
    strings.ok_or_else(|| Reject::new(format_args!("\"{key}\" is no array of strings")))
}

fn number(value: &Value, key: &str) -> Result<u64, Reject> {
    value.as_u64().ok_or_else(|| Reject::new(format_args!("\"{key}\" is no number of seconds since 1970")))
}

pub(super) fn print(account: &Account, out: &mut Vec<u8>) {
    let hashes: Vec<_> = account.credentials.verifiers.iter().map(Verifier::to_text).collect();
    let aliases: Vec<_> = account.aliases().map(|alias| alias.local().to_owned()).collect();
    let mut object = json!({
        "account": account.name.to_string(),
        "hashes": hashes,
        "aliases": aliases,
        "rights": account.rights(),
        "settings": account.explicit_settings().to_string(),
        "created": account.created_at(),
        "changed": account.credentials.changed_at,
    });
    let mut applications = Map::new();
    for alternative in &account.credentials.alternatives {
        let hash = Value::String(alternative.verifier.to_text());
        match &alternative.purpose {
            PasswordPurpose::Application(tag) => _ = applications.insert(tag.to_string(), hash),
            PasswordPurpose::Sip => object["sip"] = hash,
            PasswordPurpose::Radius => object["radius"] = hash,
        }
    }
    if !applications.is_empty() {
        object["applications"] = Value::Object(applications);
    }
    writeln!(out, "{object}").expect("a Vec takes every byte");
}
