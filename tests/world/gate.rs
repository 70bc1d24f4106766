//! A gate before a store: while it is shut, whoever reads or commits waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use keyturn::store::{CommitFault, Outcome, ReadFault, Store, Transaction, Versioned};

use super::client::PATIENCE;

/// A store behind a gate.
#[derive(Debug)]
pub(crate) struct Gated {
    store: Arc<dyn Store>,
    gate: Arc<Gate>,
    editions: AtomicU64,
}

/// What can be held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Read,
    Commit,
}

/// Open for everything, at first.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    shut: Vec<Passage>,
    reads_to_fail: u32,
    waiting: usize,
}

impl Gate {
    /// Lets those who come to `passage` wait.
    pub(crate) fn shut(&self, passage: Passage) {
        self.state.lock().unwrap().shut.push(passage);
    }

    /// Lets everybody pass again.
    pub(crate) fn open(&self) {
        self.state.lock().unwrap().shut.clear();
        self.changed.notify_all();
    }

    /// Returns when so many wait.
    pub(crate) fn await_crowd(&self, count: usize) {
        let state = self.state.lock().unwrap();
        let outcome = self.changed.wait_timeout_while(state, PATIENCE, |state| state.waiting < count).unwrap();
        assert!(!outcome.1.timed_out(), "{} of {count} came to the gate", outcome.0.waiting);
    }

    /// Lets the next read fail.
    pub(crate) fn fail_next_read(&self) {
        self.state.lock().unwrap().reads_to_fail += 1;
    }

    fn pass(&self, passage: Passage) -> Result<(), ReadFault> {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| state.shut.contains(&passage)).unwrap();
        state.waiting -= 1;
        if passage == Passage::Read && state.reads_to_fail > 0 {
            state.reads_to_fail -= 1;
            return Err(ReadFault("the disk cannot be read".to_owned()));
        }
        Ok(())
    }
}

impl Gated {
    pub(crate) fn new(store: Arc<dyn Store>, gate: Arc<Gate>) -> Self {
        Self { store, gate, editions: AtomicU64::new(0) }
    }
}

impl Store for Gated {
    /// Every read is to come by the gate.
    fn edition(&self) -> u64 {
        self.editions.fetch_add(1, Ordering::SeqCst)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Versioned>, ReadFault> {
        self.gate.pass(Passage::Read)?;
        self.store.read(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<(Vec<u8>, Versioned)>, ReadFault> {
        self.store.scan(prefix, after, count_max)
    }

    fn commit(&self, group: &[Transaction]) -> Result<Vec<Outcome>, CommitFault> {
        match self.gate.pass(Passage::Commit) {
            Ok(()) => self.store.commit(group),
            Err(ReadFault(why)) => Err(CommitFault::Closed(why)),
        }
    }
}
