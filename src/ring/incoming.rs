#![expect(unsafe_code, reason = "memory shared with the kernel")]

use std::fmt;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::Queue;

/// Bytes the kernel has received into one of our buffers. Neither cloned nor dropped lightly:
/// [`Incoming::give_back`] takes it back.
#[derive(Debug)]
#[must_use = "a buffer that is not given back is lost to the ring"]
pub struct Buffer {
    id: u16,
    bytes: u32,
}

impl Buffer {
    /// Buffer `id`, of which the kernel filled the first `bytes`.
    pub(super) fn new(id: u16, bytes: u32) -> Self {
        Self { id, bytes }
    }
}

/// The registered ring of provided buffers: the kernel picks one for each receive when data is
/// there, so idle connections hold none.
///
/// Layout of the one mapping: `count` descriptors of 16 bytes (the ring the kernel reads; its
/// tail lies in the reserved field of the first), then `count` buffers.
pub struct Incoming {
    memory: NonNull<u8>,
    count: u16,
    /// Descriptors written so far, modulo 2^16.
    tail: u16,
}

impl Incoming {
    /// Bytes of one receive buffer. A command line is some 30 bytes; a longer one is received in
    /// pieces.
    pub const BUFFER_BYTES: usize = 1024;

    /// The buffer group all receives of a ring draw from.
    pub(super) const GROUP: u16 = 0;

    const DESCRIPTOR_BYTES: usize = size_of::<BufRingEntry>();

    /// Maps the memory and registers it with the ring of `queue`. `count` must be a power of two.
    pub(super) fn register(queue: &Queue, count: u16) -> io::Result<Self> {
        assert!(count.is_power_of_two(), "the kernel masks buffer positions");
        let bytes = Self::mapped_bytes(count);
        // SAFETY: a fresh private mapping at an address of the kernel's choice aliases nothing.
        let memory =
            unsafe { mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)? };
        let memory = NonNull::new(memory.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let mut incoming = Self { memory, count, tail: 0 };
        for id in 0..count {
            incoming.push(id);
        }
        incoming.publish();
        queue.register_buffers(memory.as_ptr() as u64, count, Self::GROUP)?;
        Ok(incoming)
    }

    fn mapped_bytes(count: u16) -> usize {
        usize::from(count) * (Self::DESCRIPTOR_BYTES + Self::BUFFER_BYTES)
    }

    fn buffer(&self, id: u16) -> *mut u8 {
        assert!(id < self.count, "the kernel named a buffer it was never given");
        let offset = usize::from(self.count) * Self::DESCRIPTOR_BYTES + usize::from(id) * Self::BUFFER_BYTES;
        self.memory.as_ptr().wrapping_add(offset)
    }

    /// What was received. Parsed in place: this is the zero-copy path.
    #[must_use]
    pub fn bytes(&self, buffer: &Buffer) -> &[u8] {
        let bytes = (buffer.bytes as usize).min(Self::BUFFER_BYTES);
        // SAFETY: the buffer lies within the mapping (checked by `buffer`), which lives as long as
        // `self`; the kernel wrote these bytes and does not touch them again until `give_back`,
        // which takes the `Buffer` that is borrowed here.
        unsafe { std::slice::from_raw_parts(self.buffer(buffer.id), bytes) }
    }

    /// Wipes the buffer, as it may have held a password, and returns it to the kernel at the next
    /// [`super::Ring::turn`].
    pub fn give_back(&mut self, buffer: Buffer) {
        let bytes = (buffer.bytes as usize).min(Self::BUFFER_BYTES);
        // SAFETY: within the mapping, and no borrow of it can be alive: `self` is borrowed mutably.
        // The kernel reads the address of this memory, so the write cannot be optimised away.
        unsafe { ptr::write_bytes(self.buffer(buffer.id), 0, bytes) };
        self.push(buffer.id);
    }

    /// Writes the descriptor of buffer `id` at the tail, not yet visible to the kernel.
    fn push(&mut self, id: u16) {
        let index = usize::from(self.tail & (self.count - 1));
        let entry = self.memory.as_ptr().cast::<BufRingEntry>().wrapping_add(index);
        let address = self.buffer(id) as u64;
        // SAFETY: `index` is below `count`, so the entry lies in the descriptor part of the
        // mapping; the kernel does not read entries beyond the published tail. The entry's
        // reserved field, which holds the tail, is left alone by the setters.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(Self::BUFFER_BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Makes all descriptors written so far visible to the kernel.
    pub(super) fn publish(&mut self) {
        // SAFETY: the first descriptor exists and was written by `register`.
        let tail = unsafe { BufRingEntry::tail(self.memory.as_ptr().cast()) };
        // SAFETY: the tail is a 16-bit word of the mapping, aligned, and shared with the kernel,
        // which reads it with acquire order.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Whether the `bytes` bytes at `address`, in a buffer that was given back, are zero.
    #[cfg(test)]
    pub(super) fn is_wiped(&self, address: *const u8, bytes: usize) -> bool {
        let mapped = Self::mapped_bytes(self.count);
        let offset = address as usize - self.memory.as_ptr() as usize;
        assert!(offset + bytes <= mapped);
        // SAFETY: within the mapping (asserted), and the kernel is not entered meanwhile.
        unsafe { std::slice::from_raw_parts(address, bytes) }.iter().all(|&byte| byte == 0)
    }

    /// Leaves the mapping to the kernel for ever.
    pub(super) fn abandon(&mut self) {
        self.count = 0;
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        // SAFETY: mapped by `register` with this length; no borrow outlives `self`, and the ring
        // is gone or idle.
        let unmapped = unsafe { munmap(self.memory.as_ptr().cast(), Self::mapped_bytes(self.count)) };
        debug_assert!(unmapped.is_ok());
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({} buffers)", self.count)
    }
}
