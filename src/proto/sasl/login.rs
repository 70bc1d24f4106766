//! LOGIN (draft-murchison-sasl-login-00): the name, then the password, each asked for.

use super::{Claim, Exchange, Next, SaslFault, State};
use crate::model::LoginName;

/// What clients expect to be asked first; some look for these very words.
pub(super) const NAME_PROMPT: &[u8] = b"Username:";

const PASSWORD_PROMPT: &[u8] = b"Password:";

/// What the next response is.
#[derive(Debug)]
pub(super) enum Login {
    Name,
    Password(LoginName),
}

impl Login {
    pub(super) fn respond(self, response: &[u8]) -> Result<Next, SaslFault> {
        match self {
            Self::Name => {
                let login = LoginName::new(response).ok_or(SaslFault::Malformed)?;
                Ok(Next::Challenge(PASSWORD_PROMPT.into(), Exchange(State::Login(Self::Password(login)))))
            }
            Self::Password(login) => Claim::new(login.as_bytes(), response).map(Next::Check),
        }
    }
}
