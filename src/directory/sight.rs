use std::sync::{Arc, Mutex, PoisonError};

use super::{Account, Directory};
use crate::model::AccountName;
use crate::store::{Glance, ReadFault};

/// A directory as it is between two commits, for those who look at the same things again and again:
/// commands all look at whoever sends them, and at its domain.
///
/// It shows nothing that a commit which has been reported has changed, as long as only
/// [`Sight::is_of`] lets it be used. What was found for a few commands is kept, not more.
#[derive(Debug)]
pub struct Sight {
    directory: Directory,
    edition: u64,
    /// The account that was looked at last as a whole.
    account: Mutex<Option<Arc<Account>>>,
}

impl Sight {
    /// The first look at `directory`.
    #[must_use]
    pub fn new(directory: &Directory) -> Self {
        // What is committed after this line ends the sight, whether or not it has been seen.
        let edition = directory.store.edition();
        let glance = Glance::new(Arc::clone(&directory.store));
        let directory = Directory { store: Arc::new(glance), ..directory.clone() };
        Self { directory, edition, account: Mutex::default() }
    }

    /// Whether it still shows `directory` as it is.
    #[must_use]
    pub fn is_of(&self, directory: &Directory) -> bool {
        self.edition == directory.store.edition()
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The account of that canonical name.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn account(&self, name: &AccountName) -> Result<Option<Arc<Account>>, ReadFault> {
        let last = || self.account.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = last().as_ref().filter(|account| account.name == *name) {
            return Ok(Some(Arc::clone(account)));
        }
        let account = self.directory.account(name)?.map(Arc::new);
        last().clone_from(&account);
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Hasher, Recognizer};
    use crate::directory::Edit;
    use crate::model::{Argon2idCost, DomainName, Secret};
    use crate::notation::Value;
    use crate::store::{Embedded, Store};

    #[test]
    fn an_account_is_seen_as_it_is_and_a_sight_ends_with_the_next_commit() {
        let store = Arc::new(Embedded::in_memory().unwrap());
        let directory = Directory::new(Arc::clone(&store) as Arc<dyn Store>, DomainName::parse("a.example").unwrap());
        let credentials = Hasher::new(Argon2idCost { m_kib: 32, t: 1, p: 1 }, Recognizer::new())
            .make(&Secret::new(b"blue harbor 42").unwrap(), 1);
        store.commit(&[directory.found(credentials.clone()).unwrap()]).unwrap();
        let (boss, user) = (directory.postmaster(), AccountName::parse("user@a.example").unwrap());
        store.commit(&[directory.create_account(&user, credentials, [].into_iter().collect()).unwrap()]).unwrap();

        let sight = Sight::new(&directory);
        for name in [&boss, &user, &user, &boss] {
            assert_eq!(sight.account(name).unwrap().unwrap().name, *name);
        }
        assert!(sight.account(&AccountName::parse("nobody@a.example").unwrap()).unwrap().is_none());
        assert!(sight.is_of(&directory));

        let account = directory.account(&user).unwrap().unwrap();
        let edit = Edit::Update([("RealName", Value::from("Somebody"))].into_iter().collect());
        store.commit(&[directory.edit_account(&account, edit, None).unwrap()]).unwrap();
        assert!(!sight.is_of(&directory));
        let account = Sight::new(&directory).account(&user).unwrap().unwrap();
        assert_eq!(account.explicit_settings().get("RealName").and_then(Value::as_str), Some("Somebody"));
    }
}
