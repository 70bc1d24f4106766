//! What commands print.

use std::io::{self, ErrorKind, Write};

use super::failure::Failure;

/// Writes to standard output. A reader that has had enough, such as `head`, is no failure.
///
/// # Errors
/// The output could not be written.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    match write_all(bytes) {
        Err(fault) if fault.kind() != ErrorKind::BrokenPipe => Err(unwritten(&fault)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes to standard output what must arrive.
///
/// # Errors
/// The output could not be written.
pub(crate) fn deliver(bytes: &[u8]) -> Result<(), Failure> {
    write_all(bytes).map_err(|fault| unwritten(&fault))
}

fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

fn unwritten(fault: &io::Error) -> Failure {
    Failure::failed(format_args!("the output cannot be written: {fault}"))
}
