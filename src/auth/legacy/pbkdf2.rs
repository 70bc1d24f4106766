//! PBKDF2 (RFC 8018, section 5.2) with HMAC of SHA-1, SHA-256 or SHA-512, in four textual forms:
//!
//! ```text
//! {PBKDF2}$1$salt$rounds$hex                          Dovecot; SHA-1, the salt as it stands
//! {PBKDF2-SHA256}rounds$salt$key                      OpenLDAP, 389 Directory Server, passlib;
//!                                                     {PBKDF2} and {PBKDF2-SHA1} mean SHA-1
//! {PBKDF2_SHA256}base64(rounds u32, salt 64, key 256) 389 Directory Server before its 2.0
//! $pbkdf2-sha256$rounds$salt$key                      passlib; $pbkdf2$ means SHA-1
//! ```
//!
//! Where nothing else is said, salt and key are in the Base64 that passlib calls adapted.

use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::encoding::{decode_adapted, decode_standard, number};
use super::limits::{PBKDF2_ROUNDS_MAX, PBKDF2_SHA512_ROUNDS_MAX};
use super::{Cap, ImportFault, Scheme};

/// Bytes of a salt.
const SALT_BYTES_MAX: usize = 128;

/// Bytes of a key. Fewer than 16 would be no proof.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

pub(super) struct Pbkdf2 {
    hash: Hash,
    rounds: u32,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Pbkdf2 {
    fn new(hash: Hash, rounds: u32, salt: Vec<u8>, key: Vec<u8>) -> Option<Self> {
        let is_sound = rounds > 0 && salt.len() <= SALT_BYTES_MAX && KEY_BYTES.contains(&key.len());
        is_sound.then_some(Self { hash, rounds, salt, key })
    }

    /// Reads what follows the brace of `label`, which is in capital letters; `None` in the outer
    /// place when this is no such scheme.
    pub(super) fn read_labelled(label: &str, text: &str) -> Option<Option<Self>> {
        Some(match label {
            "PBKDF2" => match text.strip_prefix("$1$") {
                Some(text) => Self::read_dovecot(text),
                None => Self::read_fields(Hash::Sha1, text),
            },
            "PBKDF2-SHA1" => Self::read_fields(Hash::Sha1, text),
            "PBKDF2-SHA256" => Self::read_fields(Hash::Sha256, text),
            "PBKDF2-SHA512" => Self::read_fields(Hash::Sha512, text),
            "PBKDF2_SHA256" => Self::read_packed(text),
            _ => return None,
        })
    }

    /// Reads `rounds$salt$key`.
    pub(super) fn read_fields(hash: Hash, text: &str) -> Option<Self> {
        let (rounds, text) = text.split_once('$')?;
        let (salt, key) = text.split_once('$')?;
        Self::new(hash, number(rounds)?, decode_adapted(salt)?, decode_adapted(key)?)
    }

    fn read_dovecot(text: &str) -> Option<Self> {
        let (salt, text) = text.split_once('$')?;
        let (rounds, key) = text.split_once('$')?;
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = key.as_bytes().as_chunks::<2>();
        let key: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        rest.is_empty().then_some(())?;
        Self::new(Hash::Sha1, number(rounds)?, salt.into(), key.filter(|key| key.len() == 20)?)
    }

    fn read_packed(text: &str) -> Option<Self> {
        let bytes = decode_standard(text)?;
        let (rounds, bytes) = bytes.split_first_chunk()?;
        let (salt, key) = bytes.split_at_checked(64).filter(|(_, key)| key.len() == 256)?;
        Self::new(Hash::Sha256, u32::from_be_bytes(*rounds), salt.into(), key.into())
    }
}

impl Scheme for Pbkdf2 {
    fn name(&self) -> &'static str {
        match self.hash {
            Hash::Sha1 => "pbkdf2-sha1",
            Hash::Sha256 => "pbkdf2-sha256",
            Hash::Sha512 => "pbkdf2-sha512",
        }
    }

    fn parameters(&self) -> String {
        format!("rounds={}", self.rounds)
    }

    fn check_cost(&self) -> Result<(), ImportFault> {
        let (block_bytes, rounds_max) = match self.hash {
            Hash::Sha1 => (20, PBKDF2_ROUNDS_MAX),
            Hash::Sha256 => (32, PBKDF2_ROUNDS_MAX),
            Hash::Sha512 => (64, PBKDF2_SHA512_ROUNDS_MAX),
        };
        let blocks = self.key.len().div_ceil(block_bytes) as u64;
        Cap::check("rounds in all blocks", u64::from(self.rounds) * blocks, rounds_max)
    }

    fn accepts(&self, password: &[u8]) -> Choice {
        let mut key = Zeroizing::new([0; *KEY_BYTES.end()]);
        let key = &mut key[..self.key.len()];
        match self.hash {
            Hash::Sha1 => pbkdf2_hmac::<Sha1>(password, &self.salt, self.rounds, key),
            Hash::Sha256 => pbkdf2_hmac::<Sha256>(password, &self.salt, self.rounds, key),
            Hash::Sha512 => pbkdf2_hmac::<Sha512>(password, &self.salt, self.rounds, key),
        }
        key.ct_eq(&self.key)
    }
}
