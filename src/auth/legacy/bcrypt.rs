//! bcrypt: `$2a$`, `$2b$` and `$2y$`, which are one function for every password that a C program
//! could have given it. `$2x$` marks the hashes of a faulty implementation and is refused.
//!
//! ```text
//! $2b$cc$ssssssssssssssssssssssh…      two digits of cost, 22 characters of salt, 31 of hash
//! ```
//!
//! bcrypt looks at the first 72 bytes of a password and at no others. So it is here: a longer
//! password is right when its first 72 bytes are, as it was where the hash was made.

use base64ct::Base64Bcrypt;
use bcrypt::bcrypt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::encoding::decode_array;
use super::limits::BCRYPT_COST_MAX;
use super::{Cap, ImportFault, Scheme};

/// Bytes of a key; the NUL behind a shorter password is part of it.
const KEY_BYTES_MAX: usize = 72;

pub(super) struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

impl Bcrypt {
    /// Reads what follows `$2b$`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (cost, text) = text.split_once('$')?;
        let cost = Some(cost).filter(|cost| cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit()))?;
        let cost = cost.parse().ok().filter(|cost| (4..=31).contains(cost))?;
        let (salt, hash) = text.split_at_checked(22)?;
        Some(Self {
            cost,
            salt: decode_array::<Base64Bcrypt, 16>(salt)?,
            hash: decode_array::<Base64Bcrypt, 23>(hash)?,
        })
    }
}

impl Scheme for Bcrypt {
    fn name(&self) -> &'static str {
        "bcrypt"
    }

    fn parameters(&self) -> String {
        format!("cost={}", self.cost)
    }

    fn check_cost(&self) -> Result<(), ImportFault> {
        Cap::check("a cost", self.cost, BCRYPT_COST_MAX)
    }

    fn password_bytes_max(&self) -> usize {
        KEY_BYTES_MAX
    }

    fn accepts(&self, password: &[u8]) -> Choice {
        let length = password.len().min(KEY_BYTES_MAX);
        let mut key = Zeroizing::new([0; KEY_BYTES_MAX]);
        key[..length].copy_from_slice(&password[..length]);
        let output = bcrypt(self.cost, self.salt, &key[..(length + 1).min(KEY_BYTES_MAX)]);
        output[..23].ct_eq(&self.hash)
    }
}
