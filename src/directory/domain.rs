//! Changes of whole domains.

use super::administration::{Change, Changed};
use super::record::{AccountRecord, DomainRecord};
use super::settings::Layers;
use super::{
    ADMIN_DOMAIN_NAME, AuthMethods, Directory, DirectoryFault, encryption, keys, objects, sealing, settings, unusable,
};
use crate::model::{AccountName, DomainName};
use crate::notation::{Dictionary, Value};
use crate::store::{ReadFault, Versioned};

/// Objects of a domain that one transaction deletes or renames.
const OBJECTS_MAX: usize = 100_000;

/// How many records are read at a time.
const PAGE: usize = 1024;

impl Directory {
    /// The settings in force of a domain: explicit, else the server's default, or the cluster's for
    /// a shared domain, else the program's own.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`].
    pub fn effective_domain_settings(&self, name: &DomainName) -> Result<Dictionary, DirectoryFault> {
        let (_, record) = self.expect_domain(name)?;
        let defaults = self.defaults_for(&record)?;
        Ok(settings::effective_of_domain(record.settings, defaults.domains))
    }

    /// What the effective settings of a domain say of the mechanisms of AUTH. Of a domain that does
    /// not exist nothing is said, so that there are all.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn auth_methods(&self, name: &DomainName) -> Result<AuthMethods, ReadFault> {
        let Some((_, record)) = self.read_domain(name)? else { return Ok(AuthMethods::default()) };
        let defaults = self.defaults_for(&record)?;
        let accounts = Layers::new(Dictionary::new(), record.account_defaults, defaults.accounts);
        let wanted = encryption::wanted(encryption::effective(&accounts), None, self.seals());
        let settings = settings::effective_of_domain(record.settings, defaults.domains);
        Ok(AuthMethods::new(&settings, wanted.recoverable))
    }

    /// Whether a domain is the cluster's, and not the server's own.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`].
    pub fn is_shared(&self, name: &DomainName) -> Result<bool, DirectoryFault> {
        self.expect_domain(name).map(|(_, record)| record.is_shared)
    }

    /// What to commit to delete a domain with all that is in it.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::MainDomain`],
    /// [`DirectoryFault::DomainTooLarge`], [`DirectoryFault::Read`].
    pub fn delete_domain_with_all(&self, name: &DomainName) -> Changed {
        if *name == self.main_domain {
            return Err(DirectoryFault::MainDomain(name.clone()));
        }
        let (revision, record) = self.expect_domain(name)?;
        let mut change = Change::default();
        // The roster is read before the objects: one created after that changes it.
        let roster = self.store.read(&keys::roster(name))?.map(|roster| roster.revision);
        change.expect(keys::domain(name), Some(revision));
        change.expect(keys::roster(name), roster);
        change.delete(keys::domain(name));
        change.delete(keys::roster(name));
        record.aliases.iter().for_each(|alias| change.delete(keys::domain_alias(alias)));
        for (key, _) in self.records_of(name)? {
            change.delete(key);
        }
        self.carry_administrators(&mut change, name, None)?;
        Ok(change.0)
    }

    /// What to commit to give a domain, with all that is in it, another name. Its groups and
    /// forwarders know its accounts by the new one, and the domains that its administrators may
    /// administer know it by that.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::MainDomain`],
    /// [`DirectoryFault::DomainTaken`], [`DirectoryFault::DomainTooLarge`],
    /// [`DirectoryFault::Read`].
    pub fn rename_domain(&self, old: &DomainName, new: &DomainName) -> Changed {
        if *old == self.main_domain {
            return Err(DirectoryFault::MainDomain(old.clone()));
        }
        let (revision, mut record) = self.expect_domain(old)?;
        self.check_domain_is_free(new)?;
        readminister(&mut record.settings, old, Some(new));
        let mut change = Change::default();
        let roster = self.store.read(&keys::roster(old))?.map(|roster| roster.revision);
        change.expect(keys::roster(old), roster);
        change.delete(keys::roster(old));
        change.put(keys::roster(new), Vec::new());
        change.expect(keys::domain(old), Some(revision));
        change.expect(keys::domain_alias(new), None);
        change.delete(keys::domain(old));
        change.create(keys::domain(new), record.encode());
        for alias in &record.aliases {
            change.put(keys::domain_alias(alias), new.as_str().into());
        }
        let held = self.held();
        change.expect(keys::MASTER_KEYS.into(), held.revision);
        for (key, versioned) in self.records_of(old)? {
            // Each record is moved as it was read, or not at all.
            change.expect(key.clone(), Some(versioned.revision));
            let (key_moved, record) = (keys::moved(&key, old, new), versioned.bytes);
            let record = match key.starts_with(keys::ACCOUNTS) {
                true => sealing::moved(&record, &key, &key_moved, &held.vault)?,
                false => objects::readdressed(&key, record, old, new)?,
            };
            change.put(key_moved, record);
            change.delete(key);
        }
        self.carry_administrators(&mut change, old, Some(new))?;
        Ok(change.0)
    }

    /// Adds to `change` what a new name of `old`, or its end, means for the domains that its
    /// administrators may administer too. Were they to keep the old name, they would be administered
    /// by whoever gets it next.
    pub(super) fn carry_administrators(
        &self,
        change: &mut Change,
        old: &DomainName,
        new: Option<&DomainName>,
    ) -> Result<(), DirectoryFault> {
        let (own, mut after, mut count) = (keys::domain(old), None, 0);
        loop {
            let page = self.store.scan(keys::DOMAINS, after.as_deref(), PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (key, image) in page.into_iter().filter(|(key, _)| *key != own) {
                let record = DomainRecord::decode(&image.bytes);
                let mut record = record.map_err(|fault| unusable("a domain", fault))?;
                if readminister(&mut record.settings, old, new) {
                    change.replace(key, image.revision, record.encode());
                    count += 1;
                }
            }
            if count > OBJECTS_MAX {
                return Err(DirectoryFault::DomainTooLarge { objects_max: OBJECTS_MAX });
            }
        }
    }

    /// Adds to `change` what it takes that the domain whose administrators `settings` let in is not
    /// renamed or deleted at the same moment.
    pub(super) fn hold_administrators(&self, change: &mut Change, settings: &Dictionary) -> Result<(), DirectoryFault> {
        let Some(name) = administrators(settings) else { return Ok(()) };
        let Some((revision, _)) = self.read_domain(&name)? else { return Ok(()) };
        change.expect(keys::domain(&name), Some(revision));
        change.put(keys::roster(&name), Vec::new());
        Ok(())
    }

    /// The records of everything in a domain.
    fn records_of(&self, domain: &DomainName) -> Result<Vec<(Vec<u8>, Versioned)>, DirectoryFault> {
        let mut objects = Vec::new();
        for prefix in keys::all_of(domain) {
            let mut after = None;
            loop {
                let page = self.store.scan(&prefix, after.as_deref(), PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                objects.extend(page);
                if objects.len() > OBJECTS_MAX {
                    return Err(DirectoryFault::DomainTooLarge { objects_max: OBJECTS_MAX });
                }
            }
        }
        Ok(objects)
    }

    /// How many accounts, other names of accounts, and forwarders a domain has.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn count_objects(&self, domain: &DomainName) -> Result<[usize; 3], ReadFault> {
        let count = |prefix: Vec<u8>| {
            let (mut count, mut after) = (0, None);
            loop {
                let page = self.store.scan(&prefix, after.as_deref(), PAGE)?;
                let Some((last, _)) = page.last() else { return Ok(count) };
                count += page.len();
                after = Some(last.clone());
            }
        };
        let prefixes = [keys::accounts(domain), keys::account_aliases(domain), keys::forwarders(domain)];
        let [accounts, aliases, forwarders] = prefixes.map(count);
        Ok([accounts?, aliases?, forwarders?])
    }

    /// Up to `count_max` other names of a domain's accounts in order, after the name `after`, each
    /// with the account it means.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`].
    pub fn aliases(
        &self,
        domain: &DomainName,
        after: Option<&AccountName>,
        count_max: usize,
    ) -> Result<Vec<(AccountName, AccountName)>, DirectoryFault> {
        self.expect_domain(domain)?;
        let prefix = keys::account_aliases(domain);
        let page = self.store.scan(&prefix, after.map(keys::account_alias).as_deref(), count_max)?;
        let name = |local: &[u8]| {
            let local = std::str::from_utf8(local).ok();
            local.and_then(|local| AccountName::new(local, domain.clone()).ok())
        };
        let pair = |(key, record): &(Vec<u8>, Versioned)| {
            let pair = name(&key[prefix.len()..]).zip(name(&record.bytes));
            pair.ok_or_else(|| super::administration::bad_key(key))
        };
        Ok(page.iter().map(pair).collect::<Result<_, _>>()?)
    }

    /// What to commit to give an account another name, in the same domain or another one. Its
    /// other names go with it.
    ///
    /// # Errors
    /// [`DirectoryFault::NoAccount`], [`DirectoryFault::NoDomain`],
    /// [`DirectoryFault::NameTaken`], [`DirectoryFault::Postmaster`], [`DirectoryFault::Read`].
    pub fn rename_account(&self, old: &AccountName, new: &AccountName) -> Changed {
        if *old == self.postmaster() {
            return Err(DirectoryFault::Postmaster(old.clone()));
        }
        let account = self.expect_account(old)?;
        let (revision, _) = self.expect_domain(new.domain())?;
        let mut change = Change::default();
        self.claim(&mut change, new)?;
        let moved = |alias: &AccountName| AccountName::new(alias.local(), new.domain().clone()).expect("it is a name");
        let aliases: Vec<_> = account.aliases().map(moved).collect();
        change.expect(keys::domain(new.domain()), Some(revision));
        change.expect(keys::account(old), Some(account.revision));
        change.delete(keys::account(old));
        for alias in account.aliases() {
            change.delete(keys::account_alias(alias));
        }
        for alias in &aliases {
            if old.domain() != new.domain() {
                self.claim(&mut change, alias)?;
            }
            change.put(keys::account_alias(alias), new.local().into());
        }
        let record = AccountRecord { aliases, ..account.to_record(account.credentials.clone()) };
        self.put_account(&mut change, new, &record);
        change.put(keys::roster(new.domain()), Vec::new());
        self.move_kept(&mut change, old, Some(new))?;
        self.carry_along(&mut change, old, Some(new))?;
        Ok(change.0)
    }
}

/// The domain whose administrators the settings of another one let in.
pub(super) fn administrators(settings: &Dictionary) -> Option<DomainName> {
    settings.get(ADMIN_DOMAIN_NAME).and_then(Value::as_str).and_then(|name| DomainName::parse(name).ok())
}

/// Lets settings that let in the administrators of `old` let in those of `new`, or nobody's. False:
/// they do not.
fn readminister(settings: &mut Dictionary, old: &DomainName, new: Option<&DomainName>) -> bool {
    if administrators(settings).as_ref() != Some(old) {
        return false;
    }
    settings.remove(ADMIN_DOMAIN_NAME);
    if let Some(new) = new {
        settings.insert(ADMIN_DOMAIN_NAME, Value::from(new.as_str()));
    }
    true
}
