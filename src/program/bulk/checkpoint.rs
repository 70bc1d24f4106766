use std::fs::File;
use std::path::Path;
use std::time::UNIX_EPOCH;

use keyturn::directory::{DirectoryFault, Holder};
use keyturn::notation::{Dictionary, Value};
use keyturn::store::Transaction;

use crate::program::data::Data;
use crate::program::failure::Failure;

/// Under which name it is kept for the server.
const NAME: &str = ".import";

/// How far the import of a file has come. It is committed together with the accounts of each
/// batch, so it is never ahead of them or behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// What tells the file from others, and from what it is after a change.
    file: String,
    bytes: u64,
    modified: u64,
    /// The last line that was dealt with.
    pub(super) line: u64,
}

impl Checkpoint {
    /// The beginning of `file`, which was opened as `path`.
    ///
    /// # Errors
    /// The file cannot be asked.
    pub(super) fn beginning(path: &Path, file: &File) -> Result<Self, Failure> {
        let metadata = file.metadata().map_err(Failure::failed)?;
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let file = path.canonicalize().unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned();
        Ok(Self { file, bytes: metadata.len(), modified: modified.unwrap_or_default().as_secs(), line: 0 })
    }

    /// Where an earlier import of the same file stopped; the beginning, if none did.
    ///
    /// # Errors
    /// As the store tells.
    pub(super) fn resumed(self, data: &Data) -> Result<Self, Failure> {
        let kept = data.directory.kept(&Holder::Server, NAME)?;
        let Some(Value::Dictionary(kept)) = kept else { return Ok(self) };
        let line = match kept.get("Line") {
            Some(Value::Number(line)) => u64::try_from(*line).unwrap_or_default(),
            _ => 0,
        };
        let found = Self { line, ..self.clone() };
        Ok(if found.print() == kept { found } else { self })
    }

    /// What to commit together with what was imported up to this point.
    ///
    /// # Errors
    /// As the store tells.
    pub(super) fn keep(&self, data: &Data) -> Result<Transaction, DirectoryFault> {
        data.directory.keep(&Holder::Server, NAME, |_| Ok(Value::Dictionary(self.print())))
    }

    /// What to commit when the import is complete.
    ///
    /// # Errors
    /// As the store tells.
    pub(super) fn forget(data: &Data) -> Result<Transaction, DirectoryFault> {
        data.directory.keep(&Holder::Server, NAME, |_| Ok(Value::Null))
    }

    fn print(&self) -> Dictionary {
        let number = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
        [
            ("File", Value::from(self.file.as_str())),
            ("Bytes", number(self.bytes)),
            ("Modified", number(self.modified)),
            ("Line", number(self.line)),
        ]
        .into_iter()
        .collect()
    }
}
