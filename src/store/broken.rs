//! A store that breaks its promises on purpose, so that a test can see that others notice.
//!
//! No release has it: it is compiled with debug assertions only.

use std::collections::BTreeMap;
use std::fs::File;
use std::mem;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;

use super::medium::{Medium, View};
use super::{
    CACHE_BYTES, CommitFault, Embedded, OpenFault, Outcome, ReadFault, Revision, Store, Transaction, Versioned, Write,
};

/// Of those groups that a breach concerns, one in so many is not treated as it should be.
const BROKEN_EVERY: u64 = 3;

/// The promise that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// What is acknowledged is kept in memory only, and ends with the process.
    EarlyAcknowledge,
    /// Some groups are acknowledged and dropped.
    DroppedCommit,
    /// Some groups are carried out although it is said that nothing was written.
    HiddenCommit,
    /// Some groups put under each key what was meant for another one.
    MisdirectedWrite,
    /// Every other read of a record shows what it was before the last commit.
    StaleRead,
}

const NAMES: [(&str, Breach); 5] = [
    ("early-acknowledge", Breach::EarlyAcknowledge),
    ("dropped-commit", Breach::DroppedCommit),
    ("hidden-commit", Breach::HiddenCommit),
    ("misdirected-write", Breach::MisdirectedWrite),
    ("stale-read", Breach::StaleRead),
];

impl FromStr for Breach {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, breach)| *breach);
        found.ok_or_else(|| format!("{text}: expected one of {}", NAMES.map(|(name, _)| name).join(", ")))
    }
}

/// An embedded store with a [`Breach`].
#[derive(Debug)]
pub struct Broken {
    inner: Embedded,
    breach: Breach,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    groups: u64,
    /// How often somebody asked for the edition.
    looks: u64,
    /// What was last put anywhere.
    put: Vec<u8>,
    /// What records were before, and whether the next read shows that.
    before: BTreeMap<Vec<u8>, (Option<Versioned>, bool)>,
}

impl Broken {
    /// Opens the store in the file `path`, which is there already.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open(path: &Path, breach: Breach) -> Result<Self, OpenFault> {
        let inner = if breach == Breach::EarlyAcknowledge { beside(path)? } else { Embedded::open(path)? };
        Ok(Self { inner, breach, memory: Mutex::default() })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `group`; or, when it `is_broken`, with each record put where the next one was to go.
    fn directed(&self, group: &[Transaction], is_broken: bool) -> Vec<Transaction> {
        let mut group = group.to_vec();
        let mut memory = self.memory();
        for write in group.iter_mut().flat_map(|transaction| &mut transaction.write) {
            match write {
                Write::Put(_, bytes) if is_broken => mem::swap(bytes, &mut memory.put),
                Write::Put(_, bytes) => memory.put.clone_from(bytes),
                Write::Delete(_) => {}
            }
        }
        group
    }

    /// Remembers what the records are that `group` is about to replace.
    fn remember(&self, group: &[Transaction]) -> Result<(), ReadFault> {
        for write in group.iter().flat_map(|transaction| &transaction.write) {
            let (Write::Put(key, _) | Write::Delete(key)) = write;
            let before = self.inner.read(key)?;
            self.memory().before.insert(key.clone(), (before, false));
        }
        Ok(())
    }
}

/// The store in the file `path`, with all that is written kept beside it, in memory.
fn beside(path: &Path) -> Result<Embedded, OpenFault> {
    let open = || -> Result<View, redb::Error> { Ok(Medium::new(FileBackend::new(File::open(path)?)?).view()?) };
    let view = open().map_err(|error| OpenFault::from_redb(path, &error))?;
    Embedded::on_medium(Medium::new(view), CACHE_BYTES, path)
}

impl Store for Broken {
    /// Nobody may rely on having read before.
    fn edition(&self) -> u64 {
        let mut memory = self.memory();
        memory.looks += 1;
        memory.looks
    }

    fn read(&self, key: &[u8]) -> Result<Option<Versioned>, ReadFault> {
        if let Some((before, is_next)) = self.memory().before.get_mut(key)
            && mem::replace(is_next, !*is_next)
        {
            return Ok(before.clone());
        }
        self.inner.read(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<(Vec<u8>, Versioned)>, ReadFault> {
        self.inner.scan(prefix, after, count_max)
    }

    fn commit(&self, group: &[Transaction]) -> Result<Vec<Outcome>, CommitFault> {
        self.memory().groups += 1;
        let is_broken = self.memory().groups.is_multiple_of(BROKEN_EVERY);
        match self.breach {
            Breach::DroppedCommit if is_broken => Ok(vec![Outcome::Committed(Revision(0)); group.len()]),
            Breach::HiddenCommit if is_broken => {
                self.inner.commit(group)?;
                Err(CommitFault::Closed("it was carried out all the same".to_owned()))
            }
            Breach::MisdirectedWrite => self.inner.commit(&self.directed(group, is_broken)),
            Breach::StaleRead => {
                self.remember(group).map_err(|fault| CommitFault::Closed(fault.to_string()))?;
                self.inner.commit(group)
            }
            Breach::EarlyAcknowledge | Breach::DroppedCommit | Breach::HiddenCommit => self.inner.commit(group),
        }
    }
}
