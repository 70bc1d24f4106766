//! The binary form of an account's password verifiers: the open one, in which the parts can be
//! read; `vault.rs` has the sealed one.
//!
//! ```text
//! format      u8       1
//! changed_at  u64      seconds since 1970, UTC
//! change_id   u128
//! then, until the end, one part after another:
//!   scheme    u8       see below
//!   length    u16      of the body
//!   body
//! ```
//!
//! | scheme | part, in this order | body |
//! |---|---|---|
//! | 1 | Argon2id | cost, salt, tag |
//! | 2 | a legacy hash, among the former | its text |
//! | 4 | SCRAM, by rising hash function | 1: SHA-1, 2: SHA-256; iterations u32, salt, both keys |
//! | 3 | a further password | see below |
//!
//! A further password, of an application or another service:
//!
//! ```text
//! purpose     u8       1: an application; 2: SIP; 3: RADIUS
//! id          u64
//! length      u8       of the tag
//! tag                  UTF-8; empty unless of an application
//! verifier             of the scheme 1 or 2
//! ```
//!
//! Numbers are little-endian. A scheme this program does not know is a fault, not something to
//! step over: the record would lose that verifier with its next change.

use std::{fmt, mem};

use base64ct::{Base64Unpadded, Encoding};

pub use self::recoverable::Recoverable;
pub use self::scram::{ScramKeys, ScramVerifier};
use super::legacy::LegacyHash;
use super::{KeyId, fill_random};
use crate::model::Argon2idCost;
use crate::model::limits::TAG_BYTES_MAX;

mod recoverable;
mod scram;

/// The format of open records.
pub(super) const FORMAT: u8 = 1;

const SCHEME_ARGON2ID: u8 = 1;
const SCHEME_LEGACY: u8 = 2;
const SCHEME_ALTERNATIVE: u8 = 3;
const SCHEME_SCRAM: u8 = 4;
/// In sealed records only.
const SCHEME_RECOVERABLE: u8 = 5;
const PURPOSE_APPLICATION: u8 = 1;
const PURPOSE_SIP: u8 = 2;
const PURPOSE_RADIUS: u8 = 3;

/// One way to check a password that is given.
#[derive(Clone, PartialEq, Eq)]
pub enum Verifier {
    /// Argon2id v1.3 (RFC 9106).
    Argon2id {
        /// What it costs. Whether the cost can be paid is for [`super::Hasher`] to say.
        cost: Argon2idCost,
        /// 16 random bytes.
        salt: [u8; 16],
        /// The 32-byte output.
        tag: [u8; 32],
    },
    /// What other software made.
    Legacy(LegacyHash),
}

/// What a further password of an account is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordPurpose {
    /// One application, told by its tag, of at most [`TAG_BYTES_MAX`] bytes. It opens a login as
    /// the account's own password does.
    Application(Box<str>),
    /// SIP, which is not served here.
    Sip,
    /// RADIUS, which is not served here.
    Radius,
}

/// A further password of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// What it is for; an account has at most one of each purpose.
    pub purpose: PasswordPurpose,
    /// Drawn at random, so that a login through it is not taken for one through its successor.
    pub id: u64,
    /// What checks it.
    pub verifier: Verifier,
}

/// The part of an account's record that concerns its password: versioned, binary. It has a
/// `Debug` that shows schemes and costs but no salt, tag or digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Seconds since 1970 (UTC) of the last change.
    pub changed_at: u64,
    /// Drawn at random for every change, so that a change of unknown outcome can be recognised.
    pub change_id: u128,
    /// The verifiers; a password is right when any accepts it.
    pub verifiers: Vec<Verifier>,
    /// What checks a proof of the password by SCRAM: at most one of each hash function, in the order
    /// of [`crate::model::ScramHash::ALL`].
    pub scram: Vec<ScramVerifier>,
    /// The password itself, for who needs it. The open form of a record leaves it out.
    pub recoverable: Option<Recoverable>,
    /// The account's further passwords. They are not part of a change of its own one.
    pub alternatives: Vec<Alternative>,
}

