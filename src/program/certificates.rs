//! The certificates of a running server: read again when their files change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use keyturn::config::{Certificate, Config};
use keyturn::shard::Server;
use keyturn::syslog::{FAILURE, MAJOR};
use keyturn::tls::{Certificates, Endpoint, LoadFault};
use tracing::event;

/// How often the files are looked at. Not inotify: what is replaced may be a link, a link's target
/// or a folder on the way, on any kind of file system.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reads all files that `config` names, and returns how many names the certificates are for; `None`
/// when there are none.
///
/// # Errors
/// The first file that is of no use.
pub(crate) fn check(config: &Config) -> Result<Option<usize>, LoadFault> {
    let pairs = config.certificates.iter().map(|Certificate { chain, key }| (chain.as_path(), key.as_path()));
    let Some(certificates) = Certificates::load(pairs)? else { return Ok(None) };
    for listener in &config.listeners {
        Endpoint::new(&certificates, listener.client_ca.as_deref())?;
    }
    Ok(Some(certificates.names()))
}

/// Looks after the files of a running server.
#[derive(Debug)]
pub(crate) struct Watch {
    watched: Mutex<Watched>,
    is_over: AtomicBool,
}

#[derive(Debug)]
struct Watched {
    certificates: Vec<Certificate>,
    client_cas: Vec<PathBuf>,
    /// What was there when the files were last read.
    seen: Vec<Option<Stamp>>,
}

/// Tells one file, and one state of it, from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Watch {
    /// A watch over the files of a server that is about to read them for the first time.
    pub(crate) fn new(config: &Config) -> Self {
        let client_cas = config.listeners.iter().filter_map(|listener| listener.client_ca.clone()).collect();
        let mut watched = Watched { certificates: config.certificates.clone(), client_cas, seen: Vec::new() };
        watched.seen = watched.look();
        Self { watched: Mutex::new(watched), is_over: AtomicBool::new(false) }
    }

    /// Looks at the files again and again, until [`Watch::end`].
    pub(crate) fn keep(&self, server: &Server) {
        while !self.is_over.load(Ordering::Acquire) {
            thread::park_timeout(LOOK_EVERY);
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            if watched.look() != watched.seen {
                watched.read(server);
            }
        }
    }

    /// Reads these files now, changed or not. Whether TLS is offered at all waits for a restart.
    pub(crate) fn read(&self, certificates: Vec<Certificate>, server: &Server) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if certificates.is_empty() || watched.certificates.is_empty() {
            return;
        }
        watched.certificates = certificates;
        watched.read(server);
    }

    /// Lets [`Watch::keep`], on that thread, return.
    pub(crate) fn end(&self, keeper: &Thread) {
        self.is_over.store(true, Ordering::Release);
        keeper.unpark();
    }
}

impl Watched {
    fn look(&self) -> Vec<Option<Stamp>> {
        let pairs = self.certificates.iter().flat_map(|Certificate { chain, key }| [chain, key]);
        pairs.chain(&self.client_cas).map(|path| Stamp::of(path)).collect()
    }

    /// What is read is at least as new as what is noted: a file that changes meanwhile is read
    /// again.
    fn read(&mut self, server: &Server) {
        self.seen = self.look();
        match server.reload_certificates(&self.certificates) {
            Ok(names) => event!(target: "SYSTEM", MAJOR, "certificates read: for {names} names"),
            Err(fault) => {
                event!(target: "SYSTEM", FAILURE, "certificates not read, those of before stay in use: {fault}");
            }
        }
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}
