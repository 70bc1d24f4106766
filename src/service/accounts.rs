//! Reading accounts, with the store's faults reported once for each run of them.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::auth::Credentials;
use crate::directory::{Account, Directory, Purpose, Route, Router};
use crate::model::{AccountName, DomainName, Flow, LoginName};
use crate::store::{ReadFault, Transaction};

/// The store could not be read, which has been logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Where a login leads to.
#[derive(Debug)]
pub(super) struct Found {
    /// The address, whether or not there is anything at it.
    pub(super) address: String,
    pub(super) account: Option<Account>,
    /// How many logins there may fail.
    pub(super) flow: Flow,
}

/// The directory as the pool and the committer see it.
#[derive(Debug)]
pub(super) struct Accounts {
    directory: Directory,
    /// The last read failed.
    is_failing: AtomicBool,
}

impl Accounts {
    pub(super) fn new(directory: Directory) -> Self {
        Self { directory, is_failing: AtomicBool::new(false) }
    }

    /// Where `login` leads to, by way of `router` and whatever else.
    pub(super) fn find(
        &self,
        router: &Router,
        login: &LoginName,
        domain: Option<&DomainName>,
    ) -> Result<Found, Unreadable> {
        self.report(self.look_for(router, login, domain))
    }

    fn look_for(&self, router: &Router, login: &LoginName, domain: Option<&DomainName>) -> Result<Found, ReadFault> {
        let address = self.directory.address(router, login, domain)?;
        let route = self.directory.route(router, login, domain, Purpose::Access)?;
        let account = if let Route::Account(account) = route { Some(*account) } else { None };
        let flow = match &account {
            Some(account) => account.failed_login_flow(),
            None => self.directory.failed_login_flow(&address)?,
        };
        Ok(Found { address, account, flow })
    }

    /// The account that `login` leads to; also a name that is the same for all spellings that lead to the same
    /// place, be there an account or not.
    pub(super) fn identify(
        &self,
        router: &Router,
        login: &LoginName,
        domain: Option<&DomainName>,
    ) -> Result<(Option<Account>, String), Unreadable> {
        Ok(match self.report(self.directory.route(router, login, domain, Purpose::Access))? {
            Route::Account(account) => {
                let name = account.name.to_string();
                (Some(*account), name)
            }
            Route::UnknownAccount(Some(name)) => (None, name.to_string()),
            Route::UnknownAccount(None)
            | Route::Group(_)
            | Route::Null
            | Route::Blacklisted
            | Route::Error
            | Route::Circle
            | Route::UnknownDomain => (None, login.to_string().to_ascii_lowercase()),
        })
    }

    /// See [`Directory::account`].
    pub(super) fn read(&self, name: &AccountName) -> Result<Option<Account>, Unreadable> {
        self.report(self.directory.account(name))
    }

    /// Lets `read` read.
    pub(super) fn read_with<T>(&self, read: impl FnOnce(&Directory) -> Result<T, ReadFault>) -> Result<T, Unreadable> {
        self.report(read(&self.directory))
    }

    /// Whether `account` is an operator's.
    pub(super) fn is_operator(&self, account: &Account) -> bool {
        account.is_master(self.directory.main_domain())
    }

    /// See [`Directory::change_password`].
    pub(super) fn change_password(&self, account: &Account, credentials: Credentials) -> Transaction {
        self.directory.change_password(account, credentials)
    }

    /// See [`Directory::upgrade_password`].
    pub(super) fn upgrade_password(&self, account: &Account, credentials: Credentials) -> Transaction {
        self.directory.upgrade_password(account, credentials)
    }

    fn report<T>(&self, read: Result<T, ReadFault>) -> Result<T, Unreadable> {
        match read {
            Ok(value) => {
                if self.is_failing.load(Ordering::Relaxed) && self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::warn!("the store can be read again");
                }
                Ok(value)
            }
            Err(fault) => {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::error!("{fault}");
                }
                Err(Unreadable)
            }
        }
    }
}
