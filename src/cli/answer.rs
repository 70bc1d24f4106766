use std::io::Write;

use super::listing::Piece;
use super::refusal::Refusal;
use crate::control::Failed;
use crate::notation::Value;

/// Bytes of one answer that is held in memory; a longer one is refused. Lists are not held.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// What the client is told, ready to be sent: one line with its code, CR LF included, and unless
/// the session is inline a second one with the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer(Vec<u8>);

impl Answer {
    /// Done; there is nothing to show.
    #[must_use]
    pub fn done() -> Self {
        Self(b"200 OK\r\n".to_vec())
    }

    /// What stands before the outcome. In an inline session even an empty object has the code 201:
    /// clients would wait for more lines after a 200.
    pub(super) fn before_data(is_inline: bool) -> &'static [u8] {
        if is_inline { b"201 " } else { b"200 data follow\r\n" }
    }

    /// Done, and this is the outcome.
    pub(super) fn data(value: &Value, is_inline: bool) -> Self {
        let mut line = Self::before_data(is_inline).to_vec();
        write!(line, "{value}\r\n").expect("a Vec takes every byte");
        if line.len() > ANSWER_BYTES_MAX {
            return Self::refused(Refusal::General("the answer is too long - ask for a part of it"));
        }
        Self(line)
    }

    /// Done, with a remark.
    pub(super) fn remark(text: &str) -> Self {
        Self(format!("200 {text}\r\n").into_bytes())
    }

    pub(super) fn refused(refusal: Refusal) -> Self {
        Self(format!("{} {refusal}\r\n", refusal.code()).into_bytes())
    }

    /// What was committed is in force, but for what `restart` names.
    #[must_use]
    pub fn saved(restart: &[&str]) -> Self {
        if restart.is_empty() {
            return Self::done();
        }
        Self::remark(&format!("saved - {} needs a restart", restart.join(" and ")))
    }

    /// How an action went.
    #[must_use]
    pub fn of(outcome: Result<(), Failed>) -> Self {
        outcome.map_or_else(|Failed(text)| Self::refused(Refusal::General(text)), |()| Self::done())
    }

    /// The work could not be queued; nothing was done.
    #[must_use]
    pub fn busy() -> Self {
        Self::refused(Refusal::General("server is busy - try again later"))
    }

    /// The store fails; nothing was done.
    #[must_use]
    pub fn fault() -> Self {
        Self::refused(Refusal::General("server error - nothing was changed - try again later"))
    }

    /// The commit failed half way.
    #[must_use]
    pub fn unknown() -> Self {
        Self::refused(Refusal::General("server error - the change may or may not have been made"))
    }

    /// All of a list, in one piece.
    #[must_use]
    pub fn list(piece: Piece) -> Self {
        debug_assert!(piece.is_last, "a part of a list is no answer");
        Self(piece.bytes)
    }

    /// The bytes to send.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: Answer) -> String {
        String::from_utf8(answer.into_bytes()).unwrap()
    }

    #[test]
    fn data_is_on_the_same_line_only_when_the_session_is_inline() {
        for (value, shown) in [
            (Value::Array(Vec::new()), "()"),
            (Value::Dictionary(crate::notation::Dictionary::new()), "{}"),
            (Value::from(""), "\"\""),
            (Value::Null, "#NULL#"),
            (Value::from("two\nlines"), "\"two\\elines\""),
        ] {
            assert_eq!(text(Answer::data(&value, true)), format!("201 {shown}\r\n"));
            assert_eq!(text(Answer::data(&value, false)), format!("200 data follow\r\n{shown}\r\n"));
        }
        assert_eq!(text(Answer::done()), "200 OK\r\n");
    }

    #[test]
    fn an_answer_has_a_limit() {
        let value = Value::from("x".repeat(ANSWER_BYTES_MAX).as_str());
        assert_eq!(text(Answer::data(&value, true)), "501 the answer is too long - ask for a part of it\r\n");
    }

    #[test]
    fn the_texts_that_clients_compare_are_exact() {
        for (refusal, line) in [
            (Refusal::AccountExists, "520 account with this name already exists"),
            (Refusal::DomainExists, "500 domain with this name already exists"),
            (Refusal::UnknownDomain, "512 unknown secondary domain name"),
            (Refusal::UnknownAccount, "513 unknown user account"),
            (Refusal::NoRight, "510 insufficient access rights"),
        ] {
            assert_eq!(text(Answer::refused(refusal)), format!("{line}\r\n"));
        }
    }
}
