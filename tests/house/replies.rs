//! Every reply of the table is seen in some transcript, in both dialects.

use keyturn::model::{Dialect, DomainName, NewPasswordRefusal, Nonce};
use keyturn::proto::sasl::{Mechanisms, SaslFault};
use keyturn::proto::{CommandFault, Reply, Rules, Timeout, greeting};

use super::report;
use crate::transcript::script::{Directive, Step, fits};
use crate::transcript::{every_script, limits};
use crate::world::MAIN_DOMAIN;

/// One of each. The compiler asks for new ones: see [`is_listed`].
const REPLIES: &[Reply] = &[
    Reply::Greeting(None),
    Reply::Greeting(Some(Nonce([12, 34]))),
    Reply::TooManyChannels,
    Reply::TooManyFromAddress,
    Reply::Restricted,
    Reply::Blacklisted,
    Reply::Blocked,
    Reply::SendPass,
    Reply::LoggedIn,
    Reply::Denied,
    Reply::PasswordChanged,
    Reply::Done,
    Reply::Help,
    Reply::Goodbye,
    Reply::BadCommand(CommandFault::UnknownVerb),
    Reply::BadCommand(CommandFault::NameMissing),
    Reply::BadCommand(CommandFault::NameTooLong),
    Reply::BadCommand(CommandFault::PasswordMissing),
    Reply::BadCommand(CommandFault::PasswordTooLong),
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
    Reply::NewPasswordRefused(NewPasswordRefusal::SameAsOld),
    Reply::NewPasswordRefused(NewPasswordRefusal::SameAsName),
    Reply::NewPasswordRefused(NewPasswordRefusal::TooSimple),
    Reply::NewPasswordRefused(NewPasswordRefusal::OfApplication),
    Reply::NewPasswordRefused(NewPasswordRefusal::WithoutPassword),
    Reply::NewPasswordRefused(NewPasswordRefusal::NotAllowed),
    Reply::ChangedElsewhere,
    Reply::TooManyFailures { retry_after_s: 3600 },
    Reply::LoginBusy { retry_after_s: 2 },
    Reply::LoginFault,
    Reply::ChangeBusy { retry_after_s: 2 },
    Reply::ChangeFault,
    Reply::ChangeUnknown,
    Reply::LineTooLong,
    Reply::TimedOut(Timeout::Idle),
    Reply::TimedOut(Timeout::Login),
    Reply::TimedOut(Timeout::Line),
    Reply::ShuttingDown,
];

/// Does not compile when a reply is added, until it is named here, and so remembered above.
fn is_listed(reply: Reply) -> bool {
    use {CommandFault as Fault, NewPasswordRefusal as Refusal};
    match reply {
        Reply::Greeting(_) | Reply::TooManyChannels | Reply::TooManyFromAddress | Reply::SendPass => {}
        Reply::Restricted | Reply::Blacklisted | Reply::Blocked => {}
        // Which there are depends on the connection; some list is in `auth-mechanisms.txt`.
        Reply::Mechanisms(_) => return true,
        Reply::LoggedIn | Reply::Denied | Reply::PasswordChanged | Reply::Done | Reply::Help | Reply::Goodbye => {}
        Reply::BadCommand(Fault::UnknownVerb | Fault::NameMissing | Fault::NameTooLong) => {}
        Reply::BadCommand(Fault::PasswordMissing | Fault::PasswordTooLong) => {}
        Reply::BadCommand(Fault::BadApop | Fault::MechanismMissing | Fault::MechanismUnknown) => {}
        Reply::BadCommand(Fault::BadResponse(SaslFault::NotBase64 | SaslFault::Malformed)) => {}
        Reply::BadCommand(Fault::BadResponse(SaslFault::OtherIdentity | SaslFault::Cancelled)) => {}
        Reply::BadCommand(Fault::BadResponse(SaslFault::NotBound | SaslFault::Downgraded)) => {}
        Reply::BadCommand(Fault::BadResponse(SaslFault::NoCertificate)) => {}
        Reply::BadCommand(Fault::NewPasswordMissing | Fault::NewPasswordTooLong | Fault::NewPasswordControl) => {}
        Reply::TlsNeeded | Reply::TlsReady | Reply::TlsStarted | Reply::TlsNotOffered | Reply::NotBehindStls => {}
        Reply::LoginFirst | Reply::UserFirst | Reply::AlreadyLoggedIn | Reply::ApopNotEnabled => {}
        Reply::NewPasswordRefused(Refusal::TooShort { .. } | Refusal::SameAsOld) => {}
        Reply::NewPasswordRefused(Refusal::SameAsName | Refusal::TooSimple) => {}
        Reply::NewPasswordRefused(Refusal::NotAllowed | Refusal::OfApplication | Refusal::WithoutPassword) => {}
        Reply::ChangedElsewhere | Reply::TooManyFailures { .. } | Reply::LoginBusy { .. } | Reply::LoginFault => {}
        Reply::ChangeBusy { .. } | Reply::ChangeFault | Reply::ChangeUnknown | Reply::LineTooLong => {}
        Reply::TimedOut(Timeout::Idle | Timeout::Login | Timeout::Line) | Reply::ShuttingDown => {}
    }
    REPLIES.contains(&reply)
}

