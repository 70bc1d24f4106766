use super::administration::{Change, Changed};
use super::record::AccountRecord;
use super::{Account, Directory, DirectoryFault, keys, settings, unusable};
use crate::auth::Credentials;
use crate::model::{AccountName, DomainName};
use crate::notation::Dictionary;

/// An account that comes from elsewhere, with all that belongs to it.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name.
    pub name: AccountName,
    /// When it was created, in seconds since 1970.
    pub created_at: u64,
    /// Its other names, in its domain.
    pub aliases: Vec<AccountName>,
    /// Its password verifiers.
    pub credentials: Credentials,
    /// The codes of what it may administer.
    pub rights: Vec<Box<str>>,
    /// Its explicit settings.
    pub settings: Dictionary,
    /// Whether they are all it shall have; otherwise they go over the template of its domain.
    pub is_complete: bool,
}

impl Directory {
    /// What to commit to add `account`.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::NameTaken`],
    /// [`DirectoryFault::ForeignAlias`], the faults of the settings, [`DirectoryFault::Read`].
    pub fn add_account(&self, account: NewAccount) -> Changed {
        let NewAccount { name, created_at, mut aliases, credentials, rights, settings: own, is_complete } = account;
        let (revision, domain) = self.expect_domain(name.domain())?;
        let mut change = Change::default();
        change.expect(keys::domain(name.domain()), Some(revision));
        self.claim(&mut change, &name)?;
        let settings = if is_complete {
            own
        } else {
            let mut settings = domain.account_template;
            settings::update(&mut settings, &own);
            settings
        };
        self.check_settings(&Dictionary::new(), &settings)?;
        aliases.sort_unstable();
        aliases.dedup();
        for alias in &aliases {
            if alias.domain() != name.domain() {
                return Err(DirectoryFault::ForeignAlias(alias.clone()));
            }
            if *alias == name {
                return Err(DirectoryFault::NameTaken(name));
            }
            self.claim(&mut change, alias)?;
            change.put(keys::account_alias(alias), name.local().into());
        }
        let record = AccountRecord { created_at, password_revision: 1, aliases, credentials, rights, settings };
        self.put_account(&mut change, &name, &record);
        change.put(keys::roster(name.domain()), Vec::new());
        Ok(change.0)
    }

    /// Up to `count_max` accounts of a domain in order, after the name `after`, with all that
    /// belongs to them.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`]; one damaged record is enough.
    pub fn accounts_in_full(
        &self,
        domain: &DomainName,
        after: Option<&AccountName>,
        count_max: usize,
    ) -> Result<Vec<Account>, DirectoryFault> {
        let (_, record) = self.expect_domain(domain)?;
        let defaults = self.defaults_for(&record)?;
        let page = self.account_records(domain, after, count_max)?.into_iter();
        let held = self.held();
        let opened = page.map(|(name, image)| {
            let account = AccountRecord::decode(&image.bytes, &name, &held.vault);
            let account = account.map_err(|fault| unusable(&format!("the account {name}"), fault))?;
            Ok(Account::new(name, image.revision, account, record.clone(), defaults.clone(), held.vault.seals()))
        });
        opened.collect()
    }
}
