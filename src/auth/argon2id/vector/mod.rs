//! Argon2id with one lane, by vector instructions of x86-64.
//!
//! # The algorithm
//!
//! Argon2id (RFC 9106, section 3.2) fills a memory of *q* blocks of 1 KiB, *t* times over, and
//! hashes the last block. In prose:
//!
//! - *H_0* is BLAKE2b of the cost and of all inputs. Blocks 0 and 1 are made from it by the
//!   variable-length hash *H'* ([`blake`]).
//! - Every further block is *G* of the block before it and of a block further back, its
//!   *reference* ([`plain`]). From the second pass on, it is added to what the block held.
//! - The reference is picked from a window of blocks ([`plan`]) by a pseudo-random word: in the
//!   first half of the first pass one made from the position alone, afterwards the first word of
//!   the block before.
//! - *G* adds two blocks, mixes the rows of the sum, then its columns, and adds the sum once more.
//!
//! # The departures
//!
//! What is computed is the same to the bit; the self-test and the tests below compare it with the
//! `argon2` crate.
//!
//! 1. Blocks are kept in an order in which mixing needs no transposition and few turns
//!    ([`layout`]). Only the first two blocks are brought into it, and only the last out of it.
//! 2. The references of the first half pass depend on (m, t) alone, so they are worked out once
//!    and kept ([`plan::Plan`]), and each is fetched three blocks ahead.
//! 3. Within a block, the columns with the first word come first. As soon as it is known, the
//!    next reference is fetched, while the other columns are mixed: the memory does not fit in
//!    the caches near the processor, and a reference takes as long to arrive as a block to mix.
//! 4. It is fetched "non-temporally": it will not be needed again soon, and must not displace the
//!    blocks that were written last. The block two further on is fetched for writing.
//! 5. The sum that is added in the end waits in the block that is being made, not in registers.

mod avx2;
mod avx512;
mod blake;
mod layout;
mod plain;
mod plan;

use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_NTA, _mm_prefetch};

use zeroize::Zeroizing;

use avx2::Avx2;
use avx512::Avx512;
use plan::{Plan, Step};

use super::arena::{self, Arena, BLOCK_BYTES};
use super::{Inputs, Kernel};
use crate::model::Argon2idCost;

/// The vector kernels, with what they remember from hash to hash.
#[derive(Debug, Default)]
pub(super) struct Vectors {
    /// Of the cost that was last hashed at.
    plan: Option<Plan>,
}

impl Vectors {
    /// Whether `kernel` is one of them, and this processor has the instructions.
    pub(super) fn have(kernel: Kernel) -> bool {
        match kernel {
            Kernel::Avx512 => Avx512::is_available(),
            Kernel::Avx2 => Avx2::is_available(),
            Kernel::Crate => false,
        }
    }

    /// Lets the next hash of this cost go wrong.
    #[cfg(test)]
    pub(super) fn misplan(&mut self, cost: Argon2idCost) {
        self.plan = Some(Plan::new(cost).gone_wrong());
    }

    /// Fills `tag` with the hash of `inputs`.
    ///
    /// # Panics
    /// When [`Vectors::have`] denies `kernel`, or `cost` has more than one lane.
    pub(super) fn hash(
        &mut self,
        kernel: Kernel,
        cost: Argon2idCost,
        inputs: &Inputs<'_>,
        arena: &mut Arena,
        tag: &mut [u8],
    ) {
        let plan = match self.plan.take() {
            Some(plan) if plan.is_for(cost) => plan,
            Some(_) | None => Plan::new(cost),
        };
        match kernel {
            Kernel::Avx512 => hash::<Avx512>(&plan, cost, inputs, arena, tag),
            Kernel::Avx2 => hash::<Avx2>(&plan, cost, inputs, arena, tag),
            Kernel::Crate => unreachable!("the crate is not one of the vector kernels"),
        }
        self.plan = Some(plan);
    }
}

/// A way to fill the memory of one lane.
trait VectorKernel {
    /// A block as the kernel sees it.
    type Block: arena::Block;

    /// Where in a block the kernel keeps each word.
    const PLACES: [usize; 128];

    /// Whether this processor has the instructions.
    fn is_available() -> bool;

    /// Fills all blocks of the lane but the first two, which are given.
    ///
    /// # Panics
    /// When this processor lacks the instructions.
    fn fill_memory(plan: &Plan, blocks: &mut [Self::Block]);
}

/// Fills `tag` with the hash of `inputs`; `plan` is the one for `cost`.
fn hash<K: VectorKernel>(plan: &Plan, cost: Argon2idCost, inputs: &Inputs<'_>, arena: &mut Arena, tag: &mut [u8]) {
    let prehash = blake::prehash(cost, inputs, tag.len());
    let mut bytes = Zeroizing::new([0; BLOCK_BYTES]);
    // RFC 9106, section 3.2, steps 3 and 4.
    for (number, block) in (0_u32..2).zip(arena.blocks::<plain::Words>(plan.lane())) {
        blake::long_hash(&[&prehash[..], &number.to_le_bytes(), &0_u32.to_le_bytes()], &mut *bytes);
        for (word, place) in bytes.as_chunks().0.iter().zip(K::PLACES) {
            block[place] = u64::from_le_bytes(*word);
        }
    }
    K::fill_memory(plan, arena.blocks(plan.lane()));
    let last = &arena.blocks::<plain::Words>(plan.lane())[plan.lane() - 1];
    for (word, place) in bytes.as_chunks_mut().0.iter_mut().zip(K::PLACES) {
        *word = last[place].to_le_bytes();
    }
    blake::long_hash(&[&bytes[..]], tag);
}

/// The blocks of one step: the previous one, the reference, and the one to fill.
///
/// # Panics
/// When one of them is another of them, which no window allows (RFC 9106, section 3.4.2).
#[inline(always)]
#[expect(clippy::expect_used, reason = "a wrong step would make wrong hashes")]
fn blocks_of<B>(blocks: &mut [B], step: Step) -> [&mut B; 3] {
    blocks.get_disjoint_mut([step.previous, step.reference, step.current]).expect("a block refers to others")
}

/// Picks the next reference by the first word of the block being made, and has the processor
/// fetch what the next blocks need. `first` is block 0; nothing is read through it here.
#[inline]
#[target_feature(enable = "sse")]
fn look_ahead<B>(first: *const B, step: Step, first_word: u64) -> usize {
    let next = step.next.pick(first_word);
    prefetch::<_MM_HINT_NTA>(first.wrapping_add(step.soon.unwrap_or(next)).cast());
    // Beyond the end of the lane this is an address like any other: fetching never faults.
    prefetch::<_MM_HINT_ET0>(first.wrapping_add(step.current + 2).cast());
    next
}

#[inline]
#[target_feature(enable = "sse")]
fn prefetch<const HINT: i32>(block: *const i8) {
    for line in 0..BLOCK_BYTES / 64 {
        _mm_prefetch::<HINT>(block.wrapping_add(64 * line));
    }
}
