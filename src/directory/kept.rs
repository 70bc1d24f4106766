//! What is kept for clients and means nothing here: preferences, alerts, lists of addresses.

use super::administration::{Change, Changed};
use super::record::{decode_value, encode_value};
use super::{Directory, DirectoryFault, keys, unusable};
use crate::model::{AccountName, DomainName};
use crate::notation::Value;
use crate::store::{ReadFault, Transaction, Write};

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The server's.
    Server,
    /// The cluster's.
    Cluster,
    /// A domain's.
    Domain(DomainName),
    /// An account's.
    Account(AccountName),
}

impl Directory {
    /// What `holder` has under `name`.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn kept(&self, holder: &Holder, name: &str) -> Result<Option<Value>, ReadFault> {
        let Some(image) = self.store.read(&keys::kept(holder, name))? else { return Ok(None) };
        decode_value(&image.bytes).map(Some).map_err(|fault| unusable(name, fault))
    }

    /// What to commit to let `holder` have `value` under `name`, made from what it has there now.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::NoAccount`], the faults of the value,
    /// [`DirectoryFault::Read`].
    pub fn keep(
        &self,
        holder: &Holder,
        name: &str,
        make: impl FnOnce(Option<Value>) -> Result<Value, DirectoryFault>,
    ) -> Changed {
        let mut change = Change::default();
        // Whoever deletes or renames the holder must see what is kept for it.
        match holder {
            Holder::Server | Holder::Cluster => {}
            Holder::Domain(domain) => {
                let (revision, _) = self.expect_domain(domain)?;
                change.expect(keys::domain(domain), Some(revision));
                change.put(keys::roster(domain), Vec::new());
            }
            Holder::Account(account) => {
                let key = keys::account(account);
                let record = self.store.read(&key)?.ok_or_else(|| DirectoryFault::NoAccount(account.clone()))?;
                change.replace(key, record.revision, record.bytes);
                change.put(keys::roster(account.domain()), Vec::new());
            }
        }
        let key = keys::kept(holder, name);
        let old = self.store.read(&key)?;
        change.expect(key.clone(), old.as_ref().map(|image| image.revision));
        let value = old.map(|image| decode_value(&image.bytes)).transpose();
        let value = value.map_err(|fault| DirectoryFault::Read(unusable(name, fault)))?;
        change.put(key, encode_value(&make(value)?)?);
        Ok(change.0)
    }

    /// Adds to `creation`, of `holder`, that it has `value` under `name`.
    ///
    /// # Errors
    /// The faults of the value.
    pub fn keep_for_new(
        &self,
        creation: &mut Transaction,
        holder: &Holder,
        name: &str,
        value: &Value,
    ) -> Result<(), DirectoryFault> {
        creation.write.push(Write::Put(keys::kept(holder, name), encode_value(value)?));
        Ok(())
    }

    /// Adds to `change` that what is kept for `old` is kept for `new`, or no longer. `change` must
    /// expect the account as it was before this call: keeping something writes it anew.
    pub(super) fn move_kept(
        &self,
        change: &mut Change,
        old: &AccountName,
        new: Option<&AccountName>,
    ) -> Result<(), DirectoryFault> {
        let prefix = keys::kept(&Holder::Account(old.clone()), "");
        for (key, record) in self.store.scan(&prefix, None, usize::MAX)? {
            if let Some(new) = new {
                let name = &key[prefix.len()..];
                change.put([keys::kept(&Holder::Account(new.clone()), "").as_slice(), name].concat(), record.bytes);
            }
            change.expect(key.clone(), Some(record.revision));
            change.delete(key);
        }
        Ok(())
    }
}
