//! Changes an administrator makes. Each call checks what it can and returns what to commit; a
//! conflict means that somebody changed the same thing meanwhile, and that the call is to be
//! repeated.

use super::record::{AccountRecord, Defaults, DomainRecord, ServerRecord, text_of};
use super::{
    Account, Directory, DirectoryFault, Holder, SETTINGS_BYTES_MAX, domain, encryption, keys, replace, settings,
    unusable,
};
use crate::auth::{Credentials, DecoyKey};
use crate::model::{AccountName, DomainName};
use crate::notation::{Dictionary, Form, Value};
use crate::store::{Expect, ReadFault, Revision, Transaction, Versioned, Write};

/// Whose settings are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Those of one account.
    Account(&'a AccountName),
    /// Those of one domain.
    Domain(&'a DomainName),
    /// The defaults for the accounts of one domain.
    DomainAccountDefaults(&'a DomainName),
    /// What the new accounts of one domain begin with.
    DomainAccountTemplate(&'a DomainName),
    /// The defaults for all accounts of the server's own domains.
    AccountDefaults,
    /// The defaults for all of the server's own domains.
    DomainDefaults,
    /// The defaults for all accounts of shared domains.
    ClusterAccountDefaults,
    /// The defaults for all shared domains.
    ClusterDomainDefaults,
}

pub(super) type Changed = Result<Transaction, DirectoryFault>;

impl Directory {
    /// Whether the directory has been founded.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn is_founded(&self) -> Result<bool, ReadFault> {
        Ok(self.read_server()?.is_some())
    }

    /// What to commit at the first start: the main domain, and in it a postmaster with all rights.
    ///
    /// # Errors
    /// [`DirectoryFault::Founded`] when that was done before, or [`DirectoryFault::Read`].
    pub fn found(&self, postmaster: Credentials) -> Changed {
        if let Some((_, server)) = self.read_server()? {
            return Err(DirectoryFault::Founded(server.main_domain));
        }
        let created_at = postmaster.changed_at;
        let main_domain = self.main_domain.clone();
        let server = ServerRecord { main_domain, defaults: Defaults::default() };
        let mut change = Change::default();
        change.create(keys::SERVER.into(), server.encode());
        change.create(keys::DECOY_KEY.into(), DecoyKey::draw().as_bytes().to_vec());
        change.create_domain(&self.main_domain, created_at, false, Dictionary::new());
        self.claim(&mut change, &self.postmaster())?;
        self.create(&mut change, &self.postmaster(), postmaster, vec!["Master".into()], Dictionary::new());
        Ok(change.0)
    }

    /// What to commit to give a key for decoys to a directory that was founded without one; `None`:
    /// it has one.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn complete_decoy_key(&self) -> Result<Option<Transaction>, ReadFault> {
        if self.store.read(keys::DECOY_KEY)?.is_some() {
            return Ok(None);
        }
        let mut change = Change::default();
        change.create(keys::DECOY_KEY.into(), DecoyKey::draw().as_bytes().to_vec());
        Ok(Some(change.0))
    }

    /// What to commit to create a domain at the time `created_at`, in seconds since 1970.
    ///
    /// # Errors
    /// [`DirectoryFault::DomainTaken`], [`DirectoryFault::Read`].
    pub fn create_domain(&self, name: &DomainName, created_at: u64) -> Changed {
        self.create_domain_with(name, created_at, false, Dictionary::new())
    }

    /// As [`Directory::create_domain`], with these explicit settings, and shared if it is to be the
    /// cluster's.
    ///
    /// # Errors
    /// [`DirectoryFault::DomainTaken`], the faults of the settings, [`DirectoryFault::Read`].
    pub fn create_domain_with(
        &self,
        name: &DomainName,
        created_at: u64,
        is_shared: bool,
        settings: Dictionary,
    ) -> Changed {
        self.check_settings(&Dictionary::new(), &settings)?;
        self.check_domain_is_free(name)?;
        let mut change = Change::default();
        self.hold_administrators(&mut change, &settings)?;
        change.create_domain(name, created_at, is_shared, settings);
        Ok(change.0)
    }

    /// What to commit to delete an empty domain with its other names.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::DomainNotEmpty`],
    /// [`DirectoryFault::MainDomain`], [`DirectoryFault::Read`].
    pub fn delete_domain(&self, name: &DomainName) -> Changed {
        if *name == self.main_domain {
            return Err(DirectoryFault::MainDomain(name.clone()));
        }
        let (revision, record) = self.expect_domain(name)?;
        // The roster is read before the accounts: one created after that changes it.
        let roster = self.store.read(&keys::roster(name))?;
        for prefix in [keys::accounts(name), keys::groups(name), keys::forwarders(name)] {
            if !self.store.scan(&prefix, None, 1)?.is_empty() {
                return Err(DirectoryFault::DomainNotEmpty(name.clone()));
            }
        }
        let mut change = Change::default();
        change.expect(keys::domain(name), Some(revision));
        change.expect(keys::roster(name), roster.map(|roster| roster.revision));
        change.delete(keys::domain(name));
        change.delete(keys::roster(name));
        record.aliases.iter().for_each(|alias| change.delete(keys::domain_alias(alias)));
        for (key, _) in self.store.scan(&keys::kept(&Holder::Domain(name.clone()), ""), None, usize::MAX)? {
            change.delete(key);
        }
        self.carry_administrators(&mut change, name, None)?;
        Ok(change.0)
    }

    /// Up to `count_max` domains in order, after the name `after`.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn domains(&self, after: Option<&DomainName>, count_max: usize) -> Result<Vec<DomainName>, ReadFault> {
        let page = self.store.scan(keys::DOMAINS, after.map(keys::domain).as_deref(), count_max)?;
        page.iter()
            .map(|(key, _)| {
                let name = std::str::from_utf8(&key[keys::DOMAINS.len()..]).ok();
                name.and_then(|name| DomainName::parse(name).ok()).ok_or_else(|| bad_key(key))
            })
            .collect()
    }

    /// The other names of a domain.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`].
    pub fn domain_aliases(&self, name: &DomainName) -> Result<Vec<DomainName>, DirectoryFault> {
        self.expect_domain(name).map(|(_, record)| record.aliases)
    }

    /// What to commit to give a domain these other names instead of those it has.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::DomainTaken`], [`DirectoryFault::Read`].
    pub fn set_domain_aliases(&self, name: &DomainName, aliases: &[DomainName]) -> Changed {
        let (revision, mut record) = self.expect_domain(name)?;
        let aliases = sorted(aliases);
        let mut change = Change::default();
        for alias in missing_from(&record.aliases, &aliases) {
            change.delete(keys::domain_alias(alias));
        }
        for alias in missing_from(&aliases, &record.aliases) {
            self.check_domain_is_free(alias)?;
            change.expect(keys::domain(alias), None);
            change.create(keys::domain_alias(alias), name.as_str().into());
        }
        record.aliases = aliases;
        change.replace(keys::domain(name), revision, record.encode());
        Ok(change.0)
    }

    /// What to commit to close a domain's accounts to everybody, or to open them again.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`].
    pub fn suspend_domain(&self, name: &DomainName, is_suspended: bool) -> Changed {
        let (revision, mut record) = self.expect_domain(name)?;
        record.is_suspended = is_suspended;
        Ok(replace(keys::domain(name), revision, record.encode()))
    }

    /// What to commit to create an account with the settings of its domain's template and, over
    /// them, `settings`, of which the value `default` removes what the template has. It counts as created
    /// when its credentials were made.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::NameTaken`], the faults of the settings,
    /// [`DirectoryFault::Read`].
    pub fn create_account(&self, name: &AccountName, credentials: Credentials, settings: Dictionary) -> Changed {
        let (revision, domain) = self.expect_domain(name.domain())?;
        let mut change = Change::default();
        change.expect(keys::domain(name.domain()), Some(revision));
        self.claim(&mut change, name)?;
        let mut initial = domain.account_template;
        settings::update(&mut initial, &settings);
        self.check_settings(&Dictionary::new(), &initial)?;
        self.create(&mut change, name, credentials, Vec::new(), initial);
        Ok(change.0)
    }

    /// What to commit to give an account new credentials, as an administrator does: without the
    /// old password, and whatever `PWDAllowed` says.
    ///
    /// # Errors
    /// [`DirectoryFault::NoAccount`], [`DirectoryFault::Read`].
    pub fn set_password(&self, name: &AccountName, credentials: Credentials) -> Changed {
        let account = self.expect_account(name)?;
        Ok(self.change_password(&account, credentials))
    }

    /// What to commit to delete an account with its other names.
    ///
    /// # Errors
    /// [`DirectoryFault::NoAccount`], [`DirectoryFault::Postmaster`], [`DirectoryFault::Read`].
    pub fn delete_account(&self, name: &AccountName) -> Changed {
        if *name == self.postmaster() {
            return Err(DirectoryFault::Postmaster(name.clone()));
        }
        let account = self.expect_account(name)?;
        let mut change = Change::default();
        change.expect(keys::account(name), Some(account.revision));
        change.delete(keys::account(name));
        account.aliases().for_each(|alias| change.delete(keys::account_alias(alias)));
        self.move_kept(&mut change, name, None)?;
        self.carry_along(&mut change, name, None)?;
        Ok(change.0)
    }

    /// Up to `count_max` accounts of a domain in order, after the name `after`.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`].
    pub fn accounts(
        &self,
        domain: &DomainName,
        after: Option<&AccountName>,
        count_max: usize,
    ) -> Result<Vec<AccountName>, DirectoryFault> {
        let page = self.account_records(domain, after, count_max)?;
        Ok(page.into_iter().map(|(name, _)| name).collect())
    }

    /// As [`Directory::accounts`], each with its password verifiers.
    ///
    /// # Errors
    /// As [`Directory::accounts`]; one damaged record is enough.
    pub fn credentials(
        &self,
        domain: &DomainName,
        after: Option<&AccountName>,
        count_max: usize,
    ) -> Result<Vec<(AccountName, Credentials)>, DirectoryFault> {
        let page = self.account_records(domain, after, count_max)?.into_iter();
        let held = self.held();
        let opened = page.map(|(name, image)| {
            let record = AccountRecord::decode(&image.bytes, &name, &held.vault);
            let record = record.map_err(|fault| unusable(&format!("the account {name}"), fault))?;
            Ok((name, record.credentials))
        });
        opened.collect()
    }

    pub(super) fn account_records(
        &self,
        domain: &DomainName,
        after: Option<&AccountName>,
        count_max: usize,
    ) -> Result<Vec<(AccountName, Versioned)>, DirectoryFault> {
        self.expect_domain(domain)?;
        let prefix = keys::accounts(domain);
        let page = self.store.scan(&prefix, after.map(keys::account).as_deref(), count_max)?;
        let named = page.into_iter().map(|(key, image)| {
            let local = std::str::from_utf8(&key[prefix.len()..]).ok();
            let name = local.and_then(|local| AccountName::new(local, domain.clone()).ok());
            name.map(|name| (name, image)).ok_or_else(|| bad_key(&key).into())
        });
        named.collect()
    }

    /// What to commit to give an account these other names, in its domain, instead of those it
    /// has.
    ///
    /// # Errors
    /// [`DirectoryFault::NoAccount`], [`DirectoryFault::NameTaken`],
    /// [`DirectoryFault::ForeignAlias`], [`DirectoryFault::Read`].
    pub fn set_aliases(&self, name: &AccountName, aliases: &[AccountName]) -> Changed {
        let account = self.expect_account(name)?;
        let old: Vec<_> = account.aliases().cloned().collect();
        let aliases = sorted(aliases);
        let mut change = Change::default();
        for alias in missing_from(&old, &aliases) {
            change.delete(keys::account_alias(alias));
        }
        for alias in missing_from(&aliases, &old) {
            if alias.domain() != name.domain() {
                return Err(DirectoryFault::ForeignAlias(alias.clone()));
            }
            self.claim(&mut change, alias)?;
            change.put(keys::account_alias(alias), name.local().into());
        }
        let mut record = account.to_record(account.credentials.clone());
        record.aliases = aliases;
        change.expect(keys::account(name), Some(account.revision));
        self.put_account(&mut change, name, &record);
        Ok(change.0)
    }

    /// What to commit to let an account have these rights and no others.
    ///
    /// # Errors
    /// [`DirectoryFault::NoAccount`], [`DirectoryFault::Read`].
    pub fn set_rights(&self, name: &AccountName, rights: Vec<Box<str>>) -> Changed {
        let account = self.expect_account(name)?;
        let mut record = account.to_record(account.credentials.clone());
        record.rights = rights;
        Ok(self.replace_account(name, account.revision, &record))
    }

    /// The explicit settings of `scope`.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::NoAccount`],
    /// [`DirectoryFault::NotFounded`], [`DirectoryFault::Read`].
    pub fn settings(&self, scope: Scope<'_>) -> Result<Dictionary, DirectoryFault> {
        Ok(match scope {
            Scope::Account(name) => self.expect_account(name)?.explicit_settings().clone(),
            Scope::Domain(name) => self.expect_domain(name)?.1.settings,
            Scope::DomainAccountDefaults(name) => self.expect_domain(name)?.1.account_defaults,
            Scope::DomainAccountTemplate(name) => self.expect_domain(name)?.1.account_template,
            Scope::AccountDefaults => self.expect_server()?.1.defaults.accounts,
            Scope::DomainDefaults => self.expect_server()?.1.defaults.domains,
            Scope::ClusterAccountDefaults => self.cluster()?.1.accounts,
            Scope::ClusterDomainDefaults => self.cluster()?.1.domains,
        })
    }

    /// What to commit to carry `changes` over to the settings of `scope`. The value `default`, in
    /// any case, removes what is under its key.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::NoAccount`],
    /// [`DirectoryFault::NotFounded`], the faults of the settings, [`DirectoryFault::Read`].
    pub fn update_settings(&self, scope: Scope<'_>, changes: &Dictionary) -> Changed {
        self.change_settings(scope, |settings| settings::update(settings, changes))
    }

    /// What to commit to let `scope` have these settings and no others.
    ///
    /// # Errors
    /// As [`Directory::update_settings`].
    pub fn set_settings(&self, scope: Scope<'_>, settings: Dictionary) -> Changed {
        self.change_settings(scope, |old| *old = settings)
    }

    fn change_settings(&self, scope: Scope<'_>, change: impl FnOnce(&mut Dictionary)) -> Changed {
        let change = |settings: &mut Dictionary| {
            let old = settings.clone();
            change(settings);
            self.check_settings(&old, settings)
        };
        match scope {
            Scope::Account(name) => {
                let account = self.expect_account(name)?;
                let mut record = account.to_record(account.credentials.clone());
                change(&mut record.settings)?;
                Ok(self.replace_account(name, account.revision, &record))
            }
            Scope::Domain(name) => {
                let (revision, mut record) = self.expect_domain(name)?;
                let before = domain::administrators(&record.settings);
                change(&mut record.settings)?;
                let mut transaction = Change::default();
                transaction.replace(keys::domain(name), revision, record.encode());
                if domain::administrators(&record.settings) != before {
                    self.hold_administrators(&mut transaction, &record.settings)?;
                }
                Ok(transaction.0)
            }
            Scope::DomainAccountDefaults(name) => {
                let (revision, mut record) = self.expect_domain(name)?;
                change(&mut record.account_defaults)?;
                Ok(replace(keys::domain(name), revision, record.encode()))
            }
            Scope::DomainAccountTemplate(name) => {
                let (revision, mut record) = self.expect_domain(name)?;
                change(&mut record.account_template)?;
                Ok(replace(keys::domain(name), revision, record.encode()))
            }
            Scope::AccountDefaults => {
                let (revision, mut record) = self.expect_server()?;
                change(&mut record.defaults.accounts)?;
                Ok(replace(keys::SERVER.into(), revision, record.encode()))
            }
            Scope::DomainDefaults => {
                let (revision, mut record) = self.expect_server()?;
                change(&mut record.defaults.domains)?;
                Ok(replace(keys::SERVER.into(), revision, record.encode()))
            }
            Scope::ClusterAccountDefaults => self.change_cluster(|defaults| change(&mut defaults.accounts)),
            Scope::ClusterDomainDefaults => self.change_cluster(|defaults| change(&mut defaults.domains)),
        }
    }

    fn change_cluster(&self, change: impl FnOnce(&mut Defaults) -> Result<(), DirectoryFault>) -> Changed {
        let (revision, mut defaults) = self.cluster()?;
        change(&mut defaults)?;
        let mut transaction = Change::default();
        transaction.expect(keys::CLUSTER.into(), revision);
        transaction.put(keys::CLUSTER.into(), defaults.encode());
        Ok(transaction.0)
    }

    /// The cluster's defaults, which have no record as long as nobody has set any.
    fn cluster(&self) -> Result<(Option<Revision>, Defaults), ReadFault> {
        let read = self.read_cluster()?;
        Ok(read.map_or_else(Default::default, |(revision, defaults)| (Some(revision), defaults)))
    }

    fn create(
        &self,
        change: &mut Change,
        name: &AccountName,
        credentials: Credentials,
        rights: Vec<Box<str>>,
        settings: Dictionary,
    ) {
        let created_at = credentials.changed_at;
        let aliases = Vec::new();
        let record = AccountRecord { created_at, password_revision: 1, aliases, credentials, rights, settings };
        self.put_account(change, name, &record);
        change.put(keys::roster(name.domain()), Vec::new());
    }

    /// The account of the main domain that there always is.
    #[must_use]
    pub fn postmaster(&self) -> AccountName {
        AccountName::new("postmaster", self.main_domain.clone()).expect("it is a name")
    }

    pub(super) fn expect_server(&self) -> Result<(Revision, ServerRecord), DirectoryFault> {
        self.read_server()?.ok_or(DirectoryFault::NotFounded)
    }

    pub(super) fn expect_domain(&self, name: &DomainName) -> Result<(Revision, DomainRecord), DirectoryFault> {
        self.read_domain(name)?.ok_or_else(|| DirectoryFault::NoDomain(name.clone()))
    }

    pub(super) fn expect_account(&self, name: &AccountName) -> Result<Account, DirectoryFault> {
        self.account(name)?.ok_or_else(|| DirectoryFault::NoAccount(name.clone()))
    }

    /// Settings must be readable when they come back from the store, and passwords must not be kept
    /// where everything is shown to whoever may read settings. What they say of how passwords are kept
    /// must be possible, where it is not as in `old`.
    pub(super) fn check_settings(&self, old: &Dictionary, settings: &Dictionary) -> Result<(), DirectoryFault> {
        if settings.iter().any(|(key, _)| key.eq_ignore_ascii_case("Password")) {
            return Err(DirectoryFault::PasswordAmongSettings);
        }
        encryption::check(old, settings, self.seals())?;
        let text = text_of(settings);
        if text.len() > SETTINGS_BYTES_MAX {
            return Err(DirectoryFault::SettingsTooLong);
        }
        Value::parse(text.as_bytes(), Form::Line).map(drop).map_err(DirectoryFault::Settings)
    }

    pub(super) fn check_domain_is_free(&self, name: &DomainName) -> Result<(), DirectoryFault> {
        let is_taken =
            self.store.read(&keys::domain(name))?.is_some() || self.store.read(&keys::domain_alias(name))?.is_some();
        if is_taken { Err(DirectoryFault::DomainTaken(name.clone())) } else { Ok(()) }
    }

    /// Lets `change` expect that nothing is called `name`, which is so now.
    pub(super) fn claim(&self, change: &mut Change, name: &AccountName) -> Result<(), DirectoryFault> {
        for key in keys::namesakes(name) {
            if self.store.read(&key)?.is_some() {
                return Err(DirectoryFault::NameTaken(name.clone()));
            }
            change.expect(key, None);
        }
        Ok(())
    }
}

