//! EXTERNAL (RFC 4422, appendix A): the client has shown a certificate, and says whom it means.

use super::{Claim, SaslFault};
use crate::model::{Evidence, LoginName};

/// Reads the client's message: one of the names in its certificate, or nothing, which means the
/// first of them.
pub(super) fn respond(certified: &[LoginName], acts_for: &[u8]) -> Result<Claim, SaslFault> {
    let is_meant = |name: &&LoginName| acts_for.is_empty() || name.as_bytes().eq_ignore_ascii_case(acts_for);
    let login = certified.iter().find(is_meant).ok_or(SaslFault::OtherIdentity)?;
    Ok(Claim { login: login.clone(), evidence: Evidence::Certificate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_whom_its_certificate_names_first_or_whom_it_means_of_them() {
        let certified = ["tim@example.com", "tom@example.com"].map(|name| LoginName::new(name.as_bytes()).unwrap());
        let login = |acts_for: &str| respond(&certified, acts_for.as_bytes()).map(|claim| claim.login.to_string());
        assert_eq!(login("").as_deref(), Ok("tim@example.com"));
        assert_eq!(login("Tom@Example.com").as_deref(), Ok("tom@example.com"));
        for other in ["ted@example.com", "tim", "tim@example.com\0"] {
            assert_eq!(login(other), Err(SaslFault::OtherIdentity), "{other}");
        }
    }
}
