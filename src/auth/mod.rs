//! Password records: making them, checking passwords against them, and deciding which new
//! passwords may be used.
//!
//! Knows neither sockets nor stores nor who is asking.

pub mod argon2id;
mod issuer;
pub mod legacy;
pub mod policy;
mod recognizer;
mod record;
mod scram;
mod vault;
mod verify;
mod wanted;

pub use issuer::{Issuer, Issuers, KeysFault};
pub use recognizer::Recognizer;
pub use record::{
    Alternative, Credentials, PasswordPurpose, RecordFault, Recoverable, ScramKeys, ScramVerifier, Verifier,
};
pub use scram::DecoyKey;
pub use vault::{KeyId, MasterKey, Vault};
pub use verify::Hasher;
pub use wanted::Wanted;

#[cfg(test)]
pub(crate) use scram::tests::prove;

/// Fills `bytes` from the system's random source.
///
/// # Panics
/// When the system has no random source: nothing here can be done safely without it.
#[expect(clippy::expect_used, reason = "there is no way to go on, and no caller who could find one")]
fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives random bytes");
}
