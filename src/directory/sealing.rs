//! Which keys seal the accounts' records, and how those come under another one.
//!
//! The store names the keys that its records are sealed with, by their ids. So a key that is lost
//! or mistyped is noticed before anybody is refused. Every write of an account expects that they
//! are still those it was sealed with: one that was put together before the key changed, and is
//! committed after, is put together anew.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::administration::{Change, bad_key};
use super::record::{AccountRecord, decode_key_ids, encode_key_ids};
use super::{Directory, keys, unusable};
use crate::auth::{KeyId, MasterKey, Vault};
use crate::model::{AccountName, DomainName};
use crate::store::{ReadFault, Revision, Transaction};

/// The keys at hand; copies of a directory share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sealing(Arc<RwLock<Arc<Held>>>);

/// The keys as they are for the length of one call.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) vault: Arc<Vault>,
    /// Of the record that names the keys; `None`: there is none, nothing has ever been sealed.
    pub(super) revision: Option<Revision>,
}

impl Sealing {
    pub(super) fn held(&self) -> Arc<Held> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets `change` make the keys that follow from those held. Whoever needs them meanwhile waits: he would
    /// put together what cannot be committed any more.
    fn replace<E>(&self, change: impl FnOnce(&Held) -> Result<Held, E>) -> Result<(), E> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(change(&held)?);
        Ok(())
    }
}

