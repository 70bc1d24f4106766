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

    /// The account of that canonical name, without the password that may be kept of it: what lies in
    /// memory until the next commit is no place for that.
    ///
    /// # Errors
    /// [`ReadFault`] when the store fails.
    pub fn account(&self, name: &AccountName) -> Result<Option<Arc<Account>>, ReadFault> {
        let last = || self.account.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = last().as_ref().filter(|account| account.name == *name) {
            return Ok(Some(Arc::clone(account)));
        }
        let account = self.directory.account(name)?.map(|mut account| {
            account.credentials.recoverable = None;
            Arc::new(account)
        });
        last().clone_from(&account);
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::auth::{Hasher, MasterKey, Recognizer, Recoverable};
    use crate::directory::Edit;
    use crate::model::{Argon2idCost, DomainName, Secret};
    use crate::notation::{Dictionary, Value};
    use crate::store::{Embedded, Store};

    /// A directory with `postmaster` and `user`.
    fn furnished() -> (Arc<Embedded>, Directory, AccountName) {
        let store = Arc::new(Embedded::in_memory().unwrap());
        let directory = Directory::new(Arc::clone(&store) as Arc<dyn Store>, DomainName::parse("a.example").unwrap());
        let credentials = Hasher::new(Argon2idCost { m_kib: 32, t: 1, p: 1 }, Recognizer::new())
            .make(&Secret::new(b"blue harbor 42").unwrap(), 1);
        store.commit(&[directory.found(credentials.clone()).unwrap()]).unwrap();
        let user = AccountName::parse("user@a.example").unwrap();
        store.commit(&[directory.create_account(&user, credentials, Dictionary::new()).unwrap()]).unwrap();
        (store, directory, user)
    }

    fn set_real_name(store: &Embedded, directory: &Directory, user: &AccountName, value: &str) {
        let account = directory.account(user).unwrap().unwrap();
        let edit = Edit::Update([("RealName", Value::from(value))].into_iter().collect());
        store.commit(&[directory.edit_account(&account, edit, None).unwrap()]).unwrap();
    }

    fn real_name(sight: &Sight, user: &AccountName) -> Option<String> {
        let account = sight.account(user).unwrap().unwrap();
        account.explicit_settings().get("RealName").and_then(Value::as_str).map(str::to_owned)
    }

    #[test]
    fn an_account_is_seen_as_it_is_and_a_sight_ends_with_the_next_commit() {
        let (store, directory, user) = furnished();
        let sight = Sight::new(&directory);
        let boss = directory.postmaster();
        for name in [&boss, &user, &user, &boss] {
            assert_eq!(sight.account(name).unwrap().unwrap().name, *name);
        }
        assert!(sight.account(&AccountName::parse("nobody@a.example").unwrap()).unwrap().is_none());
        assert!(sight.is_of(&directory));
        set_real_name(&store, &directory, &user, "Somebody");
        assert!(!sight.is_of(&directory));
        assert_eq!(real_name(&Sight::new(&directory), &user).as_deref(), Some("Somebody"));
    }

    #[test]
    fn a_password_that_is_kept_does_not_stay_in_memory() {
        let (store, directory, user) = furnished();
        let keys = vec![MasterKey::parse(&"a".repeat(64)).unwrap()];
        let commit = |naming| store.commit(&[naming]).map(drop).map_err(|fault| ReadFault(fault.to_string()));
        directory.use_keys(keys, commit).unwrap();
        let mut credentials = directory.account(&user).unwrap().unwrap().credentials;
        credentials.recoverable = Some(Recoverable::new(&Secret::new(b"blue harbor 42").unwrap()));
        store.commit(&[directory.set_password(&user, credentials).unwrap()]).unwrap();
        assert!(directory.account(&user).unwrap().unwrap().credentials.recoverable.is_some());
        assert!(Sight::new(&directory).account(&user).unwrap().unwrap().credentials.recoverable.is_none());
    }

    /// A store that changed its edition before it shows the commit would let a sight be kept that was
    /// taken in between.
    #[test]
    fn what_has_been_reported_is_seen_whenever_a_sight_was_taken() {
        const COMMITS: usize = 2000;
        let (store, directory, user) = furnished();
        set_real_name(&store, &directory, &user, "0");
        let (reported, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut sight = Sight::new(&directory);
                    while !is_over.load(Ordering::SeqCst) {
                        let reported = reported.load(Ordering::SeqCst);
                        if !sight.is_of(&directory) {
                            sight = Sight::new(&directory);
                        }
                        let seen: usize = real_name(&sight, &user).unwrap().parse().unwrap();
                        assert!(seen >= reported, "{reported} was reported, {seen} is seen");
                    }
                });
            }
            for number in 1..=COMMITS {
                set_real_name(&store, &directory, &user, &number.to_string());
                reported.store(number, Ordering::SeqCst);
            }
            is_over.store(true, Ordering::SeqCst);
        });
    }
}
