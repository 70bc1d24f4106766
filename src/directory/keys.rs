//! Where records lie in the store.
//!
//! One letter tells the kind, then come names, so that a kind, and a domain's part of it, is one
//! range of keys:
//!
//! ```text
//! S                     the server: its main domain and its defaults
//! D domain              a domain
//! d name                another name of a domain; holds the domain's name
//! R domain              its roster, rewritten with every account that is created in it
//! A domain NUL local    an account
//! a domain NUL local    another name of an account in its domain; holds the account's local name
//! ```
//!
//! Names have no NUL and no capital letters, so keys order as names do. Nobody reads a roster: its
//! revision alone tells whoever deletes a domain that an account was created after he looked.

use crate::model::{AccountName, DomainName};

/// The server's record.
pub(super) const SERVER: &[u8] = b"S";

/// What every domain's key begins with.
pub(super) const DOMAINS: &[u8] = b"D";

pub(super) fn domain(name: &DomainName) -> Vec<u8> {
    [DOMAINS, name.as_str().as_bytes()].concat()
}

pub(super) fn domain_alias(name: &DomainName) -> Vec<u8> {
    [b"d", name.as_str().as_bytes()].concat()
}

pub(super) fn roster(name: &DomainName) -> Vec<u8> {
    [b"R", name.as_str().as_bytes()].concat()
}

/// What the key of every account of `domain` begins with.
pub(super) fn accounts(domain: &DomainName) -> Vec<u8> {
    [b"A", domain.as_str().as_bytes(), b"\0"].concat()
}

pub(super) fn account(name: &AccountName) -> Vec<u8> {
    [&accounts(name.domain()), name.local().as_bytes()].concat()
}

/// What the key of every other name of an account of `domain` begins with.
pub(super) fn account_aliases(domain: &DomainName) -> Vec<u8> {
    [b"a", domain.as_str().as_bytes(), b"\0"].concat()
}

pub(super) fn account_alias(name: &AccountName) -> Vec<u8> {
    [&account_aliases(name.domain()), name.local().as_bytes()].concat()
}

/// What the keys of everything in `domain` begin with.
pub(super) fn objects(domain: &DomainName) -> [Vec<u8>; 2] {
    [accounts(domain), account_aliases(domain)]
}

/// The key that what is under `key`, in the domain `old`, has in the domain `new`.
pub(super) fn moved(key: &[u8], old: &DomainName, new: &DomainName) -> Vec<u8> {
    [&key[..1], new.as_str().as_bytes(), &key[1 + old.as_str().len()..]].concat()
}
