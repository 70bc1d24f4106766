//! What a group of transactions comes to, before any of it is written.
//!
//! Most transactions of a group are about the same records: accounts that are created in one domain
//! all expect the domain, and all rewrite its roster. Of each record the store is asked once, and
//! each is written once, as the last transaction left it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Outcome, Revision, Transaction, Write};

/// The records that a group is about, by their keys.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    records: BTreeMap<&'a [u8], Record<'a>>,
    /// The last one given out.
    revision: Revision,
}

/// A record as the group has left it so far.
#[derive(Clone, Copy, Debug)]
struct Record<'a> {
    /// `None`: there is none.
    revision: Option<Revision>,
    /// What must be written for it to be so.
    written: Option<&'a Write>,
}

impl<'a> Draft<'a> {
    /// An empty one, for a store that has given out `revision` last.
    pub(super) fn new(revision: Revision) -> Self {
        Self { records: BTreeMap::new(), revision }
    }

    /// The last revision given out.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// Takes in `transaction`, if all that it expects is so. `find` tells under which revision the
    /// store has a record.
    ///
    /// # Errors
    /// Those of `find`.
    pub(super) fn add<E>(
        &mut self,
        transaction: &'a Transaction,
        find: impl Fn(&[u8]) -> Result<Option<Revision>, E>,
    ) -> Result<Outcome, E> {
        for expect in &transaction.expect {
            let found = match self.records.entry(&expect.key) {
                Entry::Occupied(entry) => entry.get().revision,
                Entry::Vacant(entry) => entry.insert(Record { revision: find(&expect.key)?, written: None }).revision,
            };
            if found != expect.revision {
                return Ok(Outcome::Conflict);
            }
        }
        self.revision = Revision(self.revision.0 + 1);
        for write in &transaction.write {
            let (key, revision) = match write {
                Write::Put(key, _) => (key, Some(self.revision)),
                Write::Delete(key) => (key, None),
            };
            self.records.insert(key, Record { revision, written: Some(write) });
        }
        Ok(Outcome::Committed(self.revision))
    }

    /// What is to be written, in the order of the keys: `Some` for each record that is to be there,
    /// with its revision.
    pub(super) fn writes(&self) -> impl Iterator<Item = (&'a [u8], Option<(Revision, &'a [u8])>)> {
        self.records.iter().filter_map(|(key, record)| {
            let bytes = match record.written? {
                Write::Put(_, bytes) => record.revision.map(|revision| (revision, bytes.as_slice())),
                Write::Delete(_) => None,
            };
            Some((*key, bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;
    use crate::store::Expect;

    fn transaction(expect: &[(&[u8], Option<u64>)], write: &[(&[u8], Option<&[u8]>)]) -> Transaction {
        let expect = expect.iter().map(|&(key, revision)| Expect { key: key.into(), revision: revision.map(Revision) });
        let write = write.iter().map(|&(key, bytes)| match bytes {
            Some(bytes) => Write::Put(key.into(), bytes.into()),
            None => Write::Delete(key.into()),
        });
        Transaction { expect: expect.collect(), write: write.collect() }
    }

    #[test]
    fn what_many_transactions_are_about_is_read_once_and_written_once() {
        let group: Vec<_> = [b"a", b"b", b"c"]
            .map(|key| transaction(&[(b"domain", Some(7)), (key, None)], &[(key, Some(b"x")), (b"roster", Some(b""))]))
            .into();
        let reads = Cell::new(0);
        let find = |key: &[u8]| {
            reads.set(reads.get() + 1);
            Ok::<_, Infallible>((key == b"domain").then_some(Revision(7)))
        };
        let mut draft = Draft::new(Revision(9));
        let outcomes: Vec<_> = group.iter().map(|it| draft.add(it, find).unwrap()).collect();
        assert_eq!(outcomes, [10, 11, 12].map(|revision| Outcome::Committed(Revision(revision))));
        assert_eq!(reads.get(), 4);
        let writes: Vec<_> =
            draft.writes().map(|(key, record)| (key, record.map(|(revision, _)| revision.0))).collect();
        let expected: [(&[u8], _); 4] = [(b"a", Some(10)), (b"b", Some(11)), (b"c", Some(12)), (b"roster", Some(12))];
        assert_eq!(writes, expected);
    }

    #[test]
    fn a_transaction_sees_those_before_it_and_a_conflict_leaves_nothing() {
        let put = transaction(&[(b"a", None)], &[(b"a", Some(b"1"))]);
        let again = transaction(&[(b"a", None)], &[(b"a", Some(b"2")), (b"b", Some(b"2"))]);
        let delete = transaction(&[(b"a", Some(1))], &[(b"a", None)]);
        let find = |_: &[u8]| Ok::<_, Infallible>(None);
        let mut draft = Draft::new(Revision(0));
        let outcomes = [&put, &again, &delete, &again].map(|it| draft.add(it, find).unwrap());
        let committed = |revision| Outcome::Committed(Revision(revision));
        assert_eq!(outcomes, [committed(1), Outcome::Conflict, committed(2), committed(3)]);
        let writes: Vec<_> = draft.writes().collect();
        let second = Some((Revision(3), &b"2"[..]));
        assert_eq!(writes, [(&b"a"[..], second), (b"b", second)]);
    }
}
