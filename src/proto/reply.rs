use std::io::Write;

use super::challenge::challenge;
use super::sasl::{Mechanisms, SaslFault};
use super::{CommandFault, Rules, Timeout};
use crate::model::limits::REPLY_BYTES_MAX;
use crate::model::{Dialect, DomainName, NewPasswordRefusal, Nonce};

/// Every line the server can say. One table gives code and text in both dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The first line of a session, with APOP's challenge where that is enabled.
    Greeting(Option<Nonce>),
    /// The refusal of a connection beyond `channels`.
    TooManyChannels,
    /// The refusal of a connection beyond `connections_per_address`.
    TooManyFromAddress,
    /// The refusal of a connection from an address that the listener takes none from.
    Restricted,
    /// The refusal of a connection from a blacklisted address.
    Blacklisted,
    /// The refusal of a connection from an address that is blocked for a time.
    Blocked,
    /// The name is taken down; whether it names anybody is not said.
    SendPass,
    /// The password was right.
    LoggedIn,
    /// It was not, or the account is unknown or disabled: one text for all.
    Denied,
    /// The new password is durable.
    PasswordChanged,
    /// NOOP.
    Done,
    /// HELP.
    Help,
    /// AUTH alone: these can be used.
    Mechanisms(Mechanisms),
    /// QUIT.
    Goodbye,
    /// The line is not a command.
    BadCommand(CommandFault),
    /// Whatever it was, it is for those who have logged in.
    LoginFirst,
    /// PASS came before USER.
    UserFirst,
    /// The session has logged in already.
    AlreadyLoggedIn,
    /// Passwords may not travel as they do here.
    TlsNeeded,
    /// STLS: the handshake may begin.
    TlsReady,
    /// The session speaks TLS already.
    TlsStarted,
    /// The listener does not offer STLS.
    TlsNotOffered,
    /// Something followed STLS before it was answered.
    NotBehindStls,
    /// The listener does not offer APOP.
    ApopNotEnabled,
    /// The new password may not be used.
    NewPasswordRefused(NewPasswordRefusal),
    /// The password is no longer the one the session proved.
    ChangedElsewhere,
    /// Too many logins have failed: this one was not looked at.
    TooManyFailures {
        /// When to try again.
        retry_after_s: u32,
    },
    /// The login could not be taken on.
    LoginBusy {
        /// When to try again.
        retry_after_s: u32,
    },
    /// The login failed for no fault of the client's.
    LoginFault,
    /// The change could not be taken on.
    ChangeBusy {
        /// When to try again.
        retry_after_s: u32,
    },
    /// The change failed for no fault of the client's; nothing was changed.
    ChangeFault,
    /// Nobody knows whether the password was changed.
    ChangeUnknown,
    /// The line limit was passed.
    LineTooLong,
    /// A time limit was passed.
    TimedOut(Timeout),
    /// The server is stopping.
    ShuttingDown,
}

/// What [`Reply::Done`] is printed as, whatever the dialect.
pub(super) const DONE_LINE: &[u8] = b"200 OK\r\n";

const TOO_MANY_FROM_ADDRESS: &str = "too many connections from your address - close one and try again";

/// The unit of times, after its number.
const SECONDS: &str = " seconds";

/// Three digits and the space after them.
type Code = &'static [u8; 4];

/// What is said in each dialect: code and text.
struct Row<'a> {
    communigate: (Code, &'a str),
    poppassd: (Code, &'a str),
    tail: Tail,
}

/// What follows a text.
enum Tail {
    Nothing,
    /// A number and its unit.
    Count(u64, &'static str),
    /// Their names, each behind a blank.
    Mechanisms(Mechanisms),
    /// The commands that can be sent before a login, each behind a blank.
    Commands {
        has_apop: bool,
        has_stls: bool,
    },
    /// What is made from it, behind a blank.
    Challenge(Nonce),
}

const fn success<'a>(communigate: &'a str, poppassd: &'a str) -> Row<'a> {
    Row { communigate: (b"200 ", communigate), poppassd: (b"200 ", poppassd), tail: Tail::Nothing }
}

/// A failure. `poppassd` clients know one code for it: some show the text of a 500 only.
const fn failure<'a>(communigate: Code, text: &'a str) -> Row<'a> {
    Row { communigate: (communigate, text), poppassd: (b"500 ", text), tail: Tail::Nothing }
}

