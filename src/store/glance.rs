use std::sync::{Arc, Mutex, PoisonError};

use super::{CommitFault, Outcome, ReadFault, Store, Transaction, Versioned};

/// Records that a glance remembers: several times what a command looks at twice.
const RECORDS_MAX: usize = 16;

/// A store as it is seen by somebody who looks at the same few records again and again while he puts
/// one transaction together. Each of them is read once, so what he saw the second time is what he saw
/// the first time.
///
/// It is thrown away when the transaction has been put together. What is committed meanwhile it may
/// not show; the conditions of the transaction are there for that.
#[derive(Debug)]
pub struct Glance {
    store: Arc<dyn Store>,
    /// What has been read, by its key.
    seen: Mutex<Vec<Seen>>,
}

type Seen = (Box<[u8]>, Option<Versioned>);

impl Glance {
    /// The first look at `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, seen: Mutex::new(Vec::with_capacity(RECORDS_MAX)) }
    }
}

impl Store for Glance {
    fn read(&self, key: &[u8]) -> Result<Option<Versioned>, ReadFault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, record)) = seen.iter().find(|(known, _)| **known == *key) {
            return Ok(record.clone());
        }
        let record = self.store.read(key)?;
        if seen.len() < RECORDS_MAX {
            seen.push((key.into(), record.clone()));
        }
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
        assert_eq!(glance.seen.lock().unwrap().len(), RECORDS_MAX);
    }
}
