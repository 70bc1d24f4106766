use super::sasl::{Mechanism, Response, SaslFault};
use crate::model::{LoginName, Md5Digest, Secret};

/// The first word of a command line, in any letter case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    User,
    Pass,
    Apop,
    Auth,
    NewPass,
    Stls,
    Inline,
    Noop,
    Help,
    Quit,
}

const VERBS: [(Verb, &str); 10] = [
    (Verb::User, "USER"),
    (Verb::Pass, "PASS"),
    (Verb::Apop, "APOP"),
    (Verb::Auth, "AUTH"),
    (Verb::NewPass, "NEWPASS"),
    (Verb::Stls, "STLS"),
    (Verb::Inline, "INLINE"),
    (Verb::Noop, "NOOP"),
    (Verb::Help, "HELP"),
    (Verb::Quit, "QUIT"),
];

/// Bytes of the longest verb.
const VERB_BYTES_MAX: usize = 7;

/// The verbs as [`fold`] packs them, in the order of [`VERBS`].
const FOLDED: [u64; VERBS.len()] = {
    let mut folded = [0; VERBS.len()];
    let mut index = 0;
    while index < VERBS.len() {
        folded[index] = fold(VERBS[index].1.as_bytes()).0;
        index += 1;
    }
    folded
};

/// Packs the first word of `line` into a machine word, in upper case and behind a one that marks
/// its length, so that the table of verbs is searched with one comparison for each. Also returns
/// how many bytes were packed: never more than one beyond the longest verb.
const fn fold(line: &[u8]) -> (u64, usize) {
    let mut folded = 1;
    let mut bytes = 0;
    while bytes < line.len() && bytes <= VERB_BYTES_MAX && line[bytes] != b' ' {
        folded = folded << 8 | line[bytes].to_ascii_uppercase() as u64;
        bytes += 1;
    }
    (folded, bytes)
}

/// Finds the verb, and what follows it and one SP, if anything does. `None`: no such verb.
fn split(line: &[u8]) -> Option<(Verb, &'static str, Option<&[u8]>)> {
    let (folded, bytes) = fold(line);
    let is_verb = |&verb: &u64| verb == folded && bytes <= VERB_BYTES_MAX;
    let index = FOLDED.iter().position(is_verb)?;
    let (verb, name) = VERBS[index];
    Some((verb, name, line.get(bytes + 1..)))
}

/// A command line that makes sense.
///
/// ```text
/// command  = verb [ SP argument ]
/// argument = every byte after that one SP: blanks, quotes and 8-bit bytes included
/// ```
#[derive(Debug)]
pub enum Command {
    /// `USER name`: whoever it is.
    User(LoginName),
    /// `PASS password`: the current one, any bytes.
    Pass(Secret),
    /// `APOP name digest`: of the greeting's challenge and the password.
    Apop(LoginName, Md5Digest),
    /// `AUTH mechanism [response]`: begins a SASL exchange.
    Auth(Mechanism, Option<Response>),
    /// `NEWPASS password`: without control characters (0 to 31).
    NewPass(Secret),
    /// `STLS`: TLS from here on. An argument of this and the next four is ignored: nothing depends
    /// on it, a stray blank at the end is a common slip, and QUIT must not fail.
    Stls,
    /// `INLINE`: from now on the data that a command shows comes in its reply line.
    Inline,
    /// `NOOP`.
    Noop,
    /// `HELP`.
    Help,
    /// `QUIT`.
    Quit,
}

/// Why a line is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFault {
    /// The verb is none of ours.
    UnknownVerb,
    /// USER without a name.
    NameMissing,
    /// The name has more than [`crate::model::limits::LOGIN_NAME_BYTES_MAX`] bytes.
    NameTooLong,
    /// PASS without a password. No account has an empty one, so this is a slip and not a guess.
    PasswordMissing,
    /// The password has more than [`crate::model::limits::SECRET_BYTES_MAX`] bytes, so it is nobody's.
    PasswordTooLong,
    /// APOP without a name and a digest.
    BadApop,
    /// AUTH without a mechanism.
    MechanismMissing,
    /// AUTH with a mechanism that is not offered.
    MechanismUnknown,
    /// The response that came with AUTH is no response.
    BadResponse(SaslFault),
    /// NEWPASS without a password.
    NewPasswordMissing,
    /// The new password has more than [`crate::model::limits::SECRET_BYTES_MAX`] bytes.
    NewPasswordTooLong,
    /// The new password holds a control character (0 to 31): a CR or NUL that a client left
    /// there would make a password which nobody can type.
    NewPasswordControl,
}

impl Command {
    /// Whether [`Command::parse`] would find `line` to be NOOP.
    pub(super) fn is_noop(line: &[u8]) -> bool {
        /// What distinguishes a small letter from its capital.
        const SMALL: u32 = u32::from_le_bytes([0x20; 4]);
        let Some((verb, rest)) = line.split_first_chunk() else { return false };
        u32::from_le_bytes(*verb) | SMALL == u32::from_le_bytes(*b"noop")
            && rest.first().is_none_or(|&byte| byte == b' ')
    }