impl Reply {
    /// The table of replies.
    ///
    /// Codes of the CommuniGate dialect: 200 done, 300 send more, 500 not a command or not now,
    /// 501 general error, 510 no right to, 515 login failed (all that is final: a client repeats
    /// its login until it sees 200 or 515). Texts avoid `, : ' / ( )` there, on which one client
    /// library throws; the one exception is the phrase `login OK, proceed`, which it knows.
    fn row<'a>(&self, rules: &'a Rules) -> Row<'a> {
        match *self {
            Self::Greeting(nonce) => {
                Row { tail: nonce.map_or(Tail::Nothing, Tail::Challenge), ..success(&rules.greeting, &rules.greeting) }
            }
            Self::SendPass => Row {
                communigate: (b"300 ", "please send the PASS"),
                poppassd: (b"200 ", "Your password please."),
                tail: Tail::Nothing,
            },
            Self::LoggedIn => success("login OK, proceed", "Your new password please."),
            Self::PasswordChanged => success("Password updated", "Password changed, thank-you."),
            Self::Done => success("OK", "OK"),
            Self::Help => {
                let tail = Tail::Commands { has_apop: rules.has_apop, has_stls: rules.has_stls };
                Row { tail, ..success("commands are", "Commands:") }
            }
            Self::Mechanisms(mechanisms) => {
                Row { tail: Tail::Mechanisms(mechanisms), ..success("mechanisms are", "Mechanisms:") }
            }
            Self::Goodbye => success("keyturn PWD connection closed", "Bye."),
            Self::TlsReady => success("please begin TLS", "Begin TLS, please."),

            Self::Denied => failure(b"515 ", "incorrect password or account name"),
            Self::BadCommand(fault) => bad_command(fault),
            Self::LoginFirst => failure(b"500 ", "please login first"),
            Self::UserFirst => failure(b"500 ", "please send USER first"),
            Self::AlreadyLoggedIn => failure(b"500 ", "already logged in - send NEWPASS or QUIT"),
            Self::TlsNeeded if rules.has_stls => {
                failure(b"515 ", "passwords are taken under TLS only - send STLS first")
            }
            Self::TlsNeeded => failure(b"515 ", "passwords are taken under TLS only - connect to the port for TLS"),
            Self::TlsStarted => failure(b"500 ", "TLS has been started already"),
            Self::TlsNotOffered => failure(b"500 ", "TLS is not offered here"),
            Self::NotBehindStls => failure(b"500 ", "nothing may follow STLS before its answer - closing"),
            Self::ApopNotEnabled => failure(b"500 ", "APOP is not enabled here - send USER and PASS"),
            Self::LineTooLong => failure(b"500 ", "command line is too long - closing"),

            Self::NewPasswordRefused(refusal) => refused(refusal),
            Self::ChangedElsewhere => failure(b"501 ", "password was changed elsewhere - log in again"),
            Self::TooManyFailures { retry_after_s } => Row {
                tail: Tail::Count(retry_after_s.into(), SECONDS),
                ..failure(b"501 ", "too many failed logins - try again in ")
            },
            Self::LoginBusy { retry_after_s } => Row {
                tail: Tail::Count(retry_after_s.into(), SECONDS),
                ..failure(b"501 ", "server is busy - try again in ")
            },
            Self::LoginFault => failure(b"501 ", "server error - try again later"),
            Self::ChangeBusy { retry_after_s } => Row {
                tail: Tail::Count(retry_after_s.into(), SECONDS),
                ..failure(b"501 ", "server is busy - password not changed - try again in ")
            },
            Self::ChangeFault => failure(b"501 ", "server error - password not changed - try again later"),
            Self::ChangeUnknown => failure(
                b"501 ",
                "server error - the password may or may not have been changed - try the new one then the old one",
            ),
            Self::TimedOut(Timeout::Idle) => failure(b"501 ", "no command for too long - closing"),
            Self::TimedOut(Timeout::Login) => failure(b"501 ", "no login in time - closing"),
            Self::TimedOut(Timeout::Line) => failure(b"501 ", "command line not finished in time - closing"),
            Self::ShuttingDown => failure(b"501 ", "server is shutting down - try again later"),
            Self::TooManyChannels => failure(b"501 ", "too many connections - try again later"),
            Self::TooManyFromAddress => failure(b"501 ", TOO_MANY_FROM_ADDRESS),
            Self::Restricted => failure(b"501 ", "connections from your address are not taken here"),
            Self::Blacklisted => failure(b"501 ", "your address is blacklisted - ask the administrator"),
            Self::Blocked => failure(b"501 ", "your address is blocked for a while - try again later"),
        }
    }

    /// Appends the reply line: three digits, a space, a text, CR LF; ASCII, at most
    /// [`REPLY_BYTES_MAX`] bytes. Nothing a client sent is ever in it.
    pub fn print(&self, rules: &Rules, out: &mut Vec<u8>) {
        let start = out.len();
        let row = self.row(rules);
        let (code, text) = match rules.dialect {
            Dialect::Communigate => row.communigate,
            Dialect::Poppassd => row.poppassd,
        };
        out.extend_from_slice(code);
        out.extend_from_slice(text.as_bytes());
        row.tail.print(&rules.domain, out);
        out.extend_from_slice(b"\r\n");
        debug_assert!(out.len() - start <= REPLY_BYTES_MAX, "{self:?} is too long");
    }
}

