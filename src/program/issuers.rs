//! Whose tokens a server takes, with their keys.

use std::fs;

use keyturn::auth::{Issuer, Issuers};
use keyturn::config::{Config, TokenIssuer};

use super::failure::{Exit, Failure};

/// Reads the keys of all issuers that `config` names.
///
/// # Errors
/// The first file that is of no use.
pub(crate) fn load(config: &Config) -> Result<Issuers, Failure> {
    let issuers: Result<Vec<Issuer>, Failure> = config.oauth.iter().map(read).collect();
    Ok(Issuers(issuers?))
}

fn read(TokenIssuer { issuer, audience, keys, claim }: &TokenIssuer) -> Result<Issuer, Failure> {
    let misconfigured = |fault: &dyn std::fmt::Display| {
        Failure::new(Exit::Misconfigured, format!("oauth.keys: {}: {fault}", keys.display()))
    };
    let text = fs::read(keys).map_err(|fault| misconfigured(&format_args!("cannot be read: {fault}")))?;
    Issuer::new(issuer, audience, claim, &text).map_err(|fault| misconfigured(&fault))
}
