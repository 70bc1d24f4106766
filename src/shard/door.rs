use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{SocketFlags, accept_with};

use super::listen::{self, ListenFault};
use crate::ring::{Key, Queue};

/// A listener of this shard, open or closed.
///
/// Invariant: while it is open, one accept is in flight or an alarm is set to arm the next.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    socket: Option<OwnedFd>,
    /// Tells the completions of one opening from those of an earlier one.
    opening: u32,
    is_accepting: bool,
}

impl Door {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, socket: None, opening: 0, is_accepting: false }
    }

    /// Opens the socket; the address returned has the port the system chose. Accepting begins
    /// with [`Door::accept`].
    pub(super) fn open(&mut self) -> Result<SocketAddr, ListenFault> {
        let (socket, address) = listen::open(self.address)?;
        self.address = address;
        self.socket = Some(socket);
        self.opening = self.opening.wrapping_add(1);
        Ok(address)
    }

    pub(super) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Whether a completion with that key belongs to the present opening.
    pub(super) fn is_current(&self, key: Key) -> bool {
        self.is_open() && Key::new(key.slot, self.opening) == key
    }

    /// Accepts connections from now on, if the door is open and does not do so already.
    pub(super) fn accept(&mut self, index: usize, queue: &mut Queue) {
        if let (false, Some(socket)) = (self.is_accepting, &self.socket) {
            queue.accept(socket.as_fd(), self.key(index));
            self.is_accepting = true;
        }
    }

    /// The accept has ended.
    pub(super) fn stop_accepting(&mut self) {
        self.is_accepting = false;
    }

    /// Closes the socket, and returns the connections that had been made and not accepted: to
    /// close the listener over their heads would reset them.
    pub(super) fn close(&mut self, index: usize, queue: &mut Queue) -> Vec<OwnedFd> {
        let Some(socket) = self.socket.take() else { return Vec::new() };
        self.is_accepting = false;
        queue.cancel_accept(self.key(index));
        if rustix::io::ioctl_fionbio(&socket, true).is_err() {
            return Vec::new();
        }
        std::iter::from_fn(|| accept_with(&socket, SocketFlags::CLOEXEC).ok()).collect()
    }

    fn key(&self, index: usize) -> Key {
        Key::new(u32::try_from(index).unwrap_or(u32::MAX), self.opening)
    }
}
