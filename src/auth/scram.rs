//! What a server keeps to take SCRAM logins, and how it tells that a proof is right (RFC 5802,
//! section 3; RFC 7677):
//!
//! ```text
//! SaltedPassword  = PBKDF2-HMAC(SASLprep(password), salt, iterations)
//! ClientKey       = HMAC(SaltedPassword, "Client Key")
//! StoredKey       = H(ClientKey)
//! ServerKey       = HMAC(SaltedPassword, "Server Key")
//! ClientProof     = ClientKey XOR HMAC(StoredKey, AuthMessage)
//! ServerSignature = HMAC(ServerKey, AuthMessage)
//! ```
//!
//! Whoever has the two keys that are kept can guess passwords against them, at a thousandth of the
//! cost of an Argon2id hash, and can pose as the server; he cannot log in.

use std::fmt;

use hmac::digest::Digest;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::Sha256;
use stringprep::saslprep;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{Credentials, ScramKeys, ScramVerifier, fill_random};
use crate::model::{ScramHash, ScramOffer, ScramProof, Secret, Signature};

/// Rounds of PBKDF2 in what is made here: all accounts and those that do not exist have as many,
/// or the number would tell them apart. RFC 7677 asks for 4096 at least.
const ITERATIONS: u32 = 10_000;

/// [`ScramHash::bytes`] bytes, then zeros.
type Key = [u8; 32];

impl ScramVerifier {
    /// Of a new password, with a fresh salt. `None` when SASLprep (RFC 4013) refuses the password:
    /// it is not UTF-8, or has a character without a meaning of its own, so that no client could
    /// make a proof of it.
    ///
    /// # Panics
    /// When the system has no random source.
    #[must_use]
    pub fn derive(hash: ScramHash, secret: &Secret) -> Option<Self> {
        let mut salt = [0; 16];
        fill_random(&mut salt);
        Some(Self { iterations: ITERATIONS, salt, keys: derive_keys(hash, secret, &salt, ITERATIONS)? })
    }

    /// Whether SASLprep lets one be made of `secret`.
    pub(super) fn may_be_made_of(secret: &Secret) -> bool {
        str::from_utf8(secret.expose()).is_ok_and(|text| saslprep(text).is_ok())
    }

    /// Whether it was made of `secret`.
    #[must_use]
    pub fn accepts(&self, secret: &Secret) -> Choice {
        let keys = derive_keys(self.hash(), secret, &self.salt, self.iterations);
        let made = keys.map(|keys| Self { keys, ..self.clone() });
        made.map_or(Choice::from(0), |made| made.stored_key().ct_eq(self.stored_key()))
    }

    /// What an account has that has none: nobody knows a password for it.
    pub(super) fn decoy(hash: ScramHash) -> Self {
        let mut random = [0; 64];
        fill_random(&mut random);
        let [stored_key, server_key] = [0, 32].map(|at| std::array::from_fn(|index| random[at + index]));
        Self { iterations: ITERATIONS, salt: [0; 16], keys: packed(hash, &stored_key, &server_key) }
    }

    /// Whether whoever made `proof` had the password, and the server's signature of the same
    /// message, which proves to him that the server knows him. It is for those alone whose proof
    /// is right.
    pub(super) fn check(&self, proof: &ScramProof) -> (Choice, Signature) {
        let (hash, bytes) = (self.hash(), self.hash().bytes());
        let mut client_key = Zeroizing::new(mac(hash, self.stored_key(), &proof.message));
        for (byte, masked) in client_key.iter_mut().zip(proof.proof.iter()) {
            *byte ^= masked;
        }
        let is_right = digest(hash, &client_key[..bytes])[..bytes].ct_eq(self.stored_key());
        let signature = mac(hash, self.server_key(), &proof.message);
        (is_right, Signature::Scram(signature[..bytes].into()))
    }
}

/// What the salts of accounts that have none are made from, so that a name gets the same one every
/// time it is tried, as it would if there were such an account. It is drawn once and kept with the
/// accounts.
#[derive(Clone)]
pub struct DecoyKey(Zeroizing<[u8; 32]>);

impl DecoyKey {
    /// A fresh one.
    ///
    /// # Panics
    /// When the system has no random source.
    #[must_use]
    pub fn draw() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        fill_random(&mut *key);
        Self(key)
    }

    /// One that was kept.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|key| Self(Zeroizing::new(key)))
    }

    /// What to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &*self.0
    }

    /// What a client is told that wants to log in with `hash` under a name that all spellings of
    /// it share. The same is done whether or not there is a verifier.
    ///
    /// # Panics
    /// When the system has no random source.
    #[must_use]
    pub fn offer(&self, name: &[u8], hash: ScramHash, credentials: Option<&Credentials>) -> ScramOffer {
        let mut nonce = [0; 18];
        fill_random(&mut nonce);
        let made = mac(ScramHash::Sha256, self.as_bytes(), &[hash.mechanism().as_bytes(), b" ", name].concat());
        let decoy = (std::array::from_fn(|index| made[index]), ITERATIONS);
        let verifier = credentials.and_then(|credentials| credentials.scram(hash));
        let (salt, iterations) = verifier.map_or(decoy, |verifier| (verifier.salt, verifier.iterations));
        ScramOffer { nonce, salt, iterations }
    }
}

