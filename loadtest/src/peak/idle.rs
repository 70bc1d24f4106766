//! Connections that do nothing, so that somebody else can look at what they cost.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rustix::net::RecvFlags;

use crate::report::Report;
use crate::target::{Protocol, Talk};

/// Connections from one source address.
const PER_SOURCE: usize = 500;

/// Opens `count` connections, says so on standard output, holds them until standard input ends,
/// and reports how many the server has kept. With `touch`, each makes one request first.
///
/// # Errors
/// When a connection cannot be opened or is answered wrongly.
pub(super) fn run(address: SocketAddr, protocol: Protocol, count: usize, touch: bool, as_json: bool) -> io::Result<()> {
    let mut sockets = Vec::with_capacity(count);
    for index in 0..count {
        let mut talk = Talk::open(address, protocol, address.is_ipv4().then(|| source(index)))?;
        if touch {
            talk.no_operation(protocol)?;
        }
        sockets.push(talk.into_stream());
    }
    let mut report = Report::default();
    report.count("open", sockets.len());
    report.print(as_json)?;
    io::stdin().read_to_end(&mut Vec::new())?;
    let mut report = Report::default();
    report.count("kept", sockets.iter().filter(|socket| is_open(socket)).count());
    report.print(as_json)
}

/// A loopback address for connection `index`: 127.1.0.1 and on.
fn source(index: usize) -> Ipv4Addr {
    let number = (index / PER_SOURCE) as u32;
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number)
}

/// Whether the other side has neither spoken nor left.
fn is_open(socket: &TcpStream) -> bool {
    let peeked = rustix::net::recv(socket, &mut [0; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!(peeked, Err(rustix::io::Errno::AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_stay_inside_loopback() {
        assert_eq!(source(0), Ipv4Addr::new(127, 1, 0, 1));
        assert_eq!(source(PER_SOURCE * 300), Ipv4Addr::new(127, 1, 1, 45));
    }
}
