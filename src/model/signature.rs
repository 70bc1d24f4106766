use std::fmt;

/// What shows a client that has proven its password that the server has it, too. It is for that client
/// alone, so it is not printed.
#[derive(PartialEq, Eq)]
pub enum Signature {
    /// SCRAM's ServerSignature (RFC 5802, section 3).
    Scram(Box<[u8]>),
    /// DIGEST-MD5's response to the response (RFC 2831, section 2.1.3).
    DigestMd5([u8; 16]),
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(***)")
    }
}
