//! A disk in memory, under the embedded store: a power cut leaves on it what was synced, and it
//! fails when told to.

use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard};

/// A handle to the disk; copies are handles to the same one.
#[derive(Clone, Default)]
pub(crate) struct Medium(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    /// What a reader sees.
    cached: Vec<u8>,
    /// What a power cut leaves.
    durable: Vec<u8>,
    syncs_to_fail: u32,
}

impl Medium {
    /// Lets the next sync fail, and with it everything written since the one before.
    pub(crate) fn fail_next_sync(&self) {
        self.disk().syncs_to_fail += 1;
    }

    /// What the disk holds after a power cut.
    pub(crate) fn after_power_cut(&self) -> Self {
        let durable = self.disk().durable.clone();
        Self(Arc::new(Mutex::new(Disk { cached: durable.clone(), durable, syncs_to_fail: 0 })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Medium({} bytes)", self.disk().cached.len())
    }
}

/// The place of `count` bytes at `offset`, when the disk is that long.
fn place(disk: &[u8], offset: u64, count: usize) -> Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).unwrap();
    if start + count > disk.len() { Err(Error::from(ErrorKind::UnexpectedEof)) } else { Ok(start..start + count) }
}

impl redb::StorageBackend for Medium {
    fn len(&self) -> Result<u64> {
        Ok(self.disk().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let disk = self.disk();
        let place = place(&disk.cached, offset, out.len())?;
        out.copy_from_slice(&disk.cached[place]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.disk().cached.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        let mut disk = self.disk();
        if disk.syncs_to_fail > 0 {
            disk.syncs_to_fail -= 1;
            return Err(Error::other("the disk did not take it"));
        }
        disk.durable = disk.cached.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut disk = self.disk();
        let place = place(&disk.cached, offset, data.len())?;
        disk.cached[place].copy_from_slice(data);
        Ok(())
    }
}