    /// Parses a line without its terminator. Nothing is trimmed, unquoted or cut.
    ///
    /// # Errors
    /// [`CommandFault`] says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, CommandFault> {
        use CommandFault as Fault;
        let (verb, _, argument) = split(line).ok_or(Fault::UnknownVerb)?;
        let argument = argument.unwrap_or_default();
        match verb {
            Verb::User if argument.is_empty() => Err(Fault::NameMissing),
            Verb::User => LoginName::new(argument).map(Self::User).ok_or(Fault::NameTooLong),
            Verb::Pass if argument.is_empty() => Err(Fault::PasswordMissing),
            Verb::Pass => Secret::new(argument).map(Self::Pass).ok_or(Fault::PasswordTooLong),
            Verb::NewPass if argument.is_empty() => Err(Fault::NewPasswordMissing),
            Verb::NewPass if argument.iter().any(|&byte| byte < b' ') => Err(Fault::NewPasswordControl),
            Verb::NewPass => Secret::new(argument).map(Self::NewPass).ok_or(Fault::NewPasswordTooLong),
            Verb::Apop => Self::parse_apop(argument).ok_or(Fault::BadApop),
            Verb::Auth => Self::parse_auth(argument),
            Verb::Stls => Ok(Self::Stls),
            Verb::Inline => Ok(Self::Inline),
            Verb::Noop => Ok(Self::Noop),
            Verb::Help => Ok(Self::Help),
            Verb::Quit => Ok(Self::Quit),
        }
    }

    /// A name may hold blanks; none is behind the last one.
    fn parse_apop(argument: &[u8]) -> Option<Self> {
        let at = memchr::memrchr(b' ', argument)?;
        Some(Self::Apop(LoginName::new(&argument[..at])?, Md5Digest::parse(&argument[at + 1..])?))
    }

    fn parse_auth(argument: &[u8]) -> Result<Self, CommandFault> {
        let mut words = argument.splitn(2, |&byte| byte == b' ');
        let mechanism = match words.next().unwrap_or_default() {
            b"" => return Err(CommandFault::MechanismMissing),
            name => Mechanism::parse(name).ok_or(CommandFault::MechanismUnknown)?,
        };
        let initial = words.next().filter(|text| !text.is_empty()).map(Response::parse).transpose();
        initial.map(|initial| Self::Auth(mechanism, initial)).map_err(CommandFault::BadResponse)
    }
}

