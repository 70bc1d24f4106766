//! The memory that hashes are made in.

use std::alloc::{Layout, handle_alloc_error};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use zeroize::Zeroize;

/// Bytes of one block (RFC 9106, section 3.1).
pub(super) const BLOCK_BYTES: usize = 1024;

/// Bytes of a huge page of x86-64 and of AArch64 with 4 KiB pages. Elsewhere the alignment is
/// merely harmless.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// A way to see [`BLOCK_BYTES`] bytes of an arena.
///
/// # Safety
/// Every pattern of [`BLOCK_BYTES`] initialised bytes must be a value of the type, and every
/// value must leave all of those bytes initialised (no padding, no destructor that matters).
pub(super) unsafe trait Block: Copy {}

// SAFETY: an array of integers.
unsafe impl Block for [u64; BLOCK_BYTES / 8] {}

// SAFETY: its `AsRef<[u64]>` lends 128 words, which fill the whole of its 1024 bytes.
unsafe impl Block for argon2::Block {}

/// What the system is asked for: huge pages, no copy in a core dump, and all pages at once, so that no
/// hash waits for one. Miri, which interprets the tests, takes no advice.
const ADVICE: &[Advice] =
    if cfg!(miri) { &[] } else { &[Advice::LinuxHugepage, Advice::LinuxDontDump, Advice::LinuxPopulateWrite] };

/// Memory for blocks, reused from hash to hash: a fresh allocation for each would cost between a
/// sixth and a half of the throughput, in page faults.
///
/// It begins on a huge page, asks for huge pages, and stays out of core dumps, where the system
/// supports that. It grows when a hash needs more than there is and shrinks back when wiped.
///
/// It is not reserved at once for the dearest hash that is accepted: growing costs the pages that are
/// touched for the first time, which a reservation would not spare, and an installation that does not
/// overcommit memory would have to keep a gibibyte for each worker.
#[derive(Debug)]
pub(super) struct Arena {
    mapping: Mapping,
    /// What to shrink back to.
    blocks_count: usize,
    /// Blocks lent since the last wipe, counted from the front.
    used_count: usize,
}

impl Arena {
    /// Reserves `blocks_count` blocks of zeros, at least one.
    pub(super) fn new(blocks_count: usize) -> Self {
        let blocks_count = blocks_count.max(1);
        Self { mapping: Mapping::new(blocks_count * BLOCK_BYTES), blocks_count, used_count: 0 }
    }

    /// Lends the first `count` blocks, which hold zeros or what earlier hashes left there.
    pub(super) fn blocks<B: Block>(&mut self, count: usize) -> &mut [B] {
        if count * BLOCK_BYTES > self.mapping.bytes {
            self.wipe_used();
            self.mapping = Mapping::new(count * BLOCK_BYTES);
        }
        self.used_count = self.used_count.max(count);
        self.mapping.blocks(count)
    }

    /// Overwrites what hashes have left, and gives back what the arena has grown by.
    pub(super) fn wipe(&mut self) {
        self.wipe_used();
        if self.mapping.bytes > bytes_to_map(self.blocks_count * BLOCK_BYTES) {
            self.mapping = Mapping::new(self.blocks_count * BLOCK_BYTES);
        }
    }

    fn wipe_used(&mut self) {
        self.mapping.blocks::<[u64; BLOCK_BYTES / 8]>(self.used_count).as_flattened_mut().zeroize();
        self.used_count = 0;
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.wipe_used();
    }
}

/// Private anonymous memory, aligned to huge pages, that is unmapped when dropped.
#[derive(Debug)]
struct Mapping {
    /// What the system gave: one huge page more than needed, so that an aligned part fits.
    whole: NonNull<c_void>,
    whole_bytes: usize,
    /// The aligned part: `bytes` initialised bytes that nobody else refers to.
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: it owns its memory, as a `Box<[u8]>` does.
unsafe impl Send for Mapping {}

fn bytes_to_map(bytes: usize) -> usize {
    bytes.next_multiple_of(HUGE_PAGE_BYTES)
}

impl Mapping {
    fn new(bytes: usize) -> Self {
        let bytes = bytes_to_map(bytes);
        let whole_bytes = bytes + HUGE_PAGE_BYTES;
        // SAFETY: with a null address the system chooses a place that is free.
        let mapped = unsafe {
            mmap_anonymous(ptr::null_mut(), whole_bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        let Some(whole) = mapped.ok().and_then(NonNull::new) else {
            handle_alloc_error(Layout::new::<[u64; BLOCK_BYTES / 8]>());
        };
        let start = whole.cast::<u8>();
        let start = start.map_addr(|address| {
            let over = address.get() % HUGE_PAGE_BYTES;
            if over == 0 { address } else { address.saturating_add(HUGE_PAGE_BYTES - over) }
        });
        assert!(start.addr().get() + bytes <= whole.addr().get() + whole_bytes, "the aligned part lies in the whole");
        for advice in ADVICE {
            // SAFETY: the range was just mapped, and none of these changes what it holds.
            let advised = unsafe { madvise(start.as_ptr().cast(), bytes, *advice) };
            // A kernel without the advice leaves the memory as usable as before.
            advised.ok();
        }
        Self { whole, whole_bytes, start, bytes }
    }

    fn blocks<B: Block>(&mut self, count: usize) -> &mut [B] {
        const {
            assert!(size_of::<B>() == BLOCK_BYTES && align_of::<B>() <= HUGE_PAGE_BYTES);
        }
        assert!(count <= self.bytes / BLOCK_BYTES, "the mapping has room");
        // SAFETY: `count` blocks lie within the mapping, are aligned, and hold initialised bytes,
        // of which `Block` makes values; the result borrows `self`, so it is the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast::<B>(), count) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` and not unmapped since; references into it borrow `self`.
        let unmapped = unsafe { munmap(self.whole.as_ptr(), self.whole_bytes) };
        assert!(unmapped.is_ok(), "what was mapped can be unmapped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Words = [u64; BLOCK_BYTES / 8];

    #[test]
    fn an_arena_begins_with_zeros_on_a_huge_page() {
        let mut arena = Arena::new(3);
        let blocks = arena.blocks::<Words>(3);
        assert_eq!(blocks.as_ptr().addr() % HUGE_PAGE_BYTES, 0);
        assert!(blocks.as_flattened().iter().all(|&word| word == 0));
    }

    #[test]
    fn wiping_clears_what_was_lent_and_shrinks_what_had_grown() {
        let mut arena = Arena::new(8);
        let reserved_bytes = arena.mapping.bytes;
        arena.blocks::<Words>(5000).as_flattened_mut().fill(7);
        assert!(arena.mapping.bytes > reserved_bytes);
        arena.wipe();
        assert_eq!(arena.mapping.bytes, reserved_bytes);
        arena.blocks::<Words>(8).as_flattened_mut().fill(7);
        arena.wipe();
        assert!(arena.blocks::<Words>(8).as_flattened().iter().all(|&word| word == 0));
    }

    #[test]
    fn what_one_view_writes_the_other_reads() {
        let mut arena = Arena::new(2);
        arena.blocks::<Words>(2)[1][127] = 0x0123;
        assert_eq!(arena.blocks::<argon2::Block>(2)[1].as_ref()[127], 0x0123);
    }
}
