//! A table that forgets what is worth least when it is full.

/// Entries that share a place in the table; of these one goes when another comes.
const WAYS: usize = 8;

/// What decides which entry goes first.
pub(super) trait Worth {
    /// The entry with the least goes first.
    fn worth(&self) -> u64;
}

#[derive(Clone, Debug)]
struct Entry<V> {
    key: u64,
    value: V,
}

/// At most so many values by key, in memory that grows to a bound and no further. Keys are hashes
/// under a key that nobody outside knows, so nobody can choose whose place he takes.
#[derive(Debug)]
pub(super) struct Table<V> {
    sets: Vec<Vec<Entry<V>>>,
}

impl<V: Worth + Default> Table<V> {
    /// For `entries_max` values, which is a multiple of [`WAYS`] and not zero.
    pub(super) fn new(entries_max: usize) -> Self {
        let sets = (0..entries_max / WAYS).map(|_| Vec::new());
        Self { sets: sets.collect() }
    }

    fn set(&self, key: u64) -> usize {
        (key % self.sets.len() as u64) as usize
    }

    pub(super) fn get(&self, key: u64) -> Option<&V> {
        self.sets[self.set(key)].iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        let set = self.set(key);
        self.sets[set].iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
    }

    /// The value under `key`, which is a new one when there was none.
    pub(super) fn entry(&mut self, key: u64) -> &mut V {
        let set = self.set(key);
        let set = &mut self.sets[set];
        let index = set.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
            let fresh = Entry { key, value: V::default() };
            if set.len() < WAYS {
                set.push(fresh);
                return set.len() - 1;
            }
            let least = (0..WAYS).min_by_key(|index| set[*index].value.worth()).unwrap_or_default();
            set[least] = fresh;
            least
        });
        &mut set[index].value
    }

    pub(super) fn remove(&mut self, key: u64) {
        let set = self.set(key);
        self.sets[set].retain(|entry| entry.key != key);
    }

    /// How many values there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }

    /// The memory taken, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let sets = self.sets.capacity() * size_of::<Vec<Entry<V>>>();
        sets + self.sets.iter().map(|set| set.capacity() * size_of::<Entry<V>>()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Worth for u64 {
        fn worth(&self) -> u64 {
            *self
        }
    }

    #[test]
    fn what_is_worth_least_goes_first_and_memory_ends_somewhere() {
        let mut table = Table::<u64>::new(64 * WAYS);
        let bytes_max = 64 * (size_of::<Vec<Entry<u64>>>() + WAYS * size_of::<Entry<u64>>());
        for key in 0..100_000 {
            *table.entry(key) = key ^ 0x5555;
            assert!(table.len() <= 64 * WAYS && table.bytes() <= bytes_max);
        }
        assert_eq!(table.len(), 64 * WAYS);
        for set in 0..64 {
            // The last to come is there, whatever it is worth; and seven of the best.
            let keys = || (0..100_000_u64).filter(|key| key % 64 == set);
            let last = keys().next_back().unwrap();
            let mut best: Vec<_> = keys().filter(|key| *key != last).map(|key| key ^ 0x5555).collect();
            best.sort_unstable();
            assert_eq!(table.get(last), Some(&(last ^ 0x5555)));
            assert!(best.iter().rev().take(WAYS - 1).all(|worth| table.get(worth ^ 0x5555) == Some(worth)));
        }
        table.remove(99_999);
        assert!(table.get(99_999).is_none() && table.get_mut(99_999).is_none());
        assert_eq!(*table.entry(99_999), 0);
    }
}
