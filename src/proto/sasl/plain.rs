//! PLAIN (RFC 4616): one message, `[authzid] NUL authcid NUL passwd`.

use super::{Claim, SaslFault};

/// Reads the message. The first name may be missing, or be the second in another letter case:
/// nobody acts for somebody else here.
pub(super) fn parse(message: &[u8]) -> Result<Claim, SaslFault> {
    let mut parts = message.split(|&byte| byte == 0);
    let (Some(acts_for), Some(name), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SaslFault::Malformed);
    };
    let claim = Claim::new(name, password)?;
    if acts_for.is_empty() || acts_for.eq_ignore_ascii_case(name) { Ok(claim) } else { Err(SaslFault::OtherIdentity) }
}