/// Why records cannot be read, or may not be sealed, with the keys at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// There are records that this key seals, and it is not at hand.
    Missing(KeyId),
    /// The store failed.
    Read(ReadFault),
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(id) => write!(f, "passwords are sealed with the master key {id}, which is not at hand"),
            Self::Read(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for KeyFault {}

impl From<ReadFault> for KeyFault {
    fn from(fault: ReadFault) -> Self {
        Self::Read(fault)
    }
}

/// A page of accounts on the way to another key.
#[derive(Debug)]
pub struct Resealed {
    /// What to commit for those that need it, each independent of the others.
    pub transactions: Vec<Transaction>,
    /// How many accounts were looked at; none: there are no more.
    pub seen: usize,
    /// The last of them.
    pub last: Option<AccountName>,
}

impl Directory {
    /// The keys that records in the store are sealed with.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn keys_in_use(&self) -> Result<Vec<KeyId>, ReadFault> {
        Ok(self.read_key_ids()?.1)
    }

    /// Checks that `keys` open every record.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn check_keys(&self, keys: &[MasterKey]) -> Result<(), KeyFault> {
        let in_use = self.keys_in_use()?;
        let missing = in_use.into_iter().find(|id| !keys.iter().any(|key| key.id() == *id));
        missing.map_or(Ok(()), |id| Err(KeyFault::Missing(id)))
    }

    /// Opens records with any of `keys` from now on, and seals them with the first, in this directory and
    /// its copies, after `commit` has made durable that the store names it. They must have passed
    /// [`Directory::check_keys`].
    ///
    /// # Errors
    /// That of `commit`, or [`ReadFault`] when the store fails; then the keys are as before.
    pub fn use_keys<E: From<ReadFault>>(
        &self,
        keys: Vec<MasterKey>,
        commit: impl FnOnce(Transaction) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sealing.replace(|_| {
            let (revision, mut named) = self.read_key_ids()?;
            if let Some(sealing) = keys.first().map(MasterKey::id).filter(|id| !named.contains(id)) {
                named.push(sealing);
                commit(name_keys(revision, &named))?;
            }
            let (revision, _) = self.read_key_ids()?;
            Ok(Held { vault: Arc::new(Vault::new(keys)), revision })
        })
    }

    /// Whether records are sealed, so that passwords themselves may be kept.
    #[must_use]
    pub fn seals(&self) -> bool {
        self.held().vault.seals()
    }

    /// Up to `count_max` accounts, after the account `after`, of all domains. Those whose records
    /// are not sealed with the key that seals now are to be written anew.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails; one damaged record is enough.
    pub fn reseal(&self, after: Option<&AccountName>, count_max: usize) -> Result<Resealed, ReadFault> {
        let held = self.held();
        let page = self.store.scan(keys::ACCOUNTS, after.map(keys::account).as_deref(), count_max)?;
        let mut resealed = Resealed { transactions: Vec::new(), seen: page.len(), last: None };
        for (key, image) in page {
            let name = account_of(&key).ok_or_else(|| bad_key(&key))?;
            let unusable = |fault| unusable(&format!("the account {name}"), fault);
            if !AccountRecord::is_sealed_as_now(&image.bytes, &held.vault).map_err(unusable)? {
                let record = AccountRecord::decode(&image.bytes, &name, &held.vault).map_err(unusable)?;
                resealed.transactions.push(self.replace_account(&name, image.revision, &record));
            }
            resealed.last = Some(name);
        }
        Ok(resealed)
    }

    /// Lets `commit` make durable that the store names no key but the one that seals now: every record
    /// is sealed with that.
    ///
    /// # Errors
    /// That of `commit`, or [`ReadFault`] when the store fails.
    pub fn forget_other_keys<E: From<ReadFault>>(
        &self,
        commit: impl FnOnce(Transaction) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sealing.replace(|held| {
            let (revision, named) = self.read_key_ids()?;
            let sealing: Vec<_> = held.vault.key_ids().take(1).collect();
            if named != sealing {
                commit(name_keys(revision, &sealing))?;
            }
            let (revision, _) = self.read_key_ids()?;
            Ok(Held { vault: Arc::clone(&held.vault), revision })
        })
    }

    pub(super) fn held(&self) -> Arc<Held> {
        self.sealing.held()
    }

    /// Adds to `change` that the store holds `record` of the account `name`.
    pub(super) fn put_account(&self, change: &mut Change, name: &AccountName, record: &AccountRecord) {
        let held = self.held();
        change.expect(keys::MASTER_KEYS.into(), held.revision);
        change.put(keys::account(name), record.encode(name, &held.vault));
    }

    /// What to commit to let the store hold `record` of the account `name`, provided that what it
    /// holds was written at `revision`.
    pub(super) fn replace_account(
        &self,
        name: &AccountName,
        revision: Revision,
        record: &AccountRecord,
    ) -> Transaction {
        let mut change = Change::default();
        change.expect(keys::account(name), Some(revision));
        self.put_account(&mut change, name, record);
        change.0
    }

    fn read_key_ids(&self) -> Result<(Option<Revision>, Vec<KeyId>), ReadFault> {
        let Some(image) = self.store.read(keys::MASTER_KEYS)? else { return Ok((None, Vec::new())) };
        let ids = decode_key_ids(&image.bytes).map_err(|fault| unusable("the master keys", fault))?;
        Ok((Some(image.revision), ids))
    }
}

/// The account's record that was under the key `old`, for the key `new`.
pub(super) fn moved(record: &[u8], old: &[u8], new: &[u8], vault: &Vault) -> Result<Vec<u8>, ReadFault> {
    let name = |key| account_of(key).ok_or_else(|| bad_key(key));
    let (old, new) = (name(old)?, name(new)?);
    let unusable = |fault| unusable(&format!("the account {old}"), fault);
    Ok(AccountRecord::decode(record, &old, vault).map_err(unusable)?.encode(&new, vault))
}

fn name_keys(revision: Option<Revision>, ids: &[KeyId]) -> Transaction {
    let mut change = Change::default();
    change.expect(keys::MASTER_KEYS.into(), revision);
    change.put(keys::MASTER_KEYS.into(), encode_key_ids(ids));
    change.0
}

/// The account whose record is under `key`.
fn account_of(key: &[u8]) -> Option<AccountName> {
    let (domain, local) = std::str::from_utf8(key.strip_prefix(keys::ACCOUNTS)?).ok()?.split_once('\0')?;
    AccountName::new(local, DomainName::parse(domain).ok()?).ok()
}
