//! Values everyone speaks: names, secrets, sets of network addresses, limits, time.
//!
//! Bottom layer. Nothing here does anything: it holds, checks and prints.

mod authenticated;
mod clock;
mod dialect;
mod digest;
mod evidence;
mod flow;
pub mod limits;
mod name;
mod networks;
mod nonce;
mod refusal;
mod scram;
mod secret;
mod signature;
mod tls_peer;

pub use authenticated::{Authenticated, Fingerprint};
pub use clock::{Clock, Tick};
pub use dialect::Dialect;
pub use digest::{DigestMd5, DigestProof, Digested, Md5Digest};
pub use evidence::{Evidence, Token};
pub use flow::Flow;
pub use name::{AccountName, DomainName, LoginName, NameFault};
pub use networks::{BadNetwork, IPV6_NETWORK_BITS, NetworkFault, NetworkList, network_of};
pub use nonce::Nonce;
pub use refusal::NewPasswordRefusal;
pub use scram::{ScramHash, ScramOffer, ScramProof};
pub use secret::Secret;
pub use signature::Signature;
pub use tls_peer::TlsPeer;

/// What one Argon2id hash costs (RFC 9106, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Argon2idCost {
    /// Memory in KiB, at least `8 * p`.
    pub m_kib: u32,
    /// Passes over the memory, at least 1.
    pub t: u32,
    /// Lanes, at least 1.
    pub p: u32,
}

impl Default for Argon2idCost {
    /// 19 MiB, two passes, one lane: the OWASP recommendation.
    fn default() -> Self {
        Self { m_kib: 19_456, t: 2, p: 1 }
    }
}