/// A listener that offers STLS or not, and APOP or not.
#[derive(Clone, Copy)]
struct Place {
    dialect: Dialect,
    has_stls: bool,
    has_apop: bool,
}

/// The line that is said there.
fn printed(reply: Reply, Place { dialect, has_stls, has_apop }: Place) -> String {
    let domain = DomainName::parse(MAIN_DOMAIN).unwrap();
    let greeting = greeting(dialect, &domain, Some(env!("CARGO_PKG_VERSION"))).into();
    let mut line = Vec::new();
    let (mechanisms, shown) = (Mechanisms::ALL, Mechanisms::ALL);
    reply.print(
        &Rules { dialect, domain: domain.into(), greeting, has_apop, has_stls, mechanisms, shown, failures_max: 3 },
        &mut line,
    );
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

/// What the transcripts expect to be said, with the dialect of the listener that says it.
fn expectations() -> Vec<(String, String)> {
    let mut expected = Vec::new();
    for (_, steps) in every_script(&limits()) {
        let mut dialect = Dialect::Communigate.as_str().to_owned();
        for (_, step) in steps {
            match step {
                Step::Do(Directive::Listener { dialect: other, .. }) => dialect = other,
                Step::Hear { pattern, .. } => expected.push((dialect.clone(), pattern)),
                Step::Say { .. } | Step::Do(_) => {}
            }
        }
    }
    expected
}

/// What no transcript can show, because it depends on how bytes are cut: the poppassd dialect
/// leaves a client nothing to wait for between STLS and what comes behind it.
const UNTOLD: &[(Dialect, Reply)] = &[(Dialect::Poppassd, Reply::NotBehindStls)];

#[test]
fn every_reply_is_seen_in_some_transcript() {
    let expectations = expectations();
    let mut unseen = Vec::new();
    for &reply in REPLIES.iter().filter(|&&reply| is_listed(reply)) {
        let places = [Dialect::Communigate, Dialect::Poppassd].map(|dialect| {
            let offers = [(false, false), (false, true), (true, false), (true, true)];
            offers.map(|(has_stls, has_apop)| Place { dialect, has_stls, has_apop })
        });
        for place in places.concat().into_iter().filter(|place| !UNTOLD.contains(&(place.dialect, reply))) {
            let (line, dialect) = (printed(reply, place), place.dialect);
            // Only the greeting holds what changes: the version, and a challenge.
            let is_greeting =
                |pattern: &str| pattern.len() > "200 *".len() && fits(pattern.as_bytes(), line.as_bytes());
            let varies = matches!(reply, Reply::Greeting(_));
            let is_it = |pattern: &str| if varies { is_greeting(pattern) } else { pattern == line };
            if !expectations.iter().any(|(name, pattern)| name == dialect.as_str() && is_it(pattern)) {
                unseen.push(format!("{} {reply:?}: {line}", dialect.as_str()));
            }
        }
    }
    report("replies in no transcript", &unseen);
}
