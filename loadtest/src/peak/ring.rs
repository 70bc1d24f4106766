//! The ring: sends and multishot receives, with buffers that the kernel fills.
//!
//! Knows neither protocols nor measurements. What it sends lives for ever (`&'static [u8]`), and
//! what it receives into belongs to it, so its face is safe: the kernel never holds memory that
//! anybody else could free.
//!
//! Promises kept here: every buffer is either published to the kernel or in the hands of exactly
//! one [`Filled`]; the mappings live as long as the process, because requests that are still in
//! flight when a ring is dropped may write into them.

#![expect(unsafe_code, reason = "the one place that shares memory with the kernel")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

const SUBMISSIONS: u32 = 4096;
const COMPLETIONS: u32 = 4 * SUBMISSIONS;
/// A power of two, as the kernel demands.
const BUFFERS: u16 = 1024;
const BUFFER_BYTES: usize = 4096;
const BUFFER_GROUP: u16 = 0;

const MSG_NOSIGNAL: i32 = 0x4000;
const MSG_WAITALL: i32 = 0x100;

/// Set in the user data of sends; the rest is the slot.
const SEND: u64 = 1 << 32;

/// A ring with one group of provided buffers. It stays on the thread that made it.
pub(super) struct Ring {
    ring: IoUring,
    entries: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    /// How many buffers were ever published, modulo 2^16: the index of the next one to publish.
    tail: u16,
}

/// What became of something asked for.
#[derive(Debug)]
pub(super) struct Completion {
    /// Whose it was.
    pub(super) slot: u32,
    /// What happened.
    pub(super) outcome: Outcome,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Bytes came in. `armed`: more will be reported without asking again.
    Received { filled: Filled, armed: bool },
    /// The other side has finished sending.
    Ended,
    /// No buffer was free; nothing is lost, but receiving must be asked for again.
    Starved,
    /// The operation failed.
    Failed(Errno),
}

/// A buffer with bytes from the kernel. There is one for each buffer at most: give it back with
/// [`Ring::recycle`].
#[derive(Debug)]
pub(super) struct Filled {
    index: u16,
    bytes: usize,
}

impl Ring {
    /// Sets up the ring and publishes all its buffers.
    ///
    /// # Errors
    /// When the kernel lacks what is needed (Linux 6.1 has it) or forbids it.
    pub(super) fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        let entries = map(usize::from(BUFFERS) * size_of::<BufRingEntry>())?.cast::<BufRingEntry>();
        let memory = map(usize::from(BUFFERS) * BUFFER_BYTES)?;
        let address = entries.as_ptr().expose_provenance() as u64;
        // SAFETY: `entries` is page-aligned, has room for BUFFERS entries, and is never unmapped.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, BUFFERS, BUFFER_GROUP, 0) }?;
        let mut this = Self { ring, entries, memory, tail: 0 };
        for index in 0..BUFFERS {
            this.stage(index);
        }
        this.publish();
        Ok(this)
    }

    /// Sends all of `message`. Success is not reported; failure is.
    ///
    /// # Errors
    /// When the kernel takes no submissions.
    pub(super) fn send(&mut self, slot: u32, socket: BorrowedFd<'_>, message: &'static [u8]) -> io::Result<()> {
        let bytes = u32::try_from(message.len()).map_err(io::Error::other)?;
        let operation = opcode::Send::new(Fd(socket.as_raw_fd()), message.as_ptr(), bytes)
            .flags(MSG_NOSIGNAL | MSG_WAITALL)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(SEND | u64::from(slot));
        self.push(&operation)
    }

    /// Receives from `socket` until it ends, fails, or buffers run out.
    ///
    /// # Errors
    /// When the kernel takes no submissions.
    pub(super) fn receive(&mut self, slot: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        let operation = opcode::RecvMulti::new(Fd(socket.as_raw_fd()), BUFFER_GROUP).build().user_data(u64::from(slot));
        self.push(&operation)
    }

    /// Submits what was asked for and waits until something is completed or `wait_max` has passed.
    ///
    /// # Errors
    /// When the kernel fails to wait.
    pub(super) fn wait(&mut self, wait_max: Duration) -> io::Result<()> {
        let limit = Timespec::from(wait_max);
        match self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&limit)) {
            Ok(_) => Ok(()),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::TIME | Errno::INTR | Errno::BUSY) => Ok(()),
                Some(_) | None => Err(error),
            },
        }
    }

    /// Moves everything that is completed to the end of `into`.
    pub(super) fn reap(&mut self, into: &mut Vec<Completion>) {
        into.extend(self.ring.completion().map(|entry| Completion {
            slot: (entry.user_data() & u64::from(u32::MAX)) as u32,
            outcome: outcome(&entry),
        }));
    }

    /// The bytes received.
    pub(super) fn bytes(&self, filled: &Filled) -> &[u8] {
        let start = self.buffer(filled.index);
        // SAFETY: the buffer is not published, so the kernel leaves it alone while `filled` is
        // borrowed; the kernel has initialised `bytes` of its bytes, as `outcome` asserts.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), filled.bytes) }
    }

    /// Gives the buffer back to the kernel.
    pub(super) fn recycle(&mut self, filled: Filled) {
        self.stage(filled.index);
        self.publish();
    }

    fn push(&mut self, operation: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: a send's message lives for ever and a receive names no memory; a file
            // descriptor that is closed meanwhile makes the operation fail, no more.
            if unsafe { self.ring.submission().push(operation) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }

    fn buffer(&self, index: u16) -> NonNull<u8> {
        assert!(index < BUFFERS, "the kernel names a buffer it was never given");
        // SAFETY: `index` is below BUFFERS, so the offset lies inside the mapping.
        unsafe { self.memory.add(usize::from(index) * BUFFER_BYTES) }
    }

    /// Writes the next entry of the buffer ring.
    fn stage(&mut self, index: u16) {
        let address = self.buffer(index).as_ptr().expose_provenance() as u64;
        let place = usize::from(self.tail % BUFFERS);
        // SAFETY: `place` is below BUFFERS, so the offset lies inside the mapping.
        let mut entry = unsafe { self.entries.add(place) };
        // SAFETY: the entry is mapped and zeroed at first; the kernel does not touch an entry
        // before the tail has passed it, and nobody else holds a reference to it.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(address);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see what was staged.
    fn publish(&self) {
        // SAFETY: `entries` is the first entry of the mapped ring.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the tail is mapped, aligned to two bytes, and shared with the kernel, which only
        // reads it; every access on this side is atomic.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

/// Reads one completion.
fn outcome(entry: &cqueue::Entry) -> Outcome {
    let filled = cqueue::buffer_select(entry.flags())
        .map(|index| Filled { index, bytes: usize::try_from(entry.result()).unwrap_or(0) });
    match (entry.result(), filled) {
        (1.., Some(filled)) => {
            assert!(filled.bytes <= BUFFER_BYTES, "the kernel writes no more than a buffer holds");
            Outcome::Received { filled, armed: cqueue::more(entry.flags()) }
        }
        (0.., _) => Outcome::Ended,
        (error, _) if Errno::from_raw_os_error(-error) == Errno::NOBUFS => Outcome::Starved,
        (error, _) => Outcome::Failed(Errno::from_raw_os_error(-error)),
    }
}

/// Maps fresh zeroed memory, for good.
fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new private mapping at an address of the kernel's choice touches nothing.
    let start = unsafe {
        mmap_anonymous(
            ptr::null_mut(),
            bytes,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::POPULATE,
        )
    }?;
    NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("tail", &self.tail).finish_non_exhaustive()
    }
}
