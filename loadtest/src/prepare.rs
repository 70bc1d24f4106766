//! Accounts to put load on, made offline, straight into a data directory.
//!
//! Hashing a password for each of a million accounts would take hours. All accounts share one
//! password here, so they share one hash as well: it is made once, at full cost, and copied. A
//! login costs the server as much as any other; only its store compresses better than with real
//! accounts, and whoever reads it sees that all passwords are the same.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use keyturn::auth::{Credentials, Hasher, Recognizer};
use keyturn::directory::Directory;
use keyturn::model::{AccountName, Argon2idCost, DomainName, Secret};
use keyturn::notation::Dictionary;
use keyturn::store::{Embedded, Outcome, Store, Transaction};

use crate::clock;
use crate::progress::Progress;
use crate::run::AccountOptions;

/// Accounts that are made durable together.
const GROUP: usize = 2000;

/// The store's file in a data directory.
const STORE_FILE: &str = "accounts.redb";

/// What `prepare` is asked to do.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server's data directory, made where there is none; no server may be using it
    #[arg(long)]
    data: PathBuf,
    /// How many accounts to make
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    accounts: u32,
    #[command(flatten)]
    naming: AccountOptions,
    /// The main domain, where the directory is made
    #[arg(long, default_value = "bench.example")]
    main_domain: String,
    /// Memory of the one hash, in KiB
    #[arg(long, default_value_t = 19_456)]
    m_kib: u32,
    /// Passes of the one hash
    #[arg(long, default_value_t = 2)]
    t: u32,
}

/// Makes the accounts.
///
/// # Errors
/// When the directory is in use or cannot be written, or names are taken or bad.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let naming = options.naming.naming()?;
    let main_domain = DomainName::parse(&options.main_domain).map_err(io::Error::other)?;
    DirBuilder::new().recursive(true).mode(0o700).create(&options.data)?;
    let store: Arc<dyn Store> = Arc::new(Embedded::open(&options.data.join(STORE_FILE)).map_err(io::Error::other)?);
    let directory = Directory::new(Arc::clone(&store), main_domain.clone());
    let credentials = options.credentials(&naming.password)?;
    let commit = |group: &mut Vec<Transaction>| commit(&*store, group);
    if !directory.is_founded().map_err(io::Error::other)? {
        commit(&mut vec![directory.found(credentials.clone()).map_err(io::Error::other)?])?;
    }
    for index in 0..naming.domains.min(options.accounts) {
        let name = AccountName::parse(&naming.account(index)).map_err(io::Error::other)?;
        if *name.domain() != main_domain
            && !directory.domains(None, usize::MAX).map_err(io::Error::other)?.contains(name.domain())
        {
            let created = directory.create_domain(name.domain(), credentials.changed_at);
            commit(&mut vec![created.map_err(io::Error::other)?])?;
        }
    }
    let begun = clock::monotonic_ns();
    let mut progress = Progress::new();
    let mut group = Vec::with_capacity(GROUP);
    for index in 0..options.accounts {
        let name = AccountName::parse(&naming.account(index)).map_err(io::Error::other)?;
        let created = directory.create_account(&name, credentials.clone(), Dictionary::new());
        group.push(created.map_err(io::Error::other)?);
        if group.len() == GROUP || index + 1 == options.accounts {
            commit(&mut group)?;
            progress.count(u64::from(index) + 1, options.accounts.into(), "accounts")?;
        }
    }
    progress.end()?;
    let seconds = (clock::monotonic_ns() - begun) as f64 / 1e9;
    writeln!(
        io::stdout(),
        "{} accounts made in {seconds:.1} s, all with one shared Argon2id hash (m={} KiB, t={}, p=1): it was made \
         once, and checking it costs as much as in any other account",
        options.accounts,
        options.m_kib,
        options.t
    )
}

impl Options {
    fn credentials(&self, password: &str) -> io::Result<Credentials> {
        let cost = Argon2idCost { m_kib: self.m_kib, t: self.t, p: 1 };
        let secret = Secret::new(password.as_bytes()).ok_or_else(|| io::Error::other("the password is too long"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Hasher::new(cost, Recognizer::new()).make(&secret, now))
    }
}

/// Makes `group` durable and empties it.
fn commit(store: &dyn Store, group: &mut Vec<Transaction>) -> io::Result<()> {
    let outcomes = store.commit(group).map_err(io::Error::other)?;
    group.clear();
    if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed(_))) {
        Ok(())
    } else {
        Err(io::Error::other("two of the accounts have the same name"))
    }
}
