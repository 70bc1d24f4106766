use std::fmt;

use super::{RecordFault, take};
use crate::model::ScramHash;

const SHA_1: u8 = 1;
const SHA_256: u8 = 2;

/// What is kept of a password for SCRAM (RFC 5802, section 3). It is not the password, but
/// guessing is much cheaper with it than with an Argon2id hash. Its `Debug` shows the mechanism and the
/// iterations alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    /// How often the password was hashed, at least 1.
    pub iterations: u32,
    /// 16 random bytes.
    pub salt: [u8; 16],
    /// What was made of it.
    pub keys: ScramKeys,
}

/// `StoredKey` and `ServerKey`, as long as the output of their hash function. Its `Debug` shows
/// neither.
#[derive(Clone, PartialEq, Eq)]
pub enum ScramKeys {
    /// For SCRAM-SHA-1.
    Sha1 {
        /// Checks the client's proof.
        stored_key: [u8; 20],
        /// Makes the server's signature.
        server_key: [u8; 20],
    },
    /// For SCRAM-SHA-256.
    Sha256 {
        /// Checks the client's proof.
        stored_key: [u8; 32],
        /// Makes the server's signature.
        server_key: [u8; 32],
    },
}

impl ScramVerifier {
    /// Its hash function.
    #[must_use]
    pub fn hash(&self) -> ScramHash {
        match self.keys {
            ScramKeys::Sha1 { .. } => ScramHash::Sha1,
            ScramKeys::Sha256 { .. } => ScramHash::Sha256,
        }
    }

    /// Checks the client's proof.
    #[must_use]
    pub fn stored_key(&self) -> &[u8] {
        match &self.keys {
            ScramKeys::Sha1 { stored_key, .. } => stored_key,
            ScramKeys::Sha256 { stored_key, .. } => stored_key,
        }
    }

    /// Makes the server's signature.
    #[must_use]
    pub fn server_key(&self) -> &[u8] {
        match &self.keys {
            ScramKeys::Sha1 { server_key, .. } => server_key,
            ScramKeys::Sha256 { server_key, .. } => server_key,
        }
    }

    /// Appends the body of its part of a record.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.hash() {
            ScramHash::Sha1 => SHA_1,
            ScramHash::Sha256 => SHA_256,
        });
        out.extend_from_slice(&self.iterations.to_le_bytes());
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(self.stored_key());
        out.extend_from_slice(self.server_key());
    }

    /// The inverse: takes all of `body`.
    pub(super) fn decode(mut body: &[u8]) -> Result<Self, RecordFault> {
        let [hash] = take(&mut body)?;
        let iterations = u32::from_le_bytes(take(&mut body)?);
        let salt = take(&mut body)?;
        let keys = match hash {
            SHA_1 => ScramKeys::Sha1 { stored_key: take(&mut body)?, server_key: take(&mut body)? },
            SHA_256 => ScramKeys::Sha256 { stored_key: take(&mut body)?, server_key: take(&mut body)? },
            _ => return Err(RecordFault::Malformed),
        };
        if iterations == 0 || !body.is_empty() {
            return Err(RecordFault::Malformed);
        }
        Ok(Self { iterations, salt, keys })
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(i={})", self.hash().mechanism(), self.iterations)
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(***)")
    }
}
