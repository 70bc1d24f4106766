//! SASL exchanges (RFC 4422), as this protocol carries them.
//!
//! ```text
//! C: AUTH mechanism [ SP response ]
//! S: 300 challenge
//! C: response           or  *  to give up
//! ```
//!
//! Challenges and responses are base64 (RFC 4648); an empty one is `=`, because a reply needs a
//! text. What the server has to say in the end is a challenge, too, with an empty response, so that
//! a login is always said to have succeeded in the same words.
//!
//! Each mechanism is a file. An [`Exchange`] says what to send next, or what it must know for
//! that, or what the client claims; whether a claim is true is checked elsewhere. No exchange knows
//! whether an account exists.

mod bearer;
mod cram_md5;
mod digest_md5;
mod external;
mod login;
mod plain;
mod scram;

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

pub use self::bearer::Bearer;
use self::login::Login;
use crate::model::{DomainName, Evidence, LoginName, Nonce, ScramHash, ScramOffer, Secret, Signature, TlsPeer};
use crate::notation::base64;

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login-00.
    Login,
    /// RFC 5802, RFC 7677.
    Scram {
        /// The hash it is named after.
        hash: ScramHash,
        /// Whether it is bound to the TLS connection: its name ends in -PLUS.
        is_plus: bool,
    },
    /// RFC 2831.
    DigestMd5,
    /// RFC 2195.
    CramMd5,
    /// RFC 4422, appendix A.
    External,
    /// RFC 7628, and what was before it.
    Bearer(Bearer),
}

/// The one that a client should take first comes first.
const MECHANISMS: [(Mechanism, &str); 11] = [
    (Mechanism::External, "EXTERNAL"),
    (Mechanism::Scram { hash: ScramHash::Sha256, is_plus: true }, "SCRAM-SHA-256-PLUS"),
    (Mechanism::Scram { hash: ScramHash::Sha1, is_plus: true }, "SCRAM-SHA-1-PLUS"),
    (Mechanism::Scram { hash: ScramHash::Sha256, is_plus: false }, "SCRAM-SHA-256"),
    (Mechanism::Scram { hash: ScramHash::Sha1, is_plus: false }, "SCRAM-SHA-1"),
    (Mechanism::Bearer(Bearer::OauthBearer), "OAUTHBEARER"),
    (Mechanism::Bearer(Bearer::Xoauth2), "XOAUTH2"),
    (Mechanism::DigestMd5, "DIGEST-MD5"),
    (Mechanism::CramMd5, "CRAM-MD5"),
    (Mechanism::Plain, "PLAIN"),
    (Mechanism::Login, "LOGIN"),
];

impl Mechanism {
    /// The mechanism of that registered name, in any letter case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let known = MECHANISMS.iter().find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name));
        known.map(|(mechanism, _)| *mechanism)
    }

    /// Whether a client can use it over such a connection: `is_exposed` says that others may read
    /// what is sent.
    fn is_possible(self, is_exposed: bool, peer: Option<&TlsPeer>) -> bool {
        match self {
            Self::Plain | Self::Login | Self::Bearer(_) => !is_exposed,
            Self::DigestMd5 | Self::CramMd5 => true,
            Self::Scram { is_plus, .. } => !is_plus || peer.is_some_and(|peer| peer.binding.is_some()),
            Self::External => peer.is_some_and(|peer| !peer.certified.is_empty()),
        }
    }

    /// Whether a password or a token is sent, so that others must not be able to read it.
    #[must_use]
    pub fn tells_secret(self) -> bool {
        match self {
            Self::Plain | Self::Login | Self::Bearer(_) => true,
            Self::Scram { .. } | Self::DigestMd5 | Self::CramMd5 | Self::External => false,
        }
    }
}

/// A set of mechanisms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mechanisms(u16);

impl Mechanisms {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// All there are.
    pub const ALL: Self = Self((1 << MECHANISMS.len()) - 1);

    /// Those whose names `is_wanted` accepts.
    #[must_use]
    pub fn of(is_wanted: impl Fn(&str) -> bool) -> Self {
        Self::ALL.filter(|_, name| is_wanted(name))
    }

    /// Those of them that a client can use over such a connection.
    #[must_use]
    pub fn possible(self, is_exposed: bool, peer: Option<&TlsPeer>) -> Self {
        self.filter(|mechanism, _| mechanism.is_possible(is_exposed, peer))
    }

    /// Whether `mechanism` is one of them.
    #[must_use]
    pub fn contains(self, mechanism: Mechanism) -> bool {
        self.filter(|one, _| one == mechanism) != Self::NONE
    }

