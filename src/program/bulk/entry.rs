use std::fmt;

use keyturn::auth::legacy::{self, ImportFault};
use keyturn::auth::{Credentials, PasswordPurpose, Verifier};
use keyturn::directory::{Account, NewAccount};
use keyturn::model::limits::{APPLICATION_PASSWORDS_MAX, SECRET_BYTES_MAX, TAG_BYTES_MAX};
use keyturn::model::{AccountName, DomainName, NameFault, Secret};
use keyturn::notation::{Dictionary, Form, SyntaxFault, Value};

/// The setting that holds a person's name.
pub(super) const REAL_NAME: &str = "RealName";

/// Why a line is not imported; never with anything that stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reject(String);

impl Reject {
    pub(super) fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&'static str> for Reject {
    fn from(why: &'static str) -> Self {
        Self::new(why)
    }
}

impl From<ImportFault> for Reject {
    fn from(fault: ImportFault) -> Self {
        Self::new(fault)
    }
}

impl From<NameFault> for Reject {
    fn from(fault: NameFault) -> Self {
        // Where columns are mixed up, the name may be a password.
        let is_telling = matches!(fault, NameFault::BadByte(_));
        if is_telling { "the name has a character that names do not have".into() } else { Self::new(fault) }
    }
}

impl From<SyntaxFault> for Reject {
    fn from(fault: SyntaxFault) -> Self {
        Self::new(format_args!("the settings cannot be read: {fault}"))
    }
}

/// What an account's password is to be checked against.
#[derive(Debug)]
pub(super) enum Password {
    /// This password, yet to be hashed.
    Plain(Secret),
    /// Any of these hashes.
    Hashes(Vec<Verifier>),
}

impl Password {
    /// A password as it is.
    pub(super) fn plain(text: &[u8]) -> Result<Self, Reject> {
        let is_fit = !text.is_empty() && text.iter().all(|&byte| byte >= b' ');
        let secret = Secret::new(text).filter(|_| is_fit);
        let why =
            || Reject::new(format_args!("a password has 1 to {SECRET_BYTES_MAX} bytes and no control characters"));
        secret.map(Self::Plain).ok_or_else(why)
    }

    /// A hash.
    pub(super) fn hash(text: &[u8]) -> Result<Self, Reject> {
        Ok(Self::Hashes(vec![legacy::parse(text)?]))
    }

    /// What other servers' files have in one field: a password behind its label, or else a hash.
    pub(super) fn labelled(text: &[u8]) -> Result<Self, Reject> {
        match plain_after_label(text) {
            Some(password) => Self::plain(password),
            None => Self::hash(text),
        }
    }

    /// Adds another one to those that are right.
    pub(super) fn join(one: Option<Self>, other: Self) -> Result<Self, Reject> {
        match (one, other) {
            (None, other) => Ok(other),
            (Some(Self::Hashes(mut hashes)), Self::Hashes(more)) => {
                hashes.extend(more);
                Ok(Self::Hashes(hashes))
            }
            (Some(_), _) => Err("several passwords, not all of them hashes".into()),
        }
    }
}

/// What stands behind a label that says: as it is.
pub(super) fn plain_after_label(text: &[u8]) -> Option<&[u8]> {
    let label = text.strip_prefix(b"{")?.split(|&byte| byte == b'}').next()?;
    let is_plain =
        [&b"PLAIN"[..], b"PLAINTEXT", b"CLEAR", b"CLEARTEXT"].iter().any(|it| label.eq_ignore_ascii_case(it));
    is_plain.then(|| &text[label.len() + 2..])
}

/// What a file says of one account.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: AccountName,
    /// `None`: nothing opens the account until it is given a password.
    pub(super) password: Option<Password>,
    /// The account's further passwords.
    pub(super) alternatives: Vec<(PasswordPurpose, Verifier)>,
    pub(super) aliases: Vec<AccountName>,
    pub(super) rights: Vec<Box<str>>,
    pub(super) settings: Dictionary,
    /// Whether the settings are all that there are, so that a domain's template adds nothing.
    pub(super) is_complete: bool,
    /// Seconds since 1970.
    pub(super) created_at: Option<u64>,
    /// Seconds since 1970: when the password was set.
    pub(super) changed_at: Option<u64>,
}

