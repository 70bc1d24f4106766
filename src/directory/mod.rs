//! Domains, accounts, their settings and inheritance, and the resolution of login names.
//!
//! A [`Directory`] reads from a store and says what to commit; it commits nothing itself, so that
//! changes of many sessions can share one sync. Every change expects the revisions it was made
//! from: of two made from the same state, one conflicts and is made anew or refused.
//!
//! Nothing is cached: each call reads the store, so an answer is never older than the call. What is
//! put together from several calls, or for several callers, can begin with a [`Sight`], which reads
//! each record once until the next commit.
//!
//! A server by itself is a cluster of one. What is set for the cluster is kept apart from what is
//! set for the server: domains that were created as shared inherit the cluster's defaults, all
//! others, the main domain first of all, the server's.

use std::sync::Arc;

mod account;
mod administration;
mod domain;
mod edit;
mod encryption;
mod fault;
mod kept;
mod keys;
mod methods;
mod newcomer;
mod objects;
mod record;
mod router;
mod sealing;
mod settings;
mod sight;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use administration::Scope;
pub use edit::Edit;
pub use fault::DirectoryFault;
pub use kept::Holder;
pub use methods::AuthMethods;
pub use newcomer::NewAccount;
pub use objects::Kind;
pub use router::{Purpose, Route, Router, RouterFault};
pub use sealing::{KeyFault, Resealed};
pub use sight::Sight;

use self::record::{AccountRecord, Defaults, DomainRecord, RecordFault, ServerRecord};
use self::sealing::Sealing;
use crate::auth::{Credentials, DecoyKey, PasswordPurpose, Verifier};
use crate::model::{AccountName, DomainName, Flow, LoginName};
use crate::notation::Dictionary;
use crate::store::{Expect, ReadFault, Revision, Store, Transaction, Write};

/// The setting of a domain that names another one whose administrators may administer it too.
pub const ADMIN_DOMAIN_NAME: &str = "AdminDomainName";

/// Bytes of the text of one dictionary of settings.
pub const SETTINGS_BYTES_MAX: usize = 256 << 10;

/// The accounts and domains in a store.
#[derive(Clone, Debug)]
pub struct Directory {
    store: Arc<dyn Store>,
    main_domain: DomainName,
    sealing: Sealing,
}

impl Directory {
    /// The directory in `store`; a bare login name belongs to `main_domain` where nothing else is
    /// said. It has no master key until [`Directory::use_keys`].
    #[must_use]
    pub fn new(store: Arc<dyn Store>, main_domain: DomainName) -> Self {
        Self { store, main_domain, sealing: Sealing::default() }
    }

    /// Where a bare login name belongs when nothing else is said.
    #[must_use]
    pub fn main_domain(&self) -> &DomainName {
        &self.main_domain
    }