    /// Their names, the best first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        MECHANISMS.iter().enumerate().filter(move |(index, _)| self.0 >> index & 1 == 1).map(|(_, (_, name))| *name)
    }

    fn filter(self, is_wanted: impl Fn(Mechanism, &str) -> bool) -> Self {
        let bit =
            |(index, (mechanism, name)): (usize, &(Mechanism, &str))| u16::from(is_wanted(*mechanism, name)) << index;
        Self(self.0 & MECHANISMS.iter().enumerate().map(bit).sum::<u16>())
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
    /// The client has shown no certificate, or one that names nobody.
    NoCertificate,
    /// The client binds its login to another connection than this one, or in another way.
    NotBound,
    /// The client could bind its login, and believes that the server cannot: somebody may have
    /// kept it from seeing that.
    Downgraded,
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
    Challenge(Cow<'static, [u8]>, Exchange),
    /// Find this out, and go on with what came of it.
    Ask(Question, Asking),
    /// Draw a nonce, and go on with it.
    Draw(Drawing),
    /// Check this. The exchange is over.
    Check(Claim),
    /// Check this. The exchange is over, unless the claim is wrong: then the client gets
    /// [`Bearer::excuse`] first.
    CheckToken(Claim, Bearer),
}

/// What an exchange must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What an account's owner needs to prove his password by SCRAM. There is an answer for every
    /// name, or one could see which accounts exist.
    Scram {
        /// Whose account.
        login: LoginName,
        /// Of which mechanism.
        hash: ScramHash,
    },
}

/// An exchange that waits for what it must know.
#[derive(Debug)]
pub struct Asking(Box<scram::First>);

impl Asking {
    /// Goes on with what was found out.
    #[must_use]
    pub fn learn(self, offer: &ScramOffer) -> Next {
        let (challenge, challenged) = self.0.challenge(offer);
        Next::Challenge(challenge.into(), Exchange(State::ScramLast(Box::new(challenged))))
    }
}

/// An exchange that waits for the nonce of its challenge.
#[derive(Debug)]
pub struct Drawing(Drawn);

#[derive(Debug)]
enum Drawn {
    CramMd5,
    DigestMd5,
}

impl Drawing {
    /// Goes on with a fresh nonce, as a server of `domain`.
    #[must_use]
    pub fn challenge(self, nonce: Nonce, domain: &DomainName) -> Next {
        let (challenge, state) = match self.0 {
            Drawn::CramMd5 => {
                let (challenge, challenged) = cram_md5::challenge(nonce, domain);
                (challenge, State::CramMd5(challenged))
            }
            Drawn::DigestMd5 => {
                let (challenge, challenged) = digest_md5::challenge(nonce, domain);
                (challenge, State::DigestMd5(Box::new(challenged)))
            }
        };
        Next::Challenge(challenge.into(), Exchange(state))
    }
}

/// An exchange that waits for a response.
#[derive(Debug)]
pub struct Exchange(State);

#[derive(Debug)]
enum State {
    Plain,
    Login(Login),
    External(Vec<LoginName>),
    Bearer(Bearer),
    CramMd5(cram_md5::Challenged),
    DigestMd5(Box<digest_md5::Challenged>),
    ScramFirst(Box<scram::Opening>),
    ScramLast(Box<scram::Challenged>),
}

impl Exchange {
    /// Begins an exchange, with the response that came with AUTH if one did. `peer` is what TLS
    /// knows of the connection.
    ///
    /// # Errors
    /// [`SaslFault`] ends the exchange.
    pub fn begin(mechanism: Mechanism, initial: Option<Response>, peer: Option<&TlsPeer>) -> Result<Next, SaslFault> {
        let (challenge, state): (&'static [u8], _) = match mechanism {
            Mechanism::Plain => (b"", State::Plain),
            Mechanism::Login => (login::NAME_PROMPT, State::Login(Login::Name)),
            Mechanism::Bearer(bearer) => (b"", State::Bearer(bearer)),
            // Here the server speaks first.
            Mechanism::CramMd5 | Mechanism::DigestMd5 if initial.is_some() => return Err(SaslFault::Malformed),
            Mechanism::CramMd5 => return Ok(Next::Draw(Drawing(Drawn::CramMd5))),
            Mechanism::DigestMd5 => return Ok(Next::Draw(Drawing(Drawn::DigestMd5))),
            Mechanism::External => {
                let certified = peer.map(|peer| peer.certified.clone()).unwrap_or_default();
                if certified.is_empty() {
                    return Err(SaslFault::NoCertificate);
                }
                (b"", State::External(certified))
            }
            Mechanism::Scram { hash, is_plus } => {
                let binding = peer.and_then(|peer| peer.binding);
                (b"", State::ScramFirst(Box::new(scram::Opening { hash, is_plus, binding })))
            }
        };
        match initial {
            Some(response) => Self(state).respond(response),
            None => Ok(Next::Challenge(challenge.into(), Self(state))),
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
            State::External(certified) => external::respond(&certified, &bytes).map(Next::Check),
            State::Bearer(bearer) => {
                let claim = bearer.parse(&bytes)?;
                Ok(Next::CheckToken(claim, bearer))
            }
            State::CramMd5(challenged) => challenged.respond(&bytes).map(Next::Check),
            State::DigestMd5(challenged) => challenged.respond(&bytes).map(Next::Check),
            State::ScramFirst(opening) => {
                let first = opening.parse(&bytes)?;
                let question = Question::Scram { login: first.login.clone(), hash: first.hash };
                Ok(Next::Ask(question, Asking(Box::new(first))))
            }
            State::ScramLast(challenged) => challenged.respond(&bytes).map(Next::Check),
        }
    }
}

