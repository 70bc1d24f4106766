//! Filling the memory with AVX-512: a block is sixteen vectors of eight words.

use std::arch::x86_64::*;
use std::array::from_fn;

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
    let mut sum = |i: usize| {
        let sum = _mm512_xor_si512(previous[i], reference[i]);
        current[i] = _mm512_ternarylogic_epi64::<XOR_OF_AND>(sum, current[i], kept);
        sum
    };
    let by_group: [[__m512i; 4]; 4] = from_fn(|g| from_fn(|k| sum(4 * g + k)));
    let by_group = permute(by_group, TO_ROWS);

    let left = permute(from_fn(|k| [by_group[0][k], by_group[1][k]]), columns(0));
    add_columns(0, left, current);
    let next = look_ahead(first, step, _mm_cvtsi128_si64(_mm512_castsi512_si128(current[0])) as u64);
    let right = permute(from_fn(|k| [by_group[2][k], by_group[3][k]]), columns(2));
    add_columns(2, right, current);
    next
}

/// Adds two columns of vectors, those with `g` and g + 1, to the block they are of.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_columns(g: usize, columns: [[__m512i; 2]; 4], block: &mut [__m512i; 16]) {
    for i in 0..2 {
        for k in 0..4 {
            let vector = &mut block[4 * (g + i) + k];
            *vector = _mm512_xor_si512(*vector, columns[k][i]);
        }
    }
}

/// *P* (RFC 9106, section 3.6), on each lane of `N` vectors of each of its four groups.
#[inline]
#[target_feature(enable = "avx512f")]
fn permute<const N: usize>(mut groups: [[__m512i; N]; 4], turns: [[Lanes; N]; 4]) -> [[__m512i; N]; 4] {
    mix(&mut groups);
    for (group, turns) in groups.iter_mut().zip(turns) {
        for (vector, lanes) in group.iter_mut().zip(turns) {
            *vector = turn(*vector, lanes);
        }
    }
    mix(&mut groups);
    groups
}

/// *GB* (RFC 9106, section 3.6).
#[inline]
#[target_feature(enable = "avx512f")]
fn mix<const N: usize>(groups: &mut [[__m512i; N]; 4]) {
    half_mix::<32, 24, N>(groups);
    half_mix::<16, 63, N>(groups);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn half_mix<const FIRST: i32, const SECOND: i32, const N: usize>([a, b, c, d]: &mut [[__m512i; N]; 4]) {
    for i in 0..N {
        a[i] = multiply_add(a[i], b[i]);
    }
    for i in 0..N {
        d[i] = _mm512_ror_epi64::<FIRST>(_mm512_xor_si512(d[i], a[i]));
    }
    for i in 0..N {
        c[i] = multiply_add(c[i], d[i]);
    }
    for i in 0..N {
        b[i] = _mm512_ror_epi64::<SECOND>(_mm512_xor_si512(b[i], c[i]));
    }
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

/// What turns the columns `g` and g + 1, by k.
#[inline]
fn columns(g: usize) -> [[Lanes; 2]; 4] {
    from_fn(|k| [TO_COLUMNS[g][k], TO_COLUMNS[g + 1][k]])
}

#[inline]
#[target_feature(enable = "avx512f")]
fn turn(vector: __m512i, [l0, l1, l2, l3, l4, l5, l6, l7]: Lanes) -> __m512i {
    _mm512_permutexvar_epi64(_mm512_setr_epi64(l0, l1, l2, l3, l4, l5, l6, l7), vector)
}
