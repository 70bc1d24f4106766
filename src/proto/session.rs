//! (interface agreed; the implementation belongs to the proto writer)
use std::sync::Arc;

use super::Reply;
use crate::model::{AccountName, Authenticated, Dialect, LoginName, NewPasswordRefusal, Secret};

/// What the world tells a session.
#[derive(Debug)]
pub enum Event<'a> {
    /// The connection is up and within the limits: greet.
    Opened,
    /// A whole line, without its terminator.
    Line(&'a [u8]),
    /// A line longer than [`crate::model::limits::LINE_BYTES_MAX`] arrived.
    LineTooLong,
    /// The answer to [`Effect::Verify`].
    Verified(Verdict),
    /// The answer to [`Effect::Change`].
    Changed(ChangeOutcome),
    /// The time asked for by [`Effect::Delay`] has passed.
    DelayPassed,
    /// A time limit passed while a line was awaited.
    TimedOut(Timeout),
    /// The server is stopping; sent once, to sessions that await a line.
    ShuttingDown,
}

/// Which time limit passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Nothing was received for too long.
    Idle,
    /// The client did not authenticate in time.
    Login,
    /// A line was begun and not finished in time.
    Line,
}

/// How a login ended.
#[derive(Debug)]
pub enum Verdict {
    /// The password is right.
    Accepted(Box<Authenticated>),
    /// It is not, for a reason the client never learns.
    Denied(Denial),
    /// The work could not be queued; the client may try again.
    Busy,
    /// The store could not be read.
    Fault,
}

/// Why a login was refused: for the log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No account has that name.
    UnknownAccount,
    /// The account's password is another one.
    WrongPassword(AccountName),
    /// The password was not even of use: the account may not log in here.
    Disabled(AccountName),
}

/// How a password change ended.
#[derive(Debug)]
pub enum ChangeOutcome {
    /// It is durable. The proof is for the new password.
    Changed(Box<Authenticated>),
    /// The new password may not be used; nothing was changed.
    Refused(Box<Authenticated>, NewPasswordRefusal),
    /// The password was changed elsewhere since this session proved it; nothing was changed.
    Conflict,
    /// The work could not be queued; nothing was changed.
    Busy(Box<Authenticated>),
    /// The store refused or could not be read; nothing was changed.
    Fault(Box<Authenticated>),
    /// The commit failed half way: the password may or may not have been changed.
    Unknown,
}

/// What a session asks of the world, to be carried out in order.
#[derive(Debug)]
pub enum Effect {
    /// Send this line.
    Reply(Reply),
    /// Check this password; answer with [`Event::Verified`].
    Verify {
        /// Whose.
        login: LoginName,
        /// The password to check.
        secret: Secret,
    },
    /// Make `secret` the password of the proven account; answer with [`Event::Changed`].
    Change {
        /// The right to do so.
        proof: Box<Authenticated>,
        /// The new password.
        secret: Secret,
    },
    /// Let the configured failure delay pass, then deliver [`Event::DelayPassed`].
    Delay,
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

/// A reusable list of effects.
pub type Effects = Vec<Effect>;

/// What a listener lays down for all its sessions.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Which family of servers to behave like.
    pub dialect: Dialect,
    /// The text of the greeting after its code; see [`super::greeting`].
    pub greeting: Arc<str>,
    /// Failed logins after which the session is closed, at least 1.
    pub failures_max: u8,
}

/// What a session is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// The client's next line.
    Line,
    /// The answer to [`Effect::Verify`] or [`Effect::Change`].
    Answer,
    /// [`Event::DelayPassed`].
    Delay,
    /// Nothing: the session is over.
    Nothing,
}

/// One client's progress through the password dialogue.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// A session nobody has spoken in yet; deliver [`Event::Opened`] first.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
    /// What must happen next. Lines may be delivered only while this is [`Awaits::Line`].
    #[must_use]
    pub fn awaits(&self) -> Awaits {
        Awaits::Line
    }
    /// Whether the client has logged in.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        false
    }
    /// Advances the dialogue by one event, appending what must now happen to `effects`.
    pub fn step(&mut self, _event: Event<'_>, _rules: &Rules, _effects: &mut Effects) {}
}
