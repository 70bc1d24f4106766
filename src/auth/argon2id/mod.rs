//! Argon2id v1.3 (RFC 9106).
//!
//! An [`Argon2id`] owns the memory that hashes are made in and reuses it from hash to hash; there
//! is one per worker thread. Which [`Kernel`] does the work is decided once per process, by what
//! the processor can do and by a self-test: see [`selection`].
#![expect(unsafe_code, reason = "mapped memory, and instructions that not every processor has")]

mod arena;
mod calibrate;
mod kernel;
mod portable;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_vector.rs"]
mod vector;
#[cfg(target_arch = "x86_64")]
mod vector;

use std::fmt;

use arena::Arena;
use vector::Vectors;

pub use calibrate::{Calibration, HASHES_PER_CHANGE, Need, Speed, Spread, calibrate};
pub use kernel::{Kernel, Selection, selection};

use crate::model::Argon2idCost;
use crate::model::limits::{ARGON2ID_KIB_WRITTEN_MAX, ARGON2ID_M_KIB_MAX};

/// Least bytes of a salt.
pub const SALT_BYTES_MIN: usize = 8;

/// Most bytes of associated data.
pub const ASSOCIATED_DATA_BYTES_MAX: usize = 32;

/// Least bytes of a tag (RFC 9106, section 3.1).
pub const TAG_BYTES_MIN: usize = 4;

/// What is hashed (RFC 9106, section 3.1).
#[derive(Clone, Copy, Default)]
pub struct Inputs<'a> {
    /// The message *P*.
    pub password: &'a [u8],
    /// The nonce *S*, at least [`SALT_BYTES_MIN`] bytes.
    pub salt: &'a [u8],
    /// The secret value *K*; may be empty.
    pub secret: &'a [u8],
    /// The associated data *X*, at most [`ASSOCIATED_DATA_BYTES_MAX`] bytes; may be empty.
    pub associated_data: &'a [u8],
}

impl fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inputs(***)")
    }
}

/// Why a cost is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostFault {
    /// Less than RFC 9106, section 3.1, asks for.
    TooLittle,
    /// More than [`ARGON2ID_M_KIB_MAX`] of memory, or more than [`ARGON2ID_KIB_WRITTEN_MAX`] to
    /// write.
    TooMuch,
}

impl fmt::Display for CostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLittle => f.write_str("Argon2id needs at least one lane, one pass, and 8 KiB for each lane"),
            Self::TooMuch => write!(
                f,
                "Argon2id may take {ARGON2ID_M_KIB_MAX} KiB of memory and write {ARGON2ID_KIB_WRITTEN_MAX} KiB in all passes"
            ),
        }
    }
}

impl std::error::Error for CostFault {}

/// Checks that a hash of this cost is possible and may be asked for.
///
/// # Errors
/// [`CostFault`].
pub fn check_cost(cost: Argon2idCost) -> Result<(), CostFault> {
    let Argon2idCost { m_kib, t, p } = cost;
    if t == 0 || p == 0 || u64::from(m_kib) < 8 * u64::from(p) {
        return Err(CostFault::TooLittle);
    }
    if m_kib > ARGON2ID_M_KIB_MAX || u64::from(m_kib) * u64::from(t) > ARGON2ID_KIB_WRITTEN_MAX {
        return Err(CostFault::TooMuch);
    }
    Ok(())
}

/// Makes Argon2id hashes, one at a time, in memory of its own.
#[derive(Debug)]
pub struct Argon2id {
    kernel: Kernel,
    vectors: Vectors,
    arena: Arena,
}

impl Argon2id {
    /// Reserves the memory for hashes of the cost `usual`. A hash that needs more makes it grow,
    /// until the next [`Argon2id::wipe`].
    ///
    /// # Panics
    /// When [`check_cost`] refuses `usual`. Aborts when there is no memory, as every allocation
    /// does.
    #[must_use]
    pub fn new(usual: Argon2idCost) -> Self {
        Self::with(selection().kernel, usual)
    }

    /// As [`Argon2id::new`], with a kernel that need not be the fastest; `None` when this
    /// processor cannot run it.
    ///
    /// # Panics
    /// As [`Argon2id::new`].
    #[must_use]
    pub fn with_kernel(kernel: Kernel, usual: Argon2idCost) -> Option<Self> {
        kernel.is_available().then(|| Self::with(kernel, usual))
    }

