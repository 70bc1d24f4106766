/// Why a new password was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPasswordRefusal {
    /// Fewer bytes than the server asks for.
    TooShort {
        /// The least it must have.
        bytes_min: usize,
    },
    /// It is the password the session logged in with.
    SameAsOld,
    /// It is the account's name, with or without the domain, in any letter case.
    SameAsName,
    /// The effective setting `PWDAllowed` is NO.
    NotAllowed,
}
