//! Processor time, as the scheduler counts it.

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

/// Nanoseconds that this thread has been ready to run while others ran: the second field of
/// `/proc/thread-self/schedstat`; 0 where the kernel keeps no scheduler statistics.
pub(crate) fn thread_wait_ns() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').nth(1).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// Nanoseconds that all processors have been busy since the machine started, time stolen by a
/// hypervisor included. The kernel counts it in ticks of 10 ms.
///
/// # Errors
/// When `/proc/stat` is not as proc(5) describes it.
pub(crate) fn machine_ns() -> io::Result<u64> {
    const TICK_NS: u64 = 10_000_000;
    let stat = fs::read_to_string("/proc/stat")?;
    let total = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    // user nice system idle iowait irq softirq steal; what guests used is contained in user.
    let fields: Vec<u64> = total.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = fields[..] else {
        return Err(io::Error::other("/proc/stat without processor times"));
    };
    Ok((user + nice + system + irq + softirq + steal) * TICK_NS)
}
