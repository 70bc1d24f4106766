//! (interface agreed; the implementation belongs to the auth writer)
use crate::model::Argon2idCost;

/// One way to check a password. Later schemes are further variants.
#[derive(Clone, PartialEq, Eq)]
pub enum Verifier {
    /// Argon2id v1.3 (RFC 9106).
    Argon2id {
        /// What it costs.
        cost: Argon2idCost,
        /// 16 random bytes.
        salt: [u8; 16],
        /// The 32-byte output.
        tag: [u8; 32],
    },
}

/// The part of an account's record that concerns its password: versioned, binary. It has a
/// `Debug` that shows schemes and costs but no salt, tag or digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Seconds since 1970 (UTC) of the last change.
    pub changed_at: u64,
    /// Drawn at random for every change, so that a change of unknown outcome can be recognised.
    pub change_id: u128,
    /// The verifiers; a password is right when any accepts it.
    pub verifiers: Vec<Verifier>,
}

/// Why bytes are not credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// Written by a later version of the program.
    UnknownFormat(u8),
    /// Cut short or inconsistent.
    Malformed,
}

impl Credentials {
    /// Appends the binary form.
    pub fn encode(&self, _out: &mut Vec<u8>) {}
    /// The inverse of [`Credentials::encode`].
    ///
    /// # Errors
    /// [`RecordFault`].
    pub fn decode(_bytes: &[u8]) -> Result<Self, RecordFault> {
        Err(RecordFault::Malformed)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}
