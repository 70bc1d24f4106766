use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Certificate, Config};
use crate::tls::{Certificates, Endpoint, LoadFault};

/// What the listeners offer to clients that speak TLS, in the order of the configuration; shared
/// by all shards.
#[derive(Debug)]
pub(super) struct Endpoints {
    list: Vec<Offered>,
}

#[derive(Debug)]
struct Offered {
    endpoint: Option<Arc<Endpoint>>,
    client_ca: Option<PathBuf>,
}

impl Endpoints {
    /// Reads the files that `config` names. Without certificates no listener offers anything.
    pub(super) fn load(config: &Config) -> Result<Self, LoadFault> {
        let certificates = load(&config.certificates)?;
        let mut list = Vec::with_capacity(config.listeners.len());
        for client_ca in config.listeners.iter().map(|listener| listener.client_ca.clone()) {
            let endpoint = match &certificates {
                None => None,
                Some(certificates) => Some(Arc::new(Endpoint::new(certificates, client_ca.as_deref())?)),
            };
            list.push(Offered { endpoint, client_ca });
        }
        Ok(Self { list })
    }

    /// What each listener offers.
    pub(super) fn iter(&self) -> impl Iterator<Item = Option<Arc<Endpoint>>> {
        self.list.iter().map(|offered| offered.endpoint.clone())
    }

    /// Reads these files and offers what they hold; when one is of no use, everything stays as it
    /// was. Returns how many names the certificates are for.
    pub(super) fn reload(&self, certificates: &[Certificate]) -> Result<usize, LoadFault> {
        let Some(certificates) = load(certificates)? else { return Ok(0) };
        let mut fresh = Vec::with_capacity(self.list.len());
        for Offered { endpoint, client_ca } in &self.list {
            if let Some(endpoint) = endpoint {
                fresh.push((endpoint, Endpoint::new(&certificates, client_ca.as_deref())?));
            }
        }
        fresh.into_iter().for_each(|(endpoint, fresh)| endpoint.replace(fresh));
        Ok(certificates.names())
    }
}

fn load(certificates: &[Certificate]) -> Result<Option<Certificates>, LoadFault> {
    Certificates::load(certificates.iter().map(|Certificate { chain, key }| (chain.as_path(), key.as_path())))
}
