use super::administration::Changed;
use super::settings::{self, Layers};
use super::{Account, Directory, DirectoryFault, encryption};
use crate::auth::{Credentials, Wanted};
use crate::model::AccountName;
use crate::notation::Dictionary;

/// A change of the explicit settings of something.
#[derive(Clone, Debug)]
pub enum Edit {
    /// These are carried over; the value `default`, in any case, removes what is under its key.
    Update(Dictionary),
    /// These are all.
    Replace(Dictionary),
}

impl Edit {
    fn apply(self, settings: &mut Dictionary) {
        match self {
            Self::Update(changes) => settings::update(settings, &changes),
            Self::Replace(new) => *settings = new,
        }
    }
}

impl Directory {
    /// What is kept of a password that is given to the account `name` together with `edit`, be there
    /// such an account or not yet. A new one begins with the template of its domain.
    ///
    /// # Errors
    /// [`DirectoryFault::NoDomain`], [`DirectoryFault::Read`].
    pub fn wanted_with(&self, name: &AccountName, edit: &Edit) -> Result<Wanted, DirectoryFault> {
        let (_, domain) = self.expect_domain(name.domain())?;
        let account = self.account(name)?;
        let mut own = account.map_or_else(|| domain.account_template.clone(), |it| it.explicit_settings().clone());
        edit.clone().apply(&mut own);
        let defaults = self.defaults_for(&domain)?;
        let scram = domain.scram_methods(&defaults);
        let layers = Layers::new(own, domain.account_defaults.clone(), defaults.accounts.clone());
        Ok(encryption::wanted(encryption::effective(&layers), scram, self.seals()))
    }

    /// What to commit to change the settings of `account`, as it was read, and with them, in one
    /// step, its credentials.
    ///
    /// # Errors
    /// The faults of the settings.
    pub fn edit_account(&self, account: &Account, edit: Edit, credentials: Option<Credentials>) -> Changed {
        let is_new_password = credentials.is_some();
        let mut record = account.to_record(credentials.unwrap_or_else(|| account.credentials.clone()));
        record.password_revision += u64::from(is_new_password);
        edit.apply(&mut record.settings);
        self.check_settings(account.explicit_settings(), &record.settings)?;
        Ok(self.replace_account(&account.name, account.revision, &record))
    }
}
