//! New passwords from an operator, typed, piped or drawn, and hashes of passwords that other
//! software has made.

use std::io::{self, IsTerminal, Read};

use keyturn::auth::policy::check_given_password;
use keyturn::auth::{Credentials, Hasher, Verifier, Wanted, legacy};
use keyturn::model::limits::SECRET_BYTES_MAX;
use keyturn::model::{AccountName, NewPasswordRefusal, Secret};
use zeroize::Zeroizing;

use super::arguments::PasswordArguments;
use super::data::now_unix;
use super::failure::{Exit, Failure};

/// What drawn passwords are made of: 32 characters, so 5 bits each, without the ones that look
/// like others.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Characters of a drawn password, 100 bits; a hyphen between groups of [`DRAWN_GROUP_BYTES`].
const DRAWN_BYTES: usize = 20;
const DRAWN_GROUP_BYTES: usize = 5;

/// A password to be given to an account.
pub(crate) struct NewPassword {
    pub(crate) secret: Secret,
    /// The text to show its owner, when it was drawn.
    pub(crate) drawn: Option<Zeroizing<String>>,
}

/// What an account is given to check passwords with.
pub(crate) enum Given {
    /// A password, yet to be hashed.
    Password(NewPassword),
    /// A hash that other software has made.
    Hash(Verifier),
}

impl Given {
    /// Gets it for `account` in the way that the command line asks for; `piped` is what [`piped`]
    /// returned.
    ///
    /// # Errors
    /// The password breaks a rule; the hash cannot be imported; or nobody is there to type.
    pub(crate) fn obtain(
        arguments: PasswordArguments,
        piped: Option<Zeroizing<Vec<u8>>>,
        account: &AccountName,
        characters_min: usize,
    ) -> Result<Self, Failure> {
        match piped {
            Some(hash) if arguments.hash_stdin => legacy::parse(&hash).map(Self::Hash).map_err(Failure::failed),
            piped => NewPassword::obtain(arguments, piped, account, characters_min).map(Self::Password),
        }
    }

    /// The record of it, made now, with what is `wanted`; `hasher` is called if there is something to
    /// hash.
    pub(crate) fn credentials(&self, wanted: Wanted, hasher: impl FnOnce() -> Hasher) -> Credentials {
        match self {
            Self::Password(password) => hasher().make_as(&password.secret, now_unix(), None, wanted),
            Self::Hash(verifier) => Credentials::new(verifier.clone(), now_unix()),
        }
    }

    /// The text to show, when the password was drawn.
    pub(crate) fn drawn(&self) -> Option<&str> {
        match self {
            Self::Password(password) => password.drawn.as_ref().map(|text| text.as_str()),
            Self::Hash(_) => None,
        }
    }
}

impl NewPassword {
    /// Draws one.
    ///
    /// # Errors
    /// When the system has no random source.
    pub(crate) fn generate() -> Result<Self, Failure> {
        let mut random = Zeroizing::new([0; DRAWN_BYTES]);
        getrandom::fill(&mut *random).map_err(Failure::failed)?;
        let mut text = Zeroizing::new(String::with_capacity(DRAWN_BYTES + DRAWN_BYTES / DRAWN_GROUP_BYTES));
        for (index, byte) in random.iter().enumerate() {
            if index > 0 && index % DRAWN_GROUP_BYTES == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte % 32)]));
        }
        Ok(Self { secret: secret(text.as_bytes())?, drawn: Some(text) })
    }

    /// Gets one for `account`.
    ///
    /// # Errors
    /// It breaks a rule; or nobody is there to type it.
    fn obtain(
        arguments: PasswordArguments,
        piped: Option<Zeroizing<Vec<u8>>>,
        account: &AccountName,
        characters_min: usize,
    ) -> Result<Self, Failure> {
        if arguments.generate {
            return Self::generate();
        }
        let text = piped.map_or_else(|| ask(account), Ok)?;
        let secret = secret(&text)?;
        check_given_password(account, &secret, characters_min).map_err(refused)?;
        Ok(Self { secret, drawn: None })
    }
}

