//! How a command fails.

use std::fmt;
use std::process::ExitCode;

/// The exit codes; `keyturn --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It could not be done.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration file is wrong.
    Misconfigured = 3,
    /// Another process has the data directory open.
    InUse = 4,
    /// A second signal cut the stopping short.
    CutShort = 5,
}

impl Exit {
    /// The number.
    #[expect(clippy::as_conversions, reason = "the enum is a list of u8")]
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command ends without success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// For the operator: what went wrong and what to do, without a final line end.
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self { exit, text: text.to_string() }
    }

    /// It could not be done, for this reason.
    pub(crate) fn failed(text: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, text)
    }
}
