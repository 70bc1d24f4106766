//! Filling the memory with AVX2: a block is thirty-two vectors of four words.

use std::arch::x86_64::*;
use std::hint::black_box;

use super::layout::{Order, Spot, place_in_memory};
use super::plan::{Plan, Step};
use super::{VectorKernel, arena, blocks_of, look_ahead};

/// The two vectors, one for each e, that AVX-512 would hold in one: lane 2s + h.
type Pair = [__m256i; 2];

/// A block in column order; the pair (g, k) is number 4g + k.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Block([Pair; 16]);

// SAFETY: an array of vectors of integers, 1024 bytes, so that the alignment adds no padding.
unsafe impl arena::Block for Block {}

pub(super) struct Avx2;

impl VectorKernel for Avx2 {
    type Block = Block;

    const PLACES: [usize; 128] = {
        let mut places = [0; 128];
        let mut word = 0;
        while word < 128 {
            let (g, k, Spot { s, h, e }) = place_in_memory(word);
            places[word] = 4 * (2 * (4 * g + k) + e) + 2 * s + h;
            word += 1;
        }
        places
    };

    fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
    }

    fn fill_memory(plan: &Plan, blocks: &mut [Block]) {
        assert!(Self::is_available(), "the processor has AVX2");
        // SAFETY: it needs AVX2, which was just asserted.
        unsafe { fill_memory(plan, blocks) }
    }
}

// What follows are macros, because everything they make must end up in one function with the
// state in registers: functions of this size are inlined only when the compiler feels like it.

/// Turns both pairs of each group. Indices are written out, for the way to turn must be known
/// whether or not the compiler unrolls a loop.
macro_rules! turn {
    ($groups:ident, $turn:ident, $($n:literal from ($g0:literal, $k0:literal) ($g1:literal, $k1:literal)),+) => {
        $(
            let [a, b, c, d] = $groups[$n];
            let ([a, b], [c, d]) = ($turn::<$g0, $k0>([a, b]), $turn::<$g1, $k1>([c, d]));
            $groups[$n] = [a, b, c, d];
        )+
    };
}

/// *GB* (RFC 9106, section 3.6), on each lane of four groups of two pairs.
macro_rules! mix {
    ($groups:ident, $masks:ident) => {
        half_mix!($groups, rotate_32, rotate_24, $masks);
        half_mix!($groups, rotate_16, rotate_63, $masks);
    };
}

macro_rules! half_mix {
    ($groups:ident, $first:ident, $second:ident, $masks:ident) => {
        let [a, b, c, d] = &mut $groups;
        for i in 0..4 {
            a[i] = multiply_add(a[i], b[i]);
        }
        for i in 0..4 {
            d[i] = $first(_mm256_xor_si256(d[i], a[i]), $masks);
        }
        for i in 0..4 {
            c[i] = multiply_add(c[i], d[i]);
        }
        for i in 0..4 {
            b[i] = $second(_mm256_xor_si256(b[i], c[i]), $masks);
        }
    };
}

/// *P* (RFC 9106, section 3.6) on the rows of the sum of two blocks with k = `$k0` and `$k1`. Two
/// of them at once do not fit in the sixteen registers, but one leaves the processor waiting: each
/// of its steps needs the step before.
macro_rules! permute_rows {
    ($k0:literal, $k1:literal, $x:ident, $y:ident, $state:ident, $masks:ident) => {
        let mut groups = [[_mm256_setzero_si256(); 4]; 4];
        for g in 0..4 {
            let [a, b] = add($x[4 * g + $k0], $y[4 * g + $k0]);
            let [c, d] = add($x[4 * g + $k1], $y[4 * g + $k1]);
            groups[g] = [a, b, c, d];
        }
        mix!(groups, $masks);
        turn!(groups, to_rows, 0 from (0, $k0) (0, $k1), 1 from (1, $k0) (1, $k1), 2 from (2, $k0) (2, $k1),
            3 from (3, $k0) (3, $k1));
        mix!(groups, $masks);
        for g in 0..4 {
            let [a, b, c, d] = groups[g];
            ($state[g][$k0], $state[g][$k1]) = ([a, b], [c, d]);
        }
    };
}

/// *P* on the columns with g = `$g0` and `$g1`, which are then added to the block they are of.
macro_rules! permute_columns {
    ($g0:literal, $g1:literal, $state:ident, $block:ident, $masks:ident) => {
        let mut groups = [[_mm256_setzero_si256(); 4]; 4];
        for k in 0..4 {
            let ([a, b], [c, d]) = ($state[$g0][k], $state[$g1][k]);
            groups[k] = [a, b, c, d];
        }
        mix!(groups, $masks);
        turn!(groups, to_columns, 0 from ($g0, 0) ($g1, 0), 1 from ($g0, 1) ($g1, 1), 2 from ($g0, 2) ($g1, 2),
            3 from ($g0, 3) ($g1, 3));
        mix!(groups, $masks);
        for k in 0..4 {
            let [a, b, c, d] = groups[k];
            $block[4 * $g0 + k] = add($block[4 * $g0 + k], [a, b]);
            $block[4 * $g1 + k] = add($block[4 * $g1 + k], [c, d]);
        }
    };
}

#[target_feature(enable = "avx2")]
fn fill_memory(plan: &Plan, blocks: &mut [Block]) {
    let masks = Masks::new();
    plan.walk(|step| fill_block(blocks, step, &masks));
}

