//! The configuration file: text in, a checked [`Config`] or every problem at once out
//! (interface agreed; the implementation belongs to the config writer).

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use crate::model::{Argon2idCost, Dialect, DomainName};

/// Everything an operator can set. What may change while running is in [`Live`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The domain of bare login names, and where `postmaster` lives.
    pub main_domain: DomainName,
    /// Shards to run; `None`: one per CPU the process may use.
    pub shards: Option<NonZeroU16>,
    /// What a new password's hash costs.
    pub argon2id: Argon2idCost,
    /// Where to listen, at least one.
    pub listeners: Vec<Listener>,
    /// What a running server takes over on SIGHUP.
    pub live: Live,
}

/// One place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Address and port; port 0 lets the system choose (for tests).
    pub address: SocketAddr,
    /// Which family of servers to behave like.
    pub dialect: Dialect,
    /// Completes bare login names here; `None`: the main domain.
    pub domain: Option<DomainName>,
    /// Leaves the version out of the greeting.
    pub hide_version: bool,
}

/// What a running server takes over on SIGHUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Simultaneous sessions over all shards; 0 closes the listeners.
    pub channels: u32,
    /// Simultaneous sessions from one address; 0: no limit.
    pub connections_per_address: u32,
    /// How long a session may send nothing.
    pub idle: Duration,
    /// How long a client may take to log in.
    pub login: Duration,
    /// How long a client may take over one line.
    pub line: Duration,
    /// How long a stopping server lets sessions finish.
    pub drain: Duration,
    /// Failed logins after which a session is closed.
    pub failures_max: u8,
    /// How long the reply to a failed login is held back.
    pub failed_reply_delay: Duration,
    /// Least length of a new password, in bytes.
    pub password_bytes_min: usize,
    /// Jobs that may wait before the hashing pool.
    pub queue_length_max: usize,
    /// System Log level, 0 (crashes only) to 5 (all info).
    pub log_level: u8,
}