    fn with(kernel: Kernel, usual: Argon2idCost) -> Self {
        assert_eq!(check_cost(usual), Ok(()), "the usual cost is accepted");
        Self { kernel, vectors: Vectors::default(), arena: Arena::new(blocks_count(usual)) }
    }

    /// What carries out hashes with one lane.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Fills `tag` with the hash of `inputs`.
    ///
    /// # Errors
    /// [`CostFault`] when the cost is not accepted; `tag` is then untouched.
    ///
    /// # Panics
    /// When the salt, the associated data or `tag` break the limits of [`Inputs`] and
    /// [`TAG_BYTES_MIN`].
    pub fn hash(&mut self, cost: Argon2idCost, inputs: &Inputs<'_>, tag: &mut [u8]) -> Result<(), CostFault> {
        check_cost(cost)?;
        assert!(inputs.salt.len() >= SALT_BYTES_MIN, "a salt is long enough");
        assert!(inputs.associated_data.len() <= ASSOCIATED_DATA_BYTES_MAX, "associated data are short enough");
        assert!(tag.len() >= TAG_BYTES_MIN, "a tag is long enough");
        match self.kernel {
            kernel @ (Kernel::Avx512 | Kernel::Avx2) if cost.p == 1 => {
                self.vectors.hash(kernel, cost, inputs, &mut self.arena, tag);
            }
            Kernel::Avx512 | Kernel::Avx2 | Kernel::Crate => {
                portable::hash(cost, inputs, self.arena.blocks(blocks_count(cost)), tag);
            }
        }
        Ok(())
    }

    /// Overwrites what the last hashes left in memory, and gives back what it had grown by.
    pub fn wipe(&mut self) {
        self.arena.wipe();
    }
}

