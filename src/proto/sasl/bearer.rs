//! OAUTHBEARER (RFC 7628) and XOAUTH2, from which it was made: one message with a token.
//!
//! ```text
//! OAUTHBEARER   flag,a=name, ^A key=value ^A ... auth=Bearer token ^A ^A
//! XOAUTH2       user=name ^A auth=Bearer token ^A ^A
//! ```
//!
//! The name is needed: it is what the log and the limits of failed logins go by. A token that is
//! not taken is answered with a challenge that says so in JSON, which the client answers with
//! anything at all before it is told that the login has failed.

use super::scram::{take_field, unescape};
use super::{Claim, SaslFault};
use crate::model::{Evidence, LoginName, Token};

/// What parts the message.
const CONTROL_A: u8 = 1;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// RFC 7628.
    OauthBearer,
    /// <https://developers.google.com/workspace/gmail/imap/xoauth2-protocol>.
    Xoauth2,
}

impl Bearer {
    /// What a client is told whose token is not taken.
    #[must_use]
    pub fn excuse(self) -> &'static [u8] {
        match self {
            Self::OauthBearer => br#"{"status":"invalid_token"}"#,
            Self::Xoauth2 => br#"{"status":"401","schemes":"bearer"}"#,
        }
    }

    /// Reads the message.
    pub(super) fn parse(self, message: &[u8]) -> Result<Claim, SaslFault> {
        let mut parts = message.strip_suffix(&[CONTROL_A, CONTROL_A]).ok_or(SaslFault::Malformed)?.split(is_control_a);
        let head = parts.next().unwrap_or_default();
        let name = match self {
            Self::OauthBearer => name_in_header(head)?,
            Self::Xoauth2 => head.strip_prefix(b"user=").ok_or(SaslFault::Malformed)?.to_vec(),
        };
        let login = LoginName::new(&name).ok_or(SaslFault::Malformed)?;
        let mut tokens = parts.filter_map(|part| part.strip_prefix(b"auth="));
        let (Some(auth), None) = (tokens.next(), tokens.next()) else { return Err(SaslFault::Malformed) };
        let (scheme, token) = auth.split_at_checked(BEARER.len()).ok_or(SaslFault::Malformed)?;
        if !scheme.eq_ignore_ascii_case(BEARER) || token.is_empty() {
            return Err(SaslFault::Malformed);
        }
        Ok(Claim { login, evidence: Evidence::Token(Token::new(token)) })
    }
}

const BEARER: &[u8] = b"Bearer ";

fn is_control_a(byte: &u8) -> bool {
    *byte == CONTROL_A
}

/// The name in the header `flag,a=name,` of OAUTHBEARER, which no binding can go with.
fn name_in_header(mut header: &[u8]) -> Result<Vec<u8>, SaslFault> {
    let flag = take_field(&mut header)?;
    let acts_for = take_field(&mut header)?;
    if ![&b"n"[..], b"y"].contains(&flag) || !header.is_empty() {
        return Err(SaslFault::Malformed);
    }
    unescape(acts_for.strip_prefix(b"a=").ok_or(SaslFault::Malformed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bearer: Bearer, message: &str) -> Option<(String, String)> {
        let Claim { login, evidence } = bearer.parse(message.replace('^', "\x01").as_bytes()).ok()?;
        let Evidence::Token(token) = evidence else { panic!("{evidence:?}") };
        assert_eq!(format!("{token:?}"), "Token(***)");
        Some((login.to_string(), String::from_utf8(token.expose().to_vec()).unwrap()))
    }

    #[test]
    fn a_message_is_a_name_and_a_token() {
        let tim = Some(("tim@example.com".to_owned(), "a.b.c".to_owned()));
        for message in [
            "n,a=tim@example.com,^host=server.example.com^port=106^auth=Bearer a.b.c^^",
            "n,a=tim@example.com,^auth=Bearer a.b.c^^",
            "y,a=tim@example.com,^auth=bearer a.b.c^^",
        ] {
            assert_eq!(parsed(Bearer::OauthBearer, message), tim, "{message}");
        }
        assert_eq!(parsed(Bearer::Xoauth2, "user=tim@example.com^auth=Bearer a.b.c^^"), tim);
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        for message in [
            "",
            "n,a=tim,^auth=Bearer x^",
            "n,a=tim,^^",
            "n,a=tim,auth=Bearer x^^",
            "n,,^auth=Bearer x^^",
            "n,a=,^auth=Bearer x^^",
            "n,a=tim^auth=Bearer x^^",
            "p=tls-exporter,a=tim,^auth=Bearer x^^",
            "n,a=tim,^auth=Bearer ^^",
            "n,a=tim,^auth=Basic x^^",
            "n,a=tim,^auth=Bearer x^auth=Bearer y^^",
            "user=tim^auth=Bearer x^^",
        ] {
            assert_eq!(parsed(Bearer::OauthBearer, message), None, "{message}");
        }
        for message in ["user=^auth=Bearer x^^", "n,a=tim,^auth=Bearer x^^", "user=tim^auth=x^^"] {
            assert_eq!(parsed(Bearer::Xoauth2, message), None, "{message}");
        }
    }
}
