//! Where records lie in the store.
//!
//! One letter tells the kind, then come names, so that a kind, and a domain's part of it, is one
//! range of keys:
//!
//! ```text
//! S                     the server: its main domain and its defaults
//! C                     the cluster: its defaults
//! K                     the key that decoys are made with
//! M                     the ids of the master keys that accounts are sealed with
//! D domain              a domain
//! d name                another name of a domain; holds the domain's name
//! R domain              its roster, rewritten with everything that is added to it
//! A domain NUL local    an account
//! a domain NUL local    another name of an account in its domain; holds the account's local name
//! G domain NUL local    a group
//! F domain NUL local    a forwarder
//! s name                something kept for the server
//! c name                something kept for the cluster
//! k domain NUL name     something kept for a domain
//! p domain NUL local NUL name   something kept for an account
//! ```
//!
//! Names have no NUL and no capital letters, so keys order as names do. Nobody reads a roster: its
//! revision alone tells whoever deletes a domain that something was added after he looked.

use super::Holder;
use crate::model::{AccountName, DomainName};

/// The server's record.
pub(super) const SERVER: &[u8] = b"S";

/// The cluster's record.
pub(super) const CLUSTER: &[u8] = b"C";

/// The key that decoys are made with: see [`crate::auth::DecoyKey`].
pub(super) const DECOY_KEY: &[u8] = b"K";

/// The record that names the master keys.
pub(super) const MASTER_KEYS: &[u8] = b"M";

/// What every account's key begins with.
pub(super) const ACCOUNTS: &[u8] = b"A";

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
    of_domain(ACCOUNTS, domain, "")
}

pub(super) fn account(name: &AccountName) -> Vec<u8> {
    of_domain(ACCOUNTS, name.domain(), name.local())
}

/// What the key of every other name of an account of `domain` begins with.
pub(super) fn account_aliases(domain: &DomainName) -> Vec<u8> {
    of_domain(b"a", domain, "")
}

pub(super) fn account_alias(name: &AccountName) -> Vec<u8> {
    of_domain(b"a", name.domain(), name.local())
}

/// The key of one letter, `domain`, and something there.
fn of_domain(letter: &[u8], domain: &DomainName, what: &str) -> Vec<u8> {
    [letter, domain.as_str().as_bytes(), b"\0", what.as_bytes()].concat()
}

/// What the key of every group of `domain` begins with.
pub(super) fn groups(domain: &DomainName) -> Vec<u8> {
    of_domain(b"G", domain, "")
}

pub(super) fn group(name: &AccountName) -> Vec<u8> {
    of_domain(b"G", name.domain(), name.local())
}

/// What the key of every forwarder of `domain` begins with.
pub(super) fn forwarders(domain: &DomainName) -> Vec<u8> {
    of_domain(b"F", domain, "")
}

pub(super) fn forwarder(name: &AccountName) -> Vec<u8> {
    of_domain(b"F", name.domain(), name.local())
}

/// The keys of whatever can be called `name`; at most one of them exists.
pub(super) fn namesakes(name: &AccountName) -> [Vec<u8>; 4] {
    [account(name), account_alias(name), group(name), forwarder(name)]
}

/// The key of what `holder` has under `name`.
pub(super) fn kept(holder: &Holder, name: &str) -> Vec<u8> {
    match holder {
        Holder::Server => [b"s", name.as_bytes()].concat(),
        Holder::Cluster => [b"c", name.as_bytes()].concat(),
        Holder::Domain(domain) => of_domain(b"k", domain, name),
        Holder::Account(account) => {
            [&*of_domain(b"p", account.domain(), account.local()), b"\0", name.as_bytes()].concat()
        }
    }
}

/// What the keys of everything in `domain` begin with.
pub(super) fn all_of(domain: &DomainName) -> [Vec<u8>; 6] {
    let letters: [&[u8]; 6] = [b"A", b"a", b"G", b"F", b"k", b"p"];
    letters.map(|letter| of_domain(letter, domain, ""))
}

/// The key that what is under `key`, in the domain `old`, has in the domain `new`.
pub(super) fn moved(key: &[u8], old: &DomainName, new: &DomainName) -> Vec<u8> {
    [&key[..1], new.as_str().as_bytes(), &key[1 + old.as_str().len()..]].concat()
}
