use std::slice;

use super::encryption;
use super::record::{AccountRecord, Defaults, DomainRecord};
use super::settings::{self, Layers, PWD};
use crate::auth::{Credentials, Wanted};
use crate::model::{AccountName, Authenticated, DomainName, Evidence, Flow};
use crate::notation::{Dictionary, Value};
use crate::store::Revision;

/// An account as read from the store, with what it takes to change it.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its canonical name.
    pub name: AccountName,
    /// Of the record read: it grows with every change of the account, and only then.
    pub revision: Revision,
    /// How often the password was set, the first time included. A proof that was given for an
    /// older password is stale, whatever else was changed since.
    pub password_revision: u64,
    /// Its password verifiers.
    pub credentials: Credentials,
    created_at: u64,
    aliases: Vec<AccountName>,
    rights: Vec<Box<str>>,
    settings: Layers,
    /// Whether the domain is open, and offers this service to its accounts.
    is_served: bool,
    wanted: Wanted,
}

impl Account {
    pub(super) fn new(
        name: AccountName,
        revision: Revision,
        record: AccountRecord,
        domain: DomainRecord,
        defaults: Defaults,
        can_seal: bool,
    ) -> Self {
        let domain_modes =
            domain.settings.get("DomainAccessModes").or_else(|| defaults.domains.get("DomainAccessModes"));
        let is_served = !domain.is_suspended && settings::includes_mode(domain_modes, PWD);
        let scram = domain.scram_methods(&defaults).cloned();
        let settings = Layers::new(record.settings, domain.account_defaults, defaults.accounts);
        let wanted = encryption::wanted(encryption::effective(&settings), scram.as_ref(), can_seal);
        Self {
            name,
            revision,
            password_revision: record.password_revision,
            credentials: record.credentials,
            created_at: record.created_at,
            aliases: record.aliases,
            rights: record.rights,
            settings,
            is_served,
            wanted,
        }
    }

    /// What the store holds of it, with other credentials for its own password. Its further
    /// passwords stay as they are.
    pub(super) fn to_record(&self, credentials: Credentials) -> AccountRecord {
        let credentials = Credentials { alternatives: self.credentials.alternatives.clone(), ..credentials };
        AccountRecord {
            created_at: self.created_at,
            password_revision: self.password_revision,
            aliases: self.aliases.clone(),
            credentials,
            rights: self.rights.clone(),
            settings: self.settings.own().clone(),
        }
    }

    /// Whether the account may log in here: its password counts (`UseAppPassword`), both it and
    /// its domain have the access mode PWD, and the domain is not suspended.
    #[must_use]
    pub fn may_log_in(&self) -> bool {
        self.is_open() && settings::is_on(self.settings.get("UseAppPassword"))
    }

    /// Whether the account may log in here with such evidence: certificates count where
    /// `UseCertificateAuth` is YES, tokens where `UseExtPassword` is.
    #[must_use]
    pub fn may_log_in_by(&self, evidence: &Evidence) -> bool {
        match evidence {
            Evidence::Password(_) | Evidence::Scram(_) | Evidence::Digest(_) => self.may_log_in(),
            Evidence::Certificate => self.is_open() && settings::is_yes(self.settings.get("UseCertificateAuth")),
            Evidence::Token(_) => self.is_open() && settings::is_yes(self.settings.get("UseExtPassword")),
        }
    }

    /// Whether `evidence` is taken as it came: a password or a token under TLS alone where
    /// `RequireAPOP`, whose name in CommuniGate Pro's pages is "Secure Method Required", is on.
    #[must_use]
    pub fn takes(&self, evidence: &Evidence, is_under_tls: bool) -> bool {
        is_under_tls || !evidence.tells_secret() || !settings::is_required(self.settings.get("RequireAPOP"))
    }

    fn is_open(&self) -> bool {
        self.is_served && settings::includes_mode(self.settings.get("AccessModes"), PWD)
    }

    /// How many logins may fail: the effective `FailedLoginFlow`.
    #[must_use]
    pub fn failed_login_flow(&self) -> Flow {
        settings::failed_login_flow(self.settings.get(settings::FAILED_LOGIN_FLOW))
    }

    /// Whether the owner may change the password: the effective `PWDAllowed`.
    #[must_use]
    pub fn may_change_password(&self) -> bool {
        settings::is_on(self.settings.get("PWDAllowed"))
    }

    /// What is kept of its password, as the effective `PasswordEncryption` and its domain's
    /// `SCRAMMethods` say.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// The effective `PasswordComplexity`.
    #[must_use]
    pub fn password_complexity(&self) -> &str {
        self.settings.get("PasswordComplexity").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether `proof` still counts: its password is in force, or that of its application is.
    #[must_use]
    pub fn accepts(&self, proof: &Authenticated) -> bool {
        let has = |id| self.credentials.alternatives.iter().any(|it| it.id == id);
        self.password_revision == proof.password_revision() && proof.application().is_none_or(has)
    }

    /// Whether it has the server right Master, which only accounts of the main domain can have.
    #[must_use]
    pub fn is_master(&self, main_domain: &DomainName) -> bool {
        self.name.domain() == main_domain && self.rights.iter().any(|right| right.eq_ignore_ascii_case("Master"))
    }

    /// When it was created, in seconds since 1970.
    #[must_use]
    pub fn created_at(&self) -> u64 {
        self.created_at
    }

    /// Its other names.
    pub fn aliases(&self) -> slice::Iter<'_, AccountName> {
        self.aliases.iter()
    }

    /// The codes of what it may administer; what they mean is for others to say.
    #[must_use]
    pub fn rights(&self) -> &[Box<str>] {
        &self.rights
    }

    /// The settings made for this very account.
    #[must_use]
    pub fn explicit_settings(&self) -> &Dictionary {
        self.settings.own()
    }

    /// The settings in force: explicit, else its class of service's, else the domain's default,
    /// else the server's, or the cluster's for a shared domain, else the program's own.
    #[must_use]
    pub fn effective_settings(&self) -> Dictionary {
        self.settings.merged()
    }

    /// The setting in force under `key`, unless only the program's own default is left.
    #[must_use]
    pub fn effective_setting(&self, key: &str) -> Option<&Value> {
        self.settings.get(key)
    }
}
