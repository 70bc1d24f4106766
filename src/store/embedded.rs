//! The embedded store: one redb file.
//!
//! Two tables: `records` maps a key to eight bytes of revision (little endian) followed by the
//! record; `meta` holds the format number and the last revision given out, so that revisions
//! grow over deletions and restarts alike.
//!
//! Every group of transactions is one redb transaction with quick repair: the allocator state is
//! saved with each commit and the commit has two phases, so that a crash costs no walk of the
//! file at the next start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};

use super::draft::Draft;
use super::growth::Frontiers;
use super::medium::Medium;
use super::open_fault::{OpenFault, OpenFaultKind};
use super::{CommitFault, Outcome, ReadFault, Revision, Store, Transaction, Versioned};

/// Bytes of the file the store keeps in its own memory unless told otherwise: 64 MiB.
///
/// That holds the inner pages of the tree for some ten million accounts. The leaves come from the
/// kernel's page cache for microseconds, against the milliseconds of the hash that follows each
/// read, so more would be taken from small machines without being felt on large ones.
pub const CACHE_BYTES: usize = 64 << 20;

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_REVISION: &str = "revision";

/// The layout described at the top of this file.
const FORMAT: u64 = 1;

const REVISION_BYTES: usize = size_of::<u64>();

/// The records as of one commit.
type Records = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The embedded store: one redb file, open in one process.
#[derive(Debug)]
pub struct Embedded {
    /// As of the last commit; `None` when they could not be opened after it. Opening them takes
    /// longer than reading one.
    latest: RwLock<Option<Arc<Records>>>,
    /// Grows after each change of `latest`.
    edition: AtomicU64,
    database: Database,
    medium: Medium,
    cache_bytes: usize,
    /// Held throughout a commit, and while the store is being closed to writing.
    committing: Mutex<()>,
    /// Set once, by the first fault: why nothing is written any more.
    closed: OnceLock<String>,
    /// Opened after a fault, for what `database` then refuses to read.
    view: OnceLock<Result<View, String>>,
}

/// A second database on the same medium, and its records.
#[derive(Debug)]
struct View {
    records: Records,
    /// Without it the records could not be read.
    _database: Database,
}

impl Embedded {
    /// Opens the store in the file `path`, or begins one there when there is no such file. A file
    /// that it creates is readable by its owner alone.
    ///
    /// # Errors
    /// [`OpenFault`]. An empty file is refused too: it is what a damaged file system leaves of a
    /// store, and beginning anew would hide the loss.
    pub fn open(path: &Path) -> Result<Self, OpenFault> {
        Self::open_with_cache(path, CACHE_BYTES)
    }

