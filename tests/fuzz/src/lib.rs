//! What the fuzz targets do with an input: each function panics on a broken promise.
//!
//! The inputs of [`line`] and [`session`] are text that a person can write: some bytes that say
//! how the rest is delivered, a NUL, and the stream a client sends.

mod argon2id;
mod line;
mod notation;
mod proxy;
mod records;
mod sasl;
mod session;
mod vault;

use keyturn::auth::{Credentials, legacy};
use keyturn::cli;
use keyturn::proto::{Command, redacted};

pub use argon2id::argon2id;
pub use line::line;
pub use notation::notation;
pub use proxy::proxy;
pub use records::records;
pub use sasl::sasl;
pub use session::{session, stls};
pub use vault::vault;

/// Cuts an input at its first NUL. Without one, all of it is the stream.
fn choices_and_stream(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|&byte| byte == 0) {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (&[], input),
    }
}

/// Any bytes are a command or a fault, and what a log learns of them is printable.
pub fn command(input: &[u8]) {
    match Command::parse(input) {
        Ok(Command::User(login)) => assert!(input.ends_with(login.as_bytes()) && !login.as_bytes().is_empty()),
        Ok(Command::Pass(secret)) => assert_eq!(secret.expose(), &input["PASS ".len()..]),
        Ok(Command::NewPass(secret)) => {
            assert_eq!(secret.expose(), &input["NEWPASS ".len()..]);
            assert!(secret.expose().iter().all(|&byte| byte >= b' '));
        }
        Ok(Command::Apop(..) | Command::Auth(..) | Command::Stls | Command::Inline | Command::Noop | Command::Help | Command::Quit) | Err(_) => {}
    }
    let shown = redacted(input);
    assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let is_user = input.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"USER "));
    assert!(is_user || shown.len() <= "(18446744073709551615 bytes)".len());
}

/// Any bytes after the login are a command whose arguments fit its row, or get one short line of
/// failure, which a client can take for nothing else.
pub fn cli(input: &[u8]) {
    if let Err(answer) = cli::check_line(input) {
        let answer = answer.into_bytes();
        let text = answer.strip_suffix(b"\r\n").expect("ends in CR LF");
        assert!(text.starts_with(b"50") && text.get(3) == Some(&b' '), "{}", text.escape_ascii());
        assert!(text.len() < 256 && text.iter().all(|byte| (b' '..=b'~').contains(byte)), "{}", text.escape_ascii());
    }
}

/// Any bytes are a hash that can be kept and read again, or a fault that does not repeat them.
pub fn imported(input: &[u8]) {
    match legacy::parse(input) {
        Ok(verifier) => {
            let credentials = Credentials { change_id: 2, ..Credentials::new(verifier.clone(), 1) };
            let mut record = Vec::new();
            credentials.encode(&mut record);
            assert_eq!(Credentials::decode(&record), Ok(credentials));
            let shown = format!("{verifier:?}");
            assert!(shown.len() < 60 && shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown}");
        }
        Err(fault) => assert!(fault.to_string().len() < 120),
    }
}
