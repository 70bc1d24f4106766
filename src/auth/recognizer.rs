use std::fmt;
use std::sync::Arc;

use blake2::Blake2bMac;
use blake2::digest::consts::U16;
use blake2::digest::{FixedOutput, KeyInit, Update};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::fill_random;
use crate::model::{Authenticated, Fingerprint, Secret};

/// Recognises a password that was proven before, by a digest keyed with a key that is drawn at
/// start and never leaves the process (keyed BLAKE2b, RFC 7693, section 2.9).
///
/// Copies share one key, which is overwritten when the last of them is dropped.
#[derive(Clone)]
pub struct Recognizer {
    key: Arc<Zeroizing<[u8; 64]>>,
}

impl Recognizer {
    /// With a fresh random key.
    ///
    /// # Panics
    /// When the system has no random source.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are alike; that is no default")]
    pub fn new() -> Self {
        let mut key = Zeroizing::new([0; 64]);
        fill_random(&mut *key);
        Self { key: Arc::new(key) }
    }

    /// The digest of `secret`.
    #[must_use]
    pub fn fingerprint(&self, secret: &Secret) -> Fingerprint {
        let mut digest = Blake2bMac::<U16>::new((&**self.key).into());
        digest.update(secret.expose());
        digest.finalize_fixed().into()
    }

    /// Whether `secret` is the password that was told for `proof`, compared in constant time.
    #[must_use]
    pub fn is_same(&self, proof: &Authenticated, secret: &Secret) -> bool {
        proof.fingerprint().is_some_and(|known| self.fingerprint(secret).ct_eq(known).into())
    }
}

impl fmt::Debug for Recognizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recognizer(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_the_key_and_on_every_byte() {
        let secret = |bytes: &[u8]| Secret::new(bytes).unwrap();
        let (one, other) = (Recognizer::new(), Recognizer::new());
        let digest = one.fingerprint(&secret(b"hunter2"));
        assert_eq!(one.clone().fingerprint(&secret(b"hunter2")), digest);
        assert_ne!(one.fingerprint(&secret(b"hunter3")), digest);
        assert_ne!(one.fingerprint(&secret(b"hunter2\0")), digest);
        assert_ne!(other.fingerprint(&secret(b"hunter2")), digest);
    }

    #[test]
    fn the_digest_is_keyed_blake2b_of_16_bytes() {
        // Computed with Python: hashlib.blake2b(b"hunter2", digest_size=16, key=bytes(range(64))).
        let recognizer = Recognizer { key: Arc::new(Zeroizing::new(std::array::from_fn(|i| i.try_into().unwrap()))) };
        let expected = u128::from_be_bytes(recognizer.fingerprint(&Secret::new(b"hunter2").unwrap()));
        assert_eq!(format!("{expected:032x}"), "8b678aff614c8bdf500d1f8589d5a341");
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", Recognizer::new()), "Recognizer(***)");
    }
}
