//! The compression function, as RFC 9106 writes it: slow, and what the vector kernels are read
//! against. Here it makes only the addresses of the data-independent half pass.

/// A block as a matrix of 8 rows of 16 words.
pub(super) type Words = [u64; 128];

/// *G* (RFC 9106, section 3.5): mixes the rows of `x XOR y`, then its columns, each two words
/// wide, and adds `x XOR y` once more.
pub(super) fn compress(x: &Words, y: &Words) -> Words {
    let r: Words = std::array::from_fn(|i| x[i] ^ y[i]);
    let mut z = r;
    for row in 0..8 {
        permute(&mut z, std::array::from_fn(|i| 16 * row + i));
    }
    for column in 0..8 {
        permute(&mut z, std::array::from_fn(|i| 16 * (i / 2) + 2 * column + i % 2));
    }
    std::array::from_fn(|i| z[i] ^ r[i])
}

/// *P* (RFC 9106, section 3.6) on the sixteen words at `at`, seen as a 4 by 4 matrix: mixes its
/// columns, then its diagonals.
fn permute(words: &mut Words, at: [usize; 16]) {
    for turn in [0, 1] {
        for i in 0..4 {
            let of_row = |row: usize| at[4 * row + (i + row * turn) % 4];
            mix(words, [of_row(0), of_row(1), of_row(2), of_row(3)]);
        }
    }
}

/// *GB* (RFC 9106, section 3.6).
fn mix(words: &mut Words, [a, b, c, d]: [usize; 4]) {
    for [first, second] in [[32, 24], [16, 63]] {
        words[a] = multiply_add(words[a], words[b]);
        words[d] = (words[d] ^ words[a]).rotate_right(first);
        words[c] = multiply_add(words[c], words[d]);
        words[b] = (words[b] ^ words[c]).rotate_right(second);
    }
}

/// `x + y + 2 * lower half of x * lower half of y`, modulo 2^64.
fn multiply_add(x: u64, y: u64) -> u64 {
    let lower = |word: u64| word & u64::from(u32::MAX);
    x.wrapping_add(y).wrapping_add((lower(x) * lower(y)).wrapping_mul(2))
}
