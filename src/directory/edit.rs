use super::administration::{Changed, check_settings};
use super::{Account, Directory, settings};
use crate::auth::Credentials;
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
        check_settings(&record.settings)?;
        Ok(self.replace_account(&account.name, account.revision, &record))
    }
}
