//! How threads share the CPUs: which one a thread keeps to, and how soon it gets it.
//!
//! Linux gives a CPU to the runnable thread whose turn ends first, and a thread that wakes up
//! takes it from one with longer turns (EEVDF; slices can be asked for since Linux 6.12, see
//! `Documentation/scheduler/sched-eevdf.rst`). So a thread that must answer quickly asks for short
//! turns, and one that computes for long asks for long ones. Neither gets more of the CPU by it;
//! that is for the nice value to say.
#![expect(unsafe_code, reason = "system calls that have no safe wrapper")]

use std::io;
use std::mem;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The shortest turn that can be asked for.
pub const SLICE_MIN: Duration = Duration::from_micros(100);

/// The longest.
pub const SLICE_MAX: Duration = Duration::from_millis(100);

/// The CPUs this process may use, by number.
///
/// # Errors
/// When there are more of them than can be asked for.
pub fn allowed() -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect())
}

/// Keeps the calling thread on one CPU.
///
/// # Errors
/// When the process may not use it.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu);
    Ok(sched_setaffinity(None, &only)?)
}

/// Asks for turns of this length for the calling thread, [`SLICE_MIN`] to [`SLICE_MAX`]; its
/// policy and nice value stay as they are. A kernel before Linux 6.12 takes no notice.
///
/// # Errors
/// When the kernel, or a filter of system calls, refuses.
pub fn set_slice(slice: Duration) -> io::Result<()> {
    let mut attributes = attributes()?;
    attributes.sched_runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: the kernel reads as many bytes as `size` says, and no more than there are.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, &raw const attributes, NO_FLAGS) })
}

const THIS_THREAD: libc::pid_t = 0;
const NO_FLAGS: libc::c_uint = 0;

/// How the calling thread is scheduled (`sched_setattr(2)`).
fn attributes() -> io::Result<libc::sched_attr> {
    const BYTES: libc::c_uint = size_of::<libc::sched_attr>() as libc::c_uint;
    // SAFETY: integers, for each of which zero is a value.
    let mut attributes: libc::sched_attr = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes BYTES bytes at the most, and so many there are.
    check(unsafe { libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, &raw mut attributes, BYTES, NO_FLAGS) })?;
    Ok(attributes)
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_slice_is_set_and_nothing_else_changes() {
        let (before, after) = thread::spawn(|| {
            rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19).unwrap();
            let before = attributes().unwrap();
            set_slice(SLICE_MAX).unwrap();
            (before, attributes().unwrap())
        })
        .join()
        .unwrap();
        assert_eq!((after.sched_policy, after.sched_nice), (before.sched_policy, 19));
        // Zero: the kernel is older than slices.
        if before.sched_runtime != 0 {
            assert_eq!(u128::from(after.sched_runtime), SLICE_MAX.as_nanos());
        }
    }

    #[test]
    fn a_thread_keeps_to_the_cpu_it_is_given() {
        let cpus = allowed().unwrap();
        let cpu = *cpus.last().unwrap();
        let kept = thread::spawn(move || pin(cpu).and_then(|()| allowed())).join().unwrap();
        assert_eq!(kept.unwrap(), [cpu]);
        assert!(pin(CpuSet::MAX_CPU - 1).is_err(), "no machine has so many");
    }
}
