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

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// Another one for every change, so that a change of unknown outcome can be recognised.
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

/// An id that no other change has, in this process or in another one: counted from a number that the
/// process has drawn. To draw each would be a call of the system's for each account of an import.
fn fresh_change_id() -> u128 {
    static FIRST: LazyLock<u128> = LazyLock::new(|| {
        let mut first = [0; 16];
        fill_random(&mut first);
        u128::from_le_bytes(first)
    });
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    FIRST.wrapping_add(DRAWN.fetch_add(1, Ordering::Relaxed).into())
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
        Self { change_id: fresh_change_id(), verifiers, ..Self::none(changed_at) }
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
mod tests;
