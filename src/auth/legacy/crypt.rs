//! The digests of crypt(3): `$1$` (MD5), `$5$` (SHA-256) and `$6$` (SHA-512).
//!
//! ```text
//! $1$salt$hash                 salt up to 8 characters, hash 22
//! $5$[rounds=n$]salt$hash      salt up to 16 characters, hash 43
//! $6$[rounds=n$]salt$hash      salt up to 16 characters, hash 86
//! ```
//!
//! The last step of each puts the digest's bytes into an order of its own and writes them in
//! crypt(3)'s Base64, low bits first.

use base64ct::Base64ShaCrypt;
use md5::{Digest, Md5};
use sha_crypt::{Params, sha256_crypt, sha512_crypt};
use subtle::{Choice, ConstantTimeEq};

use super::encoding::{decode_array, number};
use super::limits::SHA_CRYPT_ROUNDS_MAX;
use super::{Cap, ImportFault, Scheme};

const MD5_ORDER: [usize; 16] = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11];

const SHA256_ORDER: [usize; 32] = [
    20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28, 18, 29, 19, 9, 30,
    31,
];

const SHA512_ORDER: [usize; 64] = [
    42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8, 50, 51, 30, 9, 10,
    52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58, 37, 38, 17, 59, 60, 39, 18, 19, 61, 40,
    41, 20, 62, 63,
];

/// Rounds when the text does not tell them.
const ROUNDS_DEFAULT: u32 = 5_000;

/// `$1$`.
pub(super) struct Md5Crypt<'a> {
    salt: &'a str,
    hash: [u8; 16],
}

/// `$5$` with a hash of 32 bytes, `$6$` with one of 64.
pub(super) struct ShaCrypt<'a, const BYTES: usize> {
    rounds: u32,
    salt: &'a str,
    hash: [u8; BYTES],
}

impl<'a> Md5Crypt<'a> {
    /// Reads what follows `$1$`.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (salt, hash) = text.split_once('$')?;
        (salt.len() <= 8).then_some(Self { salt, hash: decode_array::<Base64ShaCrypt, 16>(hash)? })
    }
}

impl Scheme for Md5Crypt<'_> {
    fn name(&self) -> &'static str {
        "md5-crypt"
    }

    fn accepts(&self, password: &[u8]) -> Choice {
        let digest = md5_crypt(password, self.salt.as_bytes());
        MD5_ORDER.map(|index| digest[index]).ct_eq(&self.hash)
    }
}

impl<'a, const BYTES: usize> ShaCrypt<'a, BYTES> {
    /// Reads what follows `$5$` or `$6$`.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (rounds, text) = match text.strip_prefix("rounds=") {
            None => (ROUNDS_DEFAULT, text),
            Some(text) => {
                let (rounds, text) = text.split_once('$')?;
                (number(rounds).filter(|rounds| Params::new(*rounds).is_ok())?, text)
            }
        };
        let (salt, hash) = text.split_once('$')?;
        (salt.len() <= 16).then_some(Self { rounds, salt, hash: decode_array::<Base64ShaCrypt, BYTES>(hash)? })
    }
}

impl<const BYTES: usize> Scheme for ShaCrypt<'_, BYTES> {
    fn name(&self) -> &'static str {
        if BYTES == 32 { "sha256-crypt" } else { "sha512-crypt" }
    }

    fn parameters(&self) -> String {
        format!("rounds={}", self.rounds)
    }

    fn check_cost(&self) -> Result<(), ImportFault> {
        Cap::check("rounds", self.rounds, SHA_CRYPT_ROUNDS_MAX)
    }

    #[expect(clippy::expect_used, reason = "`read` has tried the parameters")]
    fn accepts(&self, password: &[u8]) -> Choice {
        let params = Params::new(self.rounds).expect("the rounds were read");
        let salt = self.salt.as_bytes();
        if BYTES == 32 {
            let digest = sha256_crypt(password, salt, params);
            SHA256_ORDER.map(|index| digest[index]).ct_eq(&self.hash[..])
        } else {
            let digest = sha512_crypt(password, salt, params);
            SHA512_ORDER.map(|index| digest[index]).ct_eq(&self.hash[..])
        }
    }
}

/// Poul-Henning Kamp's digest for FreeBSD 2.0, before its bytes are put into order.
///
/// ```text
/// A = MD5(password, salt, password)
/// B = MD5(password, "$1$", salt, as much of A, A, ... as the password is long, and for each bit
///         of that length, lowest first: NUL if it is set, else the first byte of the password)
/// 1000 times: B = MD5 of B and the password in an order that the number of the round decides,
///             with the salt and the password again between them in most rounds
/// ```
fn md5_crypt(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let a = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut b = Md5::new().chain_update(password).chain_update("$1$").chain_update(salt);
    for chunk in password.chunks(a.len()) {
        b.update(&a[..chunk.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        b.update(if bits & 1 == 1 { &[0] } else { &password[..1] });
        bits >>= 1;
    }
    let mut b = b.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        let is_odd = round % 2 == 1;
        next.update(if is_odd { password } else { &b });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if is_odd { &b } else { password });
        b = next.finalize();
    }
    b.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orders_name_every_byte_once() {
        for order in [&MD5_ORDER[..], &SHA256_ORDER, &SHA512_ORDER] {
            let mut sorted = order.to_vec();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..order.len()));
        }
    }
}
