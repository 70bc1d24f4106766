use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::certificates::load_authorities;
use super::{Certificates, LoadFault, Session};

/// What a listener offers to clients that speak TLS. One for all shards; looked at once a
/// handshake.
pub struct Endpoint {
    offer: Mutex<Offer>,
}

#[derive(Clone)]
struct Offer {
    config: Arc<ServerConfig>,
    is_slow: bool,
}

impl Endpoint {
    /// An endpoint with these certificates. With `client_ca`, a file of certificates in PEM,
    /// clients are asked for a certificate from one of those, and need not have one.
    ///
    /// A session can be resumed by a ticket that its client keeps; the server keeps nothing.
    ///
    /// # Errors
    /// The file is of no use.
    pub fn new(certificates: &Certificates, client_ca: Option<&Path>) -> Result<Self, LoadFault> {
        let is_slow = certificates.is_slow();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions");
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let authorities = Arc::new(load_authorities(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider);
                let verifier = verifier.allow_unauthenticated().build().expect("the file holds a certificate");
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates.clone()));
        config.ticketer = Ticketer::new().expect("the system has random bytes");
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { offer: Mutex::new(Offer { config: Arc::new(config), is_slow }) })
    }

    /// Offers from now on what `other` does. Sessions that have begun go on; tickets of before are
    /// good for nothing, so that nobody resumes what a withdrawn certificate began.
    pub fn replace(&self, other: Self) {
        let other = other.offer.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.offer.lock().unwrap_or_else(PoisonError::into_inner) = other;
    }

    /// A session with a client that is about to begin a handshake.
    #[must_use]
    pub fn accept(&self) -> Box<Session> {
        let Offer { config, is_slow } = self.offer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::new(Session::new(config, is_slow))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint")
    }
}
