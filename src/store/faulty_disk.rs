//! A disk in memory that fails on request and knows what would survive a power cut.

use std::sync::{Arc, Mutex, MutexGuard};
use std::{io, mem};

use redb::StorageBackend;

/// A change to the disk that no sync has covered yet.
#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Bytes(offset, bytes) => {
                // A write that survives although the growth before it was lost grows the file.
                image.resize(image.len().max(offset + bytes.len()), 0);
                image[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

/// What the disk holds and what is wrong with it.
#[derive(Debug, Default)]
struct Platter {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// Writes, syncs and changes of length so far.
    operation_count: usize,
    sync_count: usize,
    /// The operation that fails, counted as above; after it the disk works again.
    fails_at: Option<usize>,
    /// Whether the next read fails, and only that.
    read_fails: bool,
}

/// A handle to the disk; all copies are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultyDisk(Arc<Mutex<Platter>>);

impl FaultyDisk {
    /// A disk that holds `image`, durably.
    pub(super) fn holding(image: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.platter().durable.clone_from(&image);
        disk.platter().live = image;
        disk
    }

    /// Lets the operation fail that follows `operation_count` more of them.
    pub(super) fn fail_after(&self, operation_count: usize) {
        let mut platter = self.platter();
        platter.fails_at = Some(platter.operation_count + operation_count);
    }

    /// Lets the next read fail.
    pub(super) fn fail_next_read(&self) {
        self.platter().read_fails = true;
    }

    /// Whether the operation that was to fail has been reached.
    pub(super) fn has_failed(&self) -> bool {
        let platter = self.platter();
        platter.fails_at.is_some_and(|number| number < platter.operation_count)
    }

    /// How many operations there were.
    pub(super) fn operation_count(&self) -> usize {
        self.platter().operation_count
    }

    /// How many of them were syncs.
    pub(super) fn sync_count(&self) -> usize {
        self.platter().sync_count
    }

    /// What the kernel would still show without a power cut.
    pub(super) fn live_image(&self) -> Vec<u8> {
        self.platter().live.clone()
    }

    /// What a power cut leaves: everything synced, and of the rest the changes that `survives`
    /// chooses by their number, in order.
    pub(super) fn image_after_power_cut(&self, survives: impl Fn(usize) -> bool) -> Vec<u8> {
        let platter = self.platter();
        let mut image = platter.durable.clone();
        for (index, change) in platter.unsynced.iter().enumerate() {
            if survives(index) {
                change.apply(&mut image);
            }
        }
        image
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }

    /// Counts an operation, and lets it fail when it is the one.
    fn operate(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let mut platter = self.platter();
        let number = platter.operation_count;
        platter.operation_count += 1;
        if platter.fails_at == Some(number) {
            return Err(io::Error::other("the disk was told to fail"));
        }
        Ok(platter)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut platter = self.operate()?;
        change.apply(&mut platter.live);
        platter.unsynced.push(change);
        Ok(())
    }
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut platter = self.platter();
        if mem::take(&mut platter.read_fails) {
            return Err(io::Error::other("the disk was told to fail"));
        }
        let start = usize::try_from(offset).unwrap();
        let bytes = platter.live.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.operate()?;
        platter.sync_count += 1;
        platter.durable = platter.live.clone();
        platter.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Bytes(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}
