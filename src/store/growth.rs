//! How the file of a store grows: with blocks that are there before they are needed.
//!
//! redb makes its file longer by a hole. The first sync after a write into a hole has more to do
//! than to write the page: the file system must note durably which block it gave, which is one or
//! two more waits for the disk. A group of new records needs new pages each time. So the first
//! write into a stretch of the file fills it with zeros, and one sync in many pays for all.
//!
//! The invariant: zeros go nowhere that was written to before, neither by this process nor by those
//! before it. In each stretch all of that lies below a frontier, and zeros lie between it and the
//! next frontier.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// How many bytes are filled at once: 256 KiB, enough for some 25 groups of sixteen new accounts, and
/// little beside what else a sync takes.
const STRETCH_BYTES: u64 = 1 << 18;

static ZEROS: [u8; STRETCH_BYTES as usize] = [0; STRETCH_BYTES as usize];

/// How far the stretches of the file have been written to.
#[derive(Debug, Default)]
pub(super) struct Growth {
    /// `None`: nothing is filled.
    frontiers: Mutex<Option<Frontiers>>,
}

/// For each stretch of a file the offset in the file at which its end begins that has never been
/// written to. Those that are missing at the end have not been written to at all.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Frontiers(Vec<u64>);

impl Frontiers {
    /// As they are in `file`, or at its end when the file system cannot tell.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        // Some file systems have called a hole what they had not yet written to the disk.
        file.sync_all()?;
        let (mut frontiers, length, mut end) = (Self::default(), file.metadata()?.len(), 0);
        while end < length {
            match seek(file, SeekFrom::Data(end)).and_then(|data| Ok(data..seek(file, SeekFrom::Hole(data))?)) {
                Ok(data) => {
                    end = data.end;
                    frontiers.advance(data);
                }
                Err(Errno::NXIO) => break,
                Err(_) => return Ok(Self::whole(length)),
            }
        }
        Ok(frontiers)
    }

    /// Those of a file of that length without holes.
    pub(super) fn whole(length: u64) -> Self {
        let mut frontiers = Self::default();
        frontiers.advance(0..length);
        frontiers
    }

    /// That `bytes` are written to.
    fn advance(&mut self, bytes: Range<u64>) {
        for stretch in stretches(bytes.clone()) {
            let frontier = self.frontier(stretch);
            *frontier = bytes.end.min(end_of(stretch)).max(*frontier);
        }
    }

    fn frontier(&mut self, stretch: usize) -> &mut u64 {
        for missing in self.0.len()..=stretch {
            self.0.push(start_of(missing));
        }
        &mut self.0[stretch]
    }
}

impl Growth {
    /// Fills stretches from now on, in a file with these frontiers that nobody else writes to.
    pub(super) fn begin(&self, frontiers: Frontiers) {
        *self.frontiers() = Some(frontiers);
    }

    /// To be called before `length` bytes are written at `offset`.
    ///
    /// # Errors
    /// What `backend` says: a disk that takes no zeros is not one to write pages to.
    pub(super) fn make_way(&self, backend: &dyn StorageBackend, offset: u64, length: usize) -> io::Result<()> {
        let Some(frontiers) = &mut *self.frontiers() else { return Ok(()) };
        let bytes = offset..offset + length as u64;
        for stretch in stretches(bytes.clone()) {
            let frontier = frontiers.frontier(stretch);
            let needed = bytes.end.min(end_of(stretch));
            if *frontier < needed {
                let end = backend.len()?.clamp(needed, end_of(stretch));
                backend.write(*frontier, &ZEROS[..(end - *frontier) as usize])?;
                *frontier = end;
            }
        }
        Ok(())
    }

    /// To be called after the file got the length `length`.
    pub(super) fn cut(&self, length: u64) {
        if let Some(Frontiers(frontiers)) = &mut *self.frontiers() {
            frontiers.truncate(stretches(0..length).end);
            if let Some(last) = frontiers.last_mut() {
                *last = length.min(*last);
            }
        }
    }

