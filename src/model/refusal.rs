use std::fmt;

/// Why a new password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPasswordRefusal {
    /// Fewer characters than the server asks for.
    TooShort {
        /// The least it must have.
        characters_min: usize,
    },
    /// It is the password the session logged in with.
    SameAsOld,
    /// It is the account's name, with or without the domain, in any letter case.
    SameAsName,
    /// It lacks kinds of characters that the effective setting `PasswordComplexity` asks for.
    TooSimple,
    /// The effective setting `PWDAllowed` is NO.
    NotAllowed,
    /// The session logged in with the password of an application.
    OfApplication,
    /// The session logged in with a certificate or a token, which tells nothing of the password.
    WithoutPassword,
}

impl fmt::Display for NewPasswordRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { characters_min } => write!(f, "the new one has fewer than {characters_min} characters"),
            Self::SameAsOld => f.write_str("the new one is the old one"),
            Self::SameAsName => f.write_str("the new one is the account's name"),
            Self::TooSimple => f.write_str("the new one is simpler than PasswordComplexity asks for"),
            Self::OfApplication => f.write_str("the login was with the password of an application"),
            Self::WithoutPassword => f.write_str("the login was without the password"),
            Self::NotAllowed => f.write_str("PWDAllowed is NO"),
        }
    }
}
