use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::LoginName;

/// Whom a certificate in DER names: see [`crate::model::TlsPeer::certified`]. A certificate that
/// cannot be read names nobody.
pub(super) fn names_in(certificate: &[u8]) -> Vec<LoginName> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.iter().flat_map(|extension| &extension.value.general_names);
    let addresses: Vec<&str> = alternatives
        .filter_map(|name| if let GeneralName::RFC822Name(address) = name { Some(*address) } else { None })
        .collect();
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()).take(1);
    let names: Vec<&str> = if addresses.is_empty() { common.collect() } else { addresses };
    names.into_iter().filter_map(|name| LoginName::new(name.as_bytes())).collect()
}
