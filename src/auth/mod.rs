//! Password records: making them, checking passwords against them, and deciding which new
//! passwords may be used.
//!
//! Knows neither sockets nor stores nor who is asking.

pub mod argon2id;
mod digest;
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

use crate::model::Nonce;

#[cfg(test)]
pub(crate) use digest::tests::prove_by_digest;
#[cfg(test)]
pub(crate) use scram::tests::prove;

/// A fresh one.
///
/// # Panics
/// When the system has no random source.
#[must_use]
pub fn nonce() -> Nonce {
    let mut bytes = [0; 16];
    fill_random(&mut bytes);
    let [one, other] = *bytes.as_chunks().0 else { unreachable!("16 bytes are twice eight") };
    Nonce([one, other].map(u64::from_le_bytes))
}

/// Fills `bytes` from the system's random source.
///
/// # Panics
/// When the system has no random source: nothing here can be done safely without it.
#[expect(clippy::expect_used, reason = "there is no way to go on, and no caller who could find one")]
fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives random bytes");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn no_nonce_is_drawn_twice_and_none_follows_from_another() {
        let drawn: Vec<[u64; 2]> = (0..1000).map(|_| super::nonce().0).collect();
        for part in [0, 1] {
            assert_eq!(drawn.iter().map(|nonce| nonce[part]).collect::<BTreeSet<_>>().len(), drawn.len());
            let steps = drawn.windows(2).map(|pair| pair[1][part].wrapping_sub(pair[0][part]));
            assert_eq!(steps.collect::<BTreeSet<_>>().len(), drawn.len() - 1);
        }
    }
}