impl fmt::Debug for DecoyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecoyKey(***)")
    }
}

impl Credentials {
    /// Whether `secret` is the account's own password, as far as a proof of it could tell.
    #[must_use]
    pub fn is_proven_by(&self, secret: &Secret) -> bool {
        self.scram.first().is_some_and(|verifier| verifier.accepts(secret).into())
    }

    /// What checks proofs of the account's own password made with `hash`.
    pub(super) fn scram(&self, hash: ScramHash) -> Option<&ScramVerifier> {
        self.scram.iter().find(|verifier| verifier.hash() == hash)
    }
}

fn derive_keys(hash: ScramHash, secret: &Secret, salt: &[u8], iterations: u32) -> Option<ScramKeys> {
    let text = str::from_utf8(secret.expose()).ok()?;
    let prepared = Zeroizing::new(saslprep(text).ok()?.into_owned());
    let mut salted = Zeroizing::new([0; 32]);
    let salted = &mut salted[..hash.bytes()];
    match hash {
        ScramHash::Sha1 => pbkdf2_hmac::<Sha1>(prepared.as_bytes(), salt, iterations, salted),
        ScramHash::Sha256 => pbkdf2_hmac::<Sha256>(prepared.as_bytes(), salt, iterations, salted),
    }
    let client_key = Zeroizing::new(mac(hash, salted, b"Client Key"));
    Some(packed(hash, &digest(hash, &client_key[..hash.bytes()]), &mac(hash, salted, b"Server Key")))
}

fn packed(hash: ScramHash, stored_key: &Key, server_key: &Key) -> ScramKeys {
    fn cut<const N: usize>(key: &Key) -> [u8; N] {
        std::array::from_fn(|index| key[index])
    }
    match hash {
        ScramHash::Sha1 => ScramKeys::Sha1 { stored_key: cut(stored_key), server_key: cut(server_key) },
        ScramHash::Sha256 => ScramKeys::Sha256 { stored_key: *stored_key, server_key: *server_key },
    }
}

fn mac(hash: ScramHash, key: &[u8], message: &[u8]) -> Key {
    fn of<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Key {
        let mac = <M as KeyInit>::new_from_slice(key).expect("a key may have any length");
        padded(&mac.chain_update(message).finalize().into_bytes())
    }
    match hash {
        ScramHash::Sha1 => of::<Hmac<Sha1>>(key, message),
        ScramHash::Sha256 => of::<Hmac<Sha256>>(key, message),
    }
}

fn digest(hash: ScramHash, bytes: &[u8]) -> Key {
    match hash {
        ScramHash::Sha1 => padded(&Sha1::digest(bytes)),
        ScramHash::Sha256 => padded(&Sha256::digest(bytes)),
    }
}

fn padded(bytes: &[u8]) -> Key {
    let mut key = [0; 32];
    key[..bytes.len()].copy_from_slice(bytes);
    key
}

