use std::fmt;

use super::grammar::Misfit;
use super::table::Row;
use crate::config::ModuleFault;
use crate::directory::{DirectoryFault, RouterFault};
use crate::model::{NetworkFault, NewPasswordRefusal};
use crate::store::ReadFault;

/// Why a command is not carried out, as the client is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// The first word is no command.
    UnknownCommand,
    /// The arguments do not fit the row's grammar.
    Misfit(&'static Row, Misfit),
    /// The command is known and not offered.
    Unsupported(&'static Row),
    /// A spelling of some older version, of a command not offered.
    UnsupportedSpelling,
    /// The caller lacks the right.
    NoRight,
    /// There is no such domain.
    UnknownDomain,
    /// There is no such account.
    UnknownAccount,
    /// An account, alias or forwarder has the name already.
    AccountExists,
    /// A group has the name already.
    GroupExists,
    /// A forwarder has the name already.
    ForwarderExists,
    /// There is no such forwarder.
    UnknownForwarder,
    /// A domain has the name already.
    DomainExists,
    /// A password does not match, or the account may not use it.
    WrongPassword,
    /// The new password may not be used.
    NewPassword(NewPasswordRefusal),
    /// The settings of the module cannot be put in force.
    Module(ModuleFault),
    /// A text is no router table.
    Router(RouterFault),
    /// A text is no list of network addresses.
    Networks(NetworkFault),
    /// Anything else, in words that hold nothing the client sent.
    General(&'static str),
}

impl Refusal {
    /// The code; the three texts that clients compare are those of 512, 520 and the domain that
    /// exists.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::UnknownCommand | Self::Misfit(..) | Self::DomainExists => "500",
            Self::NoRight
            | Self::NewPassword(
                NewPasswordRefusal::OfApplication
                | NewPasswordRefusal::WithoutPassword
                | NewPasswordRefusal::NotAllowed,
            ) => "510",
            Self::Unsupported(_) | Self::UnsupportedSpelling => "501",
            Self::General(_) | Self::NewPassword(_) | Self::Module(_) | Self::Router(_) | Self::Networks(_) => "501",
            Self::UnknownDomain => "512",
            Self::UnknownAccount => "513",
            Self::WrongPassword => "515",
            Self::AccountExists => "520",
            Self::GroupExists => "523",
            Self::ForwarderExists => "524",
            Self::UnknownForwarder => "553",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand => f.write_str("unknown command - send HELP for a list"),
            Self::Misfit(row, Misfit::Shape) => write!(f, "arguments do not fit - {}", row.usage()),
            Self::Misfit(_, Misfit::BadString) => f.write_str("failed to read an unquoted string: non a/n data"),
            Self::Misfit(_, Misfit::Notation(fault)) => write!(f, "failed to read an object: {fault}"),
            Self::Unsupported(row) => write!(f, "{} is not supported by this server", row.name()),
            Self::UnsupportedSpelling => f.write_str("this command is not supported by this server"),
            Self::NoRight => f.write_str("insufficient access rights"),
            Self::UnknownDomain => f.write_str("unknown secondary domain name"),
            Self::UnknownAccount => f.write_str("unknown user account"),
            Self::AccountExists => f.write_str("account with this name already exists"),
            Self::GroupExists => f.write_str("group with this name already exists"),
            Self::ForwarderExists => f.write_str("forwarder with this name already exists"),
            Self::UnknownForwarder => f.write_str("unknown forwarder"),
            Self::DomainExists => f.write_str("domain with this name already exists"),
            Self::WrongPassword => f.write_str("incorrect password or account name"),
            Self::NewPassword(NewPasswordRefusal::TooShort { characters_min }) => {
                write!(f, "new password must have at least {characters_min} characters")
            }
            Self::NewPassword(NewPasswordRefusal::SameAsOld) => {
                f.write_str("new password must differ from the old one")
            }
            Self::NewPassword(NewPasswordRefusal::SameAsName) => {
                f.write_str("new password must differ from the account name")
            }
            Self::NewPassword(NewPasswordRefusal::TooSimple) => {
                f.write_str("new password is too simple - mix capital and small letters with digits and signs")
            }
            Self::NewPassword(NewPasswordRefusal::OfApplication) => {
                f.write_str("logged in with the password of an application - log in with that of the account")
            }
            Self::NewPassword(NewPasswordRefusal::WithoutPassword) => {
                f.write_str("logged in without the password - log in with it to change it")
            }
            Self::NewPassword(NewPasswordRefusal::NotAllowed) => {
                f.write_str("this account may not change its password - ask the administrator")
            }
            Self::Module(fault) => fault.fmt(f),
            Self::Router(fault) => fault.fmt(f),
            Self::Networks(fault) => fault.fmt(f),
            Self::General(text) => f.write_str(text),
        }
    }
}

/// Why a command ends before its end.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// The client is to blame.
    Refused(Refusal),
    /// The store is.
    Unreadable(ReadFault),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ReadFault> for Stop {
    fn from(fault: ReadFault) -> Self {
        Self::Unreadable(fault)
    }
}

impl From<DirectoryFault> for Stop {
    fn from(fault: DirectoryFault) -> Self {
        Self::Refused(match fault {
            DirectoryFault::Read(fault) => return Self::Unreadable(fault),
            DirectoryFault::NoDomain(_) => Refusal::UnknownDomain,
            DirectoryFault::NoAccount(_) => Refusal::UnknownAccount,
            DirectoryFault::NoObject => Refusal::General("unknown object"),
            DirectoryFault::DomainTaken(_) => Refusal::DomainExists,
            DirectoryFault::NameTaken(_) => Refusal::AccountExists,
            DirectoryFault::Founded(_) | DirectoryFault::NotFounded => Refusal::General("the server is not set up"),
            DirectoryFault::ForeignAlias(_) => Refusal::General("an alias is in the domain of its account"),
            DirectoryFault::DomainNotEmpty(_) => Refusal::General("domain is not empty"),
            DirectoryFault::DomainTooLarge { .. } => Refusal::General("domain has too many objects for one step"),
            DirectoryFault::MainDomain(_) => Refusal::General("this cannot be done to the main domain"),
            DirectoryFault::Postmaster(_) => Refusal::General("this cannot be done to the postmaster account"),
            DirectoryFault::PasswordAmongSettings => Refusal::General("a password is no default"),
            DirectoryFault::Settings(_) => Refusal::General("the settings cannot be kept"),
            DirectoryFault::SettingsTooLong => Refusal::General("the settings are too long"),
            DirectoryFault::UnknownEncryption => {
                Refusal::General("PasswordEncryption is argon2id, A-crpt, clear, U-crpt or UB-crpt")
            }
            DirectoryFault::UnknownScram => {
                Refusal::General("SCRAMMethods is None, All, or an array of SCRAM-SHA-1 and SCRAM-SHA-256")
            }
            DirectoryFault::NothingSeals => {
                Refusal::General("A-crpt and clear keep passwords under seal - the server needs a master_key first")
            }
        })
    }
}
