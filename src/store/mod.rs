//! Durable records under ordered keys, changed by compare-and-swap.
//!
//! The store knows neither accounts nor passwords: a record is bytes under a key. Whoever commits
//! says what must still be true ([`Expect`]) and what shall become true ([`Write`]); a group of
//! such transactions is made durable with one sync.

use std::fmt;

#[cfg(debug_assertions)]
mod broken;
mod draft;
mod embedded;
#[cfg(test)]
mod faulty_disk;
mod glance;
mod growth;
mod medium;
mod open_fault;
#[cfg(test)]
mod tests;

#[cfg(debug_assertions)]
pub use broken::{Breach, Broken};
pub use embedded::{CACHE_BYTES, Embedded};
pub use glance::Glance;
pub use open_fault::{OpenFault, OpenFaultKind};

/// A number the store gives every commit: strictly increasing over all records, never reused,
/// so that revisions of one key compare even across its deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// A record as it stood at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The commit that last wrote it.
    pub revision: Revision,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Something that must still be true when a transaction commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// Of which record.
    pub key: Vec<u8>,
    /// The revision it must have; `None`: it must not exist.
    pub revision: Option<Revision>,
}

/// Something that becomes true when a transaction commits.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// The record under this key holds these bytes.
    Put(Vec<u8>, Vec<u8>),
    /// No record is under this key.
    Delete(Vec<u8>),
}

impl fmt::Debug for Write {
    /// Names the key alone: records hold password verifiers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(key, bytes) => write!(f, "Put({} <- {} bytes)", key.escape_ascii(), bytes.len()),
            Self::Delete(key) => write!(f, "Delete({})", key.escape_ascii()),
        }
    }
}

/// Writes that happen together or not at all, under conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// The conditions.
    pub expect: Vec<Expect>,
    /// The writes.
    pub write: Vec<Write>,
}

/// What became of one transaction of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable, under this revision.
    Committed(Revision),
    /// A condition did not hold; nothing was written.
    Conflict,
}

/// Why a group was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing was written: the store has been closed to writing by an earlier fault, which the
    /// text tells.
    Closed(String),
    /// The commit or its sync failed: what was written is unknown until recovery has run.
    Unknown(String),
}

impl fmt::Display for CommitFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(why) => write!(f, "nothing was written, the store is closed to writing until reopened: {why}"),
            Self::Unknown(why) => write!(f, "it is unknown what was written: {why}"),
        }
    }
}

impl std::error::Error for CommitFault {}

/// The store could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFault(pub String);

impl fmt::Display for ReadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store cannot be read: {}", self.0)
    }
}

impl std::error::Error for ReadFault {}

/// Where records are kept.
///
/// Reads see every commit that was reported before they began.
pub trait Store: Send + Sync + fmt::Debug {
    /// Which commits reads show: while this is the same, every record is the same. It has changed by
    /// the time that a commit is reported.
    fn edition(&self) -> u64;

    /// The record under `key`.
    ///
    /// # Errors
    /// [`ReadFault`] when the medium fails.
    fn read(&self, key: &[u8]) -> Result<Option<Versioned>, ReadFault>;

    /// Up to `count_max` records whose keys begin with `prefix`, in key order, after the key
    /// `after`. Each call is a snapshot of its own.
    ///
    /// # Errors
    /// [`ReadFault`] when the medium fails.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<(Vec<u8>, Versioned)>, ReadFault>;

    /// Carries out `group` in order, durably, with one sync; later transactions see the writes of
    /// earlier ones. Returns one outcome per transaction. Blocks for the length of a sync.
    ///
    /// # Errors
    /// [`CommitFault`]: after the first `Unknown` every later call is `Closed`. Reading does not
    /// settle what became of an unknown group: it may appear, or vanish, when the store is opened
    /// again.
    fn commit(&self, group: &[Transaction]) -> Result<Vec<Outcome>, CommitFault>;
}
