//! Repeatable chance.

use std::time::{SystemTime, UNIX_EPOCH};

/// A sequence of numbers that its seed determines (SplitMix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The sequence of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// The seed of this run: `KEYTURN_SEED` where it is set, so that a failure can be repeated.
/// Whoever draws it prints it.
pub(crate) fn seed() -> u64 {
    match std::env::var("KEYTURN_SEED") {
        Ok(text) => text.parse().expect("KEYTURN_SEED is a number"),
        Err(_) => u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()),
    }
}
