//! The binary form of what the directory keeps under its keys.
//!
//! Every record begins with a byte that tells its format. Numbers are little endian; texts and
//! nested records have their length, four bytes, before them; a dictionary is its text in data
//! notation, so that whatever setting a client sends can be kept.

use std::fmt::Write;

use super::encryption::SCRAM_METHODS;
use super::{DirectoryFault, SETTINGS_BYTES_MAX, keys};
use crate::auth::{self, Credentials, KeyId, Vault};
use crate::model::{AccountName, DomainName};
use crate::notation::{Dictionary, Form, Value};

/// The format described in this file.
const FORMAT: u8 = 1;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordFault {
    /// A later version of the program wrote it.
    UnknownFormat,
    /// Its credentials are sealed with a key that is not at hand.
    UnknownKey(KeyId),
    /// Its credentials were sealed for another account, or changed since.
    BrokenSeal,
    /// It is cut short or inconsistent.
    Malformed,
}

/// The server: `S`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerRecord {
    pub(super) main_domain: DomainName,
    /// What its own domains inherit.
    pub(super) defaults: Defaults,
}

/// What domains, and the accounts in them, inherit. The cluster's, which shared domains inherit,
/// are a record of their own: `C`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    /// Of every account's settings.
    pub(super) accounts: Dictionary,
    /// Of every domain's settings.
    pub(super) domains: Dictionary,
}

/// A domain: `D`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DomainRecord {
    /// Seconds since 1970.
    pub(super) created_at: u64,
    /// Whether its accounts are closed to everybody.
    pub(super) is_suspended: bool,
    /// Whether it is the cluster's, and not the server's own.
    pub(super) is_shared: bool,
    pub(super) aliases: Vec<DomainName>,
    pub(super) settings: Dictionary,
    /// Defaults of its accounts' settings.
    pub(super) account_defaults: Dictionary,
    /// The settings that its new accounts begin with.
    pub(super) account_template: Dictionary,
}

/// An account: `A`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccountRecord {
    /// Seconds since 1970.
    pub(super) created_at: u64,
    /// How often the password was set, the first time included.
    pub(super) password_revision: u64,
    /// Other names of the account in its domain.
    pub(super) aliases: Vec<AccountName>,
    pub(super) credentials: Credentials,
    /// The codes of what the account may administer.
    pub(super) rights: Vec<Box<str>>,
    /// The explicit settings.
    pub(super) settings: Dictionary,
}

impl ServerRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut image = Image::new();
        image.text(self.main_domain.as_str());
        image.defaults(&self.defaults);
        image.0
    }

    pub(super) fn decode(image: &[u8]) -> Result<Self, RecordFault> {
        let mut fields = Fields::open(image)?;
        let (main_domain, defaults) = (fields.domain()?, fields.defaults()?);
        fields.close(Self { main_domain, defaults })
    }
}

impl Defaults {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut image = Image::new();
        image.defaults(self);
        image.0
    }

    pub(super) fn decode(image: &[u8]) -> Result<Self, RecordFault> {
        let mut fields = Fields::open(image)?;
        let defaults = fields.defaults()?;
        fields.close(defaults)
    }
}

/// In the byte that tells the state of a domain: its accounts are closed to everybody.
const SUSPENDED: u8 = 1;

/// In the same byte: it is the cluster's.
const SHARED: u8 = 2;

impl DomainRecord {
    /// The effective `SCRAMMethods`, where `defaults` are what the domain inherits.
    pub(super) fn scram_methods<'a>(&'a self, defaults: &'a Defaults) -> Option<&'a Value> {
        self.settings.get(SCRAM_METHODS).or_else(|| defaults.domains.get(SCRAM_METHODS))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut image = Image::new();
        image.number(self.created_at);
        image.0.push(u8::from(self.is_suspended) * SUSPENDED + u8::from(self.is_shared) * SHARED);
        image.list(&self.aliases, DomainName::as_str);
        image.dictionary(&self.settings);
        image.dictionary(&self.account_defaults);
        image.dictionary(&self.account_template);
        image.0
    }

