use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt};

use crate::config::Address;

/// Connections the kernel keeps for us between two turns of the shard; capped by
/// `net.core.somaxconn`.
pub(super) const BACKLOG: i32 = 4096;

/// How often, and how long apart, an address in use is looked at again: the kernel takes some
/// milliseconds to close the listeners of a server that was killed, and one that is restarted should
/// not mind.
const LOOKS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A TCP port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub address: SocketAddr,
    /// Whether `[::]` takes connections over IPv4, too.
    pub dual_stack: bool,
}

/// Opens one of several listeners of the same port: the kernel spreads the connections over them
/// (`SO_REUSEPORT`, socket(7)), one for each shard.
///
/// Returns the listener, and its address with the port the system chose if `port` had none.
pub(super) fn open(port: Port) -> Result<(OwnedFd, SocketAddr), ListenFault> {
    open_socket(port).map_err(|errno| ListenFault::of(port.address, errno))
}

/// Makes sure that nobody else listens on `port`. Sharing it among the shards would also share it,
/// silently, with another server of the same user.
pub(super) fn check_free(port: Port) -> Result<(), ListenFault> {
    let bind_alone = || bind(&make_socket(port)?, &port.address);
    look_again(bind_alone).map_err(|errno| ListenFault::of(port.address, errno))
}

/// Tries until `attempt` meets no address in use, or has met one for long.
pub(super) fn look_again<T>(mut attempt: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 0..LOOKS {
        match attempt() {
            Err(Errno::ADDRINUSE) => thread::park_timeout(BETWEEN_LOOKS),
            outcome => return outcome,
        }
    }
    attempt()
}

fn make_socket(Port { address, dual_stack }: Port) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are two listeners here, unless the configuration says otherwise.
        sockopt::set_ipv6_v6only(&socket, !dual_stack)?;
    }
    Ok(socket)
}

fn open_socket(port: Port) -> Result<(OwnedFd, SocketAddr), Errno> {
    let socket = make_socket(port)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    // Connections inherit it. A reply is sent whole; holding back the next one until the peer has
    // acknowledged the last (RFC 896) would only add 40 ms.
    sockopt::set_tcp_nodelay(&socket, true)?;
    bind(&socket, &port.address)?;
    listen(&socket, BACKLOG)?;
    let bound = getsockname(&socket)?.try_into()?;
    Ok((socket, bound))
}

/// Why an address cannot be listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenFault {
    address: Address,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    System(Errno),
    /// There is a file where the socket should be.
    NoSocket,
    /// systemd passed no socket of that name.
    NotPassed,
    /// It passed one that nobody can listen on.
    NoListener,
}

impl ListenFault {
    pub(super) fn of(address: impl Into<Address>, errno: Errno) -> Self {
        Self::new(address.into(), Cause::System(errno))
    }

    pub(super) fn new(address: Address, cause: Cause) -> Self {
        Self { address, cause }
    }
}

impl fmt::Display for ListenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, cause } = self;
        write!(f, "cannot listen on {address}: ")?;
        match (cause, address) {
            (Cause::System(Errno::ADDRINUSE), Address::Ip(address)) => write!(
                f,
                "another program has this port (find it with: ss -ltnp 'sport = :{}'); stop it or choose another port",
                address.port()
            ),
            (Cause::System(Errno::ADDRINUSE), _) => {
                f.write_str("another program listens there (find it with: ss -lxp); stop it or choose another path")
            }
            (Cause::System(Errno::ACCESS), Address::Ip(_)) => f.write_str(
                "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; \
                 the default for others is 127.0.0.1:8106",
            ),
            (Cause::System(Errno::ADDRNOTAVAIL), _) => f.write_str("this machine does not have that address"),
            (Cause::System(errno), _) => write!(f, "{errno}"),
            (Cause::NoSocket, _) => f.write_str("something else has this path; remove it or choose another path"),
            (Cause::NotPassed, _) => f.write_str(
                "systemd has passed no socket of this name; is its socket unit active, with this FileDescriptorName=?",
            ),
            (Cause::NoListener, _) => f.write_str(
                "systemd has passed a socket that takes no connections; it needs ListenStream= and Accept=no",
            ),
        }
    }
}

impl std::error::Error for ListenFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_listeners_share_a_port_and_a_stranger_is_named() {
        let port = |address: SocketAddr| Port { address, dual_stack: false };
        let (_first, address) = open(port("127.0.0.1:0".parse().unwrap())).unwrap();
        assert!(open(port(address)).is_ok());
        assert!(check_free(port(address)).is_err(), "another server must not share it unnoticed");
        let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let fault = open(port(stranger.local_addr().unwrap())).unwrap_err();
        assert!(fault.to_string().contains("another program has this port"), "{fault}");
    }
}
