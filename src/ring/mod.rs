//! The io_uring driver: operations in, completions out, and the buffers between.
//!
//! It has never heard of accounts, passwords, lines or replies. A [`Ring`] belongs to one thread
//! and is driven by one call a turn, [`Ring::turn`], which submits everything queued since the
//! last one, sleeps until something completes or the given time has passed, and reaps what
//! completed: one `io_uring_enter`.
//!
//! Invariants:
//! - A buffer belongs either to the kernel or to us. A receive buffer is ours from its
//!   [`Received::Data`] until [`Incoming::give_back`], which wipes it; the filled part of a send
//!   buffer is the kernel's until the [`Completion::Sent`] that ends the operation.
//! - Every operation is counted until its last completion; [`Ring::in_flight`] is zero only when
//!   the kernel holds none of our memory.
//! - A completion names the [`Key`] its operation was given, generation included, so that a late
//!   one can never be taken for another session's.

mod incoming;
mod key;
mod outgoing;
mod probe;
mod queue;
#[cfg(test)]
mod tests;
mod waker;

use std::io;

pub use incoming::{Buffer, Incoming};
pub use key::Key;
pub use outgoing::{OutId, Outgoing};
pub use probe::{Features, KERNEL_MIN, Unavailable, probe};
pub use queue::{Completion, Queue, Received, Setup, Wait};
pub use waker::Waker;

/// Receive buffers of a ring, unless it is made with another number.
pub const RECEIVE_BUFFERS: u16 = 256;

/// How large a ring's parts are. Everything is allocated when the ring is made.
#[derive(Clone, Copy, Debug)]
pub struct RingSize {
    /// Operations that can be queued before the kernel is entered; the completion queue has four
    /// times as many places.
    pub operations: u32,
    /// Receive buffers, a power of two. They are given back within the turn that filled them, so
    /// they need cover one batch of completions, not every session.
    pub receive_buffers: u16,
    /// Completions reaped in one turn, so that a flood cannot keep the turn from ending.
    pub completions_per_turn_max: usize,
}

impl Default for RingSize {
    fn default() -> Self {
        Self { operations: 1024, receive_buffers: RECEIVE_BUFFERS, completions_per_turn_max: 256 }
    }
}

/// One thread's ring. The parts are separate fields so that a received line can be read in place
/// while replies are written.
#[derive(Debug)]
pub struct Ring {
    // Dropped first: the kernel lets go of the buffers before they are freed.
    /// Operations and completions.
    pub queue: Queue,
    /// The registered receive buffers.
    pub incoming: Incoming,
    /// The send buffers.
    pub outgoing: Outgoing,
}

impl Ring {
    /// Makes the calling thread's ring.
    ///
    /// # Errors
    /// When the kernel refuses; [`probe`] explains why.
    pub fn new(size: RingSize) -> io::Result<Self> {
        Self::on(Queue::new(size)?, size)
    }

    fn on(queue: Queue, size: RingSize) -> io::Result<Self> {
        let incoming = Incoming::register(&queue, size.receive_buffers)?;
        Ok(Self { queue, incoming, outgoing: Outgoing::default() })
    }

    /// Gives the wiped receive buffers back to the kernel, then submits, waits and reaps:
    /// completions are appended to `into`.
    ///
    /// # Errors
    /// Only for faults that leave the ring unusable.
    pub fn turn(&mut self, wait: Wait, into: &mut Vec<Completion>) -> io::Result<()> {
        self.incoming.publish();
        self.queue.turn(wait, into)
    }

    /// Operations whose last completion has not been reaped.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.queue.in_flight()
    }

    /// How many turns found more completions than their queue has places for. The kernel keeps the
    /// rest until there is room, so none is lost; but it ends what serves many, such as an accept.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.queue.overflows()
    }
}

impl Drop for Ring {
    /// A ring that still holds operations keeps its buffers for ever: the kernel may yet write to
    /// them. The shard drains its ring before it drops it, so this is the path of a failed one.
    fn drop(&mut self) {
        if self.in_flight() > 0 {
            self.incoming.abandon();
            self.outgoing.abandon();
        }
    }
}
