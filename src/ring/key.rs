/// Names a session (or another receiver of completions) within its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The place in the shard's slab.
    pub slot: u32,
    /// How often the place has been used, modulo 2^24: tells the session from its predecessors.
    pub generation: u32,
}

impl Key {
    const GENERATION_MASK: u32 = 0x00ff_ffff;

    /// A key; only the low 24 bits of `generation` count.
    #[must_use]
    pub fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation: generation & Self::GENERATION_MASK }
    }

    /// The key in 56 bits.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    /// The inverse of [`Key::to_bits`]; the upper 8 bits are not looked at.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the bits are taken apart")]
    pub fn from_bits(bits: u64) -> Self {
        Self::new(bits as u32, (bits >> 32) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_bits_and_leaves_the_top_byte_free() {
        for key in [Key::new(0, 0), Key::new(u32::MAX, u32::MAX), Key::new(7, 0x0012_3456)] {
            assert_eq!(Key::from_bits(key.to_bits()), key);
            assert_eq!(key.to_bits() >> 56, 0);
        }
    }
}