impl Tail {
    fn print(&self, domain: &DomainName, out: &mut Vec<u8>) {
        let mut put = |name: &str| {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
        };
        match *self {
            Self::Nothing => {}
            Self::Count(count, unit) => write!(out, "{count}{unit}").expect("a Vec takes every byte"),
            Self::Mechanisms(mechanisms) => mechanisms.names().for_each(put),
            Self::Commands { has_apop, has_stls } => {
                let all = [
                    ("USER", true),
                    ("PASS", true),
                    ("APOP", has_apop),
                    ("AUTH", true),
                    ("NEWPASS", true),
                    ("STLS", has_stls),
                    ("NOOP", true),
                    ("HELP", true),
                    ("QUIT", true),
                ];
                all.iter().filter(|(_, is_there)| *is_there).for_each(|(name, _)| put(name));
            }
            Self::Challenge(nonce) => put(&challenge(nonce, domain)),
        }
    }
}

/// The rows of lines that are no commands.
fn bad_command(fault: CommandFault) -> Row<'static> {
    use CommandFault as Fault;
    match fault {
        Fault::UnknownVerb => failure(b"500 ", "unknown command - send HELP for a list"),
        Fault::NameMissing => failure(b"500 ", "USER needs an account name"),
        Fault::NameTooLong => failure(b"500 ", "account name must have at most 320 bytes"),
        Fault::PasswordMissing => failure(b"500 ", "PASS needs a password"),
        Fault::PasswordTooLong => failure(b"500 ", "password must have at most 1024 bytes"),
        Fault::NewPasswordMissing => failure(b"500 ", "NEWPASS needs a new password"),
        Fault::NewPasswordTooLong => failure(b"500 ", "new password must have at most 1024 bytes"),
        Fault::NewPasswordControl => failure(b"500 ", "new password must not have control characters"),
        Fault::BadApop => failure(b"500 ", "APOP needs an account name and a digest of 32 hexadecimal digits"),
        Fault::MechanismMissing => failure(b"500 ", "AUTH needs a mechanism - none can be used here"),
        Fault::MechanismUnknown => failure(b"500 ", "this mechanism is not offered - send AUTH alone for a list"),
        Fault::BadResponse(SaslFault::NotBase64) => failure(b"500 ", "response is not base64"),
        Fault::BadResponse(SaslFault::Malformed) => failure(b"500 ", "response does not fit the mechanism"),
        Fault::BadResponse(SaslFault::OtherIdentity) => failure(b"500 ", "acting for another account is not offered"),
        Fault::BadResponse(SaslFault::NoCertificate) => {
            failure(b"500 ", "no certificate was shown that names an account")
        }
        Fault::BadResponse(SaslFault::NotBound) => {
            failure(b"500 ", "this login is bound to another connection than this one")
        }
        Fault::BadResponse(SaslFault::Downgraded) => {
            failure(b"500 ", "this server offers channel binding - use a mechanism that ends in -PLUS")
        }
        Fault::BadResponse(SaslFault::Cancelled) => failure(b"501 ", "login cancelled"),
    }
}