/// Why bytes are not credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// Written by a later version of the program.
    UnknownFormat(u8),
    /// Holds a verifier of a scheme that only a later version of the program knows.
    UnknownScheme(u8),
    /// Sealed with a key that is not at hand.
    UnknownKey(KeyId),
    /// Sealed for another account, or changed since.
    BrokenSeal,
    /// Cut short or inconsistent.
    Malformed,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFormat(format) => write!(f, "credentials of unknown format {format}"),
            Self::UnknownScheme(scheme) => write!(f, "a password verifier of unknown scheme {scheme}"),
            Self::UnknownKey(id) => write!(f, "credentials sealed with the master key {id}, which is not at hand"),
            Self::BrokenSeal => f.write_str("credentials with a broken seal"),
            Self::Malformed => f.write_str("malformed credentials"),
        }
    }
}

impl std::error::Error for RecordFault {}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2id { cost: Argon2idCost { m_kib, t, p }, .. } => write!(f, "Argon2id(m={m_kib},t={t},p={p})"),
            Self::Legacy(hash) => write!(f, "{hash:?}"),
        }
    }
}

impl Credentials {
    /// Of a change made at `changed_at`, in seconds since 1970 (UTC), with a fresh change id: what
    /// an imported hash becomes.
    ///
    /// # Panics
    /// When the system has no random source.
    #[must_use]
    pub fn new(verifier: Verifier, changed_at: u64) -> Self {
        Self::of_several(vec![verifier], changed_at)
    }

    /// As [`Credentials::new`], with several verifiers.
    ///
    /// # Panics
    /// When the system has no random source.
    #[must_use]
    pub fn of_several(verifiers: Vec<Verifier>, changed_at: u64) -> Self {
        let mut change_id = [0; 16];
        fill_random(&mut change_id);
        let change_id = u128::from_le_bytes(change_id);
        Self { change_id, verifiers, ..Self::none(changed_at) }
    }

    /// Of an account that no password opens yet.
    #[must_use]
    pub fn none(changed_at: u64) -> Self {
        Self {
            changed_at,
            change_id: 0,
            verifiers: Vec::new(),
            scram: Vec::new(),
            recoverable: None,
            alternatives: Vec::new(),
        }
    }

    /// The tags of the applications that have a password of their own.
    pub fn applications(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().filter_map(|it| match &it.purpose {
            PasswordPurpose::Application(tag) => Some(&**tag),
            PasswordPurpose::Sip | PasswordPurpose::Radius => None,
        })
    }

    /// Gives `purpose` the password that `verifier` checks, or takes its password away; says
    /// whether it had one.
    ///
    /// # Panics
    /// When the system has no random source.
    pub fn set_alternative(&mut self, purpose: PasswordPurpose, verifier: Option<Verifier>) -> bool {
        let before = self.alternatives.len();
        self.alternatives.retain(|it| it.purpose != purpose);
        let had_one = self.alternatives.len() < before;
        if let Some(verifier) = verifier {
            let mut id = [0; 8];
            fill_random(&mut id);
            self.alternatives.push(Alternative { purpose, id: u64::from_le_bytes(id), verifier });
        }
        had_one
    }

    /// The salt of the further passwords. All passwords of one account have the same one if they
    /// can, so that one hash tells whether any of them is right: a login costs what it costs every
    /// other account, however many there are.
    #[must_use]
    pub fn salt_of_alternatives(&self) -> Option<[u8; 16]> {
        self.alternatives.iter().find_map(|it| it.verifier.salt())
    }

    /// The salt for one more password beside those that there are.
    #[must_use]
    pub fn salt(&self) -> Option<[u8; 16]> {
        self.salt_of_alternatives().or_else(|| self.verifiers.iter().find_map(Verifier::salt))
    }

    /// Whether no verifier is what is made of a new password at `cost`, so that the next login
    /// should replace them.
    #[must_use]
    pub fn needs_upgrade(&self, cost: Argon2idCost) -> bool {
        let is_current = |verifier: &Verifier| match verifier {
            Verifier::Argon2id { cost: own, .. } => *own == cost,
            Verifier::Legacy(_) => false,
        };
        !self.verifiers.iter().any(is_current)
    }

