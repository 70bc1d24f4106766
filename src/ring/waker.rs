use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

/// Ends a ring's wait from another thread, by an eventfd the ring reads.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// A waker nobody listens to yet; see [`super::Queue::listen`].
    ///
    /// # Errors
    /// When no file descriptor is to be had.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?)))
    }

    /// Ends the current wait, or the next one if none is going on.
    #[expect(clippy::host_endian_bytes, reason = "an eventfd counts in the machine's own order (eventfd(2))")]
    pub fn wake(&self) {
        // The counter can only fail to grow when it is about to overflow, and then it is not
        // zero: the ring wakes all the same.
        rustix::io::write(&*self.0, &1_u64.to_ne_bytes()).ok();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
