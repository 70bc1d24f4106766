use std::fmt;

use zeroize::Zeroize;

/// A line on its way to whoever carries out commands.
///
/// It may hold passwords: it has no `Clone`, its `Debug` shows the length alone, and dropping it
/// overwrites the bytes.
pub struct CommandLine(Box<[u8]>);

impl CommandLine {
    /// Copies `line`, which has no terminator.
    #[must_use]
    pub fn new(line: &[u8]) -> Self {
        Self(line.into())
    }

    /// The bytes as sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for CommandLine {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandLine({} bytes)", self.0.len())
    }
}
