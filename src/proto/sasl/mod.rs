//! SASL exchanges (RFC 4422), as this protocol carries them.
//!
//! ```text
//! C: AUTH mechanism [ SP response ]
//! S: 300 challenge
//! C: response           or  *  to give up
//! ```
//!
//! Challenges and responses are base64 (RFC 4648); an empty one is `=`, because a reply needs a
//! text. Each mechanism is a file. An [`Exchange`] says what to send next, or what the client
//! claims; whether a claim is true is checked elsewhere. No exchange knows whether an account
//! exists.

mod login;
mod plain;

use std::fmt;

use zeroize::Zeroizing;

use self::login::Login;
use crate::model::{Evidence, LoginName, Secret};
use crate::notation::base64;

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login-00.
    Login,
}

const MECHANISMS: [(Mechanism, &str); 2] = [(Mechanism::Plain, "PLAIN"), (Mechanism::Login, "LOGIN")];

impl Mechanism {
    /// The mechanism of that registered name, in any letter case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let known = MECHANISMS.iter().find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name));
        known.map(|(mechanism, _)| *mechanism)
    }
}

/// What a client sent in an exchange. Its `Debug` shows the length alone, and dropping it
/// overwrites the bytes.
pub struct Response(Zeroizing<Vec<u8>>);

impl Response {
    /// Decodes a line, or the last argument of AUTH.
    ///
    /// # Errors
    /// [`SaslFault::NotBase64`].
    pub fn parse(text: &[u8]) -> Result<Self, SaslFault> {
        // Enough from the start: growing would leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        if text != b"=" {
            base64::decode(text, &mut bytes).ok_or(SaslFault::NotBase64)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} bytes)", self.0.len())
    }
}

/// Why an exchange failed before there was anything to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslFault {
    /// A response is not base64.
    NotBase64,
    /// A response is not of the mechanism's form.
    Malformed,
    /// The client wants to log in as one account with the password of another.
    OtherIdentity,
    /// The client gave up.
    Cancelled,
}

/// A name, and what is to show that the account is the client's.
#[derive(Debug)]
pub struct Claim {
    /// Whose.
    pub login: LoginName,
    /// What to check.
    pub evidence: Evidence,
}

impl Claim {
    /// Of a password.
    fn new(name: &[u8], password: &[u8]) -> Result<Self, SaslFault> {
        match (LoginName::new(name), Secret::new(password)) {
            (Some(login), Some(secret)) if !password.is_empty() => {
                Ok(Self { login, evidence: Evidence::Password(secret) })
            }
            _ => Err(SaslFault::Malformed),
        }
    }
}

/// What follows a response.
#[derive(Debug)]
pub enum Next {
    /// Send this, and go on with the client's response.
    Challenge(&'static [u8], Exchange),
    /// Check this. The exchange is over.
    Check(Claim),
}

/// An exchange that waits for a response.
#[derive(Debug)]
pub struct Exchange(State);

#[derive(Debug)]
enum State {
    Plain,
    Login(Login),
}

impl Exchange {
    /// Begins an exchange, with the response that came with AUTH if one did.
    ///
    /// # Errors
    /// [`SaslFault`] ends the exchange.
    pub fn begin(mechanism: Mechanism, initial: Option<Response>) -> Result<Next, SaslFault> {
        let (challenge, state): (&'static [u8], _) = match mechanism {
            Mechanism::Plain => (b"", State::Plain),
            Mechanism::Login => (login::NAME_PROMPT, State::Login(Login::Name)),
        };
        match initial {
            Some(response) => Self(state).respond(response),
            None => Ok(Next::Challenge(challenge, Self(state))),
        }
    }

    /// Goes on with the client's next line.
    ///
    /// # Errors
    /// [`SaslFault`] ends the exchange.
    pub fn step(self, line: &[u8]) -> Result<Next, SaslFault> {
        if line == b"*" {
            return Err(SaslFault::Cancelled);
        }
        self.respond(Response::parse(line)?)
    }

