use std::time::Duration;

use crate::model::IPV6_NETWORK_BITS;

/// What a running server takes over on SIGHUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Key `channels`: simultaneous sessions over all shards, 0 to 1000000; 0 closes the
    /// listeners. Default 1000.
    pub channels: u32,
    /// Key `channels_for_clients`: how many of the channels are kept for the addresses that
    /// SETCLIENTIPS lists, 0 to 1000000. Default 0.
    pub channels_for_clients: u32,
    /// Key `connections_per_address`: simultaneous sessions from one address, 0 to 1000000.
    /// Default 0: no limit.
    pub connections_per_address: u32,
    /// Key `ipv6_prefix_length`: addresses of IPv6 that share so many of their first bits count as
    /// one for that limit, 1 to 128. Default 64: what one customer of a network provider has.
    pub ipv6_prefix_length: u8,
    /// Key `idle_seconds`: how long a session may send nothing, 1 to 86400. Default 300; clients
    /// of CommuniGate Pro count on no less.
    pub idle: Duration,
    /// Key `login_seconds`: how long a client may take to log in, 1 to 86400. Default 60.
    pub login: Duration,
    /// Key `line_seconds`: how long a client may take over one line, 1 to 86400. Default 30.
    pub line: Duration,
    /// Key `drain_seconds`: how long a stopping server lets sessions finish, 0 to 3600.
    /// Default 10.
    pub drain: Duration,
    /// Key `failures_max`: failed logins after which a session is closed, 1 to 100. Default 3.
    pub failures_max: u8,
    /// Key `address_failures_max`: failed logins from one address within `address_failures_seconds`
    /// after which it is blocked, 0 to 1000000. Default 0: none is, because a webmail's address
    /// speaks for all of its users.
    pub address_failures_max: u32,
    /// Key `address_failures_seconds`: how long a failed login counts against its address, 1 to
    /// 86400. Default 60.
    pub address_failures: Duration,
    /// Key `address_block_seconds`: how long an address is blocked, 1 to 86400. Default 600.
    pub address_block: Duration,
    /// Key `failed_reply_delay_ms`: how long after a login came it is refused at the soonest, 0 to
    /// 60000, where less than 50 is as much as 50. Default 1000.
    pub failed_reply_delay: Duration,
    /// Key `password_length_min`: least length of a new password in characters, 1 to 1024 (of
    /// which no password has more bytes). Bytes count where it is not UTF-8. Default 8.
    pub password_characters_min: usize,
    /// Key `queue_seconds`: how long a job may wait before the hashing pool, 1 to 60. One that could
    /// not begin within that is refused at once. Default 5: clients give up after ten or more.
    pub queue: Duration,
    /// Key `queue_length_max`: jobs that may wait before the hashing pool, 1 to 1000000. A job
    /// beyond that is refused at once. Default 1024.
    pub queue_length_max: usize,
    /// Key `log_level`: System Log level, 0 (crashes only) to 5 (all info). Default 3 (problems).
    pub log_level: u8,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            channels: 1000,
            channels_for_clients: 0,
            connections_per_address: 0,
            ipv6_prefix_length: IPV6_NETWORK_BITS,
            idle: Duration::from_secs(300),
            login: Duration::from_secs(60),
            line: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            failures_max: 3,
            address_failures_max: 0,
            address_failures: Duration::from_secs(60),
            address_block: Duration::from_secs(600),
            failed_reply_delay: Duration::from_secs(1),
            password_characters_min: 8,
            queue: Duration::from_secs(5),
            queue_length_max: 1024,
            log_level: 3,
        }
    }
}
