use std::fmt;

/// Which send buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutId(u32);

/// The send buffers of one ring: taken while a session has something to send, then given back, so
/// that idle sessions hold none. Each is allocated once and never moves.
#[derive(Default)]
pub struct Outgoing {
    buffers: Vec<Box<[u8; Self::BUFFER_BYTES]>>,
    free: Vec<OutId>,
}

impl Outgoing {
    /// Bytes of one send buffer.
    pub const BUFFER_BYTES: usize = 4096;

    /// Takes a buffer; its contents are whatever was there.
    pub fn take(&mut self) -> OutId {
        self.free.pop().unwrap_or_else(|| {
            let id = u32::try_from(self.buffers.len()).unwrap_or(u32::MAX);
            self.buffers.push(Box::new([0; Self::BUFFER_BYTES]));
            OutId(id)
        })
    }

    /// Copies `bytes` into the buffer at `at`. The place must not be part of a send in flight.
    ///
    /// # Panics
    /// When they do not fit: the caller keeps count of the room.
    pub fn write(&mut self, id: OutId, at: usize, bytes: &[u8]) {
        self.buffers[id.0 as usize][at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The bytes from `start` to `end`.
    #[must_use]
    pub fn read(&self, id: OutId, start: usize, end: usize) -> &[u8] {
        &self.buffers[id.0 as usize][start..end]
    }

    /// Gives the buffer back; no send of it may be in flight.
    pub fn give_back(&mut self, id: OutId) {
        self.free.push(id);
    }

    pub(super) fn abandon(&mut self) {
        self.buffers.drain(..).for_each(|buffer| {
            Box::leak(buffer);
        });
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({} buffers, {} free)", self.buffers.len(), self.free.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_reused_and_keep_their_address() {
        let mut outgoing = Outgoing::default();
        let first = outgoing.take();
        outgoing.write(first, 0, b"hello");
        let address = outgoing.read(first, 0, 5).as_ptr();
        let others: Vec<OutId> = (0..100).map(|_| outgoing.take()).collect();
        assert_eq!(outgoing.read(first, 0, 5).as_ptr(), address);
        assert_eq!(outgoing.read(first, 0, 5), b"hello");
        others.into_iter().for_each(|id| outgoing.give_back(id));
        outgoing.give_back(first);
        assert_eq!(outgoing.take(), first);
        assert_eq!(outgoing.buffers.len(), 101);
    }
}