    pub(super) fn decode(image: &[u8]) -> Result<Self, RecordFault> {
        let mut fields = Fields::open(image)?;
        let created_at = fields.number()?;
        let [state] = fields.chunk()?;
        if state > SUSPENDED + SHARED {
            return Err(RecordFault::Malformed);
        }
        let (is_suspended, is_shared) = (state & SUSPENDED != 0, state & SHARED != 0);
        let aliases = fields.list(Fields::domain)?;
        let settings = fields.dictionary()?;
        let account_defaults = fields.dictionary()?;
        let account_template = fields.dictionary()?;
        fields.close(Self {
            created_at,
            is_suspended,
            is_shared,
            aliases,
            settings,
            account_defaults,
            account_template,
        })
    }
}

impl AccountRecord {
    /// `name` is whose it is; its credentials open for no other account.
    pub(super) fn encode(&self, name: &AccountName, vault: &Vault) -> Vec<u8> {
        let mut image = Image::new();
        image.number(self.created_at);
        image.number(self.password_revision);
        image.list(&self.aliases, AccountName::local);
        image.bytes(&vault.seal(&keys::account(name), &self.credentials));
        image.list(&self.rights, |right| right);
        image.dictionary(&self.settings);
        image.0
    }

    /// `name` is whose it is, which it does not repeat.
    pub(super) fn decode(image: &[u8], name: &AccountName, vault: &Vault) -> Result<Self, RecordFault> {
        let mut fields = Fields::open(image)?;
        let created_at = fields.number()?;
        let password_revision = fields.number()?;
        let alias = |local| AccountName::new(local, name.domain().clone()).map_err(|_| RecordFault::Malformed);
        let aliases = fields.list(|fields| alias(fields.text()?))?;
        let credentials = vault.open(&keys::account(name), fields.bytes()?)?;
        let rights = fields.list(|fields| fields.text().map(Box::from))?;
        let settings = fields.dictionary()?;
        fields.close(Self { created_at, password_revision, aliases, credentials, rights, settings })
    }

    /// Whether the credentials in such a record are sealed as `vault` would seal them.
    pub(super) fn is_sealed_as_now(image: &[u8], vault: &Vault) -> Result<bool, RecordFault> {
        let mut fields = Fields::open(image)?;
        fields.number()?;
        fields.number()?;
        fields.list(|fields| fields.text().map(drop))?;
        Ok(vault.is_current(fields.bytes()?))
    }
}

/// The record that names the master keys: `K`.
pub(super) fn encode_key_ids(ids: &[KeyId]) -> Vec<u8> {
    let mut image = Image::new();
    image.length(ids.len());
    ids.iter().for_each(|id| image.0.extend_from_slice(&id.0));
    image.0
}

/// The inverse of [`encode_key_ids`].
pub(super) fn decode_key_ids(image: &[u8]) -> Result<Vec<KeyId>, RecordFault> {
    let mut fields = Fields::open(image)?;
    let ids = fields.list(|fields| fields.chunk().map(KeyId))?;
    fields.close(ids)
}

impl From<auth::RecordFault> for RecordFault {
    fn from(fault: auth::RecordFault) -> Self {
        match fault {
            auth::RecordFault::UnknownFormat(_) | auth::RecordFault::UnknownScheme(_) => Self::UnknownFormat,
            auth::RecordFault::UnknownKey(id) => Self::UnknownKey(id),
            auth::RecordFault::BrokenSeal => Self::BrokenSeal,
            auth::RecordFault::Malformed => Self::Malformed,
        }
    }
}