    /// As [`Embedded::open`], keeping up to `cache_bytes` of the file in memory.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open_with_cache(path: &Path, cache_bytes: usize) -> Result<Self, OpenFault> {
        let fault = |error: redb::Error| OpenFault::from_redb(path, &error);
        let open = || -> Result<(File, FileBackend), redb::Error> {
            if !path.try_exists()? {
                begin(path)?;
            }
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            Ok((file.try_clone()?, FileBackend::new(file)?))
        };
        let (file, backend) = open().map_err(fault)?;
        if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            return Err(OpenFault::new(path, OpenFaultKind::Unreadable("it is empty".into())));
        }
        let store = Self::on_medium(Medium::new(backend), cache_bytes, path)?;
        // Not before redb has the file to itself.
        let frontiers = Frontiers::of(&file).map_err(|error| fault(error.into()))?;
        store.medium.grow(frontiers);
        Ok(store)
    }

    /// An empty store in memory, which ends with this value: for tests and trials.
    ///
    /// # Errors
    /// [`OpenFault`] when there is no memory for it.
    pub fn in_memory() -> Result<Self, OpenFault> {
        Self::with_backend(InMemoryBackend::new())
    }

    /// Opens the store on any medium, or begins one there when it is empty.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn with_backend(backend: impl StorageBackend) -> Result<Self, OpenFault> {
        Self::on_medium(Medium::new(backend), CACHE_BYTES, Path::new("the given medium"))
    }

    /// `path` is what faults call the medium.
    pub(super) fn on_medium(medium: Medium, cache_bytes: usize, path: &Path) -> Result<Self, OpenFault> {
        let open = || -> Result<(Database, u64), redb::Error> {
            let database = Builder::new().set_cache_size(cache_bytes).create_with_backend(medium.clone())?;
            let format = prepare(&database)?;
            Ok((database, format))
        };
        let (database, found) = open().map_err(|error| OpenFault::from_redb(path, &error))?;
        if found != FORMAT {
            return Err(OpenFault::new(path, OpenFaultKind::NewerFormat { found, known: FORMAT }));
        }
        let latest = open_records(&database).map_err(|error| OpenFault::from_redb(path, &error))?;
        Ok(Self {
            database,
            latest: RwLock::new(Some(Arc::new(latest))),
            edition: AtomicU64::new(0),
            medium,
            cache_bytes,
            committing: Mutex::new(()),
            closed: OnceLock::new(),
            view: OnceLock::new(),
        })
    }

    /// Reads from the database, or, when that fails, from the view. Either shows all that was
    /// reported as committed.
    fn reading<T>(&self, read: impl Fn(&Records) -> Result<T, redb::Error>) -> Result<T, ReadFault> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner).clone();
        let from_database = || match latest {
            Some(records) => read(&records),
            None => read(&open_records(&self.database)?),
        };
        let error = match from_database() {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let view = self.view.get_or_init(|| self.open_view(&error).map_err(|error| error.to_string()));
        let view = view.as_ref().map_err(|error| ReadFault(error.clone()))?;
        read(&view.records).map_err(|error| ReadFault(error.to_string()))
    }

    /// Lets those who read see what has been committed.
    fn show(&self) {
        let records = open_records(&self.database).ok().map(Arc::new);
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = records;
        self.edition.fetch_add(1, Ordering::SeqCst);
    }

    /// Opens the view after reading failed with `error`, and closes the store to writing, as redb
    /// does by itself. A commit under way is waited for: it may still succeed, and then the view
    /// must show it, or fail and give the better reason.
    fn open_view(&self, error: &redb::Error) -> Result<View, redb::Error> {
        let _committing = self.lock_committing();
        self.close_to_writing(&format!("reading failed: {error}"));
        let database = Builder::new().set_cache_size(self.cache_bytes).create_with_backend(self.medium.view()?)?;
        Ok(View { records: open_records(&database)?, _database: database })
    }

    fn lock_committing(&self) -> MutexGuard<'_, ()> {
        self.committing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the store to writing, for the first reason given.
    fn close_to_writing(&self, why: &str) {
        self.closed.get_or_init(|| why.into());
    }

    /// Applies `group` inside one redb transaction. The outcomes are true once it is committed.
    fn apply(&self, group: &[Transaction]) -> Result<(WriteTransaction, Vec<Outcome>), redb::Error> {
        let mut writing = self.database.begin_write()?;
        writing.set_durability(Durability::Immediate)?;
        writing.set_quick_repair(true);
        let outcomes = {
            let mut meta = writing.open_table(META)?;
            let mut records = writing.open_table(RECORDS)?;
            let before = meta.get(META_REVISION)?.map_or(0, |revision| revision.value());
            let mut draft = Draft::new(Revision(before));
            let find = |key: &[u8]| find(&records, key);
            let outcomes = group.iter().map(|it| draft.add(it, find)).collect::<Result<Vec<_>, _>>()?;
            let mut image = Vec::new();
            for (key, record) in draft.writes() {
                match record {
                    Some((revision, bytes)) => {
                        image.clear();
                        image.extend_from_slice(&revision.0.to_le_bytes());
                        image.extend_from_slice(bytes);
                        records.insert(key, image.as_slice())?;
                    }
                    None => drop(records.remove(key)?),
                }
            }
            if draft.revision().0 != before {
                meta.insert(META_REVISION, draft.revision().0)?;
            }
            outcomes
        };
        Ok((writing, outcomes))
    }
}

