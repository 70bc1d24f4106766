use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt};

/// Connections the kernel keeps for us between two turns of the shard; capped by
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Opens one of several listeners of the same address: the kernel spreads the connections over
/// them (`SO_REUSEPORT`, socket(7)), one for each shard.
///
/// Returns the listener, and its address with the port the system chose if `address` had none.
pub(super) fn open(address: SocketAddr) -> Result<(OwnedFd, SocketAddr), ListenFault> {
    open_socket(address).map_err(|errno| ListenFault { address, errno })
}

/// Makes sure that nobody else listens on `address`. Sharing it among the shards would also share
/// it, silently, with another server of the same user.
///
/// An address in use is looked at again for a while: the kernel takes some milliseconds to close
/// the listeners of a server that was killed, and one that is restarted should not mind.
pub(super) fn check_free(address: SocketAddr) -> Result<(), ListenFault> {
    let bind_alone = || bind(&make_socket(address)?, &address);
    let mut looks_left = 50;
    loop {
        match bind_alone() {
            Err(Errno::ADDRINUSE) if looks_left > 0 => thread::park_timeout(Duration::from_millis(20)),
            outcome => return outcome.map_err(|errno| ListenFault { address, errno }),
        }
        looks_left -= 1;
    }
}

fn make_socket(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are two listeners here, as the configuration says.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

fn open_socket(address: SocketAddr) -> Result<(OwnedFd, SocketAddr), Errno> {
    let socket = make_socket(address)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    // Connections inherit it. A reply is sent whole; holding back the next one until the peer has
    // acknowledged the last (RFC 896) would only add 40 ms.
    sockopt::set_tcp_nodelay(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    let bound = getsockname(&socket)?.try_into()?;
    Ok((socket, bound))
}

/// Why an address cannot be listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenFault {
    address: SocketAddr,
    errno: Errno,
}

impl fmt::Display for ListenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, errno } = self;
        write!(f, "cannot listen on {address}: ")?;
        match *errno {
            Errno::ADDRINUSE => write!(
                f,
                "another program has this port (find it with: ss -ltnp 'sport = :{}'); stop it or choose another port",
                address.port()
            ),
            Errno::ACCESS => write!(
                f,
                "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; \
                 the default for others is 127.0.0.1:8106"
            ),
            Errno::ADDRNOTAVAIL => f.write_str("this machine does not have that address"),
            errno => write!(f, "{errno}"),
        }
    }
}

impl std::error::Error for ListenFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_listeners_share_a_port_and_a_stranger_is_named() {
        let (_first, address) = open("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(open(address).is_ok());
        assert!(check_free(address).is_err(), "another server must not share it unnoticed");
        let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let fault = open(stranger.local_addr().unwrap()).unwrap_err();
        assert!(fault.to_string().contains("another program has this port"), "{fault}");
    }
}