/// Blocks the hash uses: *m'* of RFC 9106, section 3.2, step 2, and up to `4 * p - 1` that it
/// leaves alone.
fn blocks_count(cost: Argon2idCost) -> usize {
    usize::try_from(cost.m_kib).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(argon2id: &mut Argon2id, (m_kib, t, p): (u32, u32, u32), inputs: &Inputs<'_>) -> [u8; 32] {
        let mut tag = [0; 32];
        argon2id.hash(Argon2idCost { m_kib, t, p }, inputs, &mut tag).unwrap();
        tag
    }

    /// The inputs of RFC 9106, section 5.3.
    const RFC_9106: Inputs<'_> =
        Inputs { password: &[1; 32], salt: &[2; 16], secret: &[3; 8], associated_data: &[4; 12] };

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_vector_of_rfc_9106_comes_out() {
        let mut argon2id = Argon2id::new(Argon2idCost { m_kib: 32, t: 3, p: 4 });
        let expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
        assert_eq!(hex(&hash(&mut argon2id, (32, 3, 4), &RFC_9106)), expected);
    }

    #[test]
    fn its_inputs_with_one_lane_come_out_alike_with_every_kernel() {
        let expected = "3c944a05c2fc9c7e9432e506c83e0a5e950a872e8d1e378ac99a8e4de6bbaba5";
        for kernel in Kernel::ALL {
            if let Some(mut argon2id) = Argon2id::with_kernel(kernel, Argon2idCost { m_kib: 32, t: 3, p: 1 }) {
                assert_eq!(hex(&hash(&mut argon2id, (32, 3, 1), &RFC_9106)), expected, "{kernel:?}");
            }
        }
    }

    /// Checks that every kernel of this processor makes the hash that the crate makes.
    fn check(cost: Argon2idCost, inputs: &Inputs<'_>, tag_bytes: usize) {
        let hash = |kernel| {
            let mut tag = vec![0; tag_bytes];
            Argon2id::with_kernel(kernel, cost)?.hash(cost, inputs, &mut tag).unwrap();
            Some(tag)
        };
        let expected = hash(Kernel::Crate);
        for kernel in Kernel::ALL {
            if let Some(tag) = hash(kernel) {
                assert_eq!(Some(tag), expected, "{kernel:?}, {cost:?}, {tag_bytes} bytes");
            }
        }
    }

    fn bytes(lengths: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), lengths)
    }

    proptest! {
        // Unoptimised vector code is slow, hence few cases of mostly small memories; the fuzz
        // target does the same without end.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_kernels_agree(
            m_kib in prop_oneof![8 => 8_u32..64, 3 => 64_u32..1200, 1 => 1200_u32..=4099],
            t in 1_u32..=4,
            tag_bytes in 4_usize..=97,
            password in prop_oneof![8 => bytes(0..=40), 1 => bytes(1024..=1024)],
            salt in bytes(8..=40),
            secret in prop_oneof![Just(Vec::new()), bytes(1..=40)],
            associated_data in prop_oneof![Just(Vec::new()), bytes(1..=32)],
        ) {
            let inputs = Inputs {
                password: &password,
                salt: &salt,
                secret: &secret,
                associated_data: &associated_data,
            };
            check(Argon2idCost { m_kib, t, p: 1 }, &inputs, tag_bytes);
        }
    }

    #[test]
    fn the_kernels_agree_at_the_limits_of_every_input() {
        let mut length = 0;
        for m_kib in (8..16).chain([511, 512, 513, 516, 4099]) {
            length += 1;
            let inputs = Inputs { password: &[7; 1024][..if length % 2 == 0 { 0 } else { 1024 }], ..RFC_9106 };
            check(
                Argon2idCost { m_kib, t: 1 + m_kib % 2, p: 1 },
                &inputs,
                if length % 3 == 0 { 4 } else { 63 + length },
            );
        }
    }

    #[test]
    fn the_kernels_agree_at_the_usual_cost() {
        check(Argon2idCost::default(), &RFC_9106, 32);
    }

    #[test]
    fn hashes_of_changing_costs_do_not_disturb_each_other() {
        let mut argon2id = Argon2id::new(Argon2idCost { m_kib: 64, t: 1, p: 1 });
        let costs = [(64, 1, 1), (64, 2, 1), (65, 2, 1), (64, 2, 2), (128, 1, 1)];
        let first = costs.map(|cost| hash(&mut argon2id, cost, &RFC_9106));
        let again = costs.map(|cost| hash(&mut argon2id, cost, &RFC_9106));
        assert_eq!(first, again);
        for (i, tag) in first.iter().enumerate() {
            assert!(!first[..i].contains(tag), "{:?} has a hash of its own", costs[i]);
        }
    }

    #[test]
    fn a_hash_does_not_depend_on_what_the_memory_held() {
        let mut argon2id = Argon2id::new(Argon2idCost { m_kib: 8, t: 1, p: 1 });
        let first = hash(&mut argon2id, (8, 1, 1), &RFC_9106);
        hash(&mut argon2id, (4099, 1, 1), &RFC_9106);
        assert_eq!(hash(&mut argon2id, (8, 1, 1), &RFC_9106), first);
        argon2id.wipe();
        assert_eq!(hash(&mut argon2id, (8, 1, 1), &RFC_9106), first);
    }

    #[test]
    fn costs_are_accepted_up_to_their_limits_exactly() {
        let check = |m_kib, t, p| check_cost(Argon2idCost { m_kib, t, p });
        assert_eq!(check_cost(Argon2idCost::default()), Ok(()));
        for (m_kib, t, p) in [(8, 1, 1), (80, 1, 10), (ARGON2ID_M_KIB_MAX, 4, 1), (8, 524_288, 1)] {
            assert_eq!(check(m_kib, t, p), Ok(()), "m={m_kib} t={t} p={p}");
        }
        for (m_kib, t, p) in [(7, 1, 1), (79, 1, 10), (8, 0, 1), (8, 1, 0), (u32::MAX, 1, u32::MAX)] {
            assert_eq!(check(m_kib, t, p), Err(CostFault::TooLittle), "m={m_kib} t={t} p={p}");
        }
        for (m_kib, t, p) in [(ARGON2ID_M_KIB_MAX + 1, 1, 1), (ARGON2ID_M_KIB_MAX, 5, 1), (8, u32::MAX, 1)] {
            assert_eq!(check(m_kib, t, p), Err(CostFault::TooMuch), "m={m_kib} t={t} p={p}");
        }
    }
}
