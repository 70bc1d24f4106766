use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore, SignatureAlgorithm};
use webpki::EndEntityCert;

/// The server's certificates with their keys, found by the name that a client asks for.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// For clients that name nobody, or nobody known.
    first: Arc<CertifiedKey>,
    /// By DNS name in lower case; `*.` stands for any one label.
    by_name: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// Whether any of the keys takes long to sign with.
    is_slow: bool,
}

impl Certificates {
    /// Reads certificate chains and their keys, a file each, in PEM. The first pair is for clients
    /// that ask for no name, or for one that is in no certificate. `None`: there is no pair.
    ///
    /// # Errors
    /// The first file that is of no use, and why.
    pub fn load<'a>(pairs: impl IntoIterator<Item = (&'a Path, &'a Path)>) -> Result<Option<Self>, LoadFault> {
        let mut certificates: Option<Self> = None;
        for (chain_path, key_path) in pairs {
            let pair = Arc::new(load_pair(chain_path, key_path)?);
            let is_slow = pair.key.algorithm() == SignatureAlgorithm::RSA;
            let all = certificates.get_or_insert_with(|| {
                let first = Arc::clone(&pair);
                Self { first, by_name: HashMap::new(), is_slow: false }
            });
            all.is_slow |= is_slow;
            let leaf = pair.end_entity_cert().ok().and_then(|leaf| EndEntityCert::try_from(leaf).ok());
            for name in leaf.iter().flat_map(|leaf| leaf.valid_dns_names()) {
                all.by_name.entry(name.to_ascii_lowercase().into()).or_insert_with(|| Arc::clone(&pair));
            }
        }
        Ok(certificates)
    }

    /// How many names the certificates are for.
    #[must_use]
    pub fn names(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn is_slow(&self) -> bool {
        self.is_slow
    }

    fn find(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let by_name = |name: &str| {
            let name = name.to_ascii_lowercase();
            let wildcard = || name.split_once('.').and_then(|(_, rest)| self.by_name.get(format!("*.{rest}").as_str()));
            self.by_name.get(name.as_str()).or_else(wildcard)
        };
        name.and_then(by_name).unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.find(client_hello.server_name())))
    }
}

fn load_pair(chain_path: &Path, key_path: &Path) -> Result<CertifiedKey, LoadFault> {
    let chain = load_chain(chain_path)?;
    let key = PrivateKeyDer::from_pem_file(key_path)
        .map_err(|fault| LoadFault::new(key_path, Problem::of_file(fault, "a private key")))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|fault| {
        if let Error::InconsistentKeys(InconsistentKeys::KeyMismatch) = fault {
            LoadFault::new(key_path, Problem::OtherKey { chain: chain_path.to_owned() })
        } else if let Error::InvalidCertificate(_) = fault {
            LoadFault::new(chain_path, Problem::BadCertificate)
        } else {
            LoadFault::new(key_path, Problem::BadKey)
        }
    })
}

fn load_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadFault> {
    let of_file = |fault| LoadFault::new(path, Problem::of_file(fault, "a certificate"));
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(of_file)?.collect::<Result<_, _>>().map_err(of_file)?;
    if chain.is_empty() { Err(of_file(pem::Error::NoItemsFound)) } else { Ok(chain) }
}

/// Reads the certificates of those who may vouch for clients.
pub(super) fn load_authorities(path: &Path) -> Result<RootCertStore, LoadFault> {
    let mut authorities = RootCertStore::empty();
    for certificate in load_chain(path)? {
        authorities.add(certificate).map_err(|_| LoadFault::new(path, Problem::BadCertificate))?;
    }
    Ok(authorities)
}

/// Why a file of certificates or of a key is of no use. Nothing of its content is in here.
#[derive(Debug)]
pub struct LoadFault {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Unreadable(io::Error),
    /// There is none of what is looked for.
    Without(&'static str),
    BadPem,
    BadCertificate,
    BadKey,
    /// It is not the key of the first certificate in that chain.
    OtherKey {
        chain: PathBuf,
    },
}

impl LoadFault {
    fn new(path: &Path, problem: Problem) -> Self {
        Self { path: path.to_owned(), problem }
    }
}

impl Problem {
    fn of_file(fault: pem::Error, wanted: &'static str) -> Self {
        if let pem::Error::Io(fault) = fault {
            Self::Unreadable(fault)
        } else if let pem::Error::NoItemsFound = fault {
            Self::Without(wanted)
        } else {
            Self::BadPem
        }
    }
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.path.display())?;
        match &self.problem {
            Problem::Unreadable(fault) => write!(f, "cannot be read: {fault}"),
            Problem::Without(wanted) => write!(f, "does not hold {wanted} in PEM (-----BEGIN …)"),
            Problem::BadPem => f.write_str("is not good PEM: a section is cut short or garbled"),
            Problem::BadCertificate => f.write_str("holds a certificate that cannot be understood"),
            Problem::BadKey => {
                f.write_str("holds a key of a kind that TLS cannot use: make an ECDSA, Ed25519 or RSA one")
            }
            Problem::OtherKey { chain } => {
                write!(f, "is not the key of the certificate that comes first in {}", chain.display())
            }
        }
    }
}

impl std::error::Error for LoadFault {}
