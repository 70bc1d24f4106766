use std::fmt;
use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::system::uname;

use super::{Ring, RingSize, Setup};

/// The oldest kernel the ring loop is written for: multishot receive (6.0) and deferred task work
/// (6.1).
pub const KERNEL_MIN: (u32, u32) = (6, 1);

/// What a working ring was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// The kernel's release, as `uname -r` prints it.
    pub kernel: String,
    /// The flags it knows.
    pub setup: Setup,
    /// Whether the ring's descriptor could be registered.
    pub has_registered_fd: bool,
}

impl fmt::Display for Features {
    /// What the ring has, and what it has to do without, by the names in io_uring_setup(2) and
    /// io_uring_register(2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setup: Setup { no_sqarray, defer_taskrun }, has_registered_fd, .. } = *self;
        let all =
            [("DEFER_TASKRUN", defer_taskrun), ("NO_SQARRAY", no_sqarray), ("REGISTER_RING_FDS", has_registered_fd)];
        for (intro, is_there) in [("with", true), ("without", false)] {
            let names: Vec<&str> = all.iter().filter(|(_, it)| *it == is_there).map(|(name, _)| *name).collect();
            if !names.is_empty() {
                write!(f, ", {intro} {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

/// Why no ring can be had here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The kernel is older than [`KERNEL_MIN`].
    OldKernel {
        /// Its release.
        release: String,
    },
    /// The kernel was built without io_uring.
    Missing,
    /// `kernel.io_uring_disabled` forbids it.
    Disabled {
        /// The value of the setting: 1 or 2.
        setting: u8,
    },
    /// A seccomp filter, such as a container's, forbids it.
    Forbidden,
    /// Something else, as the system reports it.
    Other(String),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldKernel { release } => {
                let (major, minor) = KERNEL_MIN;
                write!(f, "the kernel is too old: this is Linux {release}, and {major}.{minor} or later is needed")
            }
            Self::Missing => {
                f.write_str("io_uring is missing: this kernel was built without CONFIG_IO_URING; boot one that has it")
            }
            Self::Disabled { setting: 1 } => f.write_str(
                "io_uring is disabled: kernel.io_uring_disabled is 1, which leaves it to one group; \
                 add this user to the group of kernel.io_uring_group, or run: sysctl kernel.io_uring_disabled=0",
            ),
            Self::Disabled { setting } => write!(
                f,
                "io_uring is disabled: kernel.io_uring_disabled is {setting}; run: sysctl kernel.io_uring_disabled=0"
            ),
            Self::Forbidden => f.write_str(
                "io_uring is forbidden by a seccomp filter: allow the system calls io_uring_setup, io_uring_enter and \
                 io_uring_register in the container's or service's profile",
            ),
            Self::Other(fault) => write!(f, "io_uring does not work here: {fault}"),
        }
    }
}

impl std::error::Error for Unavailable {}

/// Makes a small ring and throws it away, to find out whether, and if not why not, rings can be
/// had here.
///
/// # Errors
/// [`Unavailable`] names the cause and what to do about it.
pub fn probe() -> Result<Features, Unavailable> {
    let release = uname().release().to_string_lossy().into_owned();
    if parse_release(&release).is_some_and(|version| version < KERNEL_MIN) {
        return Err(Unavailable::OldKernel { release });
    }
    let size = RingSize { operations: 8, receive_buffers: 8, completions_per_turn_max: 8 };
    match Ring::new(size) {
        Ok(ring) => Ok(Features {
            kernel: release,
            setup: ring.queue.setup(),
            has_registered_fd: ring.queue.has_registered_fd(),
        }),
        Err(fault) => Err(explain(&fault, read_disabled(), is_filtered())),
    }
}

/// `major.minor` of a kernel release such as `6.1.0-18-amd64`.
fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// `kernel.io_uring_disabled` (since Linux 6.6).
fn read_disabled() -> Option<u8> {
    fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

/// Whether a seccomp filter applies to this thread (proc_pid_status(5), `Seccomp: 2`).
fn is_filtered() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}

/// Tells the causes apart. A filter can answer with any error: EPERM and ENOSYS are the usual
/// ones. The setting exists only where io_uring is built in, so ENOSYS beside it is a filter's.
fn explain(fault: &io::Error, disabled: Option<u8>, is_filtered: bool) -> Unavailable {
    match (Errno::from_io_error(fault), disabled, is_filtered) {
        (Some(Errno::PERM), Some(setting @ 1..), _) => Unavailable::Disabled { setting },
        (Some(Errno::PERM | Errno::ACCESS), _, _) | (Some(Errno::NOSYS), Some(_), _) => Unavailable::Forbidden,
        (Some(Errno::NOSYS), None, true) => Unavailable::Forbidden,
        (Some(Errno::NOSYS), None, false) => Unavailable::Missing,
        _ => Unavailable::Other(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_causes_are_told_apart() {
        let fault = |errno: Errno| io::Error::from(errno);
        assert_eq!(explain(&fault(Errno::NOSYS), None, false), Unavailable::Missing);
        assert_eq!(explain(&fault(Errno::PERM), Some(2), true), Unavailable::Disabled { setting: 2 });
        assert_eq!(explain(&fault(Errno::PERM), Some(0), true), Unavailable::Forbidden);
        assert_eq!(explain(&fault(Errno::NOSYS), Some(0), true), Unavailable::Forbidden);
        assert!(matches!(explain(&fault(Errno::MFILE), Some(0), false), Unavailable::Other(_)));
    }

    #[test]
    fn features_are_named_that_are_there_and_that_are_not() {
        let setup = Setup { no_sqarray: false, defer_taskrun: true };
        let features = Features { kernel: "6.1".into(), setup, has_registered_fd: true };
        assert_eq!(features.to_string(), ", with DEFER_TASKRUN, REGISTER_RING_FDS, without NO_SQARRAY");
    }

    #[test]
    fn releases_are_read_as_far_as_they_matter() {
        assert_eq!(parse_release("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(parse_release("5.15.167.4-microsoft"), Some((5, 15)));
        assert_eq!(parse_release("7.0"), Some((7, 0)));
        assert_eq!(parse_release("unknown"), None);
    }

    #[test]
    fn every_cause_says_what_to_do() {
        for (cause, advice) in [
            (Unavailable::OldKernel { release: "5.10".into() }, "6.1 or later"),
            (Unavailable::Missing, "boot one that has it"),
            (Unavailable::Disabled { setting: 2 }, "sysctl kernel.io_uring_disabled=0"),
            (Unavailable::Forbidden, "allow the system calls"),
        ] {
            assert!(cause.to_string().contains(advice), "{cause}");
        }
    }
}
