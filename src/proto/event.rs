use std::fmt;

use crate::model::{AccountName, Authenticated, NewPasswordRefusal, Nonce, ScramOffer, TlsPeer};

/// What the world tells a session.
pub enum Event<'a> {
    /// The connection is up and within the limits: greet. Delivered once, first.
    Opened,
    /// A handshake has ended well. Delivered at most once, before [`Event::Opened`] or in answer to
    /// [`super::Effect::StartTls`].
    Secured(Box<TlsPeer>),
    /// A whole line, without its terminator. Only while a line is awaited.
    Line(&'a [u8]),
    /// A line longer than it may be arrived. Only while a line is awaited.
    LineTooLong,
    /// Nothing has been received behind the last line, and nothing is being received any more.
    /// Only while quiet is awaited.
    Quiet,
    /// Something was received while quiet was awaited.
    Stray,
    /// The answer to [`super::Effect::Ask`].
    Told(Told),
    /// The answer to [`super::Effect::Draw`]: one that was never drawn before.
    Drawn(Nonce),
    /// The answer to [`super::Effect::Verify`].
    Verified(Verdict),
    /// The answer to [`super::Effect::Change`].
    Changed(ChangeOutcome),
    /// The answer to [`super::Effect::Command`] and [`super::Effect::GoOn`].
    Executed(CommandOutcome),
    /// What was to be sent is on its way, so that there is room for more.
    HasRoom,
    /// The time asked for by [`super::Effect::Delay`] has passed.
    DelayPassed,
    /// A time limit passed. Ignored unless a line is awaited: work once asked for is answered
    /// with its outcome, never with a time-out.
    TimedOut(Timeout),
    /// The server is stopping. Ignored unless a line is awaited, so it is told again to a session
    /// that was busy when it awaits its next line.
    ShuttingDown,
}

impl fmt::Debug for Event<'_> {
    /// Shows the length of a line only: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("Opened"),
            Self::Secured(_) => f.write_str("Secured"),
            Self::Line(line) => write!(f, "Line({} bytes)", line.len()),
            Self::LineTooLong => f.write_str("LineTooLong"),
            Self::Quiet => f.write_str("Quiet"),
            Self::Stray => f.write_str("Stray"),
            Self::Told(told) => write!(f, "Told({told:?})"),
            Self::Drawn(nonce) => write!(f, "Drawn({nonce})"),
            Self::Verified(verdict) => write!(f, "Verified({verdict:?})"),
            Self::Changed(outcome) => write!(f, "Changed({outcome:?})"),
            Self::Executed(outcome) => write!(f, "Executed({outcome:?})"),
            Self::HasRoom => f.write_str("HasRoom"),
            Self::DelayPassed => f.write_str("DelayPassed"),
            Self::TimedOut(limit) => write!(f, "TimedOut({limit:?})"),
            Self::ShuttingDown => f.write_str("ShuttingDown"),
        }
    }
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

/// What came of a question.
#[derive(Debug)]
pub enum Told {
    /// What to tell a client so that it can prove its password by SCRAM.
    Scram(Box<ScramOffer>),
    /// There is too much other work.
    Busy {
        /// When the client may try again.
        retry_after_s: u32,
    },
    /// The store could not be read.
    Fault,
}

/// How a login ended.
#[derive(Debug)]
pub enum Verdict {
    /// The password is right.
    Accepted(Box<Authenticated>),
    /// It is not, for a reason the client never learns.
    Denied(Denial),
    /// Too many logins have failed: the password was not looked at.
    TooManyFailures {
        /// Whose they were, for the log alone.
        of: FailuresOf,
        /// When the client may try again.
        retry_after_s: u32,
    },
    /// There is too much other work.
    Busy {
        /// When the client may try again.
        retry_after_s: u32,
    },
    /// The store could not be read.
    Fault,
}

/// Whose failed logins were too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailuresOf {
    /// Those to this account, or to this name if it is none's.
    Account,
    /// Those from this address.
    Address,
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
    /// Nor was it here: it came in clear, and the account's setting `RequireAPOP` is on.
    InClear(AccountName),
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
    /// There is too much other work; nothing was changed.
    Busy {
        /// What the session had before.
        proof: Box<Authenticated>,
        /// When the client may try again.
        retry_after_s: u32,
    },
    /// The store refused or could not be read; nothing was changed.
    Fault(Box<Authenticated>),
    /// The commit failed half way: the password may or may not have been changed.
    Unknown,
}

/// How a command ended, or goes on.
pub enum CommandOutcome {
    /// It has been carried out or refused.
    Answered {
        /// What the session had, or what it has after it changed its own password.
        proof: Box<Authenticated>,
        /// What to send: whole lines with their terminators.
        answer: Vec<u8>,
    },
    /// It is being answered, and this is the next part of the answer, but not the last.
    Part(Vec<u8>),
    /// The rest of an answer that has begun cannot be had.
    Broken,
    /// The account is gone, or its password is another one now; nothing was done.
    Expired,
}

impl fmt::Debug for CommandOutcome {
    /// Shows the length of the answer only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { proof, answer } => write!(f, "Answered({proof:?}, {} bytes)", answer.len()),
            Self::Part(part) => write!(f, "Part({} bytes)", part.len()),
            Self::Broken => f.write_str("Broken"),
            Self::Expired => f.write_str("Expired"),
        }
    }
}