/// Reads what the command line says is on standard input. Whatever else is wrong is told after
/// that: who writes into the pipe shall find a reader.
///
/// # Errors
/// There is nothing.
pub(crate) fn piped(arguments: PasswordArguments) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    (arguments.password_stdin || arguments.hash_stdin).then(|| read_line(io::stdin().lock())).transpose()
}

fn refused(refusal: NewPasswordRefusal) -> Failure {
    Failure::failed(match refusal {
        NewPasswordRefusal::TooShort { characters_min } => {
            format!("the password is too short: password_length_min asks for {characters_min} characters")
        }
        NewPasswordRefusal::SameAsName => "the password must not be the account's name".to_owned(),
        NewPasswordRefusal::SameAsOld => "the password is the old one".to_owned(),
        NewPasswordRefusal::TooSimple => "the password is simpler than PasswordComplexity asks for".to_owned(),
        NewPasswordRefusal::OfApplication | NewPasswordRefusal::WithoutPassword | NewPasswordRefusal::NotAllowed => {
            "the account's password may not be changed".to_owned()
        }
    })
}

/// Checks that the bytes can be sent in one line of a dialogue.
fn secret(bytes: &[u8]) -> Result<Secret, Failure> {
    if bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(Failure::failed("the password holds a line end or a NUL, which no client could send"));
    }
    let too_long = || Failure::failed(format_args!("the password is longer than {SECRET_BYTES_MAX} bytes"));
    Secret::new(bytes).ok_or_else(too_long)
}

/// The one line of `input`, without its end.
fn read_line(input: impl Read) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // One more than is accepted, and a line end of two bytes. The buffer does not grow, so no copy
    // stays behind.
    let bytes_max = SECRET_BYTES_MAX + 3;
    let mut text = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    input.take(limit).read_to_end(&mut text).map_err(Failure::failed)?;
    if text.ends_with(b"\n") {
        text.pop();
        if text.ends_with(b"\r") {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(Failure::failed("there is nothing on standard input"));
    }
    Ok(text)
}

/// Asks twice on the terminal, without showing what is typed.
fn ask(account: &AccountName) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if !io::stdin().is_terminal() {
        let text = "there is no terminal to ask for the password on: use --password-stdin or --generate";
        return Err(Failure::new(Exit::Usage, text));
    }
    let prompt = |text: String| {
        let typed = rpassword::prompt_password(text).map(String::into_bytes).map(Zeroizing::new);
        typed.map_err(|fault| Failure::failed(format_args!("the password cannot be asked for: {fault}")))
    };
    let first = prompt(format!("New password for {account}: "))?;
    let second = prompt("The same again: ".to_owned())?;
    if first != second {
        return Err(Failure::failed("the two are not the same; nothing was done"));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_passwords_differ_and_are_easy_to_read() {
        let drawn = || NewPassword::generate().ok().and_then(|password| password.drawn).unwrap();
        let (first, second) = (drawn(), drawn());
        assert_ne!(first, second);
        assert_eq!(first.len(), 23);
        assert!(first.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)));
    }

    #[test]
    fn a_piped_password_is_the_line_without_its_end() {
        let read = |input: &[u8]| read_line(input).map(|text| text.to_vec()).map_err(|failure| failure.text);
        for input in [&b" a b "[..], b" a b \n", b" a b \r\n"] {
            assert_eq!(read(input), Ok(b" a b ".to_vec()));
        }
        assert!(read(b"\n").is_err() && read(b"").is_err());
    }

    #[test]
    fn what_no_client_could_send_is_refused() {
        for bytes in [&b"two\nlines"[..], b"a\0b", b"a\rb", &[b'x'; SECRET_BYTES_MAX + 1]] {
            assert!(secret(bytes).is_err());
        }
        assert!(secret(&[b'x'; SECRET_BYTES_MAX]).is_ok());
        // A longer line than is accepted is not cut to one that is.
        let long = [b'x'; SECRET_BYTES_MAX + 100];
        assert!(read_line(&long[..]).is_ok_and(|text| secret(&text).is_err()));
    }
}
