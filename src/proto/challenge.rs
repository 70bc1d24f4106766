use crate::model::{DomainName, Nonce};

/// Bytes of the domain in a challenge: as many as leave a greeting room for it. Of a longer one the end
/// is taken.
const DOMAIN_BYTES_MAX: usize = 128;

/// The challenge of APOP and CRAM-MD5: `<nonce@domain>`, of the form of a message's id (RFC 822).
pub(super) fn challenge(nonce: Nonce, domain: &DomainName) -> String {
    let domain = domain.as_str();
    let end = &domain[domain.len().saturating_sub(DOMAIN_BYTES_MAX)..];
    format!("<{nonce}@{end}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_the_domain_or_its_end() {
        let challenge = |domain: &str| challenge(Nonce([1896, 697_170_952]), &DomainName::parse(domain).unwrap());
        assert_eq!(challenge("dbc.mtview.ca.us"), "<1896.697170952@dbc.mtview.ca.us>");
        let long = format!("{}.example", "d".repeat(200));
        assert_eq!(challenge(&long), format!("<1896.697170952@{}.example>", "d".repeat(120)));
    }
}
