//! Whose a request is, for the fairness among them.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use crate::model::{Authenticated, DomainName, IPV6_NETWORK_BITS, LoginName, network_of};
use crate::proto::sasl::Question;

use super::admission::{Class, Origin};
use super::{Request, Ticket};

/// Shares of a source inside the installation: a webmail or a panel there speaks for many users,
/// an address outside for one.
const WEIGHT_INSIDE: u32 = 16;

/// Turns addresses and names into numbers, by a function drawn at start: nobody outside can
/// choose a name that shares its number with another one.
#[derive(Debug)]
pub(super) struct Origins {
    numbers: RandomState,
    main_domain: DomainName,
}

impl Origins {
    /// Bare names without a domain belong to `main_domain`.
    pub(super) fn new(main_domain: &DomainName) -> Self {
        Self { numbers: RandomState::new(), main_domain: main_domain.clone() }
    }

    /// The class and the origin of `request`.
    ///
    /// A login is judged by what was typed, its case folded: the store is not asked. Two names of
    /// one account count as two.
    pub(super) fn of(&self, request: &Request, ticket: &Ticket) -> (Class, Origin) {
        let (class, account, domain) = match request {
            Request::Verify { login, domain, .. }
            | Request::Ask { question: Question::Scram { login, .. }, domain } => {
                let (account, domain) = self.of_login(login, domain.as_deref());
                (Class::Login, account, domain)
            }
            Request::Change { proof, .. } => {
                let class = if proof.is_operator() { Class::Operator } else { Class::Change };
                let (local, domain) = (proof.account().local(), proof.account().domain().as_str());
                let (local, domain) = (local.as_bytes(), domain.as_bytes());
                (class, self.numbers.hash_one((local, domain)), self.numbers.hash_one(domain))
            }
            // One account may administer from many sessions at once; each has one command under way.
            Request::Command { proof, .. } => self.of_command(proof, ticket),
            Request::Order(order) | Request::GoOn(order) => self.of_command(order.proof(), ticket),
        };
        let (network, weight) = network(ticket.peer);
        (class, Origin { source: self.numbers.hash_one(network), domain, account, weight })
    }

    /// The account and the domain of a login, as typed.
    pub(super) fn of_login(&self, login: &LoginName, domain: Option<&DomainName>) -> (u64, u64) {
        let name = login.as_bytes().to_ascii_lowercase();
        let home = domain.unwrap_or(&self.main_domain);
        let (local, domain) = split(&name).unwrap_or((&name, home.as_str().as_bytes()));
        (self.numbers.hash_one((local, domain)), self.numbers.hash_one(domain))
    }

    fn of_command(&self, proof: &Authenticated, ticket: &Ticket) -> (Class, u64, u64) {
        let class = if proof.is_operator() { Class::Operator } else { Class::Change };
        let domain = proof.account().domain().as_str().as_bytes();
        (class, self.numbers.hash_one(ticket.session), self.numbers.hash_one(domain))
    }
}

/// The local part and the domain of a login name: the last `@` separates them, and where there is
/// none the last `%`.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = |sign: u8| name.iter().rposition(|byte| *byte == sign);
    let at = last(b'@').or_else(|| last(b'%'))?;
    Some((&name[..at], &name[at + 1..]))
}

/// What one customer of a network provider has: an IPv4 address, or an IPv6 network. And its
/// shares.
fn network(peer: IpAddr) -> (IpAddr, u32) {
    let is_inside = match peer.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    };
    (network_of(peer, IPV6_NETWORK_BITS), if is_inside { WEIGHT_INSIDE } else { 1 })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Evidence;
    use crate::service::world::{World, secret};

    #[test]
    fn a_source_is_an_address_or_a_network_and_weighs_more_inside() {
        let check = |peer: &str, expected: &str, weight: u32| {
            let expected = (expected.parse().unwrap(), weight);
            assert_eq!(network(peer.parse().unwrap()), expected, "{peer}");
        };
        check("192.0.2.7", "192.0.2.7", 1);
        check("::ffff:192.0.2.7", "192.0.2.7", 1);
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", 1);
        check("127.0.0.1", "127.0.0.1", WEIGHT_INSIDE);
        check("10.1.2.3", "10.1.2.3", WEIGHT_INSIDE);
        check("::1", "::", WEIGHT_INSIDE);
        check("fd00::1", "fd00::", WEIGHT_INSIDE);
    }

    #[test]
    fn spellings_of_one_name_are_one_account_and_its_change_is_of_the_same_domain() {
        let world = World::new();
        let main = DomainName::parse("example.com").unwrap();
        let origins = Origins::new(&main);
        let of = |login: &str, domain: Option<&str>| {
            let login = LoginName::new(login.as_bytes()).unwrap();
            let domain = domain.map(|domain| Arc::new(DomainName::parse(domain).unwrap()));
            let evidence = Evidence::Password(secret("x"));
            origins.of(&Request::Verify { login, domain, evidence, is_under_tls: false }, &world.ticket(1))
        };
        let (class, origin) = of("postmaster", None);
        assert_eq!(class, Class::Login);
        for spelling in ["Postmaster", "postmaster@example.com", "postmaster%EXAMPLE.com"] {
            assert_eq!(of(spelling, None).1, origin, "{spelling}");
        }
        assert_eq!(of("postmaster", Some("example.com")).1, origin);
        let typed = LoginName::new(b"Postmaster").unwrap();
        assert_eq!(origins.of_login(&typed, None), (origin.account, origin.domain));
        let other = of("postmaster", Some("example.net")).1;
        assert!(other.domain != origin.domain && other.account != origin.account && other.source == origin.source);
        let change = Request::Change { proof: world.proof(), secret: secret("x") };
        assert_eq!(origins.of(&change, &world.ticket(1)), (Class::Change, origin));
        let proof = Box::new(world.proof().of_operator(true));
        let change = Request::Change { proof, secret: secret("x") };
        assert_eq!(origins.of(&change, &world.ticket(1)), (Class::Operator, origin));
    }
}
