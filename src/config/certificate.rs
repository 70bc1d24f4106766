use std::path::PathBuf;

/// A certificate and its key, a file each, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Key `chain`: the certificate, and behind it those of its issuers.
    pub chain: PathBuf,
    /// Key `key`: its private key.
    pub key: PathBuf,
}