/// What the mechanism has the server say when the client's proof was right.
#[must_use]
pub fn server_final(signature: &Signature) -> Vec<u8> {
    let text = match signature {
        Signature::Scram(signature) => scram::print_signature(signature),
        Signature::DigestMd5(signature) => digest_md5::print_signature(*signature),
    };
    text.into_bytes()
}

/// Reads the response to that: there is nothing to say to it.
///
/// # Errors
/// [`SaslFault`]: the client has not taken it.
pub fn confirm(line: &[u8]) -> Result<(), SaslFault> {
    match line {
        b"*" => Err(SaslFault::Cancelled),
        _ if Response::parse(line)?.0.is_empty() => Ok(()),
        _ => Err(SaslFault::Malformed),
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
        let mut next = Exchange::begin(mechanism, None, None);
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
            Ok(Next::Check(Claim { login, evidence }) | Next::CheckToken(Claim { login, evidence }, _)) => {
                format!("{login} {evidence:?}")
            }
            Ok(Next::Ask(question, _)) => format!("{question:?}"),
            Ok(Next::Draw(_)) => "Draw".to_owned(),
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
            let response = Response::parse(&response(bytes)).unwrap();
            show(Exchange::begin(mechanism, Some(response), None))
        };
        assert_eq!(begin(Mechanism::Plain, b"\0tim\0secret"), "tim secret");
        assert_eq!(begin(Mechanism::Login, b"tim"), "? Password:");
        assert_eq!(begin(Mechanism::Plain, b""), "Malformed");
        for server_first in [Mechanism::CramMd5, Mechanism::DigestMd5] {
            assert_eq!(play(server_first, &[]), "Draw");
            for bytes in [&b""[..], b"tim"] {
                assert_eq!(begin(server_first, bytes), "Malformed");
            }
        }
    }

    #[test]
    fn an_exchange_ends_when_the_client_gives_up_or_sends_no_base64() {
        for (line, fault) in [("*", "Cancelled"), ("**", "NotBase64"), ("", "Malformed"), ("USER tim", "NotBase64")] {
            let Ok(Next::Challenge(_, exchange)) = Exchange::begin(Mechanism::Plain, None, None) else {
                unreachable!()
            };
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
    fn a_set_names_those_that_a_client_can_use() {
        let names = |set: Mechanisms| set.names().collect::<Vec<_>>().join(" ");
        let plain = Mechanisms::of(|name| ["PLAIN", "SCRAM-SHA-1-PLUS", "EXTERNAL"].contains(&name));
        assert_eq!(names(plain), "EXTERNAL SCRAM-SHA-1-PLUS PLAIN");
        assert!(plain.contains(Mechanism::Plain) && !plain.contains(Mechanism::Login));
        assert_eq!(names(plain.possible(false, None)), "PLAIN");
        assert_eq!(plain.possible(true, None), Mechanisms::NONE);
        let certified = vec![LoginName::new(b"tim").unwrap()];
        assert_eq!(plain.possible(false, Some(&TlsPeer { binding: Some([0; 32]), certified })), plain);
        assert_eq!(Mechanisms::of(|_| true), Mechanisms::ALL);
        assert_eq!(Mechanisms::ALL.names().count(), MECHANISMS.len());
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
            let mut next = Exchange::begin(mechanism, None, None);
            for line in lines {
                let Ok(Next::Challenge(_, exchange)) = next else { break };
                next = exchange.step(line.as_bytes());
                let shown = format!("{next:?}");
                prop_assert!(!shown.contains(&line));
            }
        }
    }
}
