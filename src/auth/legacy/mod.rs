//! Password hashes that other software made, imported as they stand.
//!
//! A [`LegacyHash`] is checked when a password is; after a login its account can be given a
//! record of the program's own. The forms read here:
//!
//! | text | file |
//! |---|---|
//! | `$1$`, `$5$`, `$6$` | `crypt.rs` |
//! | `$2a$`, `$2b$`, `$2y$` | `bcrypt.rs` |
//! | `$y$`, `$7$`, `$scrypt$` | `scrypt.rs` |
//! | `$argon2id$`, `$argon2i$`, `$argon2d$` | `argon2.rs` |
//! | `{SHA}`, `{SSHA}`, `{SHA256}`, `{SSHA256}`, `{SHA512}`, `{SSHA512}`, `{MD5}`, `{SMD5}` | `digest.rs` |
//! | `{PBKDF2…}`, `$pbkdf2…$` | `pbkdf2.rs` |
//!
//! In front of any of them may stand the byte 0x02, with which CommuniGate Pro marks a hash of
//! another system's, or `\002`, as its settings files write that byte. In front of those that
//! begin with `$` may stand what Dovecot and LDAP servers put there, such as `{CRYPT}`.
//!
//! What would cost more than [`limits`] allow is refused when it is imported, and accepts no
//! password should it be found in a record.

mod argon2;
mod bcrypt;
mod crypt;
mod digest;
mod encoding;
pub mod limits;
mod pbkdf2;
mod scrypt;
#[cfg(test)]
mod tests;

use std::fmt;

use ::argon2::Algorithm;
use subtle::Choice;

use self::argon2::Phc;
use self::bcrypt::Bcrypt;
use self::crypt::{Md5Crypt, ShaCrypt};
use self::digest::Hashed;
use self::limits::HASH_BYTES_MAX;
use self::pbkdf2::{Hash, Pbkdf2};
use self::scrypt::{Scrypt, Yescrypt};
use super::Verifier;

/// What may stand in braces before a hash that names its scheme after a `$`.
const WRAPPERS: [&str; 12] = [
    "ARGON2",
    "ARGON2I",
    "ARGON2ID",
    "BLF-CRYPT",
    "CRYPT",
    "MD5",
    "MD5-CRYPT",
    "SCRYPT",
    "SHA256-CRYPT",
    "SHA512-CRYPT",
    "BCRYPT",
    "YESCRYPT",
];

/// A hash that other software made, as its text.
///
/// Invariant: the text is of one of the forms that are read here, in printable ASCII. Its `Debug`
/// shows scheme and cost but neither salt nor digest.
#[derive(Clone, PartialEq, Eq)]
pub struct LegacyHash {
    text: Box<str>,
}

/// Why a hash is not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportFault {
    /// It is of no scheme that is read here.
    UnknownScheme,
    /// It says what it is and is not, or is longer than [`HASH_BYTES_MAX`].
    Malformed,
    /// Checking a password against it would cost too much.
    TooDear(Cap),
}

/// A limit on what a hash may cost, and how it was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// What is limited, in the plural.
    what: &'static str,
    asked: u64,
    max: u64,
}

impl fmt::Display for ImportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme => f.write_str("the hash is of no scheme that can be imported"),
            Self::Malformed => f.write_str("the hash is damaged, or of a variant that cannot be imported"),
            Self::TooDear(Cap { what, asked, max }) => {
                write!(f, "the hash would cost too much to check: {what} {asked}, of which {max} are accepted")
            }
        }
    }
}

impl std::error::Error for ImportFault {}

impl Cap {
    /// Refuses more than `max`.
    fn check(what: &'static str, asked: impl Into<u64>, max: impl Into<u64>) -> Result<(), ImportFault> {
        let (asked, max) = (asked.into(), max.into());
        if asked > max { Err(ImportFault::TooDear(Self { what, asked, max })) } else { Ok(()) }
    }
}

/// One form of hash, read from its text.
trait Scheme {
    /// Its name, for reports.
    fn name(&self) -> &'static str;

    /// What it costs, for reports; empty where it costs nothing.
    fn parameters(&self) -> String {
        String::new()
    }

    /// Whether it may be computed.
    fn check_cost(&self) -> Result<(), ImportFault> {
        Ok(())
    }

    /// Bytes of a password that it looks at.
    fn password_bytes_max(&self) -> usize {
        usize::MAX
    }

    /// Whether `password` is the one it was made from, compared in constant time.
    fn accepts(&self, password: &[u8]) -> Choice;
}