impl Entry {
    /// An account of that name, completed with `domain`, of which nothing else is known yet.
    pub(super) fn new(name: &str, domain: &DomainName) -> Result<Self, Reject> {
        let name = match AccountName::parse(name) {
            Err(NameFault::NoDomain) => AccountName::new(name, domain.clone()),
            parsed => parsed,
        };
        Ok(Self {
            name: name?,
            password: None,
            alternatives: Vec::new(),
            aliases: Vec::new(),
            rights: Vec::new(),
            settings: Dictionary::new(),
            is_complete: false,
            created_at: None,
            changed_at: None,
        })
    }

    /// Adds a further password by its hash.
    pub(super) fn add_alternative(&mut self, purpose: PasswordPurpose, hash: &[u8]) -> Result<(), Reject> {
        if let PasswordPurpose::Application(tag) = &purpose
            && !(1..=TAG_BYTES_MAX).contains(&tag.len())
        {
            return Err(Reject::new(format_args!("the tag of an application has 1 to {TAG_BYTES_MAX} bytes")));
        }
        self.alternatives.push((purpose, legacy::parse(hash)?));
        Ok(())
    }

    /// Sees whether the further passwords are such as this program makes. One hash tells whether any
    /// of them was given; others would make a login cost as many as there are.
    pub(super) fn check_alternatives(&self) -> Result<(), Reject> {
        let Some((_, first)) = self.alternatives.first() else { return Ok(()) };
        if self.alternatives.len() > APPLICATION_PASSWORDS_MAX {
            return Err(Reject::new(format_args!("more than {APPLICATION_PASSWORDS_MAX} further passwords")));
        }
        let is_alike = |(_, other): &(_, Verifier)| match (first, other) {
            (Verifier::Argon2id { cost, salt, .. }, Verifier::Argon2id { cost: other, salt: others, .. }) => {
                (cost, salt) == (other, others)
            }
            (Verifier::Argon2id { .. } | Verifier::Legacy(_), _) => false,
        };
        if !self.alternatives.iter().all(is_alike) {
            return Err("the hashes of further passwords are not all of this program with one salt and cost".into());
        }
        if matches!(self.password, Some(Password::Plain(_))) {
            return Err("the account's own password comes as a hash where further passwords do".into());
        }
        Ok(())
    }

    /// Adds other names, bare or with the account's domain.
    pub(super) fn add_aliases<'a>(&mut self, aliases: impl IntoIterator<Item = &'a str>) -> Result<(), Reject> {
        for alias in aliases {
            let alias = Self::new(alias, self.name.domain())?.name;
            if alias.domain() != self.name.domain() {
                return Err("an alias is in another domain than its account".into());
            }
            self.aliases.push(alias);
        }
        Ok(())
    }

    /// Notes a person's name, if there is one.
    pub(super) fn set_real_name(&mut self, name: &str) {
        if !name.is_empty() {
            self.settings.insert(REAL_NAME, Value::from(name));
        }
    }

    /// Takes settings in the notation over those there are.
    pub(super) fn add_settings(&mut self, text: &str) -> Result<(), Reject> {
        let Value::Dictionary(settings) = Value::parse(text.as_bytes(), Form::Line)? else {
            return Err("the settings are no dictionary".into());
        };
        settings.iter().for_each(|(key, value)| drop(self.settings.insert(key, value.clone())));
        Ok(())
    }

    /// The account to be made, at the time `now`, in seconds since 1970. `hash` makes the
    /// credentials for a password.
    pub(super) fn into_account(self, now: u64, hash: impl FnOnce(&Secret) -> Credentials) -> NewAccount {
        let changed_at = self.changed_at.unwrap_or(now);
        let mut credentials = match self.password {
            None => Credentials::none(changed_at),
            Some(Password::Plain(secret)) => Credentials { changed_at, ..hash(&secret) },
            Some(Password::Hashes(verifiers)) => Credentials::of_several(verifiers, changed_at),
        };
        for (purpose, verifier) in self.alternatives {
            credentials.set_alternative(purpose, Some(verifier));
        }
        NewAccount {
            name: self.name,
            created_at: self.created_at.unwrap_or(changed_at),
            aliases: self.aliases,
            credentials,
            rights: self.rights,
            settings: self.settings,
            is_complete: self.is_complete,
        }
    }
}

/// The person's name among the settings of `account`.
pub(super) fn real_name(account: &Account) -> &str {
    account.explicit_settings().get(REAL_NAME).and_then(Value::as_str).unwrap_or_default()
}

/// The first of an account's hashes, as other software reads it.
pub(super) fn first_hash(account: &Account) -> Option<String> {
    account.credentials.verifiers.first().map(Verifier::to_text)
}
