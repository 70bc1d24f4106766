use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why a store could not be opened. Printing it tells the operator what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFault {
    /// The file in question.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: OpenFaultKind,
}

/// What keeps a store from being opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenFaultKind {
    /// Another process, most likely a running server, has it open.
    InUse,
    /// The file is not a store, or is damaged, as the text tells.
    Unreadable(String),
    /// A later version of the program wrote it.
    NewerFormat {
        /// The format number found.
        found: u64,
        /// The latest this program understands.
        known: u64,
    },
    /// The operating system refused, as the text tells.
    Io(String),
}

impl OpenFault {
    pub(super) fn new(path: &Path, kind: OpenFaultKind) -> Self {
        Self { path: path.into(), kind }
    }

    pub(super) fn from_redb(path: &Path, error: &redb::Error) -> Self {
        let kind = if let redb::Error::DatabaseAlreadyOpen = error {
            OpenFaultKind::InUse
        } else if let redb::Error::Io(io) = error
            // With this kind of error redb says that a file is none of its own.
            && io.kind() != io::ErrorKind::InvalidData
        {
            OpenFaultKind::Io(io.to_string())
        } else {
            OpenFaultKind::Unreadable(error.to_string())
        };
        Self::new(path, kind)
    }
}

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            OpenFaultKind::InUse => {
                write!(f, "{path} is open in another process: stop the server that uses it, or name another directory")
            }
            OpenFaultKind::Unreadable(why) => {
                write!(f, "{path} cannot be used as a store ({why}): restore it from a backup, or move it away")
            }
            OpenFaultKind::NewerFormat { found, known } => write!(
                f,
                "{path} has format {found}, and this program knows formats up to {known}: use the version that wrote it, or a later one"
            ),
            OpenFaultKind::Io(why) => {
                write!(f, "{path} cannot be opened ({why}): check that it belongs to this user, and the disk")
            }
        }
    }
}

impl std::error::Error for OpenFault {}