#[cfg(test)]
pub(super) mod tests {
    use base64ct::{Base64, Encoding};
    use proptest::prelude::*;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes()).unwrap()
    }

    fn decode(text: &str) -> Vec<u8> {
        Base64::decode_vec(text).unwrap()
    }

    fn of(hash: ScramHash, text: &str, salt: [u8; 16], iterations: u32) -> ScramVerifier {
        ScramVerifier { iterations, salt, keys: derive_keys(hash, &secret(text), &salt, iterations).unwrap() }
    }

    fn proof(hash: ScramHash, message: &[u8], proof: &[u8]) -> ScramProof {
        ScramProof { hash, message: message.to_vec(), proof: Zeroizing::new(padded(proof)) }
    }

    /// The client's side.
    pub(crate) fn prove(text: &str, verifier: &ScramVerifier, message: &[u8]) -> ScramProof {
        let (hash, bytes) = (verifier.hash(), verifier.hash().bytes());
        let mut salted = [0; 32];
        let salted = &mut salted[..bytes];
        match hash {
            ScramHash::Sha1 => pbkdf2_hmac::<Sha1>(text.as_bytes(), &verifier.salt, verifier.iterations, salted),
            ScramHash::Sha256 => pbkdf2_hmac::<Sha256>(text.as_bytes(), &verifier.salt, verifier.iterations, salted),
        }
        let client_key = mac(hash, salted, b"Client Key");
        let stored_key = digest(hash, &client_key[..bytes]);
        let signature = mac(hash, &stored_key[..bytes], message);
        let masked: Vec<u8> = client_key.iter().zip(signature).take(bytes).map(|(one, other)| one ^ other).collect();
        proof(hash, message, &masked)
    }

    #[test]
    fn the_examples_of_the_standards() {
        for (hash, salt, message, proven, signature) in [
            (
                // RFC 5802, section 5.
                ScramHash::Sha1,
                "QSXCR+Q6sek8bf92",
                "n=user,r=fyko+d2lbbFgONRv9qkxdawL,\
                 r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,\
                 c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                // RFC 7677, section 3.
                ScramHash::Sha256,
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                "n=user,r=rOprNGfwEbeRWgbNEkqO,\
                 r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
                 c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ] {
            let keys = derive_keys(hash, &secret("pencil"), &decode(salt), 4096).unwrap();
            let verifier = ScramVerifier { iterations: 4096, salt: [0; 16], keys };
            let (is_right, signed) = verifier.check(&proof(hash, message.as_bytes(), &decode(proven)));
            assert!(bool::from(is_right), "{hash:?}");
            assert_eq!(signed, Signature::Scram(decode(signature).into()));
        }
    }

    #[test]
    fn only_a_proof_of_this_password_and_this_message_is_right() {
        for hash in ScramHash::ALL {
            let verifier = ScramVerifier::derive(hash, &secret("correct")).unwrap();
            let check = |text: &str, message: &[u8]| {
                let proof = ScramProof { message: b"message".to_vec(), ..prove(text, &verifier, message) };
                bool::from(verifier.check(&proof).0)
            };
            assert!(check("correct", b"message") && !check("correct", b"massage") && !check("wrong", b"message"));
            let accepts = |text: &str| bool::from(verifier.accepts(&secret(text)));
            assert!(accepts("correct") && !accepts("Correct") && !accepts("\u{7}"));
            let other = ScramVerifier::derive(hash, &secret("correct")).unwrap();
            assert!(other.salt != verifier.salt && other.keys != verifier.keys);
        }
    }

    #[test]
    fn passwords_are_prepared() {
        let keys = |text: &[u8]| derive_keys(ScramHash::Sha256, &Secret::new(text).unwrap(), b"salt", 1);
        // The examples of RFC 4013, section 3.
        assert_eq!(keys("I\u{ad}X".as_bytes()), keys(b"IX"));
        assert_eq!(keys("\u{aa}".as_bytes()), keys(b"a"));
        assert_eq!(keys("\u{2168}".as_bytes()), keys(b"IX"));
        assert_ne!(keys(b"USER"), keys(b"user"));
        for refused in ["\u{7}", "\u{627}1", "\u{e000}"] {
            assert_eq!(keys(refused.as_bytes()), None, "{}", refused.escape_unicode());
        }
        assert_eq!(keys(b"\xff"), None);
    }

    #[test]
    fn a_name_without_an_account_has_a_salt_that_stays() {
        let key = DecoyKey::draw();
        let kept = DecoyKey::from_bytes(key.as_bytes()).unwrap();
        let offer = |key: &DecoyKey, name: &[u8], hash| key.offer(name, hash, Some(&Credentials::none(0)));
        let one = offer(&key, b"nobody@example.com", ScramHash::Sha1);
        let again = offer(&kept, b"nobody@example.com", ScramHash::Sha1);
        assert_eq!((again.salt, again.iterations), (one.salt, one.iterations));
        assert_ne!(again.nonce, one.nonce);
        assert_ne!(offer(&key, b"nobody@example.net", ScramHash::Sha1).salt, one.salt);
        assert_ne!(offer(&key, b"nobody@example.com", ScramHash::Sha256).salt, one.salt);
        assert_ne!(offer(&DecoyKey::draw(), b"nobody@example.com", ScramHash::Sha1).salt, one.salt);
        let verifier = of(ScramHash::Sha1, "correct", [7; 16], 1);
        let credentials = Credentials { scram: vec![verifier], ..Credentials::none(0) };
        let real = key.offer(b"alice@example.com", ScramHash::Sha1, Some(&credentials));
        assert_eq!((real.salt, real.iterations), ([7; 16], 1));
        assert_eq!(key.offer(b"alice@example.com", ScramHash::Sha256, Some(&credentials)).iterations, one.iterations);
        assert!(DecoyKey::from_bytes(b"short").is_none() && format!("{key:?}") == "DecoyKey(***)");
    }

    proptest! {
        #[test]
        fn one_flipped_bit_makes_a_proof_wrong(text in "[!-~]{1,20}", message: Vec<u8>, bit in 0..160_usize) {
            let verifier = of(ScramHash::Sha1, &text, [7; 16], 1);
            let mut proof = prove(&text, &verifier, &message);
            prop_assert!(bool::from(verifier.check(&proof).0));
            proof.proof[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!bool::from(verifier.check(&proof).0));
        }
    }
}