    /// The main domain that the directory in `store` was founded with; `None` before that.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn main_domain_of(store: &dyn Store) -> Result<Option<DomainName>, ReadFault> {
        Ok(read_server(store)?.map(|(_, record)| record.main_domain))
    }

    /// The canonical name of the domain called `name`, which may be another name of it.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn domain_named(&self, name: &DomainName) -> Result<Option<DomainName>, ReadFault> {
        Ok(self.find_domain(name.clone())?.map(|(name, _)| name))
    }

    /// Whether the administrators of `administrators` may administer `domain` too, as its setting
    /// [`ADMIN_DOMAIN_NAME`] says.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn is_administered_by(&self, domain: &DomainName, administrators: &DomainName) -> Result<bool, ReadFault> {
        let Some((_, record)) = self.read_domain(domain)? else { return Ok(false) };
        Ok(domain::administrators(&record.settings).as_ref() == Some(administrators))
    }

    /// Finds the account that `login` names: `user`, `user@domain` or `user%domain`, in any case,
    /// by its own name or another one, in a domain by its own name or another one. A bare name is
    /// completed with `domain`, or with the main domain.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn resolve(&self, login: &LoginName, domain: Option<&DomainName>) -> Result<Option<Account>, ReadFault> {
        let Some((local, stated)) = split(login) else { return Ok(None) };
        let domain = match stated.map(DomainName::parse) {
            Some(Ok(domain)) => domain,
            Some(Err(_)) => return Ok(None),
            None => domain.unwrap_or(&self.main_domain).clone(),
        };
        let Some((domain, domain_record)) = self.find_domain(domain)? else { return Ok(None) };
        let Ok(name) = AccountName::new(local, domain) else { return Ok(None) };
        if let Some((revision, record)) = self.read_account(&name)? {
            return self.complete(name, revision, record, domain_record).map(Some);
        }
        let Some(name) = self.read_account_alias(&name)? else { return Ok(None) };
        match self.read_account(&name)? {
            Some((revision, record)) => self.complete(name, revision, record, domain_record).map(Some),
            None => Ok(None),
        }
    }

    /// How many logins to `address` may fail, of which there is no account: as many as to one that
    /// its domain would have without a setting of its own.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn failed_login_flow(&self, address: &str) -> Result<Flow, ReadFault> {
        let domain = address.rsplit_once('@').and_then(|(_, domain)| DomainName::parse(domain).ok());
        let domain = domain.map(|domain| self.read_domain(&domain)).transpose()?.flatten();
        let (own, inherited) = match domain {
            Some((_, record)) => {
                let inherited = self.defaults_for(&record)?.accounts;
                (record.account_defaults, inherited)
            }
            None => (Dictionary::new(), self.read_server()?.map(|(_, it)| it.defaults.accounts).unwrap_or_default()),
        };
        let layers = settings::Layers::new(Dictionary::new(), own, inherited);
        Ok(settings::failed_login_flow(layers.get(settings::FAILED_LOGIN_FLOW)))
    }

    /// Reads the account of that canonical name.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn account(&self, name: &AccountName) -> Result<Option<Account>, ReadFault> {
        let Some((revision, record)) = self.read_account(name)? else { return Ok(None) };
        let Some((_, domain)) = self.read_domain(name.domain())? else { return Ok(None) };
        self.complete(name.clone(), revision, record, domain).map(Some)
    }

    /// What the decoys of accounts that there are not are made with.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails, or has none.
    pub fn decoy_key(&self) -> Result<DecoyKey, ReadFault> {
        let image = self.store.read(keys::DECOY_KEY)?;
        let key = image.and_then(|image| DecoyKey::from_bytes(&image.bytes));
        key.ok_or_else(|| unusable("the key for decoys", RecordFault::Malformed))
    }

    /// What to commit to give `account` new credentials, provided that nothing about it has
    /// changed since it was read. On a conflict read it again: if `password_revision` is still
    /// the same, only other things changed, and the change may be tried anew.
    #[must_use]
    pub fn change_password(&self, account: &Account, credentials: Credentials) -> Transaction {
        let mut record = account.to_record(credentials);
        record.password_revision += 1;
        self.replace_account(&account.name, account.revision, &record)
    }

    /// What to commit to give `account` a further password for `purpose`, or, without a verifier,
    /// to take that away. It is no change of its own password.
    #[must_use]
    pub fn set_alternative(
        &self,
        account: &Account,
        purpose: PasswordPurpose,
        verifier: Option<Verifier>,
    ) -> Transaction {
        let mut record = account.to_record(account.credentials.clone());
        record.credentials.set_alternative(purpose, verifier);
        self.replace_account(&account.name, account.revision, &record)
    }

    /// What to commit to keep the password of `account` in another way, provided that nothing
    /// about it has changed since it was read. It is no change of the password: when that was
    /// changed last stays as it was, and so does `password_revision`, so that proofs remain valid.
    #[must_use]
    pub fn upgrade_password(&self, account: &Account, credentials: Credentials) -> Transaction {
        let Credentials { changed_at, change_id, .. } = account.credentials;
        let record = account.to_record(Credentials { changed_at, change_id, ..credentials });
        self.replace_account(&account.name, account.revision, &record)
    }

    /// The domain of that name or alias, with its canonical name.
    fn find_domain(&self, name: DomainName) -> Result<Option<(DomainName, DomainRecord)>, ReadFault> {
        if let Some((_, record)) = self.read_domain(&name)? {
            return Ok(Some((name, record)));
        }
        let Some(image) = self.store.read(&keys::domain_alias(&name))? else { return Ok(None) };
        let target = std::str::from_utf8(&image.bytes).ok().and_then(|text| DomainName::parse(text).ok());
        let target = target.ok_or_else(|| unusable(&format!("the domain alias {name}"), RecordFault::Malformed))?;
        Ok(self.read_domain(&target)?.map(|(_, record)| (target, record)))
    }

    /// The account that `alias` is another name of.
    fn read_account_alias(&self, alias: &AccountName) -> Result<Option<AccountName>, ReadFault> {
        let Some(image) = self.store.read(&keys::account_alias(alias))? else { return Ok(None) };
        let local = std::str::from_utf8(&image.bytes).ok();
        let name = local.and_then(|local| AccountName::new(local, alias.domain().clone()).ok());
        name.map(Some).ok_or_else(|| unusable(&format!("the alias {alias}"), RecordFault::Malformed))
    }

    fn complete(
        &self,
        name: AccountName,
        revision: Revision,
        record: AccountRecord,
        domain: DomainRecord,
    ) -> Result<Account, ReadFault> {
        let defaults = self.defaults_for(&domain)?;
        Ok(Account::new(name, revision, record, domain, defaults, self.seals()))
    }

    /// What `domain` and its accounts inherit: the cluster's defaults if it is shared, else the
    /// server's.
    fn defaults_for(&self, domain: &DomainRecord) -> Result<Defaults, ReadFault> {
        Ok(if domain.is_shared {
            self.read_cluster()?.map(|(_, defaults)| defaults)
        } else {
            self.read_server()?.map(|(_, server)| server.defaults)
        }
        .unwrap_or_default())
    }

    fn read_server(&self) -> Result<Option<(Revision, ServerRecord)>, ReadFault> {
        read_server(&*self.store)
    }

    fn read_cluster(&self) -> Result<Option<(Revision, Defaults)>, ReadFault> {
        let Some(image) = self.store.read(keys::CLUSTER)? else { return Ok(None) };
        let defaults = Defaults::decode(&image.bytes);
        defaults.map(|defaults| Some((image.revision, defaults))).map_err(|fault| unusable("the cluster", fault))
    }

    fn read_domain(&self, name: &DomainName) -> Result<Option<(Revision, DomainRecord)>, ReadFault> {
        let Some(image) = self.store.read(&keys::domain(name))? else { return Ok(None) };
        let record = DomainRecord::decode(&image.bytes);
        record
            .map(|record| Some((image.revision, record)))
            .map_err(|fault| unusable(&format!("the domain {name}"), fault))
    }

    fn read_account(&self, name: &AccountName) -> Result<Option<(Revision, AccountRecord)>, ReadFault> {
        let Some(image) = self.store.read(&keys::account(name))? else { return Ok(None) };
        let record = AccountRecord::decode(&image.bytes, name, &self.held().vault);
        record
            .map(|record| Some((image.revision, record)))
            .map_err(|fault| unusable(&format!("the account {name}"), fault))
    }
}

