//! Credentials under seal: with a master key that is kept outside the store, so that whoever has
//! the store alone, or a copy of it, has nothing to guess passwords with.
//!
//! ```text
//! format      u8       2
//! changed_at  u64      seconds since 1970, UTC
//! change_id   u128
//! key id      8 bytes  tells which key seals it
//! nonce       12 bytes
//! sealed parts, as in the open form; behind the SCRAM verifiers there may be
//!   scheme 5: the password itself; its length u16, its bytes, and zeros up to a multiple of 64
//! tag         16 bytes
//! ```
//!
//! The seal is AES-256-GCM-SIV (RFC 8452), which a nonce that is used twice does not break. It covers
//! all that stands before the nonce, and whose record it is: moved to another account it does not open.
//! What seals, and what a key is known by, are both derived from it (keyed BLAKE2b, RFC 7693), so
//! that the id tells nothing of the key.

use std::fmt;

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use blake2::Blake2bMac;
use blake2::digest::consts::{U8, U32};
use blake2::digest::{FixedOutput, Update};
use zeroize::Zeroizing;

use super::record::{FORMAT, Header, take};
use super::{Credentials, RecordFault, fill_random};

/// The format of sealed records.
const SEALED: u8 = 2;

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const SEAL_LABEL: &[u8] = b"keyturn record seal";
const ID_LABEL: &[u8] = b"keyturn key id";

/// What tells a master key from others. A key that is mistyped has another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key that seals records: 32 bytes, overwritten when dropped. Its `Debug` shows its id alone.
pub struct MasterKey {
    id: KeyId,
    cipher: Aes256GcmSiv,
}

impl MasterKey {
    /// The key that `text` writes in 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        let pairs = text.as_bytes().chunks_exact(2);
        if text.len() != 2 * key.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in key.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self::new(&key))
    }

    fn new(key: &[u8; 32]) -> Self {
        let mut id = <Blake2bMac<U8>>::new_from_slice(key).expect("a key may have 32 bytes");
        id.update(ID_LABEL);
        let mut sealing = <Blake2bMac<U32>>::new_from_slice(key).expect("a key may have 32 bytes");
        sealing.update(SEAL_LABEL);
        let sealing = Zeroizing::new(<[u8; 32]>::from(sealing.finalize_fixed()));
        Self { id: KeyId(id.finalize_fixed().into()), cipher: Aes256GcmSiv::new((&*sealing).into()) }
    }

    /// What it is known by.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// What turns credentials into records and back. Without a key it writes records in the open form,
/// and reads no other.
#[derive(Debug, Default)]
pub struct Vault {
    /// The first seals; the others open what they have sealed in their time.
    keys: Vec<MasterKey>,
}

impl Vault {
    /// A vault that seals with the first of `keys`, and opens what any of them has sealed.
    #[must_use]
    pub fn new(keys: Vec<MasterKey>) -> Self {
        Self { keys }
    }

