use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{CommitFault, Outcome, ReadFault, Store, Transaction, Versioned};

/// Records that a glance remembers: several times what a command looks at.
const RECORDS_MAX: usize = 32;

/// A store as it is seen by somebody who looks at the same few records again and again. Each of them
/// is read once, so what he saw the second time is what he saw the first time.
///
/// What is committed meanwhile it may not show. Whoever puts a transaction together has its conditions
/// for that; whoever needs the last commit takes a new glance when the store's edition is another one.
#[derive(Debug)]
pub struct Glance {
    store: Arc<dyn Store>,
    /// What has been read; forgotten when there is too much of it.
    seen: Mutex<BTreeMap<Box<[u8]>, Option<Versioned>>>,
}

impl Glance {
    /// The first look at `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<Box<[u8]>, Option<Versioned>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Glance {
    fn edition(&self) -> u64 {
        self.store.edition()
    }

    /// Nobody waits while somebody else reads.
    fn read(&self, key: &[u8]) -> Result<Option<Versioned>, ReadFault> {
        if let Some(record) = self.seen().get(key) {
            return Ok(record.clone());
        }
        let record = self.store.read(key)?;
        let mut seen = self.seen();
        if seen.len() == RECORDS_MAX {
            seen.clear();
        }
        seen.insert(key.into(), record.clone());
        Ok(record)
    }

    /// Lists are not remembered.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<(Vec<u8>, Versioned)>, ReadFault> {
        self.store.scan(prefix, after, count_max)
    }

    fn commit(&self, group: &[Transaction]) -> Result<Vec<Outcome>, CommitFault> {
        self.store.commit(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Embedded, Write};

    fn put(store: &dyn Store, key: &[u8], bytes: &[u8]) {
        let write = vec![Write::Put(key.into(), bytes.into())];
        store.commit(&[Transaction { expect: Vec::new(), write }]).unwrap();
    }

    #[test]
    fn what_was_there_or_not_at_first_is_so_until_the_end() {
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        put(&*store, b"a", b"first");
        let glance = Glance::new(Arc::clone(&store));
        let look = |key: &[u8]| glance.read(key).unwrap().map(|record| record.bytes);
        assert_eq!((look(b"a"), look(b"b")), (Some(b"first".to_vec()), None));
        put(&*store, b"a", b"second");
        put(&*store, b"b", b"second");
        assert_eq!((look(b"a"), look(b"b")), (Some(b"first".to_vec()), None));
        assert_eq!(Glance::new(store).read(b"a").unwrap().unwrap().bytes, b"second");
    }

    #[test]
    fn it_remembers_a_few_records_and_reads_all() {
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        let keys = || (0..4 * RECORDS_MAX as u32).map(u32::to_be_bytes);
        keys().for_each(|key| put(&*store, &key, &key));
        let glance = Glance::new(store);
        for _ in 0..2 {
            assert!(keys().all(|key| glance.read(&key).unwrap().unwrap().bytes == key));
        }
        assert!((1..=RECORDS_MAX).contains(&glance.seen().len()));
    }
}