    /// Appends the open form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.header(FORMAT).encode(out);
        self.encode_parts(out);
        self.encode_alternatives(out);
    }

    /// What stands before the parts in a record of that format.
    pub(super) fn header(&self, format: u8) -> Header {
        Header { format, changed_at: self.changed_at, change_id: self.change_id }
    }

    /// Appends the parts of the account's own password that either form has.
    pub(super) fn encode_parts(&self, out: &mut Vec<u8>) {
        for verifier in &self.verifiers {
            verifier.encode(out);
        }
        for scram in &self.scram {
            part(SCHEME_SCRAM, out, |body| scram.encode(body));
        }
    }

    /// Appends the parts of further passwords, which come last.
    pub(super) fn encode_alternatives(&self, out: &mut Vec<u8>) {
        for alternative in &self.alternatives {
            part(SCHEME_ALTERNATIVE, out, |body| alternative.encode(body));
        }
    }

    /// The inverse of [`Credentials::encode`]: takes all of `bytes`.
    ///
    /// # Errors
    /// [`RecordFault`].
    pub fn decode(mut bytes: &[u8]) -> Result<Self, RecordFault> {
        match bytes.first() {
            None | Some(&FORMAT) => {}
            Some(&format) => return Err(RecordFault::UnknownFormat(format)),
        }
        let header = Header::decode(&mut bytes)?;
        Self::from_parts(header, bytes, false)
    }

    /// Credentials of all these parts. The password itself is none where it was not `sealed`.
    pub(super) fn from_parts(header: Header, mut parts: &[u8], sealed: bool) -> Result<Self, RecordFault> {
        let mut credentials = Self { change_id: header.change_id, ..Self::none(header.changed_at) };
        while let Some(&scheme) = parts.first() {
            if scheme == SCHEME_RECOVERABLE && !sealed {
                return Err(RecordFault::Malformed);
            }
            credentials.decode_part(scheme, &mut parts)?;
        }
        Ok(credentials)
    }

    /// Takes one part from the front of `parts`. Each kind has its place, so that what is the same is
    /// written in one way.
    fn decode_part(&mut self, scheme: u8, parts: &mut &[u8]) -> Result<(), RecordFault> {
        let is_in_place = match scheme {
            SCHEME_ALTERNATIVE => true,
            SCHEME_RECOVERABLE => self.alternatives.is_empty() && self.recoverable.is_none(),
            SCHEME_SCRAM => self.alternatives.is_empty() && self.recoverable.is_none(),
            _ => self.alternatives.is_empty() && self.recoverable.is_none() && self.scram.is_empty(),
        };
        if !is_in_place {
            return Err(RecordFault::Malformed);
        }
        match scheme {
            SCHEME_ALTERNATIVE => self.alternatives.push(Alternative::decode(take_part(parts)?)?),
            SCHEME_RECOVERABLE => self.recoverable = Some(Recoverable::decode(take_part(parts)?)?),
            SCHEME_SCRAM => {
                let scram = ScramVerifier::decode(take_part(parts)?)?;
                if self.scram.last().is_some_and(|last| last.hash() >= scram.hash()) {
                    return Err(RecordFault::Malformed);
                }
                self.scram.push(scram);
            }
            _ => self.verifiers.push(Verifier::decode(parts)?),
        }
        Ok(())
    }
}

/// What a record of either form begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    format: u8,
    changed_at: u64,
    change_id: u128,
}

impl Header {
    pub(super) const BYTES: usize = 1 + size_of::<u64>() + size_of::<u128>();

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.push(self.format);
        out.extend_from_slice(&self.changed_at.to_le_bytes());
        out.extend_from_slice(&self.change_id.to_le_bytes());
    }

    /// Takes one from the front of `bytes`.
    pub(super) fn decode(bytes: &mut &[u8]) -> Result<Self, RecordFault> {
        let [format] = take(bytes)?;
        let changed_at = u64::from_le_bytes(take(bytes)?);
        let change_id = u128::from_le_bytes(take(bytes)?);
        Ok(Self { format, changed_at, change_id })
    }
}

impl Alternative {
    /// Appends the body of its part of a record.
    fn encode(&self, out: &mut Vec<u8>) {
        let (purpose, tag) = match &self.purpose {
            PasswordPurpose::Application(tag) => (PURPOSE_APPLICATION, &**tag),
            PasswordPurpose::Sip => (PURPOSE_SIP, ""),
            PasswordPurpose::Radius => (PURPOSE_RADIUS, ""),
        };
        out.push(purpose);
        out.extend_from_slice(&self.id.to_le_bytes());
        out.push(u8::try_from(tag.len()).expect("a tag is short"));
        out.extend_from_slice(tag.as_bytes());
        self.verifier.encode(out);
    }

