use super::{ScramProof, Secret};

/// What a client gave to show that an account is its own. Whether it does is for `auth` to say.
#[derive(Debug)]
pub enum Evidence {
    /// The password itself.
    Password(Secret),
    /// A proof of the password, by SCRAM.
    Scram(Box<ScramProof>),
}

impl Evidence {
    /// Whether checking it costs an Argon2id hash.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Scram(_) => false,
        }
    }
}
