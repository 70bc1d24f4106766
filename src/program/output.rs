//! What commands print.

use std::io::{self, ErrorKind, Write};

use super::failure::Failure;

/// Writes to standard output. A reader that has had enough, such as `head`, is no failure.
///
/// # Errors
/// The output could not be written.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(fault) if fault.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format_args!("the output cannot be written: {fault}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