/// `line` as it may be written to a log.
///
/// A known verb is shown in upper case; of the arguments only USER's is, without its control
/// bytes. Of any other line only the length is shown: `PSAS secret` must not betray the password
/// because its verb was mistyped, and a line may be a password altogether.
#[must_use]
pub fn redacted(line: &[u8]) -> String {
    match split(line) {
        None => format!("({} bytes)", line.len()),
        Some((_, name, None)) => name.to_owned(),
        Some((Verb::User, name, Some(argument))) => match LoginName::new(argument) {
            Some(login) => format!("{name} {login}"),
            None => format!("{name} ({} bytes)", argument.len()),
        },
        Some((_, name, Some(_))) => format!("{name} ***"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::limits::{LOGIN_NAME_BYTES_MAX, SECRET_BYTES_MAX};

    /// The command as text, arguments included.
    fn show(line: &[u8]) -> String {
        match Command::parse(line) {
            Ok(Command::User(login)) => format!("User {login}"),
            Ok(Command::Pass(secret)) => format!("Pass {}", secret.expose().escape_ascii()),
            Ok(Command::NewPass(secret)) => format!("NewPass {}", secret.expose().escape_ascii()),
            Ok(Command::Auth(mechanism, initial)) => format!("Auth {mechanism:?} {initial:?}"),
            Ok(command) => format!("{command:?}"),
            Err(fault) => format!("{fault:?}"),
        }
    }

    #[test]
    fn verbs_are_known_in_any_letter_case() {
        for (line, command) in [
            ("QUIT", "Quit"),
            ("quit", "Quit"),
            ("nOOp", "Noop"),
            ("inline", "Inline"),
            ("Stls", "Stls"),
            ("help", "Help"),
            ("apop alice 00112233445566778899aabbccddeeff", "Apop(LoginName(alice), Md5Digest(***))"),
            ("APOP a b 00112233445566778899AABBCCDDEEFF", "Apop(LoginName(a b), Md5Digest(***))"),
            ("APOP alice 0123", "BadApop"),
            ("APOP  00112233445566778899aabbccddeeff", "BadApop"),
            ("APOP alice", "BadApop"),
            ("APOP", "BadApop"),
            ("user Alice", "User Alice"),
            ("auth plain", "Auth Plain None"),
            ("AUTH Login ", "Auth Login None"),
            ("AUTH PLAIN =", "Auth Plain Some(Response(0 bytes))"),
            ("AUTH PLAIN dGlt", "Auth Plain Some(Response(3 bytes))"),
            ("AUTH PLAIN dGlt ", "BadResponse(NotBase64)"),
            ("AUTH  PLAIN", "MechanismMissing"),
            ("AUTH GSSAPI", "MechanismUnknown"),
            ("AUTH", "MechanismMissing"),
            ("newPass x", "NewPass x"),
            ("", "UnknownVerb"),
            (" QUIT", "UnknownVerb"),
            ("QUITS", "UnknownVerb"),
            ("\0QUIT", "UnknownVerb"),
            ("\x01NEWPASS x", "UnknownVerb"),
            ("NEWPASSES x", "UnknownVerb"),
            ("PASS\tx", "UnknownVerb"),
        ] {
            assert_eq!(show(line.as_bytes()), command, "{line:?}");
        }
    }

    #[test]
    fn the_argument_is_every_byte_after_one_space() {
        for (line, command) in [
            (&b"USER  a b "[..], "User  a b "),
            (b"PASS  \"x\" ", r#"Pass  \"x\" "#),
            (b"PASS  ", "Pass  "),
            (b"PASS a\r\0\x1b", r"Pass a\r\x00\x1b"),
            (b"NEWPASS p\xc3\xa4 ss ", r"NewPass p\xc3\xa4 ss "),
            (b"NEWPASS \x7f", r"NewPass \x7f"),
            (b"QUIT ", "Quit"),
            (b"NOOP a b", "Noop"),
            (b"HELP USER", "Help"),
        ] {
            assert_eq!(show(line), command, "{line:?}");
        }
    }

    #[test]
    fn missing_arguments_are_refused() {
        for (verb, fault) in [("USER", "NameMissing"), ("PASS", "PasswordMissing"), ("NEWPASS", "NewPasswordMissing")] {
            assert_eq!(show(verb.as_bytes()), fault);
            assert_eq!(show(format!("{verb} ").as_bytes()), fault);
        }
    }

    #[test]
    fn long_arguments_are_refused_and_never_cut() {
        let check = |verb: &str, bytes_max: usize, fault: &str| {
            let line = |bytes: usize| format!("{verb} {}", "x".repeat(bytes)).into_bytes();
            assert!(Command::parse(&line(bytes_max)).is_ok(), "{verb}");
            assert_eq!(show(&line(bytes_max + 1)), fault);
        };
        check("USER", LOGIN_NAME_BYTES_MAX, "NameTooLong");
        check("PASS", SECRET_BYTES_MAX, "PasswordTooLong");
        check("NEWPASS", SECRET_BYTES_MAX, "NewPasswordTooLong");
    }

    #[test]
    fn a_new_password_has_no_control_characters() {
        for byte in (0..b' ').filter(|&byte| byte != b'\n') {
            assert_eq!(show(&[b"NEWPASS a", &[byte][..], b"b"].concat()), "NewPasswordControl", "{byte}");
        }
    }

    #[test]
    fn a_log_learns_verbs_and_names_only() {
        let long = [b"USER ", &[b'x'; LOGIN_NAME_BYTES_MAX + 1][..]].concat();
        for (line, shown) in [
            (&b"user bob\r\n\xff"[..], r"USER bob\013\010\255"),
            (b"USER", "USER"),
            (b"pass", "PASS"),
            (b"pass secret", "PASS ***"),
            (b"PASS ", "PASS ***"),
            (b"APOP bob 0123", "APOP ***"),
            (b"auth plain dGlt", "AUTH ***"),
            (b"newpass a b", "NEWPASS ***"),
            (b"quit secret", "QUIT ***"),
            (b"PSAS secret", "(11 bytes)"),
            (b"PASS\tsecret", "(11 bytes)"),
            (b"", "(0 bytes)"),
            (b"USER ", "USER (0 bytes)"),
            (&long, "USER (321 bytes)"),
        ] {
            assert_eq!(redacted(line), shown, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_upsets_the_parser_or_prints_its_secret(verb in "(?i)(pass|newpass|apop|quit|pas)", secret in "#[g-l]{2,40}") {
            let line = format!("{verb} {secret}");
            prop_assert!(!redacted(line.as_bytes()).contains(&secret));
            let shown = format!("{:?}", Command::parse(line.as_bytes()));
            prop_assert!(!shown.contains(&secret));
        }

        #[test]
        fn noop_is_known_at_a_glance(line in "(?i)noop ?.?|.[nN][oO]{2}[pP]|[nN][oO]{2}.") {
            let is_noop = matches!(Command::parse(line.as_bytes()), Ok(Command::Noop));
            prop_assert_eq!(Command::is_noop(line.as_bytes()), is_noop);
        }

        #[test]
        fn any_bytes_are_a_command_or_a_fault(line: Vec<u8>) {
            let is_printable = |shown: String| shown.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            prop_assert!(is_printable(redacted(&line)));
            let shown = format!("{:?}", Command::parse(&line));
            prop_assert!(is_printable(shown));
        }
    }
}