impl Store for Embedded {
    fn edition(&self) -> u64 {
        self.edition.load(Ordering::SeqCst)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Versioned>, ReadFault> {
        self.reading(|records| records.get(key)?.map(|image| versioned(image.value())).transpose())
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<(Vec<u8>, Versioned)>, ReadFault> {
        let start = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        self.reading(|records| {
            let mut page = Vec::new();
            for record in records.range::<&[u8]>((start, Unbounded))?.take(count_max) {
                let (key, image) = record?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                page.push((key.value().to_vec(), versioned(image.value())?));
            }
            Ok(page)
        })
    }

    /// A fault before the commit begins is certain: nothing of the group was written, and the
    /// answer is [`CommitFault::Closed`]. It closes the store all the same, for a medium that
    /// fails to read or to take pages is not one to acknowledge passwords on. A fault of the
    /// commit itself is [`CommitFault::Unknown`], because the file may hold the group or not.
    ///
    /// A group of conflicts alone writes nothing and costs no sync.
    fn commit(&self, group: &[Transaction]) -> Result<Vec<Outcome>, CommitFault> {
        let _committing = self.lock_committing();
        if let Some(why) = self.closed.get() {
            return Err(CommitFault::Closed(why.clone()));
        }
        let (writing, outcomes) = self.apply(group).map_err(|error| {
            let why = format!("preparing a commit failed: {error}");
            self.close_to_writing(&why);
            CommitFault::Closed(why)
        })?;
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Conflict)) {
            // Giving up a transaction that wrote nothing can fail only on a medium that failed
            // before, and then the next commit says so.
            drop(writing);
            return Ok(outcomes);
        }
        writing.commit().map_err(|error| {
            let why = format!("a commit failed: {error}");
            self.close_to_writing(&why);
            CommitFault::Unknown(why)
        })?;
        self.show();
        Ok(outcomes)
    }
}

fn open_records(database: &Database) -> Result<Records, redb::Error> {
    Ok(database.begin_read()?.open_table(RECORDS)?)
}

/// Under which revision `records` have the record of `key`.
fn find(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Revision>, redb::Error> {
    records.get(key)?.map(|image| Ok(split(image.value())?.0)).transpose()
}

/// The two parts of what is stored under a key.
fn split(image: &[u8]) -> Result<(Revision, &[u8]), redb::Error> {
    let (revision, bytes) = image
        .split_first_chunk::<REVISION_BYTES>()
        .ok_or_else(|| redb::Error::Corrupted("a record lacks its revision".into()))?;
    Ok((Revision(u64::from_le_bytes(*revision)), bytes))
}

fn versioned(image: &[u8]) -> Result<Versioned, redb::Error> {
    let (revision, bytes) = split(image)?;
    Ok(Versioned { revision, bytes: bytes.into() })
}

/// Makes the tables of a new store; returns the format number of this one.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    let mut writing = database.begin_write()?;
    writing.set_quick_repair(true);
    let found = writing.open_table(META)?.get(META_FORMAT)?.map(|format| format.value());
    if let Some(found) = found {
        writing.abort()?;
        return Ok(found);
    }
    writing.open_table(RECORDS)?;
    writing.open_table(META)?.insert(META_FORMAT, FORMAT)?;
    writing.commit()?;
    Ok(FORMAT)
}

/// Begins an empty store in the file `path`, which appears there complete or not at all.
///
/// It is made beside its place and then linked into it, for a file that redb has not finished
/// cannot be told from one that is damaged. Linking, unlike renaming, never replaces a store that
/// another process has begun meanwhile; then that one is used.
fn begin(path: &Path) -> Result<(), redb::Error> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".new.{}", process::id()));
    let draft = PathBuf::from(draft);
    let linked = fill(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    });
    let removed = fs::remove_file(&draft);
    linked?;
    removed?;
    // The name must outlast a crash as surely as what is committed under it.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// Makes an empty store in the file `draft`. One of that name can only be left over from an
/// earlier process with the same number.
fn fill(draft: &Path) -> Result<(), redb::Error> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    let database = Builder::new().create_with_backend(FileBackend::new(file)?)?;
    prepare(&database)?;
    database.close()?;
    Ok(())
}

/// Gives the store in the file `path` another format number.
#[cfg(test)]
pub(super) fn set_format(path: &Path, format: u64) {
    let database = Database::open(path).unwrap();
    let writing = database.begin_write().unwrap();
    writing.open_table(META).unwrap().insert(META_FORMAT, format).unwrap();
    writing.commit().unwrap();
}
