//! What lies between redb and its file, so that reads go on after a fault.
//!
//! After the first error of its medium redb answers from its memory alone and refuses the rest.
//! That is right for writing. For reading, a second redb is opened on the same file: on a
//! [`View`], which keeps what it is told to write to itself, so that recovery can run there while
//! the file stays as it is for the real recovery at the next start.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

use super::growth::{Frontiers, Growth};

/// The medium as redb writes to it.
#[derive(Clone, Debug)]
pub(super) struct Medium(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Box<dyn StorageBackend>,
    growth: Growth,
    header: Mutex<Header>,
}

/// The header at offset zero, which alone decides which commit is the last; everything else redb
/// writes beside what the last commit needs.
#[derive(Debug, Default)]
struct Header {
    /// As last written.
    written: Vec<u8>,
    /// As it was at the last sync that succeeded.
    durable: Vec<u8>,
}

impl Medium {
    pub(super) fn new(backend: impl StorageBackend) -> Self {
        Self(Arc::new(Inner { backend: Box::new(backend), growth: Growth::default(), header: Mutex::default() }))
    }

    /// Lets the medium grow ahead of need from now on: see [`Growth::begin`].
    pub(super) fn grow(&self, frontiers: Frontiers) {
        self.0.growth.begin(frontiers);
    }

    /// The medium as of the last sync that succeeded, without what a failed commit may have left.
    pub(super) fn view(&self) -> io::Result<View> {
        let length = self.0.backend.len()?;
        let view = View { medium: self.clone(), private: Mutex::new(Private { length, blocks: BTreeMap::new() }) };
        let durable = self.header().durable.clone();
        view.write(0, &durable)?;
        Ok(view)
    }

    fn header(&self) -> MutexGuard<'_, Header> {
        self.0.header.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        self.0.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.backend.set_len(len)?;
        self.0.growth.cut(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.backend.sync_data()?;
        let mut header = self.header();
        header.durable = header.written.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset == 0 {
            self.header().written = data.into();
        }
        self.0.growth.make_way(&*self.0.backend, offset, data.len())?;
        self.0.backend.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.query_lock_range(start, end)
    }
}

const BLOCK_BYTES: usize = 4096;

/// The medium with private changes. It takes no lock: whoever made it holds the medium's.
#[derive(Debug)]
pub(super) struct View {
    medium: Medium,
    private: Mutex<Private>,
}

#[derive(Debug)]
struct Private {
    length: u64,
    /// The blocks that differ from the medium, by their offset.
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl View {
    fn private(&self) -> MutexGuard<'_, Private> {
        self.private.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block as the medium has it, with zeros beyond its end.
    fn medium_block(&self, offset: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; BLOCK_BYTES];
        let left = self.medium.len()?.saturating_sub(offset);
        let length = usize::try_from(left).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
        if length > 0 {
            self.medium.read(offset, &mut block[..length])?;
        }
        Ok(block)
    }
}

/// Splits the range of `length` bytes from `offset` at the borders of blocks: the offset of each
/// block, the bytes of it that are meant, and how many were there before them.
fn blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, Range<usize>, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % BLOCK_BYTES as u64) as usize;
        let count = (length - done).min(BLOCK_BYTES - within);
        let before = done;
        done += count;
        (count > 0).then_some((at - within as u64, within..within + count, before))
    })
}

impl StorageBackend for View {
    fn len(&self) -> io::Result<u64> {
        Ok(self.private().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        for (block, range, before) in blocks(offset, out.len()) {
            let part = &mut out[before..before + range.len()];
            let private = self.private().blocks.get(&block).map(|bytes| part.copy_from_slice(&bytes[range.clone()]));
            if private.is_none() {
                part.copy_from_slice(&self.medium_block(block)?[range]);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.private().length = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut private = self.private();
        for (block, range, before) in blocks(offset, data.len()) {
            let bytes = match private.blocks.entry(block) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(self.medium_block(block)?),
            };
            let count = range.len();
            bytes[range].copy_from_slice(&data[before..before + count]);
        }
        Ok(())
    }
}
