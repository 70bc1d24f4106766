//! Processor time of another process.

use std::{fs, io};

/// Nanoseconds that the threads of process `pid` have run: the first field of each
/// `/proc/PID/task/*/schedstat`.
///
/// A thread that has ended takes its time with it, so this suits servers whose threads live as
/// long as the measurement.
///
/// # Errors
/// When there is no such process, or the kernel keeps no scheduler statistics.
pub(crate) fn process_ns(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let ran = text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
        sum += ran.ok_or_else(|| io::Error::other("schedstat without a number"))?;
    }
    Ok(sum)
}
