//! What an administrator does to a world's domains and accounts: at any time, past the gate.

use std::sync::Arc;

use keyturn::auth::{Credentials, Hasher, MasterKey, Recognizer, Recoverable, ScramVerifier};
use keyturn::directory::{Directory, DirectoryFault, Scope};
use keyturn::model::{AccountName, Argon2idCost, DomainName, ScramHash, Secret};
use keyturn::notation::{Dictionary, Form, Value};
use keyturn::store::{Outcome, ReadFault, Store, Transaction};

use super::{World, main_domain};
use crate::transcript::script;

impl World {
    /// Creates the main domain and its postmaster.
    pub(super) fn found(&self) {
        self.commit(self.directory().found(credentials(b"postmaster's secret")));
    }

    /// Adds an account.
    pub(crate) fn account(&self, name: &str, password: &[u8], settings: &str) {
        let directory = self.directory();
        self.commit(directory.create_account(&account_name(name), credentials(password), dictionary(settings)));
    }

    /// Adds `count` accounts that nobody can open, called `prefix` and a number.
    pub(crate) fn accounts(&self, prefix: &str, count: usize) {
        let (directory, store) = (self.directory(), self.embedded());
        let create = |index: &usize| {
            let nothing = Credentials::none(0);
            directory.create_account(&account_name(&format!("{prefix}{index:07}")), nothing, Dictionary::new()).unwrap()
        };
        let indices: Vec<_> = (0..count).collect();
        for some in indices.chunks(10_000) {
            store.commit(&some.iter().map(create).collect::<Vec<_>>()).unwrap();
        }
    }

    /// Gives an account another password.
    pub(crate) fn set_password(&self, name: &str, password: &[u8]) {
        self.commit(self.directory().set_password(&account_name(name), credentials(password)));
    }

    /// As [`World::set_password`], with what proofs of it are checked with; digests only in a world that
    /// seals.
    pub(crate) fn set_provable_password(&self, name: &str, password: &[u8]) {
        let secret = Secret::new(password).unwrap();
        let scram = ScramHash::ALL.map(|hash| ScramVerifier::derive(hash, &secret).unwrap()).to_vec();
        let recoverable = Some(Recoverable::new(&secret));
        let credentials = Credentials { scram, recoverable, ..credentials(password) };
        self.commit(self.directory().set_password(&account_name(name), credentials));
    }

    /// Gives an account one more name.
    pub(crate) fn alias(&self, alias: &str, account: &str) {
        let (directory, name) = (self.directory(), account_name(account));
        let account = directory.account(&name).unwrap().unwrap();
        let aliases: Vec<_> = account.aliases().cloned().chain([account_name(alias)]).collect();
        self.commit(directory.set_aliases(&name, &aliases));
    }

    /// Adds a domain.
    pub(crate) fn domain(&self, name: &str) {
        self.commit(self.directory().create_domain(&domain_name(name), 0));
    }

    /// Gives a domain one more name.
    pub(crate) fn domain_alias(&self, alias: &str, domain: &str) {
        let (directory, name) = (self.directory(), domain_name(domain));
        let mut aliases = directory.domain_aliases(&name).unwrap();
        aliases.push(domain_name(alias));
        self.commit(directory.set_domain_aliases(&name, &aliases));
    }

    /// Closes a domain.
    pub(crate) fn suspend(&self, domain: &str) {
        self.commit(self.directory().suspend_domain(&domain_name(domain), true));
    }

    /// Changes settings.
    pub(crate) fn settings(&self, of: &script::Scope, changes: &str) {
        let (directory, changes) = (self.directory(), dictionary(changes));
        self.commit(match of {
            script::Scope::Account(name) => directory.update_settings(Scope::Account(&account_name(name)), &changes),
            script::Scope::Domain(name) => directory.update_settings(Scope::Domain(&domain_name(name)), &changes),
            script::Scope::AccountsOf(name) => {
                directory.update_settings(Scope::DomainAccountDefaults(&domain_name(name)), &changes)
            }
            script::Scope::AllAccounts => directory.update_settings(Scope::AccountDefaults, &changes),
        });
    }

    pub(super) fn directory(&self) -> Directory {
        self.directory_in(self.embedded())
    }

    pub(super) fn directory_in(&self, store: Arc<dyn Store>) -> Directory {
        let directory = Directory::new(store, main_domain());
        if self.seals {
            let keys = vec![MasterKey::parse(&"a".repeat(64)).unwrap()];
            let commit = |naming| {
                self.embedded().commit(&[naming]).unwrap();
                Ok::<_, ReadFault>(())
            };
            directory.use_keys(keys, commit).unwrap();
        }
        directory
    }

    fn commit(&self, transaction: Result<Transaction, DirectoryFault>) {
        let outcomes = self.embedded().commit(&[transaction.unwrap()]).unwrap();
        assert!(matches!(outcomes.as_slice(), [Outcome::Committed(_)]), "{outcomes:?}");
    }
}

/// A name in the main domain, unless it says otherwise.
fn account_name(text: &str) -> AccountName {
    AccountName::parse(text).or_else(|_| AccountName::new(text, main_domain())).unwrap()
}

fn domain_name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn dictionary(text: &str) -> Dictionary {
    match Value::parse(text.as_bytes(), Form::Line) {
        Ok(Value::Dictionary(dictionary)) => dictionary,
        other => panic!("{text} is no dictionary: {other:?}"),
    }
}

fn credentials(password: &[u8]) -> Credentials {
    let cost = Argon2idCost { m_kib: 64, t: 1, p: 1 };
    Hasher::new(cost, Recognizer::new()).make(&Secret::new(password).unwrap(), 0)
}
