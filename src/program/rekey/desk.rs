use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use keyturn::syslog::{FAILURE, MAJOR};
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tracing::event;

use super::work::{self, Tally};
use crate::program::data::Data;
use crate::program::failure::Failure;
use crate::program::master_key;
use crate::program::settings::Source;

/// The name of the socket in the data directory.
const SOCKET_FILE: &str = "rekey.sock";

/// The lowest ordinary priority: whoever waits for a password goes first.
const NICENESS: i32 = 19;

/// Where a running server is asked for the work. Whoever may write to the data directory may ask.
#[derive(Debug)]
pub(crate) struct Desk {
    listener: UnixListener,
    folder: PathBuf,
    is_over: AtomicBool,
}

impl Desk {
    /// Opens it in the data directory `folder`, whose store this process has open: so a socket that is
    /// there already is nobody's.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let listener = at(folder, |socket| {
            match fs::remove_file(socket) {
                Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(fault),
                _ => {}
            }
            let listener = UnixListener::bind(socket)?;
            fs::set_permissions(socket, Permissions::from_mode(0o600))?;
            Ok(listener)
        })?;
        Ok(Self { listener, folder: folder.to_owned(), is_over: AtomicBool::new(false) })
    }

    /// Does the work for whoever asks, until [`Desk::close`].
    pub(crate) fn attend(&self, data: &Data, source: &Source) {
        if let Err(fault) = setpriority_process(Some(gettid()), NICENESS) {
            event!(target: "SYSTEM", FAILURE, "sealing anew keeps its priority: {fault}");
        }
        for asker in self.listener.incoming() {
            if self.is_over.load(Ordering::Acquire) {
                return;
            }
            match asker {
                Ok(asker) => self.serve(asker, data, source),
                Err(fault) => {
                    event!(target: "SYSTEM", FAILURE, "keyturn rekey is not heard any more: {fault}");
                    return;
                }
            }
        }
    }

    /// Lets [`Desk::attend`] return, soon if it is at work.
    pub(crate) fn close(&self) {
        self.is_over.store(true, Ordering::Release);
        let woken = at(&self.folder, |socket| UnixStream::connect(socket));
        let removed = at(&self.folder, |socket| fs::remove_file(socket));
        if let Err(fault) = woken.map(drop).and(removed) {
            event!(target: "SYSTEM", FAILURE, "the socket of keyturn rekey cannot be closed: {fault}");
        }
    }

    /// Reads the keys anew, does the work, and tells `asker` of it, who may go away.
    fn serve(&self, mut asker: UnixStream, data: &Data, source: &Source) {
        let mut tell = |line: String| drop(writeln!(asker, "{line}"));
        event!(target: "SYSTEM", MAJOR, "sealing every account with the first master key");
        let result = self.reseal(data, source, |tally| tell(format!("reached {}", tally.print())));
        match result {
            Ok(tally) => {
                event!(target: "SYSTEM", MAJOR, "sealing is done: {tally}");
                tell(format!("done {}", tally.print()));
            }
            Err(Failure { text, .. }) => {
                event!(target: "SYSTEM", FAILURE, "sealing has ended early: {text}");
                tell(format!("failed {}", text.replace('\n', "; ")));
            }
        }
    }

    fn reseal(&self, data: &Data, source: &Source, tell: impl FnMut(Tally)) -> Result<Tally, Failure> {
        let config = source.load(Some(&data.config.main_domain))?;
        master_key::take(data, &config, source)?;
        work::reseal(data, &self.is_over, tell)
    }
}

/// Lets `act` act on the path of the socket in `folder`. A socket's path may have 107 bytes, so a short one
/// leads there.
pub(super) fn at<T>(folder: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let folder = File::open(folder)?;
    act(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(SOCKET_FILE))
}