/// A transaction being put together.
#[derive(Debug, Default)]
pub(super) struct Change(pub(super) Transaction);

impl Change {
    pub(super) fn expect(&mut self, key: Vec<u8>, revision: Option<Revision>) {
        self.0.expect.push(Expect { key, revision });
    }

    pub(super) fn put(&mut self, key: Vec<u8>, image: Vec<u8>) {
        self.0.write.push(Write::Put(key, image));
    }

    pub(super) fn delete(&mut self, key: Vec<u8>) {
        self.0.write.push(Write::Delete(key));
    }

    pub(super) fn create(&mut self, key: Vec<u8>, image: Vec<u8>) {
        self.expect(key.clone(), None);
        self.put(key, image);
    }

    pub(super) fn replace(&mut self, key: Vec<u8>, revision: Revision, image: Vec<u8>) {
        self.expect(key.clone(), Some(revision));
        self.put(key, image);
    }

    fn create_domain(&mut self, name: &DomainName, created_at: u64, is_shared: bool, settings: Dictionary) {
        let record = DomainRecord {
            created_at,
            is_suspended: false,
            is_shared,
            aliases: Vec::new(),
            settings,
            account_defaults: Dictionary::new(),
            account_template: Dictionary::new(),
        };
        self.expect(keys::domain_alias(name), None);
        self.create(keys::domain(name), record.encode());
    }
}

fn sorted<T: Ord + Clone>(names: &[T]) -> Vec<T> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

/// The elements of `some` that are not among `others`, which are sorted.
fn missing_from<'a, T: Ord>(some: &'a [T], others: &[T]) -> impl Iterator<Item = &'a T> {
    some.iter().filter(|one| others.binary_search(one).is_err())
}

pub(super) fn bad_key(key: &[u8]) -> ReadFault {
    ReadFault(format!("the key {} is damaged", key.escape_ascii()))
}
