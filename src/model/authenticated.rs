use std::fmt;

use super::{AccountName, NewPasswordRefusal, Signature};

/// A keyed digest of the password that was proven, by which `auth` recognises the same password
/// again without keeping it. The key lives and dies with the process.
pub type Fingerprint = [u8; 16];

/// Evidence that an account's owner has logged in, mostly with its password.
///
/// It has no `Clone`: one proof allows one change, and a successful change returns the next
/// proof. Only `auth` makes one (a house rule checks the callers of [`Authenticated::attest`]),
/// so no path reaches a password change without a verified password.
pub struct Authenticated {
    account: AccountName,
    password_revision: u64,
    fingerprint: Option<Fingerprint>,
    signature: Option<Signature>,
    is_operator: bool,
    application: Option<u64>,
    knows_password: bool,
}

impl Authenticated {
    /// States that the password of `account`, as it stood at `password_revision`, was proven.
    /// Without `fingerprint` it was proven without being told.
    #[must_use]
    pub fn attest(account: AccountName, password_revision: u64, fingerprint: Option<Fingerprint>) -> Self {
        Self {
            account,
            password_revision,
            fingerprint,
            signature: None,
            is_operator: false,
            application: None,
            knows_password: true,
        }
    }

    /// Adds what proves to the client in turn that the server knows the password, if the method has that.
    #[must_use]
    pub fn signed(self, signature: Option<Signature>) -> Self {
        Self { signature, ..self }
    }

    /// Takes out what the client is to be sent before it is told that it has logged in.
    pub fn take_signature(&mut self) -> Option<Signature> {
        self.signature.take()
    }

    /// Notes that it was not the account's own password but one of an application, which has this
    /// id. Such a proof counts for as long as the account has that password, and sets no other.
    #[must_use]
    pub fn of_application(self, id: u64) -> Self {
        Self { application: Some(id), ..self }
    }

    /// Notes that somebody else vouched for the client, which has not shown that it knows the
    /// password: it may do what the account may, but not set another one.
    #[must_use]
    pub fn without_password(self) -> Self {
        Self { knows_password: false, ..self }
    }

    /// Why a session that has this proof may not change the password of its account.
    #[must_use]
    pub fn bar(&self) -> Option<NewPasswordRefusal> {
        match (self.knows_password, self.application) {
            (false, _) => Some(NewPasswordRefusal::WithoutPassword),
            (true, Some(_)) => Some(NewPasswordRefusal::OfApplication),
            (true, None) => None,
        }
    }

    /// The id of the application's password that was given instead of the account's own.
    #[must_use]
    pub fn application(&self) -> Option<u64> {
        self.application
    }

    /// Notes that the account has the right Master.
    #[must_use]
    pub fn of_operator(self, is_operator: bool) -> Self {
        Self { is_operator, ..self }
    }

    /// Whether the account had the right Master when the password was proven.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.is_operator
    }

    /// Whose password it was.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// Which password it was: it no longer counts once the account's record shows another number.
    #[must_use]
    pub fn password_revision(&self) -> u64 {
        self.password_revision
    }

    /// What the proven password looks like to `auth`, if it was told.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.fingerprint.as_ref()
    }
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authenticated({}, revision {})", self.account, self.password_revision)
    }
}
