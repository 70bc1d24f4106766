use std::path::PathBuf;

/// Who says in tokens (RFC 7519) who their bearers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIssuer {
    /// Key `issuer`: what its tokens say in `iss`.
    pub issuer: String,
    /// Key `audience`: what they say in `aud` if they are for this server.
    pub audience: String,
    /// Key `keys`: a file with its JSON Web Key Set (RFC 7517).
    pub keys: PathBuf,
    /// Key `claim`: the claim that holds the account's name, as `alice@example.com`. Default
    /// `email`.
    pub claim: String,
}

impl TokenIssuer {
    /// The claim that holds the name where nothing else is said.
    pub const CLAIM: &str = "email";
}
