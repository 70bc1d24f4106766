//! Plain digests as LDAP servers keep them (RFC 2307 and its custom):
//!
//! ```text
//! {SHA}base64(SHA-1(password))
//! {SSHA}base64(SHA-1(password, salt), salt)
//! ```
//!
//! and likewise `{MD5}`, `{SMD5}`, `{SHA256}`, `{SSHA256}`, `{SHA512}` and `{SSHA512}`. The
//! salt is whatever follows the digest. These cost nothing to guess: a login upgrades them.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use super::Scheme;
use super::encoding::decode_standard;

/// Bytes of a salt.
const SALT_BYTES_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

pub(super) struct Hashed {
    name: &'static str,
    algorithm: Algorithm,
    digest: Vec<u8>,
    salt: Vec<u8>,
}

impl Algorithm {
    fn digest_bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn is_digest(self, digest: &[u8], password: &[u8], salt: &[u8]) -> Choice {
        fn compare<D: Digest>(digest: &[u8], password: &[u8], salt: &[u8]) -> Choice {
            D::new().chain_update(password).chain_update(salt).finalize().ct_eq(digest)
        }
        match self {
            Self::Md5 => compare::<Md5>(digest, password, salt),
            Self::Sha1 => compare::<Sha1>(digest, password, salt),
            Self::Sha256 => compare::<Sha256>(digest, password, salt),
            Self::Sha512 => compare::<Sha512>(digest, password, salt),
        }
    }
}

impl Hashed {
    /// Reads what follows the brace of `label`, which is in capital letters; `None` in the outer
    /// place when this is no such scheme.
    pub(super) fn read(label: &str, text: &str) -> Option<Option<Self>> {
        use Algorithm as A;
        let (name, algorithm, is_salted) = match label {
            "MD5" => ("md5", A::Md5, false),
            "SMD5" => ("smd5", A::Md5, true),
            "SHA" => ("sha", A::Sha1, false),
            "SSHA" => ("ssha", A::Sha1, true),
            "SHA256" => ("sha256", A::Sha256, false),
            "SSHA256" => ("ssha256", A::Sha256, true),
            "SHA512" => ("sha512", A::Sha512, false),
            "SSHA512" => ("ssha512", A::Sha512, true),
            _ => return None,
        };
        let sound = decode_standard(text).and_then(|bytes| {
            let (digest, salt) = bytes.split_at_checked(algorithm.digest_bytes())?;
            let salt_bytes = if is_salted { 1..=SALT_BYTES_MAX } else { 0..=0 };
            let is_sound = salt_bytes.contains(&salt.len());
            is_sound.then(|| Self { name, algorithm, digest: digest.into(), salt: salt.into() })
        });
        Some(sound)
    }
}

impl Scheme for Hashed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn accepts(&self, password: &[u8]) -> Choice {
        self.algorithm.is_digest(&self.digest, password, &self.salt)
    }
}