/// The rows of new passwords that may not be used.
fn refused(refusal: NewPasswordRefusal) -> Row<'static> {
    use NewPasswordRefusal as Refusal;
    match refusal {
        Refusal::TooShort { characters_min } => Row {
            tail: Tail::Count(characters_min as u64, " characters"),
            ..failure(b"501 ", "new password must have at least ")
        },
        Refusal::SameAsOld => failure(b"501 ", "new password must differ from the old one"),
        Refusal::SameAsName => failure(b"501 ", "new password must differ from the account name"),
        Refusal::TooSimple => {
            failure(b"501 ", "new password is too simple - mix capital and small letters with digits and signs")
        }
        Refusal::OfApplication => {
            failure(b"510 ", "logged in with the password of an application - log in with that of the account")
        }
        Refusal::WithoutPassword => failure(b"510 ", "logged in without the password - log in with it to change it"),
        Refusal::NotAllowed => failure(b"510 ", "this account may not change its password - ask the administrator"),
    }
}

/// The text of a listener's greeting, after its code. Without `version` the server keeps its age
/// to itself.
///
/// Scanners and monitors know a poppassd by the words before `hello`; a version of the form
/// `v0.x` or `v1.0` there is reported as one with known holes, hence `keyturn-` before it.
#[must_use]
pub fn greeting(dialect: Dialect, domain: &DomainName, version: Option<&str>) -> String {
    match (dialect, version) {
        (Dialect::Communigate, Some(version)) => format!("{domain} keyturn PWD Server {version} ready"),
        (Dialect::Communigate, None) => format!("{domain} keyturn PWD Server ready"),
        (Dialect::Poppassd, Some(version)) => format!("{domain} poppassd keyturn-{version} hello, who are you?"),
        (Dialect::Poppassd, None) => format!("{domain} poppassd keyturn hello, who are you?"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::limits::{DOMAIN_NAME_BYTES_MAX, LOGIN_NAME_BYTES_MAX, SECRET_BYTES_MAX};

    const REPLIES: &[Reply] = &[
        Reply::Greeting(None),
        Reply::Greeting(Some(Nonce([u64::MAX; 2]))),
        Reply::TooManyChannels,
        Reply::TooManyFromAddress,
        Reply::SendPass,
        Reply::LoggedIn,
        Reply::Denied,
        Reply::PasswordChanged,
        Reply::Done,
        Reply::Help,
        Reply::Mechanisms(Mechanisms::ALL),
        Reply::Goodbye,
        Reply::BadCommand(CommandFault::UnknownVerb),
        Reply::BadCommand(CommandFault::NameMissing),
        Reply::BadCommand(CommandFault::NameTooLong),
        Reply::BadCommand(CommandFault::PasswordMissing),
        Reply::BadCommand(CommandFault::PasswordTooLong),
        Reply::BadCommand(CommandFault::BadApop),
        Reply::BadCommand(CommandFault::MechanismMissing),
        Reply::BadCommand(CommandFault::MechanismUnknown),
        Reply::BadCommand(CommandFault::BadResponse(SaslFault::NotBase64)),
        Reply::BadCommand(CommandFault::BadResponse(SaslFault::Malformed)),
        Reply::BadCommand(CommandFault::BadResponse(SaslFault::OtherIdentity)),
        Reply::BadCommand(CommandFault::BadResponse(SaslFault::NoCertificate)),
        Reply::BadCommand(CommandFault::BadResponse(SaslFault::NotBound)),
        Reply::BadCommand(CommandFault::BadResponse(SaslFault::Downgraded)),
        Reply::BadCommand(CommandFault::BadResponse(SaslFault::Cancelled)),
        Reply::BadCommand(CommandFault::NewPasswordMissing),
        Reply::BadCommand(CommandFault::NewPasswordTooLong),
        Reply::BadCommand(CommandFault::NewPasswordControl),
        Reply::LoginFirst,
        Reply::UserFirst,
        Reply::AlreadyLoggedIn,
        Reply::TlsNeeded,
        Reply::TlsReady,
        Reply::TlsStarted,
        Reply::TlsNotOffered,
        Reply::NotBehindStls,
        Reply::ApopNotEnabled,
        Reply::NewPasswordRefused(NewPasswordRefusal::TooShort { characters_min: 8 }),
        Reply::NewPasswordRefused(NewPasswordRefusal::TooShort { characters_min: usize::MAX }),
        Reply::NewPasswordRefused(NewPasswordRefusal::SameAsOld),
        Reply::NewPasswordRefused(NewPasswordRefusal::SameAsName),
        Reply::NewPasswordRefused(NewPasswordRefusal::TooSimple),
        Reply::NewPasswordRefused(NewPasswordRefusal::OfApplication),
        Reply::NewPasswordRefused(NewPasswordRefusal::WithoutPassword),
        Reply::NewPasswordRefused(NewPasswordRefusal::NotAllowed),
        Reply::ChangedElsewhere,
        Reply::TooManyFailures { retry_after_s: u32::MAX },
        Reply::LoginBusy { retry_after_s: u32::MAX },
        Reply::LoginFault,
        Reply::ChangeBusy { retry_after_s: u32::MAX },
        Reply::ChangeFault,
        Reply::ChangeUnknown,
        Reply::LineTooLong,
        Reply::TimedOut(Timeout::Idle),
        Reply::TimedOut(Timeout::Login),
        Reply::TimedOut(Timeout::Line),
        Reply::ShuttingDown,
    ];

    const DIALECTS: [Dialect; 2] = [Dialect::Communigate, Dialect::Poppassd];

    pub(in super::super) fn rules(dialect: Dialect) -> Rules {
        let domain = DomainName::parse("mail.example.com").unwrap();
        let greeting = greeting(dialect, &domain, Some("0.1.0")).into();
        let (mechanisms, shown) = (Mechanisms::ALL, Mechanisms::ALL);
        Rules {
            dialect,
            domain: domain.into(),
            greeting,
            has_apop: false,
            has_stls: true,
            mechanisms,
            shown,
            failures_max: 3,
        }
    }

    fn printed(dialect: Dialect, reply: Reply) -> String {
        let mut out = Vec::new();
        reply.print(&rules(dialect), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_reply_is_one_short_line_of_ascii() {
        for (&reply, dialect) in REPLIES.iter().flat_map(|reply| DIALECTS.map(|dialect| (reply, dialect))) {
            let line = printed(dialect, reply);
            let text = line.strip_suffix("\r\n").expect("ends in CR LF");
            assert!(line.len() <= REPLY_BYTES_MAX, "{line}");
            assert!(text.bytes().take(3).all(|byte| byte.is_ascii_digit()), "{line}");
            assert!(text.as_bytes()[3] == b' ' && text.len() > 4 && text.as_bytes()[4] != b' ', "{line}");
            assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
        }
    }

    #[test]
    fn printing_appends() {
        let mut out = Vec::new();
        Reply::Done.print(&rules(Dialect::Communigate), &mut out);
        Reply::Goodbye.print(&rules(Dialect::Communigate), &mut out);
        assert_eq!(out, b"200 OK\r\n200 keyturn PWD connection closed\r\n");
    }

    #[test]
    fn poppassd_knows_two_codes() {
        for &reply in REPLIES {
            let line = printed(Dialect::Poppassd, reply);
            let is_success = printed(Dialect::Communigate, reply).as_bytes()[0] < b'4';
            assert_eq!(&line[..4], if is_success { "200 " } else { "500 " }, "{line}");
        }
    }

    #[test]
    fn communigate_replies_spare_the_lexer_of_one_client() {
        for &reply in REPLIES.iter().filter(|&&reply| reply != Reply::LoggedIn) {
            let line = printed(Dialect::Communigate, reply);
            assert!(!line.contains([',', ':', '\'', '/', '(', ')', '"', ';', '=', '{']), "{line}");
        }
        assert_eq!(printed(Dialect::Communigate, Reply::LoggedIn), "200 login OK, proceed\r\n");
    }

    #[test]
    fn only_a_login_that_must_not_be_repeated_is_515() {
        for &reply in REPLIES {
            let is_final = matches!(reply, Reply::Denied | Reply::TlsNeeded);
            assert_eq!(printed(Dialect::Communigate, reply).starts_with("515"), is_final, "{reply:?}");
        }
    }

    #[test]
    fn limits_are_told_as_they_are() {
        let too_short = Reply::NewPasswordRefused(NewPasswordRefusal::TooShort { characters_min: 8 });
        for (reply, limit) in [
            (Reply::BadCommand(CommandFault::NameTooLong), LOGIN_NAME_BYTES_MAX),
            (Reply::BadCommand(CommandFault::PasswordTooLong), SECRET_BYTES_MAX),
            (Reply::BadCommand(CommandFault::NewPasswordTooLong), SECRET_BYTES_MAX),
            (too_short, 8),
        ] {
            let line = printed(Dialect::Poppassd, reply);
            assert!(line.contains(&format!(" {limit} ")), "{line}");
        }
        assert_eq!(printed(Dialect::Poppassd, too_short), "500 new password must have at least 8 characters\r\n");
    }

    #[test]
    fn greetings_have_the_forms_that_clients_and_scanners_know() {
        let domain = DomainName::parse("mail.example.com").unwrap();
        for (dialect, version, text) in [
            (Dialect::Communigate, Some("0.1.0"), "mail.example.com keyturn PWD Server 0.1.0 ready"),
            (Dialect::Communigate, None, "mail.example.com keyturn PWD Server ready"),
            (Dialect::Poppassd, Some("0.1.0"), "mail.example.com poppassd keyturn-0.1.0 hello, who are you?"),
            (Dialect::Poppassd, None, "mail.example.com poppassd keyturn hello, who are you?"),
        ] {
            assert_eq!(greeting(dialect, &domain, version), text);
        }
    }

    #[test]
    fn the_longest_greeting_fits() {
        let domain = DomainName::parse(&"d".repeat(DOMAIN_NAME_BYTES_MAX)).unwrap();
        for dialect in DIALECTS {
            let greeting = greeting(dialect, &domain, Some("10.20.30-candidate.40")).into();
            let (mut out, nonce) = (Vec::new(), Nonce([u64::MAX; 2]));
            let domain = domain.clone().into();
            Reply::Greeting(Some(nonce)).print(&Rules { domain, greeting, ..rules(dialect) }, &mut out);
            assert!(out.len() <= REPLY_BYTES_MAX);
        }
    }
}