    /// Its keys, the one that seals first.
    pub fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(MasterKey::id)
    }

    /// Whether it seals what it writes.
    #[must_use]
    pub fn seals(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The record of `credentials` for the account that `owner` tells from all others.
    ///
    /// # Panics
    /// When the system has no random source.
    #[must_use]
    pub fn seal(&self, owner: &[u8], credentials: &Credentials) -> Vec<u8> {
        let mut record = Vec::with_capacity(512);
        let Some(MasterKey { id, cipher }) = self.keys.first() else {
            credentials.encode(&mut record);
            return record;
        };
        credentials.header(SEALED).encode(&mut record);
        record.extend_from_slice(&id.0);
        let covered = covered(&record, owner);
        let mut nonce = Nonce::default();
        fill_random(&mut nonce);
        record.extend_from_slice(&nonce);
        let mut parts = Zeroizing::new(Vec::with_capacity(1024));
        credentials.encode_parts(&mut parts);
        if let Some(recoverable) = &credentials.recoverable {
            recoverable.encode_part(&mut parts);
        }
        credentials.encode_alternatives(&mut parts);
        let tag = cipher.encrypt_inout_detached(&nonce, &covered, parts.as_mut_slice().into());
        record.extend_from_slice(&parts);
        record.extend_from_slice(&tag.expect("a record is shorter than what can be sealed"));
        record
    }

    /// The inverse of [`Vault::seal`], for the same `owner`.
    ///
    /// # Errors
    /// [`RecordFault`].
    pub fn open(&self, owner: &[u8], record: &[u8]) -> Result<Credentials, RecordFault> {
        let mut rest = record;
        let Some(id) = sealed_with(record)? else { return Credentials::decode(record) };
        let header = Header::decode(&mut rest)?;
        let _: [u8; size_of::<KeyId>()] = take(&mut rest)?;
        let covered = covered(&record[..record.len() - rest.len()], owner);
        let nonce: [u8; NONCE_BYTES] = take(&mut rest)?;
        let length = rest.len().checked_sub(TAG_BYTES).ok_or(RecordFault::Malformed)?;
        let (parts, tag) = rest.split_at(length);
        let mut parts = Zeroizing::new(parts.to_vec());
        let key = self.keys.iter().find(|key| key.id == id).ok_or(RecordFault::UnknownKey(id))?;
        let tag = Tag::try_from(tag).map_err(|_| RecordFault::Malformed)?;
        let opened = key.cipher.decrypt_inout_detached(&nonce.into(), &covered, parts.as_mut_slice().into(), &tag);
        opened.map_err(|_| RecordFault::BrokenSeal)?;
        Credentials::from_parts(header, &parts, true)
    }

    /// Whether `record` is as this vault would write it: sealed with the key that seals now.
    #[must_use]
    pub fn is_current(&self, record: &[u8]) -> bool {
        sealed_with(record) == Ok(self.key_ids().next())
    }
}

/// The key that `record` is sealed with; `None`: it is not.
///
/// # Errors
/// [`RecordFault::UnknownFormat`], [`RecordFault::Malformed`].
fn sealed_with(record: &[u8]) -> Result<Option<KeyId>, RecordFault> {
    match record.first() {
        Some(&FORMAT) => Ok(None),
        Some(&SEALED) => {
            let id = record.get(Header::BYTES..).and_then(|rest| rest.first_chunk());
            id.map(|id| Some(KeyId(*id))).ok_or(RecordFault::Malformed)
        }
        Some(&format) => Err(RecordFault::UnknownFormat(format)),
        None => Err(RecordFault::Malformed),
    }
}

