/// What TLS knows of a connection, beyond its bytes.
#[derive(Debug, Default)]
pub struct TlsPeer {
    /// What this connection alone has, so that a login can be bound to it: `tls-exporter` (RFC
    /// 9266). It is no secret from either side. `None` where it would not be unique.
    pub binding: Option<[u8; 32]>,
}
