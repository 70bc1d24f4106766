use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, getpeername};

use super::desk::{Desk, House};
use crate::control::{Admitted, Barred, Channel, Full};
use crate::model::network_of;
use crate::proto::Reply;
use crate::ring::{OutId, Ring};
use crate::tls::REFUSAL;

/// Why a connection gets no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwelcome {
    /// Its address may not connect.
    Barred(Barred),
    /// The listener takes no connections from its address.
    Restricted,
    /// There is no channel for it.
    Full(Full),
    /// The server is stopping.
    Stopping,
}

impl Unwelcome {
    /// Every reason that is told.
    const TOLD: [Self; 6] = [
        Self::Restricted,
        Self::Barred(Barred::Blacklisted),
        Self::Barred(Barred::Blocked),
        Self::Full(Full::Channels),
        Self::Full(Full::Address),
        Self::Stopping,
    ];

    /// What the client is told; `None`: not a word.
    fn reply(self) -> Option<Reply> {
        match self {
            Self::Barred(Barred::Denied) => None,
            Self::Barred(Barred::Blacklisted) => Some(Reply::Blacklisted),
            Self::Barred(Barred::Blocked) => Some(Reply::Blocked),
            Self::Restricted => Some(Reply::Restricted),
            Self::Full(Full::Channels) => Some(Reply::TooManyChannels),
            Self::Full(Full::Address) => Some(Reply::TooManyFromAddress),
            Self::Stopping => Some(Reply::ShuttingDown),
        }
    }

    /// Prints what a client of `house` is told: under TLS, where no handshake has been made, an
    /// alert.
    pub(super) fn print(self, house: &House, into: &mut Vec<u8>) {
        match self.reply() {
            Some(_) if house.begins_with_tls => into.extend_from_slice(&REFUSAL),
            Some(reply) => reply.print(&house.rules, into),
            None => {}
        }
    }
}

impl fmt::Display for Unwelcome {
    /// As the log tells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Barred(barred) => write!(f, "{barred:?}"),
            Self::Restricted => f.write_str("not taken by this listener"),
            Self::Full(Full::Channels) => f.write_str("too many"),
            Self::Full(Full::Address) => f.write_str("too many from its address"),
            Self::Stopping => f.write_str("the server is stopping"),
        }
    }
}

/// Where the lines that refuse the connections of one listener lie in the send buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusals {
    out: OutId,
    lines: [(usize, usize); Unwelcome::TOLD.len()],
}

impl Refusals {
    /// Lays the lines down in a send buffer that is never given back.
    pub(super) fn prepare(house: &House, ring: &mut Ring) -> Self {
        let out = ring.outgoing.take();
        let mut text = Vec::new();
        let lines = Unwelcome::TOLD.map(|why| {
            let start = text.len();
            why.print(house, &mut text);
            (start, text.len())
        });
        ring.outgoing.write(out, 0, &text);
        Self { out, lines }
    }

    /// Sends `connection` away, with a line if the reason is told.
    pub(super) fn send(&self, connection: OwnedFd, why: Unwelcome, ring: &mut Ring) {
        if let Some(index) = Unwelcome::TOLD.iter().position(|told| *told == why) {
            let (start, end) = self.lines[index];
            ring.queue.refuse(connection, &ring.outgoing, self.out, start, end);
        }
    }
}

/// The other end of a connection; `None`: it is gone already. Whoever uses a Unix-domain socket is on
/// this machine, and that is all there is to say.
pub(super) fn peer(connection: impl AsFd) -> Option<SocketAddr> {
    let peer = getpeername(connection).ok()??;
    if peer.address_family() == AddressFamily::UNIX {
        return Some((Ipv4Addr::LOCALHOST, 0).into());
    }
    let peer: SocketAddr = peer.try_into().ok()?;
    // Over IPv4 into a socket for both.
    Some(SocketAddr::new(peer.ip().to_canonical(), peer.port()))
}

impl Desk {
    /// Takes a channel for a session with a client at `peer`.
    ///
    /// # Errors
    /// Why it is not welcome.
    pub(super) fn admit(&self, listener: usize, peer: IpAddr) -> Result<(Channel, Admitted), Unwelcome> {
        let admitted = self.control.gate.admit(peer, self.now).map_err(Unwelcome::Barred)?;
        if !self.listeners[listener].restriction.allows(peer) {
            return Err(Unwelcome::Restricted);
        }
        let kept = if admitted.is_client { 0 } else { self.live.channels_for_clients };
        let channels = self.live.channels.saturating_sub(kept);
        Ok((self.take_channel(peer, channels, self.live.connections_per_address)?, admitted))
    }

    /// Takes a channel for a session with a client that the proxy at `peer` has still to name, and
    /// that is judged then.
    pub(super) fn admit_proxy(&self, peer: IpAddr) -> Result<(Channel, Admitted), Unwelcome> {
        let channel = self.take_channel(peer, self.live.channels, 0)?;
        Ok((channel, Admitted::default()))
    }

    fn take_channel(&self, peer: IpAddr, channels: u32, per_address: u32) -> Result<Channel, Unwelcome> {
        if self.is_stopping {
            return Err(Unwelcome::Stopping);
        }
        let peer = network_of(peer, self.live.ipv6_prefix_length);
        self.control.channels.take(peer, channels, per_address).map_err(Unwelcome::Full)
    }
}