/// What the seal covers apart from what is sealed.
fn covered(before_nonce: &[u8], owner: &[u8]) -> Vec<u8> {
    [before_nonce, owner].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::{PasswordPurpose, Recoverable, ScramKeys, ScramVerifier, Verifier};
    use crate::model::{Argon2idCost, Secret};

    const ALICE: &[u8] = b"Aexample.com\0alice";

    fn key(digit: &str) -> MasterKey {
        MasterKey::parse(&digit.repeat(64)).unwrap()
    }

    fn vault(digits: &[&str]) -> Vault {
        Vault::new(digits.iter().map(|digit| key(digit)).collect())
    }

    /// Credentials that have every kind of part.
    fn full() -> Credentials {
        let verifier = Verifier::Argon2id { cost: Argon2idCost::default(), salt: [1; 16], tag: [2; 32] };
        let keys = ScramKeys::Sha1 { stored_key: [3; 20], server_key: [4; 20] };
        let mut credentials = Credentials::new(verifier.clone(), 7);
        credentials.scram.push(ScramVerifier { iterations: 4096, salt: [1; 16], keys });
        credentials.recoverable = Some(Recoverable::new(&Secret::new(b"hunter2").unwrap()));
        credentials.set_alternative(PasswordPurpose::Application("phone".into()), Some(verifier));
        credentials
    }

    #[test]
    fn what_is_sealed_opens_again_and_shows_nothing() {
        let vault = vault(&["a"]);
        let record = vault.seal(ALICE, &full());
        assert_eq!(vault.open(ALICE, &record), Ok(full_of(&vault, &record)));
        assert_eq!(vault.open(ALICE, &record).unwrap().recoverable, full().recoverable);
        for part in [&[2; 16][..], &[3; 16], &[4; 16], b"hunter2", b"phone"] {
            assert!(!record.windows(part.len()).any(|window| window == part), "{}", part.escape_ascii());
        }
        assert_ne!(vault.seal(ALICE, &full())[33..], record[33..], "nonces differ");
    }

    /// As [`full`], with the ids drawn for what is in `record`.
    fn full_of(vault: &Vault, record: &[u8]) -> Credentials {
        let opened = vault.open(ALICE, record).unwrap();
        let mut full = Credentials { change_id: opened.change_id, ..full() };
        full.alternatives[0].id = opened.alternatives[0].id;
        full
    }

    #[test]
    fn a_record_opens_for_its_account_and_with_its_key_alone() {
        let record = vault(&["a"]).seal(ALICE, &full());
        assert_eq!(vault(&["a"]).open(b"Aexample.com\0bob", &record), Err(RecordFault::BrokenSeal));
        for other in [Vault::default(), vault(&["b"])] {
            assert_eq!(other.open(ALICE, &record), Err(RecordFault::UnknownKey(key("a").id())));
        }
        // The id of another key makes it no record of that key.
        let mut posing = record;
        posing[Header::BYTES..][..8].copy_from_slice(&key("b").id().0);
        assert_eq!(vault(&["b"]).open(ALICE, &posing), Err(RecordFault::BrokenSeal));
    }

    #[test]
    fn older_keys_open_and_the_first_seals() {
        let (old, both) = (vault(&["a"]), vault(&["b", "a"]));
        let record = old.seal(ALICE, &full());
        assert!(old.is_current(&record) && !both.is_current(&record));
        let opened = both.open(ALICE, &record).unwrap();
        let record = both.seal(ALICE, &opened);
        assert!(both.is_current(&record) && !old.is_current(&record));
        assert_eq!(vault(&["b"]).open(ALICE, &record), Ok(opened));
    }

    #[test]
    fn an_open_record_is_read_with_and_without_a_key_and_sealed_when_it_is_written() {
        let record = Vault::default().seal(ALICE, &full());
        let opened = Vault::default().open(ALICE, &record).unwrap();
        assert_eq!((vault(&["a"]).open(ALICE, &record), &opened.recoverable), (Ok(opened.clone()), &None));
        assert!(Vault::default().is_current(&record) && !vault(&["a"]).is_current(&record));
    }

    /// Made with Python: `hashlib.blake2b` for both derivations, and `AESGCMSIV` of its library
    /// `cryptography`.
    #[test]
    fn a_record_that_others_have_sealed_opens() {
        const RECORD: &str = "02070000000000000009000000000000000000000000000000c0d79baa93c1bd6700010203040506\
            0708090a0b205efb65594973823211e18e6798638f38aa2008be40966b3af61dd330e476d2994a269c270c3e9bbae8\
            6e5e158cd30ed163b305ed509a77627f2a70ad8683ad53df67d7125cd2731b25468f714df688fc08f8";
        assert_eq!(key("a").id().to_string(), "c0d79baa93c1bd67");
        let pairs = RECORD.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let record: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let expected = Credentials { change_id: 9, recoverable: full().recoverable, ..Credentials::none(7) };
        assert_eq!(vault(&["a"]).open(ALICE, &record), Ok(expected));
    }

    #[test]
    fn debug_shows_ids_alone() {
        let shown = format!("{:?} {:?}", key("a"), vault(&["a"]));
        assert_eq!(shown.matches(&key("a").id().to_string()).count(), 2);
        assert!(!shown.contains("aaaa"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_record_that_was_changed_opens(place in any::<prop::sample::Index>(), bit in 0..8u32, cut in any::<bool>()) {
            let vault = vault(&["a"]);
            let record = vault.seal(ALICE, &full());
            let mut changed = record.clone();
            if cut {
                changed.truncate(place.index(record.len()));
            } else {
                *place.get_mut(&mut changed) ^= 1u8 << bit;
            }
            prop_assert!(vault.open(ALICE, &changed).is_err());
        }

        #[test]
        fn no_bytes_panic_the_vault(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() {
                *first %= 4;
            }
            prop_assert!(vault(&["a"]).open(ALICE, &bytes).is_err() || bytes[0] == FORMAT);
        }
    }
}