/// A record that is one value.
pub(super) fn encode_value(value: &Value) -> Result<Vec<u8>, DirectoryFault> {
    let text = value.to_string();
    if text.len() > SETTINGS_BYTES_MAX {
        return Err(DirectoryFault::SettingsTooLong);
    }
    // What cannot be read back is not written.
    Value::parse(text.as_bytes(), Form::Line).map_err(DirectoryFault::Settings)?;
    let mut image = Image::new();
    image.text(&text);
    Ok(image.0)
}

/// The value that such a record is.
pub(super) fn decode_value(image: &[u8]) -> Result<Value, RecordFault> {
    let mut fields = Fields::open(image)?;
    let value = Value::parse(fields.bytes()?, Form::Line).map_err(|_| RecordFault::Malformed)?;
    fields.close(value)
}

/// Room for a usual record, or for the settings in it. What grows is copied, and overwritten where it
/// was, with each doubling.
const IMAGE_BYTES: usize = 512;

/// The text of `dictionary`.
pub(super) fn text_of(dictionary: &Dictionary) -> String {
    let mut text = String::with_capacity(IMAGE_BYTES);
    write!(text, "{dictionary}").expect("a String takes everything");
    text
}

/// A record being written.
struct Image(Vec<u8>);

impl Image {
    fn new() -> Self {
        let mut image = Vec::with_capacity(IMAGE_BYTES);
        image.push(FORMAT);
        Self(image)
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        let length = u32::try_from(length).expect("names and settings have limits far below 4 GiB");
        self.0.extend_from_slice(&length.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn list<T>(&mut self, names: &[T], text_of: impl Fn(&T) -> &str) {
        self.length(names.len());
        for name in names {
            self.text(text_of(name));
        }
    }

    fn dictionary(&mut self, dictionary: &Dictionary) {
        self.text(&text_of(dictionary));
    }

    fn defaults(&mut self, defaults: &Defaults) {
        self.dictionary(&defaults.accounts);
        self.dictionary(&defaults.domains);
    }
}

/// What is left of a record being read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn open(image: &'a [u8]) -> Result<Self, RecordFault> {
        match image {
            [FORMAT, fields @ ..] => Ok(Self(fields)),
            [_, ..] => Err(RecordFault::UnknownFormat),
            [] => Err(RecordFault::Malformed),
        }
    }

    /// Returns `record`, provided that nothing is left.
    fn close<T>(self, record: T) -> Result<T, RecordFault> {
        if self.0.is_empty() { Ok(record) } else { Err(RecordFault::Malformed) }
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], RecordFault> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(RecordFault::Malformed)?;
        self.0 = rest;
        Ok(*chunk)
    }

    fn number(&mut self) -> Result<u64, RecordFault> {
        self.chunk().map(u64::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, RecordFault> {
        let length = self.chunk().map(u32::from_le_bytes)?;
        usize::try_from(length).map_err(|_| RecordFault::Malformed)
    }

    fn bytes(&mut self) -> Result<&'a [u8], RecordFault> {
        let length = self.length()?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(RecordFault::Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, RecordFault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| RecordFault::Malformed)
    }

    fn domain(&mut self) -> Result<DomainName, RecordFault> {
        DomainName::parse(self.text()?).map_err(|_| RecordFault::Malformed)
    }

    fn list<T>(&mut self, element: impl Fn(&mut Self) -> Result<T, RecordFault>) -> Result<Vec<T>, RecordFault> {
        let length = self.length()?;
        (0..length).map(|_| element(self)).collect()
    }

    fn dictionary(&mut self) -> Result<Dictionary, RecordFault> {
        let text = self.bytes()?;
        // Most are empty.
        if text == b"{}" {
            return Ok(Dictionary::new());
        }
        match Value::parse(text, Form::Line) {
            Ok(Value::Dictionary(dictionary)) => Ok(dictionary),
            _ => Err(RecordFault::Malformed),
        }
    }

    fn defaults(&mut self) -> Result<Defaults, RecordFault> {
        Ok(Defaults { accounts: self.dictionary()?, domains: self.dictionary()? })
    }
}
