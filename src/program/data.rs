//! The data directory: made, opened, set up.

use std::fs::DirBuilder;
#[cfg(debug_assertions)]
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use keyturn::auth::{Credentials, Hasher, Recognizer};
use keyturn::config::Config;
use keyturn::directory::{Directory, DirectoryFault};
use keyturn::model::{AccountName, DomainName};
#[cfg(debug_assertions)]
use keyturn::store::{Breach, Broken};
use keyturn::store::{CommitFault, Embedded, OpenFault, OpenFaultKind, Outcome, ReadFault, Store, Transaction};

use super::failure::{Exit, Failure};
use super::master_key;
use super::settings::Source;

/// The store's file in the data directory.
const STORE_FILE: &str = "accounts.redb";

/// What to do when there is no data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent<'a> {
    /// Make one.
    Create {
        /// Its main domain, unless the configuration names one.
        main_domain: Option<&'a DomainName>,
    },
    /// There is nothing to show then.
    Refuse,
}

/// An open data directory, and the configuration that goes with it.
pub(crate) struct Data {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) directory: Directory,
    pub(crate) config: Config,
}

impl Data {
    /// Opens the data directory at `path`.
    ///
    /// # Errors
    /// The configuration is wrong or is for another main domain, or the key is not at hand that
    /// passwords are sealed with; the directory cannot be made, or another process uses it.
    pub(crate) fn open(path: &Path, source: &Source, absent: Absent<'_>) -> Result<Self, Failure> {
        // Mistakes in the file are told before anything is made.
        let config = source.load(match absent {
            Absent::Create { main_domain } => main_domain,
            Absent::Refuse => None,
        })?;
        let shown = path.display();
        if absent == Absent::Refuse && !path.is_dir() {
            let text = "there is no data directory; name the server's with --data, or add an account to make one";
            return Err(Failure::failed(format_args!("{shown}: {text}")));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|fault| Failure::failed(format_args!("{shown}: the directory cannot be made: {fault}")))?;
        let store = open_store(&path.join(STORE_FILE))?;
        let config = match Directory::main_domain_of(&*store)? {
            None => config,
            Some(founded) => {
                let config = source.load(Some(&founded))?;
                if config.main_domain != founded {
                    let text = format!(
                        "main_domain: is {}, but the accounts in {shown} were set up with {founded}, which cannot be \
                         changed; correct the file, or name another directory with --data",
                        config.main_domain
                    );
                    return Err(Failure::new(Exit::Misconfigured, text));
                }
                config
            }
        };
        let directory = Directory::new(Arc::clone(&store), config.main_domain.clone());
        let data = Self { store, directory, config };
        master_key::unlock(&data, source)?;
        Ok(data)
    }

    /// Makes `transaction` durable.
    ///
    /// # Errors
    /// As the store tells.
    pub(crate) fn commit(&self, transaction: Transaction) -> Result<(), Failure> {
        let outcomes = self.store.commit(&[transaction])?;
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed(_))) {
            return Ok(());
        }
        Err(Failure::failed("somebody changed the same thing just now; nothing was done, try again"))
    }

    /// Sets up an empty directory: the main domain, and `postmaster` in it.
    ///
    /// # Errors
    /// That was done before; or as the store tells.
    pub(crate) fn found(&self, postmaster: Credentials) -> Result<(), Failure> {
        self.commit(self.directory.found(postmaster)?)
    }

    /// Adds what a directory lacks that was set up without it, as one by an earlier version.
    ///
    /// # Errors
    /// As the store tells.
    pub(crate) fn complete(&self) -> Result<(), Failure> {
        self.directory.complete_decoy_key()?.map_or(Ok(()), |missing| self.commit(missing))
    }

    /// The administrator's account.
    ///
    /// # Errors
    /// None in practice: its name is a good one.
    pub(crate) fn postmaster(&self) -> Result<AccountName, Failure> {
        AccountName::new("postmaster", self.config.main_domain.clone()).map_err(Failure::failed)
    }

    /// Makes hashes at the configured cost.
    pub(crate) fn hasher(&self) -> Hasher {
        Hasher::new(self.config.argon2id, Recognizer::new())
    }
}

/// Opens the store in the file `path`.
///
/// Where debug assertions are compiled in, the environment can ask for one that breaks a promise,
/// so that tests can see that it would be noticed.
fn open_store(path: &Path) -> Result<Arc<dyn Store>, Failure> {
    #[cfg(debug_assertions)]
    if let Ok(breach) = std::env::var("KEYTURN_BREAKS_A_PROMISE") {
        writeln!(std::io::stderr(), "this server breaks a promise on purpose: {breach}").unwrap_or_default();
        let breach = breach.parse::<Breach>().map_err(Failure::failed)?;
        return Ok(Arc::new(Broken::open(path, breach)?));
    }
    Ok(Arc::new(Embedded::open(path)?))
}

/// Seconds since 1970, UTC.
pub(crate) fn now_unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl From<OpenFault> for Failure {
    fn from(fault: OpenFault) -> Self {
        let exit = if matches!(fault.kind, OpenFaultKind::InUse) { Exit::InUse } else { Exit::Failed };
        Self::new(exit, fault)
    }
}

impl From<ReadFault> for Failure {
    fn from(fault: ReadFault) -> Self {
        Self::failed(fault)
    }
}

impl From<DirectoryFault> for Failure {
    fn from(fault: DirectoryFault) -> Self {
        if let DirectoryFault::NoDomain(domain) = &fault {
            return Self::failed(format_args!("{fault}; add it with: keyturn domain add {domain}"));
        }
        Self::failed(fault)
    }
}

impl From<CommitFault> for Failure {
    fn from(fault: CommitFault) -> Self {
        Self::failed(match fault {
            CommitFault::Closed(why) => format!("nothing was written, because an earlier write failed: {why}"),
            CommitFault::Unknown(why) => format!("the write failed, and may or may not have been done: {why}"),
        })
    }
}
