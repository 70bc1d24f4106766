//! The order in which the blocks of one lane are filled, and which block each refers to
//! (RFC 9106, sections 3.2 and 3.4).

use super::blake::TYPE;
use super::plain::{Words, compress};
use crate::model::Argon2idCost;

/// The walk over the memory that every hash of one (m, t) shares, whatever the password.
#[derive(Debug)]
pub(super) struct Plan {
    m_kib: u32,
    t: u32,
    /// Blocks of a segment, a quarter of the lane.
    segment: usize,
    /// Of each block in the first half of the first pass, the block it refers to. These depend
    /// on (m, t) alone (RFC 9106, section 3.4.1.2). The first two entries mean nothing.
    independent: Vec<u32>,
}

/// One block to fill, as numbers of blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The block to fill, from these two:
    pub(super) current: usize,
    /// the one filled last, and
    pub(super) previous: usize,
    /// the one referred to.
    pub(super) reference: usize,
    /// Later passes add to what the block holds.
    pub(super) is_first_pass: bool,
    /// Where the block after this one finds its reference, once this block's first word is known.
    pub(super) next: Window,
    /// A reference needed soon, where it is known without that word.
    pub(super) soon: Option<usize>,
}

/// The blocks a block may refer to (RFC 9106, section 3.4.2): `count` of them, from `start` on,
/// in a lane of `lane` that wraps around.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    start: usize,
    count: usize,
    lane: usize,
}

impl Window {
    /// The block that *J_1*, the lower half of `word`, refers to (RFC 9106, section 3.4.2).
    #[inline(always)]
    pub(super) fn pick(self, word: u64) -> usize {
        let j1 = word & u64::from(u32::MAX);
        // The product of two numbers below 2^32, divided by 2^32, is again below 2^32.
        let back = (self.count as u64 * ((j1 * j1) >> 32)) >> 32;
        let place = self.start + self.count - 1 - back as usize;
        if place < self.lane { place } else { place - self.lane }
    }
}

/// How far the walk has come.
#[derive(Clone, Copy)]
struct Position {
    pass: u32,
    slice: usize,
    /// In the segment.
    index: usize,
}

impl Plan {
    /// Of a cost with one lane.
    pub(super) fn new(cost: Argon2idCost) -> Self {
        assert_eq!(cost.p, 1, "a plan is for one lane");
        let mut plan = Self { m_kib: cost.m_kib, t: cost.t, segment: cost.m_kib as usize / 4, independent: Vec::new() };
        for slice in 0..2 {
            plan.add_independent(slice);
        }
        plan
    }

    /// The same plan, but for one reference.
    #[cfg(test)]
    pub(super) fn gone_wrong(mut self) -> Self {
        self.independent[300] ^= 1;
        self
    }

    /// Whether it is the plan for `cost`.
    pub(super) fn is_for(&self, cost: Argon2idCost) -> bool {
        (self.m_kib, self.t, 1) == (cost.m_kib, cost.t, cost.p)
    }

    /// Blocks of the lane, *q* of RFC 9106, section 3.2.
    pub(super) fn lane(&self) -> usize {
        4 * self.segment
    }

    /// Appends the references of one segment (RFC 9106, section 3.4.1.2).
    fn add_independent(&mut self, slice: usize) {
        const ZERO: Words = [0; 128];
        let mut addresses = ZERO;
        for index in 0..self.segment {
            if index % 128 == 0 {
                let mut input = ZERO;
                let counter = index as u64 / 128 + 1;
                let numbers = [0, 0, slice as u64, self.lane() as u64, self.t.into(), TYPE.into(), counter];
                input[..7].copy_from_slice(&numbers);
                addresses = compress(&ZERO, &compress(&ZERO, &input));
            }
            let window = self.window(Position { pass: 0, slice, index });
            let is_made_from_inputs = slice == 0 && index < 2;
            let reference = if is_made_from_inputs { 0 } else { window.pick(addresses[index % 128]) };
            self.independent.push(reference as u32);
        }
    }

    #[inline(always)]
    fn block(&self, at: Position) -> usize {
        at.slice * self.segment + at.index
    }

    #[inline(always)]
    fn after(&self, at: Position) -> Position {
        if at.index + 1 < self.segment {
            Position { index: at.index + 1, ..at }
        } else if at.slice < 3 {
            Position { slice: at.slice + 1, index: 0, ..at }
        } else {
            Position { pass: at.pass + 1, slice: 0, index: 0 }
        }
    }

    /// In the first pass, all blocks there are; later, those of the last three segments and of
    /// this one; never the previous block, which goes into the new one anyhow.
    #[inline(always)]
    fn window(&self, at: Position) -> Window {
        let lane = self.lane();
        if at.pass == 0 {
            return Window { start: 0, count: self.block(at).saturating_sub(1), lane };
        }
        let start = if at.slice == 3 { 0 } else { (at.slice + 1) * self.segment };
        Window { start, count: lane - self.segment + at.index - 1, lane }
    }

    /// Calls `fill` for every block after the first two, in order. It returns the reference that
    /// its step's `next` picks.
    #[inline(always)]
    pub(super) fn walk(&self, mut fill: impl FnMut(Step) -> usize) {
        let mut at = Position { pass: 0, slice: 0, index: 2 };
        if at.index == self.segment {
            at = Position { slice: 1, index: 0, ..at };
        }
        let mut reference = self.independent[2] as usize;
        while at.pass < self.t {
            let current = self.block(at);
            let next = self.after(at);
            let is_first_pass = at.pass == 0;
            let known = |ahead: usize| {
                let reference = self.independent.get(current + ahead).filter(|_| is_first_pass)?;
                Some(*reference as usize)
            };
            let picked = fill(Step {
                current,
                previous: if current == 0 { self.lane() - 1 } else { current - 1 },
                reference,
                is_first_pass,
                next: self.window(next),
                soon: known(3),
            });
            reference = known(1).unwrap_or(picked);
            at = next;
        }
    }
}