    fn respond(self, Response(bytes): Response) -> Result<Next, SaslFault> {
        match self.0 {
            State::Plain => plain::parse(&bytes).map(Next::Check),
            State::Login(login) => login.respond(&bytes),
        }
    }
}

/// Appends the reply line that carries `challenge`.
pub fn print_challenge(challenge: &[u8], out: &mut Vec<u8>) {
    let mut text = String::new();
    base64::encode(challenge, &mut text);
    let text = if text.is_empty() { "=" } else { &text };
    out.extend_from_slice(b"300 ");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn response(bytes: &[u8]) -> Vec<u8> {
        let mut text = String::new();
        base64::encode(bytes, &mut text);
        if text.is_empty() { b"=".to_vec() } else { text.into_bytes() }
    }

    /// Begins an exchange without an initial response and answers each challenge; what comes in the end.
    fn play(mechanism: Mechanism, responses: &[&[u8]]) -> String {
        let mut next = Exchange::begin(mechanism, None);
        for bytes in responses {
            next = match next {
                Ok(Next::Challenge(_, exchange)) => exchange.step(&response(bytes)),
                ended => return format!("too early: {ended:?}"),
            };
        }
        show(next)
    }

    fn show(next: Result<Next, SaslFault>) -> String {
        match next {
            Ok(Next::Challenge(challenge, _)) => format!("? {}", challenge.escape_ascii()),
            Ok(Next::Check(Claim { login, evidence: Evidence::Password(secret) })) => {
                format!("{login} {}", secret.expose().escape_ascii())
            }
            Err(fault) => format!("{fault:?}"),
        }
    }

    #[test]
    fn plain_is_one_message_of_three_parts() {
        for (message, outcome) in [
            // The examples of RFC 4616, section 4.
            (&b"\0tim\0tanstaaftanstaaf"[..], "tim tanstaaftanstaaf"),
            (b"Ursel\0Kurt\0xipj3plmq", "OtherIdentity"),
            (b"Tim\0tim\0a b\xff", r"tim a b\xff"),
            (b"\0tim\0", "Malformed"),
            (b"\0\0secret", "Malformed"),
            (b"tim\0secret", "Malformed"),
            (b"\0tim\0a\0b", "Malformed"),
            (b"", "Malformed"),
        ] {
            assert_eq!(play(Mechanism::Plain, &[message]), outcome, "{}", message.escape_ascii());
        }
    }

    #[test]
    fn login_asks_for_the_name_and_then_for_the_password() {
        assert_eq!(play(Mechanism::Login, &[]), "? Username:");
        assert_eq!(play(Mechanism::Login, &[b"tim"]), "? Password:");
        assert_eq!(play(Mechanism::Login, &[b"tim", b"a\0b"]), r"tim a\x00b");
        assert_eq!(play(Mechanism::Login, &[b""]), "Malformed");
        assert_eq!(play(Mechanism::Login, &[b"tim", b""]), "Malformed");
    }

    #[test]
    fn a_response_may_come_with_the_command() {
        let begin = |mechanism, bytes: &[u8]| {
            show(Exchange::begin(mechanism, Some(Response::parse(&response(bytes)).unwrap())))
        };
        assert_eq!(begin(Mechanism::Plain, b"\0tim\0secret"), "tim secret");
        assert_eq!(begin(Mechanism::Login, b"tim"), "? Password:");
        assert_eq!(begin(Mechanism::Plain, b""), "Malformed");
    }

    #[test]
    fn an_exchange_ends_when_the_client_gives_up_or_sends_no_base64() {
        for (line, fault) in [("*", "Cancelled"), ("**", "NotBase64"), ("", "Malformed"), ("USER tim", "NotBase64")] {
            let Ok(Next::Challenge(_, exchange)) = Exchange::begin(Mechanism::Plain, None) else { unreachable!() };
            assert_eq!(show(exchange.step(line.as_bytes())), fault, "{line}");
        }
    }

    #[test]
    fn mechanisms_have_names_in_any_letter_case() {
        assert_eq!(Mechanism::parse(b"plain"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::parse(b"Login"), Some(Mechanism::Login));
        assert_eq!(Mechanism::parse(b"PLAI"), None);
    }

    #[test]
    fn an_empty_challenge_has_a_text_all_the_same() {
        let mut out = Vec::new();
        print_challenge(b"", &mut out);
        print_challenge(b"Username:", &mut out);
        assert_eq!(out, b"300 =\r\n300 VXNlcm5hbWU6\r\n");
    }

    proptest! {
        #[test]
        fn no_line_upsets_an_exchange_or_is_shown(lines in prop::collection::vec("[A-Za-z0-9+/]{8,24}", 1..4), is_login: bool) {
            let mechanism = if is_login { Mechanism::Login } else { Mechanism::Plain };
            let mut next = Exchange::begin(mechanism, None);
            for line in lines {
                let Ok(Next::Challenge(_, exchange)) = next else { break };
                next = exchange.step(line.as_bytes());
                let shown = format!("{next:?}");
                prop_assert!(!shown.contains(&line));
            }
        }
    }
}
