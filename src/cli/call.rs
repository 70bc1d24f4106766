use super::arguments::Arguments;
use super::errand::Errand;
use super::listing::Pages;
use super::refusal::{Refusal, Stop};
use super::right::{Actor, Target};
use super::table::Row;
use crate::auth::{Credentials, Wanted};
use crate::control::{Action, Control};
use crate::directory::{Account, Directory, Sight};
use crate::model::{AccountName, DomainName, LoginName, Secret};
use crate::notation::Value;
use crate::store::{ReadFault, Transaction};

/// What a command's function does: reads, and tells what is to happen.
pub(super) type Perform = fn(&Call<'_>) -> Result<Deed, Stop>;

/// The world as commands see it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Domains and accounts.
    pub sight: &'a Sight,
    /// Seconds since 1970.
    pub now: u64,
    /// When the server started, in seconds since 1970.
    pub started_at: u64,
    /// Least length of a new password, in characters.
    pub password_characters_min: usize,
    /// The running server.
    pub control: &'a Control,
}

/// Work for a thread that hashes. Its result goes back into the errand, which is then run again.
#[derive(Debug)]
pub enum Work {
    /// Make credentials for a new password.
    Make {
        /// The new password.
        secret: Secret,
        /// What to salt it with, if other passwords of the account have one.
        salt: Option<[u8; 16]>,
        /// What is kept of it beside its hash.
        wanted: Wanted,
        /// Whose it will be, and under which revision, if it is the caller's own.
        renews: Option<(AccountName, u64)>,
    },
    /// See whether a password is that of an account.
    Check {
        /// The account.
        account: Box<Account>,
        /// The password.
        secret: Secret,
    },
}

/// What is to happen for a command that is not refused.
#[derive(Debug)]
pub(super) enum Deed {
    /// Nothing: it is done.
    Nothing,
    /// Show this.
    Show(Value),
    /// Show this, however long it is.
    List(Pages),
    /// Say this.
    Say(String),
    /// Commit this; then it is done.
    Commit(Transaction),
    /// Commit this and put it in force; then it is done.
    Renew(Transaction),
    /// Do this to the running server; then it is done.
    Act(Action),
    /// Hash, then run the command again.
    Hash(Work),
}

/// A command being carried out.
pub(super) struct Call<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) errand: &'a Errand,
    pub(super) row: &'static Row,
    pub(super) actor: &'a Actor,
    pub(super) target: Target,
    /// The account that is the target, if it exists.
    pub(super) found: Option<Account>,
    pub(super) arguments: Arguments,
}

impl Call<'_> {
    pub(super) fn directory(&self) -> &Directory {
        self.scene.sight.directory()
    }

    /// The account that the command is about, which must exist.
    pub(super) fn account(&self) -> Result<&Account, Stop> {
        if let Some(account) = &self.found {
            return Ok(account);
        }
        let Target::Object(name) = &self.target else { return Err(Refusal::UnknownAccount.into()) };
        let is_known = self.directory().domain_named(name.domain())?.is_some();
        Err(if is_known { Refusal::UnknownAccount } else { Refusal::UnknownDomain }.into())
    }

    /// The domain that the command is about, which must exist.
    pub(super) fn domain(&self) -> Result<DomainName, Stop> {
        let domain = self.target.domain().unwrap_or_else(|| self.actor.name.domain());
        Ok(self.directory().domain_named(domain)?.ok_or(Refusal::UnknownDomain)?)
    }

    /// Whether the command was sent under this one of its names.
    pub(super) fn is_spelled(&self, name: &str) -> bool {
        self.errand.word().eq_ignore_ascii_case(name.as_bytes())
    }

    /// Credentials for `secret`, once they have been made.
    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.errand.made()
    }
}

/// What `arguments` of `row` say that it is about. Names are completed with the caller's domain,
/// which is also meant where a domain is left out; `*` is the caller. If it is an account, returns
/// that, too.
pub(super) fn target(
    row: &Row,
    arguments: &Arguments,
    actor: &Actor,
    directory: &Directory,
) -> Result<(Target, Option<Account>), Stop> {
    if let Some(text) = arguments.find_text("domainName") {
        let domain = if text == "*" { actor.name.domain().clone() } else { domain(text, directory)? };
        return Ok((Target::Domain(domain), None));
    }
    for name in ["accountName", "groupName", "forwarderName"] {
        if let Some(text) = arguments.find_text(name) {
            return look_up(text, actor, directory).map(|(name, found)| (Target::Object(name), found));
        }
    }
    let is_about_domain = row.arguments.contains("domainName");
    let target = if is_about_domain { Target::Domain(actor.name.domain().clone()) } else { Target::Server };
    Ok((target, None))
}

/// The canonical name of a domain, or the name itself where there is no such domain.
fn domain(text: &str, directory: &Directory) -> Result<DomainName, Stop> {
    let name = DomainName::parse(text).map_err(|_| Refusal::General("domain name has illegal characters"))?;
    Ok(directory.domain_named(&name)?.unwrap_or(name))
}

/// The canonical name of the account called `text`, or, where there is none, the name it would
/// have.
pub(super) fn object(text: &str, actor: &Actor, directory: &Directory) -> Result<AccountName, Stop> {
    look_up(text, actor, directory).map(|(name, _)| name)
}

/// The same, with the account.
fn look_up(text: &str, actor: &Actor, directory: &Directory) -> Result<(AccountName, Option<Account>), Stop> {
    const ILLEGAL: Refusal = Refusal::General("name has illegal characters");
    if text == "*" {
        return Ok((actor.name.clone(), directory.account(&actor.name)?));
    }
    let login = LoginName::new(text.as_bytes()).ok_or(ILLEGAL)?;
    if let Some(account) = directory.resolve(&login, Some(actor.name.domain()))? {
        return Ok((account.name.clone(), Some(account)));
    }
    let (local, stated) = match text.rsplit_once('@').or_else(|| text.rsplit_once('%')) {
        Some((local, stated)) => (local, domain(stated, directory)?),
        None => (text, actor.name.domain().clone()),
    };
    AccountName::new(local, stated).map(|name| (name, None)).map_err(|_| ILLEGAL.into())
}

/// Whether `domain` lets administrators of `administrators` administer it too.
pub(super) fn is_lent(
    domain: &DomainName,
    administrators: &DomainName,
    directory: &Directory,
) -> Result<bool, ReadFault> {
    directory.is_administered_by(domain, administrators)
}
