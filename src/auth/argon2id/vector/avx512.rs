//! Filling the memory with AVX-512: a block is sixteen vectors of eight words.

use std::arch::x86_64::*;

use super::layout::{Order, Spot, place_in_memory};
use super::plan::{Plan, Step};
use super::{VectorKernel, arena, blocks_of, look_ahead};

/// A block in column order; vector (g, k) is number 4g + k.
#[derive(Clone, Copy)]
pub(super) struct Block([__m512i; 16]);

// SAFETY: vectors are integers without padding; the size is checked where blocks are lent.
unsafe impl arena::Block for Block {}

pub(super) struct Avx512;

impl VectorKernel for Avx512 {
    type Block = Block;

    const PLACES: [usize; 128] = {
        let mut places = [0; 128];
        let mut word = 0;
        while word < 128 {
            let (g, k, lane) = place_in_memory(word);
            places[word] = 8 * (4 * g + k) + lane.number();
            word += 1;
        }
        places
    };

    fn is_available() -> bool {
        is_x86_feature_detected!("avx512f")
    }

    fn fill_memory(plan: &Plan, blocks: &mut [Block]) {
        assert!(Self::is_available(), "the processor has AVX-512");
        // SAFETY: it needs AVX-512F, which was just asserted.
        unsafe { fill_memory(plan, blocks) }
    }
}

// What follows are macros, because everything they make must end up in one function with the
// state in registers: functions of this size are inlined only when the compiler feels like it.

/// Turns each vector of each of the four groups.
macro_rules! turn {
    ($groups:ident, $turns:expr) => {
        for (group, turns) in $groups.iter_mut().zip($turns) {
            for (vector, lanes) in group.iter_mut().zip(turns) {
                *vector = turned(*vector, lanes);
            }
        }
    };
}

/// *GB* (RFC 9106, section 3.6), on each lane of as many vectors as each of the four groups has.
macro_rules! mix {
    ($groups:ident) => {
        half_mix!($groups, 32, 24);
        half_mix!($groups, 16, 63);
    };
}

macro_rules! half_mix {
    ($groups:ident, $first:literal, $second:literal) => {
        let [a, b, c, d] = &mut $groups;
        for (a, b) in a.iter_mut().zip(&*b) {
            *a = multiply_add(*a, *b);
        }
        for (d, a) in d.iter_mut().zip(&*a) {
            *d = _mm512_ror_epi64::<$first>(_mm512_xor_si512(*d, *a));
        }
        for (c, d) in c.iter_mut().zip(&*d) {
            *c = multiply_add(*c, *d);
        }
        for (b, c) in b.iter_mut().zip(&*c) {
            *b = _mm512_ror_epi64::<$second>(_mm512_xor_si512(*b, *c));
        }
    };
}

/// Two columns of vectors, those with g = `$left` and g = `$right`, as groups.
macro_rules! columns {
    ($state:ident, $left:literal, $right:literal) => {{
        let mut groups = [[_mm512_setzero_si512(); 2]; 4];
        for k in 0..4 {
            groups[k] = [$state[$left][k], $state[$right][k]];
        }
        groups
    }};
}

/// Adds two columns of vectors to the block they are of.
macro_rules! add_columns {
    ($block:ident, $groups:ident, $left:literal, $right:literal) => {
        for k in 0..4 {
            $block[4 * $left + k] = _mm512_xor_si512($block[4 * $left + k], $groups[k][0]);
            $block[4 * $right + k] = _mm512_xor_si512($block[4 * $right + k], $groups[k][1]);
        }
    };
}

#[target_feature(enable = "avx512f")]
fn fill_memory(plan: &Plan, blocks: &mut [Block]) {
    plan.walk(|step| fill_block(blocks, step));
}

/// `x ^ (y & z)`: the result for each value of the three bits xyz, the greatest first.
const XOR_OF_AND: i32 = 0b0111_1000;

/// Fills one block and returns the next reference.
#[inline]
#[target_feature(enable = "avx512f")]
fn fill_block(blocks: &mut [Block], step: Step) -> usize {
    let first = blocks.as_ptr();
    let [Block(previous), Block(reference), Block(current)] = blocks_of(blocks, step);

    // In the first pass, nothing is kept of what the block holds.
    let kept = _mm512_set1_epi64(if step.is_first_pass { 0 } else { -1 });
    let mut state = [[_mm512_setzero_si512(); 4]; 4];
    for (i, sum) in state.as_flattened_mut().iter_mut().enumerate() {
        *sum = _mm512_xor_si512(previous[i], reference[i]);
        current[i] = _mm512_ternarylogic_epi64::<XOR_OF_AND>(*sum, current[i], kept);
    }
    // *P* of all rows.
    mix!(state);
    turn!(state, TO_ROWS);
    mix!(state);

    // *P* of the columns, those with the first word first. Each step needs the step before, so the
    // other columns begin meanwhile.
    let mut begin = columns!(state, 0, 1);
    let mut end = columns!(state, 2, 3);
    mix!(begin);
    turn!(begin, const { turns_of(0, 1) });
    half_mix!(begin, 32, 24);
    half_mix!(end, 32, 24);
    half_mix!(begin, 16, 63);
    half_mix!(end, 16, 63);
    let with_first_word = _mm512_castsi512_si128(_mm512_xor_si512(current[0], begin[0][0]));
    let next = look_ahead(first, step, _mm_cvtsi128_si64(with_first_word) as u64);
    turn!(end, const { turns_of(2, 3) });
    mix!(end);
    add_columns!(current, begin, 0, 1);
    add_columns!(current, end, 2, 3);
    next
}

/// `x + y + 2 * lower half of x * lower half of y`, modulo 2^64, of each word.
#[inline]
#[target_feature(enable = "avx512f")]
fn multiply_add(x: __m512i, y: __m512i) -> __m512i {
    let product = _mm512_mul_epu32(x, y);
    _mm512_add_epi64(_mm512_add_epi64(x, y), _mm512_add_epi64(product, product))
}

/// For each lane, the lane it is filled from.
type Lanes = [i64; 8];

/// From column order to row order, by g and k.
const TO_ROWS: [[Lanes; 4]; 4] = turns(Order::Rows);

/// From row order to column order, by g and k.
const TO_COLUMNS: [[Lanes; 4]; 4] = turns(Order::Columns);

const fn turns(to: Order) -> [[Lanes; 4]; 4] {
    let mut turns = [[[0; 8]; 4]; 4];
    let mut i = 0;
    while i < 128 {
        let (g, k, lane) = (i / 32, i / 8 % 4, i % 8);
        turns[g][k][lane] = to.source(g, k, Spot::from_number(lane)).number() as i64;
        i += 1;
    }
    turns
}

/// What turns two columns of vectors, by k.
const fn turns_of(left: usize, right: usize) -> [[Lanes; 2]; 4] {
    let mut turns = [[[0; 8]; 2]; 4];
    let mut k = 0;
    while k < 4 {
        turns[k] = [TO_COLUMNS[left][k], TO_COLUMNS[right][k]];
        k += 1;
    }
    turns
}

#[inline]
#[target_feature(enable = "avx512f")]
fn turned(vector: __m512i, [l0, l1, l2, l3, l4, l5, l6, l7]: Lanes) -> __m512i {
    _mm512_permutexvar_epi64(_mm512_setr_epi64(l0, l1, l2, l3, l4, l5, l6, l7), vector)
}
