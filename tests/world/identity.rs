//! What servers in tests prove their names with, and what clients in tests trust.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;

use super::MAIN_DOMAIN;

/// A certificate for the main domain, `localhost` and the loopback address, and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    folder: TempDir,
}

impl Identity {
    /// One whose key is quick to sign with.
    pub(crate) fn new() -> Self {
        Self::with(&PKCS_ECDSA_P256_SHA256)
    }

    /// One whose key is slow to sign with.
    pub(crate) fn slow() -> Self {
        Self::with(&PKCS_RSA_SHA256)
    }

    fn with(algorithm: &'static SignatureAlgorithm) -> Self {
        let identity = Self { folder: TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap() };
        identity.make(algorithm);
        identity
    }

    /// The one that all worlds share which need any.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Identity> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    /// Puts the certificate and key of another in the place of these: the key first, as some tools
    /// do.
    pub(crate) fn adopt(&self, other: &Self) {
        self.adopt_key(other);
        self.put("chain.pem", &std::fs::read_to_string(other.chain()).unwrap());
    }

    /// Stops half way.
    pub(crate) fn adopt_key(&self, other: &Self) {
        self.put("key.pem", &std::fs::read_to_string(other.folder.path().join("key.pem")).unwrap());
    }

    fn make(&self, algorithm: &'static SignatureAlgorithm) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names = [MAIN_DOMAIN, "localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        self.put("key.pem", &key.serialize_pem());
        self.put("chain.pem", &certificate.pem());
    }

    fn put(&self, name: &str, text: &str) {
        let aside = self.folder.path().join("aside");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(aside, self.folder.path().join(name)).unwrap();
    }

    pub(crate) fn chain(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    /// The table of a configuration file that names it.
    pub(crate) fn table(&self) -> String {
        let folder = self.folder.path().display();
        format!("[[certificate]]\nchain = \"{folder}/chain.pem\"\nkey = \"{folder}/key.pem\"\n")
    }

    /// The certificate itself.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        CertificateDer::from_pem_file(self.chain()).unwrap().to_vec()
    }

    /// What a client needs that trusts it as it is now.
    pub(crate) fn trust(&self) -> Arc<ClientConfig> {
        trust(&[self.chain()])
    }
}

/// What a client needs that trusts these certificates.
pub(crate) fn trust(chains: &[PathBuf]) -> Arc<ClientConfig> {
    trust_with(chains, rustls::ALL_VERSIONS)
}

/// As [`trust`], for a client that speaks only these versions of TLS.
pub(crate) fn trust_with(chains: &[PathBuf], versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut trusted = RootCertStore::empty();
    for chain in chains {
        trusted.add(CertificateDer::from_pem_file(chain).unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_protocol_versions(versions);
    Arc::new(builder.with_root_certificates(trusted).with_no_client_auth())
}

/// A client's end of a TLS session with a server that is to prove that it is the main domain's.
pub(crate) fn caller(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(Arc::clone(config), ServerName::try_from(MAIN_DOMAIN).unwrap()).unwrap()
}