/// Reads a hash in any of the forms, as it is imported.
///
/// An Argon2id hash of the shape that the program makes becomes a verifier of its own.
///
/// # Errors
/// [`ImportFault`].
pub fn parse(text: &[u8]) -> Result<Verifier, ImportFault> {
    let text = text.strip_prefix(b"\x02").or_else(|| text.strip_prefix(b"\\002")).unwrap_or(text);
    let text = printable(text)?;
    let text = match braced(text) {
        Some((label, rest)) if rest.starts_with('$') && WRAPPERS.contains(&&*label) => rest,
        Some(_) | None => text,
    };
    let scheme = read(text)?;
    scheme.check_cost()?;
    let argon2id = text.strip_prefix("$argon2id$").and_then(|text| Phc::read(Algorithm::Argon2id, text));
    let native = argon2id.and_then(|phc| phc.to_native());
    Ok(native.unwrap_or_else(|| Verifier::Legacy(LegacyHash { text: text.into() })))
}

impl LegacyHash {
    /// The hash that a record holds, which need not be one that would be imported today; `None`
    /// when it is none at all.
    pub(super) fn from_record(text: &[u8]) -> Option<Self> {
        let text = printable(text).ok()?;
        read(text).ok()?;
        Some(Self { text: text.into() })
    }

    /// What [`LegacyHash::from_record`] reads.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The name of its scheme.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.read().name()
    }

    /// What it costs, in the words of its scheme; empty where it costs nothing.
    #[must_use]
    pub fn parameters(&self) -> String {
        self.read().parameters()
    }

    /// Whether `password` is the one it was made from; `None` when it costs too much to tell.
    ///
    /// A password with a NUL never is. None was: the strings of crypt(3) end at the first NUL. But
    /// some functions repeat a key with the NUL that ends it, or fill it up with NULs, and would
    /// accept what merely looks the same afterwards.
    pub(super) fn accepts(&self, password: &[u8]) -> Option<Choice> {
        let scheme = self.read();
        scheme.check_cost().ok()?;
        let has_nul = Choice::from(u8::from(password.contains(&0)));
        Some(scheme.accepts(password) & !has_nul)
    }

    /// Whether it looks at every byte of `password`.
    pub(super) fn is_about_all_of(&self, password: &[u8]) -> bool {
        password.len() <= self.read().password_bytes_max()
    }

    #[expect(clippy::expect_used, reason = "it is the invariant of the type")]
    fn read(&self) -> Box<dyn Scheme + '_> {
        read(&self.text).expect("the text was read before")
    }
}

impl fmt::Debug for LegacyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.scheme(), self.parameters())
    }
}

/// The text, when it may be that of a hash: not too long, printable, without blanks.
fn printable(text: &[u8]) -> Result<&str, ImportFault> {
    let is_sound = text.len() <= HASH_BYTES_MAX && text.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(text).ok().filter(|_| is_sound).ok_or(ImportFault::Malformed)
}

/// The label in braces at the front of `text`, in capital letters, and what follows it.
fn braced(text: &str) -> Option<(String, &str)> {
    let (label, rest) = text.strip_prefix('{')?.split_once('}')?;
    Some((label.to_ascii_uppercase(), rest))
}

/// Reads a hash without its wrapping, whatever it costs.
fn read(text: &str) -> Result<Box<dyn Scheme + '_>, ImportFault> {
    fn boxed<'a>(scheme: Option<impl Scheme + 'a>) -> Result<Box<dyn Scheme + 'a>, ImportFault> {
        scheme.map(|scheme| Box::new(scheme) as Box<dyn Scheme + 'a>).ok_or(ImportFault::Malformed)
    }
    if let Some((label, rest)) = braced(text) {
        if let Some(hashed) = Hashed::read(&label, rest) {
            return boxed(hashed);
        }
        return Pbkdf2::read_labelled(&label, rest).map_or(Err(ImportFault::UnknownScheme), boxed);
    }
    let (scheme, rest) =
        text.strip_prefix('$').and_then(|text| text.split_once('$')).ok_or(ImportFault::UnknownScheme)?;
    match scheme {
        "1" => boxed(Md5Crypt::read(rest)),
        "5" => boxed(ShaCrypt::<32>::read(rest)),
        "6" => boxed(ShaCrypt::<64>::read(rest)),
        "2a" | "2b" | "2y" => boxed(Bcrypt::read(rest)),
        "7" => boxed(Scrypt::read_crypt(rest)),
        "scrypt" => boxed(Scrypt::read_phc(rest)),
        "y" => boxed(Yescrypt::read(rest)),
        "argon2d" => boxed(Phc::read(Algorithm::Argon2d, rest)),
        "argon2i" => boxed(Phc::read(Algorithm::Argon2i, rest)),
        "argon2id" => boxed(Phc::read(Algorithm::Argon2id, rest)),
        "pbkdf2" => boxed(Pbkdf2::read_fields(Hash::Sha1, rest)),
        "pbkdf2-sha256" => boxed(Pbkdf2::read_fields(Hash::Sha256, rest)),
        "pbkdf2-sha512" => boxed(Pbkdf2::read_fields(Hash::Sha512, rest)),
        _ => Err(ImportFault::UnknownScheme),
    }
}