    /// The inverse: takes all of `body`.
    fn decode(mut body: &[u8]) -> Result<Self, RecordFault> {
        let [purpose] = take(&mut body)?;
        let id = u64::from_le_bytes(take(&mut body)?);
        let [length] = take(&mut body)?;
        let (tag, mut verifier) = body.split_at_checked(length.into()).ok_or(RecordFault::Malformed)?;
        let tag = std::str::from_utf8(tag).map_err(|_| RecordFault::Malformed)?;
        let purpose = match purpose {
            PURPOSE_APPLICATION if (1..=TAG_BYTES_MAX).contains(&tag.len()) => PasswordPurpose::Application(tag.into()),
            PURPOSE_SIP if tag.is_empty() => PasswordPurpose::Sip,
            PURPOSE_RADIUS if tag.is_empty() => PasswordPurpose::Radius,
            _ => return Err(RecordFault::Malformed),
        };
        let alternative = Self { purpose, id, verifier: Verifier::decode(&mut verifier)? };
        if verifier.is_empty() { Ok(alternative) } else { Err(RecordFault::Malformed) }
    }
}

impl Verifier {
    /// The name of its scheme.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Argon2id { .. } => "argon2id",
            Self::Legacy(hash) => hash.scheme(),
        }
    }

    /// What it costs, in the words of its scheme; empty where it costs nothing.
    #[must_use]
    pub fn parameters(&self) -> String {
        match self {
            Self::Argon2id { cost: Argon2idCost { m_kib, t, p }, .. } => format!("m={m_kib},t={t},p={p}"),
            Self::Legacy(hash) => hash.parameters(),
        }
    }

    /// Its text, as other software reads it and [`super::legacy::parse`] does: of the program's
    /// own a PHC string (<https://github.com/P-H-C/phc-string-format>), of an imported hash what
    /// was imported. Whoever has it can guess passwords against it.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Argon2id { cost: Argon2idCost { m_kib, t, p }, salt, tag } => {
                let (salt, tag) = (Base64Unpadded::encode_string(salt), Base64Unpadded::encode_string(tag));
                format!("$argon2id$v=19$m={m_kib},t={t},p={p}${salt}${tag}")
            }
            Self::Legacy(hash) => hash.text().to_owned(),
        }
    }

    /// What it is salted with, if the salt can be that of another verifier too.
    fn salt(&self) -> Option<[u8; 16]> {
        match self {
            Self::Argon2id { salt, .. } => Some(*salt),
            Self::Legacy(_) => None,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Argon2id { cost, salt, tag } => part(SCHEME_ARGON2ID, out, |body| {
                for number in [cost.m_kib, cost.t, cost.p] {
                    body.extend_from_slice(&number.to_le_bytes());
                }
                body.extend_from_slice(salt);
                body.extend_from_slice(tag);
            }),
            Self::Legacy(hash) => part(SCHEME_LEGACY, out, |body| body.extend_from_slice(hash.text().as_bytes())),
        }
    }

    /// Takes one verifier from the front of `bytes`.
    fn decode(bytes: &mut &[u8]) -> Result<Self, RecordFault> {
        let scheme = bytes.first().copied().ok_or(RecordFault::Malformed)?;
        let mut body = take_part(bytes)?;
        let verifier = match scheme {
            SCHEME_ARGON2ID => {
                let mut number = || take(&mut body).map(u32::from_le_bytes);
                let cost = Argon2idCost { m_kib: number()?, t: number()?, p: number()? };
                Self::Argon2id { cost, salt: take(&mut body)?, tag: take(&mut body)? }
            }
            SCHEME_LEGACY => {
                let hash = LegacyHash::from_record(mem::take(&mut body));
                Self::Legacy(hash.ok_or(RecordFault::Malformed)?)
            }
            unknown => return Err(RecordFault::UnknownScheme(unknown)),
        };
        if body.is_empty() { Ok(verifier) } else { Err(RecordFault::Malformed) }
    }
}

