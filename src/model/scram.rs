use std::fmt;

use zeroize::Zeroizing;

/// The hash function that a mechanism of the SCRAM family (RFC 5802) is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

impl ScramHash {
    /// All there are, in the order in which a record holds them.
    pub const ALL: [Self; 2] = [Self::Sha1, Self::Sha256];

    /// The registered name of the mechanism.
    #[must_use]
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    /// Bytes of its output, of every key and of every proof.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// What a client is told so that it can prove its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramOffer {
    /// Drawn for this exchange alone.
    pub nonce: [u8; 18],
    /// The account's salt.
    pub salt: [u8; 16],
    /// Rounds of PBKDF2.
    pub iterations: u32,
}

/// A client's proof that it has a password.
pub struct ScramProof {
    /// Of which mechanism.
    pub hash: ScramHash,
    /// What both sides have said: the AuthMessage.
    pub message: Vec<u8>,
    /// The ClientProof: [`ScramHash::bytes`] bytes, then zeros.
    pub proof: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for ScramProof {
    /// Shows neither the proof nor what it is of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScramProof({})", self.hash.mechanism())
    }
}