    fn frontiers(&self) -> MutexGuard<'_, Option<Frontiers>> {
        self.frontiers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stretches that have a part of `bytes`.
fn stretches(bytes: Range<u64>) -> Range<usize> {
    (bytes.start / STRETCH_BYTES) as usize..bytes.end.div_ceil(STRETCH_BYTES) as usize
}

fn start_of(stretch: usize) -> u64 {
    stretch as u64 * STRETCH_BYTES
}

fn end_of(stretch: usize) -> u64 {
    start_of(stretch + 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use proptest::collection::vec;
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::store::{Embedded, Store, Transaction, Write};

    proptest! {
        /// Whatever is written wherever, the file reads as if nobody had written ahead.
        #[test]
        fn zeros_never_replace_what_was_written(
            written_before in 0..2 * STRETCH_BYTES,
            steps in vec((0..6 * STRETCH_BYTES, 1..9000_usize, any::<bool>()), 1..30),
        ) {
            let (backend, plain) = (InMemoryBackend::new(), InMemoryBackend::new());
            let images = [&backend, &plain];
            for image in images {
                image.set_len(8 * STRETCH_BYTES).unwrap();
                image.write(0, &vec![7; usize::try_from(written_before).unwrap()]).unwrap();
            }
            let growth = Growth::default();
            growth.begin(Frontiers::whole(written_before));
            for (number, (offset, length, cuts)) in steps.into_iter().enumerate() {
                let data = vec![number as u8 + 1; length];
                growth.make_way(&backend, offset, length).unwrap();
                images.iter().for_each(|image| image.write(offset, &data).unwrap());
                if cuts {
                    for length in [offset + length as u64, 8 * STRETCH_BYTES] {
                        images.iter().for_each(|image| image.set_len(length).unwrap());
                        growth.cut(length);
                    }
                }
            }
            let [found, wanted] = images.map(|image| {
                let mut bytes = vec![0; usize::try_from(image.len().unwrap()).unwrap()];
                image.read(0, &mut bytes).unwrap();
                bytes
            });
            prop_assert!(found == wanted);
        }
    }

    #[test]
    fn what_has_data_is_told_from_holes() {
        const BLOCK_BYTES: u64 = 1 << 16;
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Frontiers::of(&file).unwrap(), Frontiers(vec![]));
        file.set_len(8 * STRETCH_BYTES).unwrap();
        file.write_all_at(&[1; BLOCK_BYTES as usize], STRETCH_BYTES).unwrap();
        let first = [0, STRETCH_BYTES + BLOCK_BYTES];
        assert_eq!(Frontiers::of(&file).unwrap(), Frontiers(first.into()));
        file.write_all_at(&[1], 4 * STRETCH_BYTES - 1).unwrap();
        let wanted = [first.as_slice(), &[2 * STRETCH_BYTES, 4 * STRETCH_BYTES]].concat();
        assert_eq!(Frontiers::of(&file).unwrap(), Frontiers(wanted));
    }

    /// Of many commits that lengthen the data, few find the file without the blocks they need.
    #[test]
    fn few_commits_need_new_blocks() {
        const COMMITS: u64 = 200;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = Embedded::open(&path).unwrap();
        let blocks = || path.metadata().unwrap().blocks();
        let (first, mut grown) = (blocks(), 0);
        for number in 0..COMMITS {
            let before = blocks();
            let write = vec![Write::Put(number.to_be_bytes().into(), vec![1; 10_000])];
            store.commit(&[Transaction { expect: Vec::new(), write }]).unwrap();
            grown += u64::from(blocks() > before);
        }
        assert!(blocks() - first > COMMITS * 10_000 / 512, "the data did not lengthen the file");
        assert!(grown <= COMMITS / 4, "{grown} of {COMMITS} commits lengthened it");
    }
}
