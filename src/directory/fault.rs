use std::fmt;

use super::SETTINGS_BYTES_MAX;
use crate::model::{AccountName, DomainName};
use crate::notation::SyntaxFault;
use crate::store::ReadFault;

/// Why the directory cannot be changed as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryFault {
    /// The store could not be read.
    Read(ReadFault),
    /// The directory has been founded already, with this main domain.
    Founded(DomainName),
    /// The directory has not been founded.
    NotFounded,
    /// There is no such domain.
    NoDomain(DomainName),
    /// There is no such account.
    NoAccount(AccountName),
    /// There is no such group or forwarder.
    NoObject,
    /// The name is that of a domain, or another name of one.
    DomainTaken(DomainName),
    /// The name is that of an account, a group or a forwarder, or another name of an account.
    NameTaken(AccountName),
    /// The alias is in another domain than its account.
    ForeignAlias(AccountName),
    /// The domain has accounts.
    DomainNotEmpty(DomainName),
    /// The domain has more objects than one transaction takes.
    DomainTooLarge {
        /// The most it takes.
        objects_max: usize,
    },
    /// It is the main domain, which must stay.
    MainDomain(DomainName),
    /// It is the main domain's postmaster, who must stay.
    Postmaster(AccountName),
    /// Passwords are no settings; they are set by a command of their own.
    PasswordAmongSettings,
    /// The settings have no text form, for the reason and at the byte of their text that is told.
    Settings(SyntaxFault),
    /// The settings are more than [`SETTINGS_BYTES_MAX`] bytes of text.
    SettingsTooLong,
    /// There is no such `PasswordEncryption`.
    UnknownEncryption,
    /// There are no such `SCRAMMethods`.
    UnknownScram,
    /// Passwords themselves are to be kept, and there is no master key to seal them with.
    NothingSeals,
}

impl fmt::Display for DirectoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(fault) => write!(f, "{fault}"),
            Self::Founded(domain) => write!(f, "the store has been set up already, with the main domain {domain}"),
            Self::NotFounded => f.write_str("the store has not been set up: start the server once"),
            Self::NoDomain(domain) => write!(f, "there is no domain {domain}"),
            Self::NoAccount(account) => write!(f, "there is no account {account}"),
            Self::NoObject => f.write_str("there is no such group or forwarder"),
            Self::DomainTaken(domain) => write!(f, "the name {domain} is that of a domain or a domain alias already"),
            Self::NameTaken(name) => write!(f, "the name {name} is taken already"),
            Self::ForeignAlias(alias) => write!(f, "{alias} is not in the domain of its account"),
            Self::DomainNotEmpty(domain) => write!(f, "the domain {domain} has accounts: delete them first"),
            Self::DomainTooLarge { objects_max } => {
                write!(f, "the domain has more than {objects_max} objects, too many for one step")
            }
            Self::MainDomain(domain) => write!(f, "{domain} is the main domain and cannot be deleted"),
            Self::Postmaster(account) => write!(f, "{account} administers the server and cannot be deleted"),
            Self::PasswordAmongSettings => {
                f.write_str("a password is not a setting: it is set by a command of its own")
            }
            Self::Settings(fault) => write!(f, "the settings cannot be kept: {fault}"),
            Self::UnknownEncryption => f.write_str("PasswordEncryption is argon2id, A-crpt, clear, U-crpt or UB-crpt"),
            Self::UnknownScram => {
                f.write_str("SCRAMMethods is None, All, or an array of SCRAM-SHA-1 and SCRAM-SHA-256")
            }
            Self::NothingSeals => {
                f.write_str("PasswordEncryption A-crpt and clear keep passwords under seal: set master_key first")
            }
            Self::SettingsTooLong => write!(f, "the settings are more than {SETTINGS_BYTES_MAX} bytes of text"),
        }
    }
}

impl std::error::Error for DirectoryFault {}

impl From<ReadFault> for DirectoryFault {
    fn from(fault: ReadFault) -> Self {
        Self::Read(fault)
    }
}
