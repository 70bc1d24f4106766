//! Sockets that all shards share: those of the Unix domain, whose connections the kernel spreads over
//! nobody, and those that somebody else has opened.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with, sockopt,
};

use super::listen::{BACKLOG, Cause, ListenFault, look_again};
use crate::config::Address;

/// A socket that was opened before the server started, and the name under which a listener asks for
/// it.
#[derive(Debug)]
pub struct Passed {
    /// As in `systemd:NAME`.
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
}

/// The file of a Unix-domain socket; removed when dropped, unless another one has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).ok() == Some(self.identity) {
            // Whoever comes next replaces it.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Which file it is: its device and its number there.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Opens a Unix-domain socket at `path` with the permissions `mode`. One that nobody listens on, left
/// behind by a server that was killed, is replaced.
pub(super) fn open(path: &Path, mode: u16) -> Result<(OwnedFd, SocketFile), ListenFault> {
    let fault = |cause| ListenFault::new(Address::Unix(path.to_owned()), cause);
    let failed = |fault: io::Error| Cause::System(Errno::from_io_error(&fault).unwrap_or(Errno::IO));
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket()) {
        return Err(fault(Cause::NoSocket));
    }
    let bind_anew = || {
        remove_stale(path)?;
        let socket = new_socket(SocketFlags::CLOEXEC)?;
        bind(&socket, &SocketAddrUnix::new(path)?).map(|()| socket)
    };
    let socket = look_again(bind_anew).map_err(|errno| fault(Cause::System(errno)))?;
    let identity = identity(path).map_err(|it| fault(failed(it)))?;
    let file = SocketFile { path: path.to_owned(), identity };
    // Nobody can connect before anybody listens.
    fs::set_permissions(path, fs::Permissions::from_mode(mode.into())).map_err(|it| fault(failed(it)))?;
    listen(&socket, BACKLOG).map_err(|errno| fault(Cause::System(errno)))?;
    Ok((socket, file))
}

/// Removes the socket at `path`, if there is one that nobody listens on.
fn remove_stale(path: &Path) -> Result<(), Errno> {
    let visitor = new_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    match connect(&visitor, &SocketAddrUnix::new(path)?) {
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::CONNREFUSED) => fs::remove_file(path).map_err(|it| Errno::from_io_error(&it).unwrap_or(Errno::IO)),
        // AGAIN: there is one that has more to do than it can.
        Ok(()) | Err(Errno::AGAIN) => Err(Errno::ADDRINUSE),
        Err(errno) => Err(errno),
    }
}

fn new_socket(flags: SocketFlags) -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Takes the sockets called `name` out of `passed`.
pub(super) fn take(name: &str, passed: &mut Vec<Passed>) -> Result<Vec<OwnedFd>, ListenFault> {
    let fault = |cause| ListenFault::new(Address::Systemd(name.into()), cause);
    let sockets: Vec<OwnedFd> = passed.extract_if(.., |it| it.name == name).map(|it| it.socket).collect();
    if sockets.is_empty() {
        return Err(fault(Cause::NotPassed));
    }
    for socket in &sockets {
        let takes_connections = || {
            let is_stream = sockopt::socket_type(socket)? == SocketType::STREAM;
            Ok::<_, Errno>(is_stream && sockopt::socket_acceptconn(socket)?)
        };
        if !takes_connections().unwrap_or(false) {
            return Err(fault(Cause::NoListener));
        }
        // The ring waits by itself, and does not where it is told that nobody does.
        rustix::io::ioctl_fionbio(socket, false).map_err(|errno| fault(Cause::System(errno)))?;
        if sockopt::socket_domain(socket).is_ok_and(|family| family != AddressFamily::UNIX) {
            // As our own ports have it.
            sockopt::set_tcp_nodelay(socket, true).map_err(|errno| fault(Cause::System(errno)))?;
        }
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_socket_is_made_with_its_mode_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let (socket, file) = open(&path, 0o620).unwrap();
        assert_eq!(mode_of(&path), 0o620);
        assert!(UnixStream::connect(&path).is_ok());
        drop((socket, file));
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        let (_socket, file) = open(&path, 0o666).expect("nobody listens there");
        let fault = open(&path, 0o666).unwrap_err().to_string();
        assert!(fault.contains("another program listens there"), "{fault}");

        // A successor has taken its place.
        fs::remove_file(&path).unwrap();
        let _successor = UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());

        let other = folder.path().join("file");
        fs::write(&other, "precious").unwrap();
        let fault = open(&other, 0o666).unwrap_err().to_string();
        assert!(fault.contains("something else has this path"), "{fault}");
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
        let nowhere = open(&folder.path().join("no/socket"), 0o666).unwrap_err().to_string();
        assert!(nowhere.contains("No such file"), "{nowhere}");
    }

    #[test]
    fn passed_sockets_are_found_by_their_name_and_must_take_connections() {
        let listener = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let passed = |name: &str, socket: OwnedFd| Passed { name: name.to_owned(), socket };
        let mut all = vec![passed("a", listener()), passed("b", listener()), passed("a", listener())];
        assert_eq!(take("a", &mut all).unwrap().len(), 2);
        assert_eq!(all.len(), 1);
        let fault = take("a", &mut all).unwrap_err().to_string();
        assert!(fault.contains("passed no socket of this name"), "{fault}");
        let datagram = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let connected = new_socket(SocketFlags::CLOEXEC).unwrap();
        for socket in [datagram.into(), connected, fs::File::open("/dev/null").unwrap().into()] {
            let fault = take("c", &mut vec![passed("c", socket)]).unwrap_err().to_string();
            assert!(fault.contains("takes no connections"), "{fault}");
        }
    }
}