/// Appends a part of a record, whose body `encode` appends.
fn part(scheme: u8, out: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
    out.push(scheme);
    let length = out.len();
    out.extend_from_slice(&[0; size_of::<u16>()]);
    let body = out.len();
    encode(out);
    let bytes = u16::try_from(out.len() - body).expect("a part is short");
    out[length..body].copy_from_slice(&bytes.to_le_bytes());
}

/// Takes a part of a record, of whatever scheme, from the front of `bytes` and returns its body.
fn take_part<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], RecordFault> {
    let [_] = take(bytes)?;
    let length = u16::from_le_bytes(take(bytes)?);
    let (body, rest) = bytes.split_at_checked(length.into()).ok_or(RecordFault::Malformed)?;
    *bytes = rest;
    Ok(body)
}

/// Takes the first `N` bytes from the front of `bytes`.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], RecordFault> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(RecordFault::Malformed)?;
    *bytes = rest;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Secret;

    fn any_verifier() -> impl Strategy<Value = Verifier> {
        let cost = any::<[u32; 3]>().prop_map(|[m_kib, t, p]| Argon2idCost { m_kib, t, p });
        let argon2id = (cost, any::<[u8; 16]>(), any::<[u8; 32]>()).prop_map(|(cost, salt, tag)| Verifier::Argon2id {
            cost,
            salt,
            tag,
        });
        prop_oneof![argon2id, "[./0-9A-Za-z]{1,8}".prop_map(|salt| legacy(&salt))]
    }

    fn legacy(salt: &str) -> Verifier {
        super::super::legacy::parse(format!("$1${salt}$on4unkS8dQm5BqW0uvLLi1").as_bytes()).unwrap()
    }

    fn any_credentials() -> impl Strategy<Value = Credentials> {
        let verifiers = prop::collection::vec(any_verifier(), 0..4);
        let alternatives = prop::collection::vec(any_alternative(), 0..4);
        (any::<u64>(), any::<u128>(), verifiers, any_scram(), alternatives).prop_map(
            |(changed_at, change_id, verifiers, scram, alternatives)| Credentials {
                changed_at,
                change_id,
                verifiers,
                scram,
                recoverable: None,
                alternatives,
            },
        )
    }

    fn any_scram() -> impl Strategy<Value = Vec<ScramVerifier>> {
        let both = (1..=u32::MAX, any::<[u8; 16]>(), any::<[[u8; 20]; 2]>(), any::<[[u8; 32]; 2]>());
        let both = both.prop_map(|(iterations, salt, sha_1, sha_256)| {
            let sha_1 = ScramKeys::Sha1 { stored_key: sha_1[0], server_key: sha_1[1] };
            let sha_256 = ScramKeys::Sha256 { stored_key: sha_256[0], server_key: sha_256[1] };
            [sha_1, sha_256].map(|keys| ScramVerifier { iterations, salt, keys }).to_vec()
        });
        both.prop_flat_map(|both| prop::sample::subsequence(both, 0..=2))
    }

    fn any_alternative() -> impl Strategy<Value = Alternative> {
        let application = "\\PC{1,16}".prop_map(|tag| PasswordPurpose::Application(tag.into()));
        let purpose = prop_oneof![application, Just(PasswordPurpose::Sip), Just(PasswordPurpose::Radius)];
        (purpose, any::<u64>(), any_verifier()).prop_map(|(purpose, id, verifier)| Alternative {
            purpose,
            id,
            verifier,
        })
    }

    fn encoded(credentials: &Credentials) -> Vec<u8> {
        let mut bytes = Vec::new();
        credentials.encode(&mut bytes);
        bytes
    }

    fn one() -> Credentials {
        let verifier = Verifier::Argon2id { cost: Argon2idCost::default(), salt: [0xaa; 16], tag: [0xbb; 32] };
        Credentials { change_id: 2, ..Credentials::new(verifier, 1) }
    }

    proptest! {
        #[test]
        fn decode_is_the_inverse_of_encode(credentials in any_credentials()) {
            prop_assert_eq!(Credentials::decode(&encoded(&credentials)), Ok(credentials));
        }

        #[test]
        fn whatever_decodes_is_what_encode_writes(
            credentials in any_credentials(),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = encoded(&credentials);
            *place.get_mut(&mut bytes) = byte;
            if let Ok(decoded) = Credentials::decode(&bytes) {
                prop_assert_eq!(encoded(&decoded), bytes);
            }
        }

        #[test]
        fn no_bytes_panic_the_decoder(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() {
                *first %= 3;
            }
            if let Ok(decoded) = Credentials::decode(&bytes) {
                prop_assert_eq!(encoded(&decoded), bytes);
            }
        }
    }

    #[test]
    fn the_text_of_a_verifier_is_read_again() {
        for verifier in [one().verifiers.remove(0), legacy("salt")] {
            assert_eq!(super::super::legacy::parse(verifier.to_text().as_bytes()), Ok(verifier));
        }
    }

    #[test]
    fn every_cut_is_malformed_but_one_between_verifiers() {
        let bytes = encoded(&one());
        for length in 0..bytes.len() {
            let decoded = Credentials::decode(&bytes[..length]);
            if length == 1 + 8 + 16 {
                assert_eq!(decoded.unwrap().verifiers, []);
            } else {
                assert_eq!(decoded, Err(RecordFault::Malformed), "cut at {length}");
            }
        }
    }

    #[test]
    fn a_legacy_hash_is_kept_as_its_text() {
        let bytes = encoded(&Credentials { change_id: 2, ..Credentials::new(legacy("salt"), 1) });
        assert_eq!(&bytes[25..], b"\x02\x1e\0$1$salt$on4unkS8dQm5BqW0uvLLi1");
        assert_eq!(format!("{:?}", Credentials::decode(&bytes).unwrap().verifiers), "[md5-crypt()]");
        let mut damaged = bytes.clone();
        damaged[28] = b'#';
        assert_eq!(Credentials::decode(&damaged), Err(RecordFault::Malformed));
    }

    #[test]
    fn what_is_not_of_the_current_cost_needs_an_upgrade() {
        let current = Argon2idCost::default();
        let dearer = Argon2idCost { t: 3, ..current };
        assert!(!one().needs_upgrade(current));
        assert!(one().needs_upgrade(dearer));
        let mut credentials = Credentials::new(legacy("salt"), 1);
        assert!(credentials.needs_upgrade(current));
        credentials.verifiers.extend(one().verifiers);
        assert!(!credentials.needs_upgrade(current));
    }

    #[test]
    fn what_a_later_version_wrote_is_refused_by_name() {
        let mut bytes = encoded(&one());
        bytes[25] = 9;
        assert_eq!(Credentials::decode(&bytes), Err(RecordFault::UnknownScheme(9)));
        bytes[0] = 7;
        assert_eq!(Credentials::decode(&bytes), Err(RecordFault::UnknownFormat(7)));
    }

    #[test]
    fn a_body_longer_than_its_scheme_is_malformed() {
        let mut bytes = encoded(&one());
        bytes[26] += 1;
        bytes.push(0);
        assert_eq!(Credentials::decode(&bytes), Err(RecordFault::Malformed));
    }

    #[test]
    fn the_binary_form_stays_as_it_is() {
        let bytes = encoded(&one());
        assert_eq!(bytes.len(), 25 + 3 + 60);
        assert_eq!(bytes[..2], [1, 1]);
        assert_eq!(bytes[9], 2);
        assert_eq!(bytes[25..32], [1, 60, 0, 0x00, 0x4c, 0, 0]);
        assert_eq!(bytes[40..56], [0xaa; 16]);
        assert_eq!(bytes[56..], [0xbb; 32]);
    }

    #[test]
    fn debug_shows_the_cost_and_neither_salt_nor_tag_nor_key() {
        let recoverable = Some(Recoverable::new(&Secret::new(b"hunter2").unwrap()));
        let shown = format!("{:?}", Credentials { scram: vec![sha_256()], recoverable, ..one() });
        assert_eq!(
            shown,
            "Credentials { changed_at: 1, change_id: 2, verifiers: [Argon2id(m=19456,t=2,p=1)], \
             scram: [SCRAM-SHA-256(i=4096)], recoverable: Some(Recoverable(***)), alternatives: [] }"
        );
    }

    #[test]
    fn there_is_one_further_password_of_each_purpose() {
        let mut credentials = one();
        let tag = |tag: &str| PasswordPurpose::Application(tag.into());
        assert!(!credentials.set_alternative(tag("phone"), Some(legacy("one"))));
        assert!(!credentials.set_alternative(PasswordPurpose::Sip, Some(legacy("two"))));
        let before = credentials.alternatives[0].id;
        assert!(credentials.set_alternative(tag("phone"), Some(legacy("three"))));
        assert_eq!(credentials.alternatives.len(), 2);
        assert!(credentials.alternatives.iter().all(|it| it.id != before));
        assert_eq!(credentials.applications().collect::<Vec<_>>(), ["phone"]);
        assert!(!credentials.set_alternative(tag("Phone"), None) && credentials.set_alternative(tag("phone"), None));
        assert_eq!(credentials.applications().count(), 0);
    }

    #[test]
    fn a_further_password_is_behind_all_verifiers_and_of_a_purpose_that_is_known() {
        let mut credentials = one();
        credentials.set_alternative(PasswordPurpose::Application("x".into()), Some(legacy("salt")));
        let bytes = encoded(&credentials);
        let (head, alternative) = bytes.split_at(25 + 63);
        assert_eq!((alternative[0], alternative[3], &alternative[12..14]), (3, 1, &b"\x01x"[..]));
        let swapped = [&head[..25], alternative, &head[25..]].concat();
        assert_eq!(Credentials::decode(&swapped), Err(RecordFault::Malformed));
        for (at, byte) in [(3, 0), (3, 2), (3, 4), (12, 0), (13, 0xff)] {
            let mut damaged = bytes.clone();
            damaged[25 + 63 + at] = byte;
            assert_eq!(Credentials::decode(&damaged), Err(RecordFault::Malformed), "{at}: {byte}");
        }
    }

    fn sha_1() -> ScramVerifier {
        let keys = ScramKeys::Sha1 { stored_key: [3; 20], server_key: [4; 20] };
        ScramVerifier { iterations: 4096, salt: [2; 16], keys }
    }

    fn sha_256() -> ScramVerifier {
        let keys = ScramKeys::Sha256 { stored_key: [3; 32], server_key: [4; 32] };
        ScramVerifier { iterations: 4096, salt: [2; 16], keys }
    }

    #[test]
    fn scram_has_its_place_and_each_hash_function_once() {
        let both = Credentials { scram: vec![sha_1(), sha_256()], ..one() };
        let bytes = encoded(&both);
        let (head, scram) = bytes.split_at(25 + 63);
        assert_eq!(scram[..9], [4, 61, 0, 1, 0, 0x10, 0, 0, 2]);
        let (first, second) = scram.split_at(3 + 61);
        assert_eq!(second[..9], [4, 85, 0, 2, 0, 0x10, 0, 0, 2]);
        assert_eq!(second[24..], [[3; 32], [4; 32]].concat());
        assert_eq!(Credentials::decode(&bytes), Ok(both));
        let (header, own) = head.split_at(25);
        for parts in [[header, own, second, first], [header, own, first, first], [header, first, own, second]] {
            assert_eq!(Credentials::decode(&parts.concat()), Err(RecordFault::Malformed));
        }
        for (at, byte) in [(1, 62), (3, 0), (3, 2), (3, 3), (5, 0)] {
            let mut damaged = [header, own, first].concat();
            damaged[head.len() + at] = byte;
            assert_eq!(Credentials::decode(&damaged), Err(RecordFault::Malformed), "{at}: {byte}");
        }
    }

    #[test]
    fn the_open_form_leaves_the_password_itself_out() {
        let recoverable = Some(Recoverable::new(&Secret::new(b"hunter2").unwrap()));
        let bytes = encoded(&Credentials { recoverable, ..one() });
        assert_eq!(Credentials::decode(&bytes), Ok(one()));
    }

    #[test]
    fn passwords_of_one_account_share_a_salt_if_they_have_one() {
        let mut credentials = one();
        assert_eq!((credentials.salt_of_alternatives(), credentials.salt()), (None, Some([0xaa; 16])));
        credentials.set_alternative(PasswordPurpose::Sip, Some(legacy("salt")));
        assert_eq!(credentials.salt_of_alternatives(), None);
        let verifier = Verifier::Argon2id { cost: Argon2idCost::default(), salt: [0xcc; 16], tag: [0; 32] };
        credentials.set_alternative(PasswordPurpose::Radius, Some(verifier));
        assert_eq!((credentials.salt_of_alternatives(), credentials.salt()), (Some([0xcc; 16]), Some([0xcc; 16])));
    }
}
