//! (interface agreed; the implementation belongs to the auth writer)
use super::Credentials;
use crate::model::{AccountName, Argon2idCost, Authenticated, Fingerprint, Secret};

/// Recognises a password that was proven before, by a digest keyed with a key that is drawn at
/// start and never leaves the process (keyed BLAKE2b, RFC 7693).
#[derive(Clone)]
pub struct Recognizer {
    _key: [u8; 32],
}

impl Recognizer {
    /// With a fresh random key.
    pub fn new() -> Self {
        Self { _key: [0; 32] }
    }
    /// The digest of `secret`.
    pub fn fingerprint(&self, _secret: &Secret) -> Fingerprint {
        [0; 16]
    }
    /// Whether `secret` is the password that `proof` was given for, compared in constant time.
    pub fn is_same(&self, _proof: &Authenticated, _secret: &Secret) -> bool {
        false
    }
}

/// A worker's means to hash: one preallocated arena, reused for every hash.
#[derive(Debug)]
pub struct Hasher {}

impl Hasher {
    /// Reserves memory for hashes up to the cost of `largest`, and hashes new passwords at `cost`.
    pub fn new(_cost: Argon2idCost, _recognizer: Recognizer) -> Self {
        Self {}
    }
    /// Checks `secret` against the credentials of `account`. `None` for `credentials` means that
    /// there is no such account: the same work is done, and the answer is no.
    ///
    /// `password_revision` goes into the proof.
    pub fn authenticate(
        &mut self,
        _account: Option<(AccountName, u64, &Credentials)>,
        _secret: &Secret,
    ) -> Option<Authenticated> {
        None
    }
    /// Credentials for a new password, with a fresh salt and change id.
    pub fn make(&mut self, _secret: &Secret, _changed_at: u64) -> Credentials {
        Credentials { changed_at: 0, change_id: 0, verifiers: Vec::new() }
    }
    /// The proof that follows a durable change to `secret`.
    pub fn renew(&self, _account: AccountName, _password_revision: u64, _secret: &Secret) -> Authenticated {
        panic!()
    }
    /// Overwrites what the last hash left in the arena.
    pub fn wipe(&mut self) {}
}
