//! Child processes on chosen CPUs.

use std::io;
use std::process::{Child, Command};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
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

/// Starts `command` so that all its threads stay on `cpus`.
pub(crate) fn spawn_on(cpus: &[usize], command: &mut Command) -> io::Result<Child> {
    // The child inherits the mask of the thread that starts it.
    std::thread::scope(|scope| {
        let starter = scope.spawn(|| {
            let mut set = CpuSet::new();
            cpus.iter().for_each(|cpu| set.set(*cpu));
            sched_setaffinity(None, &set)?;
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
