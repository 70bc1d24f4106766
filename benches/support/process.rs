//! Child processes on chosen CPUs.

use std::process::{Child, Command};
use std::{fs, io};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// A child process that is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let ended = kill_process(Pid::from_child(&self.0), Signal::TERM).map_err(io::Error::from);
        if let Err(error) = ended.and_then(|()| self.0.wait().map(|_| ())) {
            assert!(std::thread::panicking(), "a child cannot be ended: {error}");
        }
    }
}

/// How children are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The CPUs that all their threads stay on.
    pub(crate) cpus: &'a [usize],
    /// Their nice value; below 0 needs privilege.
    pub(crate) nice: i32,
}

/// Keeps this thread, and those that it starts, on `cpus`.
pub(crate) fn stay_on(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    Ok(sched_setaffinity(None, &set)?)
}

/// Starts `command` in its place.
pub(crate) fn spawn_in(place: Place<'_>, command: &mut Command) -> io::Result<Child> {
    // The child inherits mask and nice value of the thread that starts it.
    std::thread::scope(|scope| {
        let starter = scope.spawn(|| {
            stay_on(place.cpus)?;
            setpriority_process(None, place.nice)?;
            command.spawn()
        });
        starter.join().expect("starting a process does not panic")
    })
}

/// Lets this process and its children open as many files as they are allowed to allow themselves.
pub(crate) fn raise_open_files() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

/// A size that the kernel says of process `pid` under `name`, as in proc(5)'s status.
pub(crate) fn memory_bytes(pid: u32, name: &str) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| io::Error::other(format!("the kernel does not say {name}")))
}
