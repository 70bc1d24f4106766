use std::fmt;

use zeroize::Zeroizing;

use super::{DigestProof, ScramProof, Secret};

/// What a client gave to show that an account is its own. Whether it does is for `auth` to say.
#[derive(Debug)]
pub enum Evidence {
    /// The password itself.
    Password(Secret),
    /// A proof of the password, by SCRAM.
    Scram(Box<ScramProof>),
    /// A proof of the password, by a digest of it.
    Digest(Box<DigestProof>),
    /// A certificate that names the account; the handshake has shown that it is the client's.
    Certificate,
    /// A token that names the account.
    Token(Token),
}

impl Evidence {
    /// Whether checking it costs an Argon2id hash.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Scram(_) | Self::Digest(_) | Self::Certificate | Self::Token(_) => false,
        }
    }

    /// Whether who reads it on its way can log in with it.
    #[must_use]
    pub fn tells_secret(&self) -> bool {
        match self {
            Self::Password(_) | Self::Token(_) => true,
            Self::Scram(_) | Self::Digest(_) | Self::Certificate => false,
        }
    }

    /// What the log calls it.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Password(_) => "PASS",
            Self::Scram(proof) => proof.hash.mechanism(),
            Self::Digest(proof) => proof.of.method(),
            Self::Certificate => "EXTERNAL",
            Self::Token(_) => "OAUTHBEARER",
        }
    }
}

/// A token (RFC 7519) that says who its bearer is. Whoever has it can log in with it, so it is not
/// printed, and overwritten when it is dropped.
pub struct Token(Zeroizing<Vec<u8>>);

impl Token {
    /// Copies `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes, for whoever checks them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}
