use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{SocketFlags, accept_with};

use super::listen::{self, ListenFault, Port};
use crate::ring::{Key, Queue};

/// Where connections come in: a socket of this shard, or its part in one of all shards, open or
/// closed.
///
/// Invariant: while it is open, one accept is in flight or an alarm is set to arm the next.
#[derive(Debug)]
pub(super) struct Door {
    /// Which of the desk's listeners it belongs to.
    listener: usize,
    way: Way,
    socket: Option<Arc<OwnedFd>>,
    /// Tells the completions of one opening from those of an earlier one.
    opening: u32,
    is_accepting: bool,
}

#[derive(Clone, Debug)]
enum Way {
    /// Opened by this shard for itself.
    Own(Port),
    /// Opened for all shards, for as long as they live.
    Shared {
        socket: Arc<OwnedFd>,
        /// Somebody else goes on listening: what has not been accepted waits for our successor.
        is_kept: bool,
    },
}

impl Door {
    pub(super) fn new(listener: usize, port: Port) -> Self {
        Self::with(listener, Way::Own(port))
    }

    /// One of several doors to the same socket.
    pub(super) fn shared(listener: usize, socket: Arc<OwnedFd>, is_kept: bool) -> Self {
        Self::with(listener, Way::Shared { socket, is_kept })
    }

    fn with(listener: usize, way: Way) -> Self {
        Self { listener, way, socket: None, opening: 0, is_accepting: false }
    }

    pub(super) fn listener(&self) -> usize {
        self.listener
    }

    /// Opens the socket. Accepting begins with [`Door::accept`].
    pub(super) fn open(&mut self) -> Result<(), ListenFault> {
        self.socket = Some(match &mut self.way {
            Way::Own(port) => {
                let (socket, address) = listen::open(*port)?;
                port.address = address;
                Arc::new(socket)
            }
            Way::Shared { socket, .. } => Arc::clone(socket),
        });
        self.opening = self.opening.wrapping_add(1);
        Ok(())
    }

    /// The address of a port, once it was opened with the number the system chose.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.way {
            Way::Own(port) => Some(port.address),
            Way::Shared { .. } => None,
        }
    }

    /// Whether it is open while there are no channels: only a port can be left to others. Who comes
    /// through another door is told.
    pub(super) fn is_open_to_all(&self) -> bool {
        matches!(self.way, Way::Shared { .. })
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
        let is_kept = matches!(self.way, Way::Shared { is_kept: true, .. });
        if is_kept || rustix::io::ioctl_fionbio(&*socket, true).is_err() {
            return Vec::new();
        }
        std::iter::from_fn(|| accept_with(&*socket, SocketFlags::CLOEXEC).ok()).collect()
    }

    fn key(&self, index: usize) -> Key {
        Key::new(u32::try_from(index).unwrap_or(u32::MAX), self.opening)
    }
}
