use super::Secret;

/// What a client gave to show that an account is its own. Whether it does is for `auth` to say.
#[derive(Debug)]
pub enum Evidence {
    /// The password itself.
    Password(Secret),
}
