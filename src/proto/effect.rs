use std::borrow::Cow;

use super::sasl::Question;
use super::{CommandLine, Reply};
use crate::model::{Authenticated, Evidence, LoginName, Secret};

/// What a session asks of the world, to be carried out in order.
#[derive(Debug)]
pub enum Effect {
    /// Send this line.
    Reply(Reply),
    /// Check this evidence; answer with [`super::Event::Verified`].
    Verify {
        /// Whose account it is said to open.
        login: LoginName,
        /// What was given.
        evidence: Evidence,
    },
    /// Find this out for an exchange; answer with [`super::Event::Told`].
    Ask(Question),
    /// Draw a nonce; answer with [`super::Event::Drawn`].
    Draw,
    /// Send this challenge of an exchange.
    Challenge(Cow<'static, [u8]>),
    /// Make `secret` the password of the proven account; answer with [`super::Event::Changed`].
    Change {
        /// The right to do so.
        proof: Box<Authenticated>,
        /// The new password.
        secret: Secret,
    },
    /// Carry out this line, whatever it says; answer with [`super::Event::Executed`].
    Command {
        /// Who has logged in.
        proof: Box<Authenticated>,
        /// What the client sent.
        line: CommandLine,
        /// Whether data is to come in the reply line.
        is_inline: bool,
    },
    /// Send these bytes of an answer; when there is room for more, deliver
    /// [`super::Event::HasRoom`] if the session awaits it.
    Send(Vec<u8>),
    /// Have the next part of the answer made; answer with [`super::Event::Executed`].
    GoOn,
    /// Let the configured failure delay pass, then deliver [`super::Event::DelayPassed`].
    Delay,
    /// Send what is pending, then speak TLS: the next bytes received are the client's part of a
    /// handshake.
    StartTls,
    /// Send what is pending, then close.
    Close(Closing),
}

/// How to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// At once after the last reply: the client asked for it.
    Prompt,
    /// Half-close and drain for a moment, so that a client which is still sending does not lose
    /// the last reply to a reset.
    Lingering,
}

/// A reusable list of effects. One step appends at most two.
pub type Effects = Vec<Effect>;