/// Fills one block and returns the next reference.
#[inline]
#[target_feature(enable = "avx2")]
fn fill_block(blocks: &mut [Block], step: Step, masks: &Masks) -> usize {
    let first = blocks.as_ptr();
    let [Block(previous), Block(reference), Block(current)] = blocks_of(blocks, step);

    for i in 0..16 {
        let sum = add(previous[i], reference[i]);
        current[i] = if step.is_first_pass { sum } else { add(sum, current[i]) };
    }
    let mut state = [[[_mm256_setzero_si256(); 2]; 4]; 4];
    permute_rows!(0, 1, previous, reference, state, masks);
    permute_rows!(2, 3, previous, reference, state, masks);

    permute_columns!(0, 1, state, current, masks);
    let next = look_ahead(first, step, _mm256_extract_epi64::<0>(current[0][0]) as u64);
    permute_columns!(2, 3, state, current, masks);
    next
}

/// For each byte, the byte it is filled from, when words are rotated to the right by whole bytes.
struct Masks {
    by_2: __m256i,
    by_3: __m256i,
}

impl Masks {
    /// The compiler must not know them: it makes two shuffles of one that turns words by 16 bits.
    #[target_feature(enable = "avx2")]
    fn new() -> Self {
        black_box(Self { by_2: bytes_rotated(2), by_3: bytes_rotated(3) })
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn bytes_rotated(by: i64) -> __m256i {
    let from = |word: i64| (0..8).fold(0, |all, byte| all | (8 * word + (byte + by) % 8) << (8 * byte));
    _mm256_setr_epi64x(from(0), from(1), from(0), from(1))
}

/// `x + y + 2 * lower half of x * lower half of y`, modulo 2^64, of each word.
#[inline]
#[target_feature(enable = "avx2")]
fn multiply_add(x: __m256i, y: __m256i) -> __m256i {
    let product = _mm256_mul_epu32(x, y);
    _mm256_add_epi64(_mm256_add_epi64(x, y), _mm256_add_epi64(product, product))
}

/// Each word rotated to the right by 32 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate_32(x: __m256i, _masks: &Masks) -> __m256i {
    _mm256_shuffle_epi32::<0b10_11_00_01>(x)
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate_24(x: __m256i, masks: &Masks) -> __m256i {
    _mm256_shuffle_epi8(x, masks.by_3)
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate_16(x: __m256i, masks: &Masks) -> __m256i {
    _mm256_shuffle_epi8(x, masks.by_2)
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate_63(x: __m256i, _masks: &Masks) -> __m256i {
    _mm256_or_si256(_mm256_srli_epi64::<63>(x), _mm256_add_epi64(x, x))
}

/// How to turn a pair: for each e, the e it is filled from, and whether s and h are exchanged
/// with 1 - s and 1 - h.
type Turn = [(usize, bool, bool); 2];

const fn turns(to: Order) -> [[Turn; 4]; 4] {
    let mut turns = [[[(0, false, false); 2]; 4]; 4];
    let mut i = 0;
    while i < 32 {
        let (g, k, e) = (i / 8, i / 2 % 4, i % 2);
        let source = to.source(g, k, Spot { s: 0, h: 0, e });
        turns[g][k][e] = (source.e, source.s == 1, source.h == 1);
        // Whatever the lane, it comes from the same vector by the same exchange.
        let mut lane = 0;
        while lane < 4 {
            let (s, h) = (lane / 2, lane % 2);
            let same = to.source(g, k, Spot { s, h, e });
            assert!(same.e == source.e && same.s == source.s ^ s && same.h == source.h ^ h);
            lane += 1;
        }
        i += 1;
    }
    turns
}

const TO_ROWS: [[Turn; 4]; 4] = turns(Order::Rows);
const TO_COLUMNS: [[Turn; 4]; 4] = turns(Order::Columns);

/// Brings the pair (G, K) from column order to row order.
#[inline]
#[target_feature(enable = "avx2")]
fn to_rows<const G: usize, const K: usize>(pair: Pair) -> Pair {
    [exchange(pair, const { TO_ROWS[G][K][0] }), exchange(pair, const { TO_ROWS[G][K][1] })]
}

/// Brings the pair (G, K) from row order to column order.
#[inline]
#[target_feature(enable = "avx2")]
fn to_columns<const G: usize, const K: usize>(pair: Pair) -> Pair {
    [exchange(pair, const { TO_COLUMNS[G][K][0] }), exchange(pair, const { TO_COLUMNS[G][K][1] })]
}

#[inline]
#[target_feature(enable = "avx2")]
fn exchange(pair: Pair, (e, exchange_s, exchange_h): (usize, bool, bool)) -> __m256i {
    match (exchange_s, exchange_h) {
        (false, false) => pair[e],
        (false, true) => _mm256_shuffle_epi32::<0b01_00_11_10>(pair[e]),
        (true, false) => _mm256_permute4x64_epi64::<0b01_00_11_10>(pair[e]),
        (true, true) => _mm256_permute4x64_epi64::<0b00_01_10_11>(pair[e]),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(x: Pair, y: Pair) -> Pair {
    [_mm256_xor_si256(x[0], y[0]), _mm256_xor_si256(x[1], y[1])]
}