fn read_server(store: &dyn Store) -> Result<Option<(Revision, ServerRecord)>, ReadFault> {
    let Some(image) = store.read(keys::SERVER)? else { return Ok(None) };
    let record = ServerRecord::decode(&image.bytes);
    record.map(|record| Some((image.revision, record))).map_err(|fault| unusable("the server", fault))
}

/// The local part of a login name and the domain it states. The last `@` separates them, and
/// where there is none the last `%`, for clients that cut names at the `@`.
fn split(login: &LoginName) -> Option<(&str, Option<&str>)> {
    let text = std::str::from_utf8(login.as_bytes()).ok()?;
    match text.rsplit_once('@').or_else(|| text.rsplit_once('%')) {
        Some((local, domain)) => Some((local, Some(domain))),
        None => Some((text, None)),
    }
}

fn unusable(what: &str, fault: RecordFault) -> ReadFault {
    ReadFault(match fault {
        RecordFault::UnknownFormat => format!("the record of {what} was written by a later version of the program"),
        RecordFault::UnknownKey(id) => {
            format!("the record of {what} is sealed with the master key {id}, which is not at hand")
        }
        RecordFault::BrokenSeal => {
            format!("the record of {what} does not open: it is damaged, or was put there from elsewhere")
        }
        RecordFault::Malformed => format!("the record of {what} is damaged"),
    })
}

/// Writes `image` under `key`, provided that it holds what was written at `revision`.
fn replace(key: Vec<u8>, revision: Revision, image: Vec<u8>) -> Transaction {
    Transaction {
        expect: vec![Expect { key: key.clone(), revision: Some(revision) }],
        write: vec![Write::Put(key, image)],
    }
}
