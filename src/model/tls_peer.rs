use super::LoginName;

/// What TLS knows of a connection, beyond its bytes.
#[derive(Debug, Default)]
pub struct TlsPeer {
    /// What this connection alone has, so that a login can be bound to it: `tls-exporter` (RFC
    /// 9266). It is no secret from either side. `None` where it would not be unique.
    pub binding: Option<[u8; 32]>,
    /// Whom the client's certificate names, if it has shown a good one: the mail addresses among
    /// its alternative names (RFC 5280, section 4.2.1.6), or, where there are none, its common name.
    pub certified: Vec<LoginName>,
}
