//! What settings say of how passwords are kept.

use super::DirectoryFault;
use super::settings::{Layers, SERVICE_CLASSES, is_word};
use crate::auth::Wanted;
use crate::model::ScramHash;
use crate::notation::{Dictionary, Value};

/// What an account's password is kept as: the words of CommuniGate Pro, and one for what is the
/// default here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encryption {
    /// An Argon2id hash.
    #[default]
    Argon2id,
    /// That, and the password itself under seal: `A-crpt`.
    Recoverable,
    /// The same: nothing is kept in clear, though the word is `clear`.
    Clear,
    /// An Argon2id hash; an imported one stays as it is: `U-crpt`.
    Imported,
    /// The same: `UB-crpt`.
    ImportedToo,
}

impl Encryption {
    pub(super) const KEY: &str = "PasswordEncryption";

    const ALL: [Self; 5] = [Self::Argon2id, Self::Recoverable, Self::Clear, Self::Imported, Self::ImportedToo];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Recoverable => "A-crpt",
            Self::Clear => "clear",
            Self::Imported => "U-crpt",
            Self::ImportedToo => "UB-crpt",
        }
    }

    fn parse(value: &Value) -> Option<Self> {
        Self::ALL.into_iter().find(|it| is_word(value, it.as_str()))
    }

    fn is_recoverable(self) -> bool {
        matches!(self, Self::Recoverable | Self::Clear)
    }
}

/// A domain's setting: for which mechanisms of SCRAM verifiers are kept. It is the word None or All,
/// the name of a mechanism, or an array of names; None where it is not set.
pub(super) const SCRAM_METHODS: &str = "SCRAMMethods";

fn scram_methods(value: &Value) -> Option<[bool; ScramHash::ALL.len()]> {
    let one = |value: &Value| {
        let found = ScramHash::ALL.map(|hash| is_word(value, hash.mechanism()));
        found.contains(&true).then_some(found)
    };
    if let Value::Array(names) = value {
        return names.iter().try_fold(Default::default(), |all: [bool; ScramHash::ALL.len()], name| {
            let named = one(name)?;
            Some(std::array::from_fn(|index| all[index] || named[index]))
        });
    }
    let all = is_word(value, "All");
    if all || is_word(value, "None") { Some([all; ScramHash::ALL.len()]) } else { one(value) }
}

/// What is kept of a password under these settings of an account and its domain. The password itself is
/// kept only where it can be sealed. What cannot be understood, because it was set elsewhere or long ago,
/// is as if it were not set.
pub(super) fn wanted(encryption: Option<&Value>, scram: Option<&Value>, can_seal: bool) -> Wanted {
    let encryption = encryption.and_then(Encryption::parse).unwrap_or_default();
    Wanted {
        scram: scram.and_then(scram_methods).unwrap_or_default(),
        recoverable: encryption.is_recoverable() && can_seal,
        keeps_imported: matches!(encryption, Encryption::Imported | Encryption::ImportedToo),
    }
}

/// Checks what `new` says of how passwords are kept, where `old` does not say the same.
pub(super) fn check(old: &Dictionary, new: &Dictionary, can_seal: bool) -> Result<(), DirectoryFault> {
    let changed = |key| new.get(key).filter(|value| old.get(key) != Some(*value));
    let check = |value: &Value| match Encryption::parse(value) {
        None => Err(DirectoryFault::UnknownEncryption),
        Some(encryption) if encryption.is_recoverable() && !can_seal => Err(DirectoryFault::NothingSeals),
        Some(_) => Ok(()),
    };
    changed(Encryption::KEY).map_or(Ok(()), check)?;
    if let Some(Value::Dictionary(classes)) = changed(SERVICE_CLASSES) {
        for (_, class) in classes.iter() {
            let Value::Dictionary(class) = class else { continue };
            class.get(Encryption::KEY).map_or(Ok(()), check)?;
        }
    }
    match changed(SCRAM_METHODS).map(scram_methods) {
        Some(None) => Err(DirectoryFault::UnknownScram),
        Some(Some(_)) | None => Ok(()),
    }
}

/// The effective value of [`Encryption::KEY`] in `layers`.
pub(super) fn effective(layers: &Layers) -> Option<&Value> {
    layers.get(Encryption::KEY)
}
