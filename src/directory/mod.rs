//! Domains, accounts, their settings and inheritance, and the resolution of login names
//! (interface agreed; the implementation belongs to the directory writer).

use std::sync::Arc;

use crate::auth::Credentials;
use crate::model::{AccountName, DomainName, LoginName};
use crate::store::{ReadFault, Revision, Store, Transaction};

/// An account as read from the store, with what it takes to change it.
#[derive(Debug)]
pub struct Account {
    /// Its canonical name.
    pub name: AccountName,
    /// Of the record read.
    pub revision: Revision,
    /// Counts password changes: the revision of the commit... see `password_revision` in the
    /// record header; starts at 1 and grows with each change, so a proof made for an older
    /// password is recognised as stale whatever else was changed since.
    pub password_revision: u64,
    /// Its password verifiers.
    pub credentials: Credentials,
    // explicit settings dictionary, effective access ... (private)
}

impl Account {
    /// Whether the effective settings let the account log in here (AccessModes, UseAppPassword).
    pub fn may_log_in(&self) -> bool {
        true
    }
    /// The effective `PWDAllowed`.
    pub fn may_change_password(&self) -> bool {
        true
    }
}

/// The accounts and domains in a store.
#[derive(Clone, Debug)]
pub struct Directory {
    _store: Arc<dyn Store>,
}

impl Directory {
    /// The directory in `store`.
    pub fn new(store: Arc<dyn Store>, _main_domain: DomainName) -> Self {
        Self { _store: store }
    }

    /// Finds the account that `login` names; a bare name is completed with `domain`, or with the main domain.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn resolve(&self, _login: &LoginName, _domain: Option<&DomainName>) -> Result<Option<Account>, ReadFault> {
        Ok(None)
    }

    /// Reads the account of that canonical name.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn account(&self, _name: &AccountName) -> Result<Option<Account>, ReadFault> {
        Ok(None)
    }

    /// What to commit to give `account` new credentials, provided its record is still the one read.
    pub fn change_password(&self, _account: &Account, _credentials: Credentials) -> Transaction {
        Transaction::default()
    }
}
