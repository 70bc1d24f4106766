//! Carries out what sessions ask for: the hashing pool, the queue before it, and the committer
//! (interface agreed; the implementation belongs to the service writer).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::auth::Recognizer;
use crate::directory::Directory;
use crate::model::{Argon2idCost, Authenticated, DomainName, LoginName, Secret};
use crate::proto::{ChangeOutcome, Verdict};
use crate::store::Store;

/// What a shard asks of the pool.
#[derive(Debug)]
pub enum Request {
    /// Check a password.
    Verify {
        /// Whose, as typed.
        login: LoginName,
        /// Completes a bare name; `None`: the main domain.
        domain: Option<Arc<DomainName>>,
        /// The password to check.
        secret: Secret,
    },
    /// Change a password.
    Change {
        /// The right to do so.
        proof: Box<Authenticated>,
        /// The new password.
        secret: Secret,
    },
}

/// The outcome of a request.
#[derive(Debug)]
pub enum Answer {
    /// Of [`Request::Verify`].
    Verified(Verdict),
    /// Of [`Request::Change`].
    Changed(ChangeOutcome),
}

/// Where an answer goes: the session's place in its shard, opaque to the service. Set
/// `abandoned` when the client has hung up: work not yet begun is then dropped unanswered.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The shard's own key for the session, with its generation.
    pub session: u64,
    /// Set by the shard when the client is gone.
    pub abandoned: Arc<AtomicBool>,
    /// The shard's mailbox.
    pub mailbox: Arc<Mailbox>,
}

/// The answers waiting for one shard. Producers wake the shard only when it has announced that
/// it is about to sleep.
pub struct Mailbox {}

impl Mailbox {
    /// `wake` must end the shard's wait; it is called from any thread.
    pub fn new(_wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {}
    }
    /// Called by the shard just before it sleeps. False: there is mail, do not sleep.
    pub fn park(&self) -> bool {
        true
    }
    /// Called by the shard when it is awake again: swaps the waiting answers into `into`, which
    /// must be empty.
    pub fn take(&self, _into: &mut Vec<(u64, Answer)>) {}
}

/// How the service is set up.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSettings {
    /// Threads that hash, at least 1.
    pub workers: usize,
    /// Of new passwords.
    pub cost: Argon2idCost,
    /// Jobs that may wait before the pool.
    pub queue_length_max: usize,
    /// Least length of a new password, in bytes.
    pub password_bytes_min: usize,
}

/// A handle to the pool and the committer; the last one dropped after [`Service::stop`].
#[derive(Clone, Debug)]
pub struct Service {}

impl Service {
    /// Starts the workers (nice 19) and the committer.
    pub fn start(
        _directory: Directory,
        _store: Arc<dyn Store>,
        _recognizer: Recognizer,
        _settings: ServiceSettings,
    ) -> Self {
        Self {}
    }
    /// Queues `request`, or returns its answer at once when it needs no work: the queue is full,
    /// or the new password breaks a rule that needs no hash.
    pub fn submit(&self, _request: Request, _ticket: &Ticket) -> Option<Answer> {
        None
    }
    /// Applies the settings that may change while running.
    pub fn apply(&self, _queue_length_max: usize, _password_bytes_min: usize) {}
    /// Finishes what is queued, then ends the threads.
    pub fn stop(self) {}
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailbox")
    }
}
