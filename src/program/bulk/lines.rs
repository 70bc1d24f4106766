use std::io::{self, BufRead, BufReader, Read};

use zeroize::Zeroizing;

use super::entry::Reject;

/// Bytes of one line, which may hold an account's whole settings.
const LINE_BYTES_MAX: usize = 1 << 20;

/// The lines of a file, counted from 1. What a line leaves in memory is overwritten.
pub(super) struct Lines {
    input: BufReader<Box<dyn Read>>,
    line: Zeroizing<Vec<u8>>,
    number: u64,
}

impl Lines {
    pub(super) fn new(input: Box<dyn Read>) -> Self {
        let line = Zeroizing::new(Vec::with_capacity(4096));
        Self { input: BufReader::with_capacity(256 << 10, input), line, number: 0 }
    }

    /// The next line without its end, and its number; `None` at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read on.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Result<&str, Reject>)>> {
        self.line.clear();
        let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
        if self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.len() == LINE_BYTES_MAX && self.line.last() != Some(&b'\n') {
            self.input.skip_until(b'\n')?;
            let why = Reject::new(format_args!("the line has more than {LINE_BYTES_MAX} bytes"));
            return Ok(Some((self.number, Err(why))));
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| Reject::from("the line is not UTF-8"));
        Ok(Some((self.number, text)))
    }
}
