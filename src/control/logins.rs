use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::model::{AccountName, Tick};

/// Lets a session of one shard end, named by the shard's own key for it, once what is under way has
/// been answered.
pub type End = Arc<dyn Fn(u64) + Send + Sync>;

/// A session that has logged in.
#[derive(Clone)]
pub struct Login {
    /// Its number in the log, by which administrators name it.
    pub number: u64,
    /// Whose it is.
    pub account: AccountName,
    /// Where its client is.
    pub peer: SocketAddr,
    /// Whether it is under TLS.
    pub is_under_tls: bool,
    /// When it logged in.
    pub since: Tick,
    /// Its shard's key for it.
    pub key: u64,
    /// Lets it end.
    pub end: End,
}

impl Login {
    /// Lets it end.
    pub(super) fn end(&self) {
        (self.end)(self.key);
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, account, peer, .. } = self;
        write!(f, "Login({number} of {account} from {peer})")
    }
}

/// The sessions that have logged in. A session takes the lock when it logs in and when it ends,
/// and at no command.
///
/// Bounded by the sessions there may be.
#[derive(Debug, Default)]
pub struct Logins(Mutex<BTreeMap<u64, Login>>);

impl Logins {
    /// A session has logged in.
    pub fn enter(&self, login: Login) {
        lock(&self.0).insert(login.number, login);
    }

    /// A session has ended.
    pub fn leave(&self, number: u64) {
        lock(&self.0).remove(&number);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// The session with this number.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<Login> {
        lock(&self.0).get(&number).cloned()
    }

    /// The sessions that `is_meant`, the oldest first.
    #[must_use]
    pub fn all(&self, is_meant: impl Fn(&Login) -> bool) -> Vec<Login> {
        lock(&self.0).values().filter(|login| is_meant(login)).cloned().collect()
    }
}
