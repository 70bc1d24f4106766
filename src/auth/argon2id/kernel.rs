//! Which code makes the hashes on this processor.

use std::sync::OnceLock;

use super::vector::Vectors;
use super::{Argon2id, Inputs};
use crate::model::Argon2idCost;

/// Code that makes hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// The one for x86-64 with AVX-512F.
    Avx512,
    /// The one for x86-64 with AVX2.
    Avx2,
    /// The `argon2` crate, for every processor, and for hashes with more than one lane.
    Crate,
}

impl Kernel {
    /// All of them, the fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Crate];

    /// Its name, as in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Crate => "crate",
        }
    }

    /// Whether this processor has the instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        self == Self::Crate || Vectors::have(self)
    }

    /// Whether a known hash comes out right. It takes a millisecond.
    fn passes_self_test(self) -> bool {
        Argon2id::with_kernel(self, SELF_TEST_COST).is_some_and(|mut argon2id| makes_known_hash(&mut argon2id))
    }
}

/// More than 128 blocks a segment, a number of blocks that is no multiple of four, and a second pass:
/// together they reach every part of a kernel.
const SELF_TEST_COST: Argon2idCost = Argon2idCost { m_kib: 1031, t: 2, p: 1 };

fn makes_known_hash(argon2id: &mut Argon2id) -> bool {
    const INPUTS: Inputs<'_> =
        Inputs { password: &[1; 32], salt: &[2; 16], secret: &[3; 8], associated_data: &[4; 12] };
    // As the `argon2` crate has it.
    const TAG: &[u8; 32] = b"\x6a\x10\xeb\xfc\xe3\x1c\x6b\x73\x46\x9e\xeb\xd4\xff\x84\xa9\x6d\
        \x78\x9e\xe5\x8d\xa2\xcc\xc4\x6d\xc9\x19\x9d\x29\xf9\x9a\xf5\xe7";
    let mut tag = [0; 32];
    argon2id.hash(SELF_TEST_COST, &INPUTS, &mut tag).is_ok() && tag == *TAG
}

/// Which kernel is in use, and which should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The one in use.
    pub kernel: Kernel,
    /// Faster ones that this processor has the instructions for, but whose self-test came out
    /// wrong. There should be none: say so aloud when there is.
    pub failed: Vec<Kernel>,
}

/// Whether there is a point in the vector kernels: unoptimised, they take a hundred times as long
/// as the crate, which the manifest has optimised in every profile.
const IS_OPTIMISED: bool = !cfg!(debug_assertions);

/// The selection for this process. The first call makes the self-tests. A build with debug
/// assertions selects the crate.
pub fn selection() -> &'static Selection {
    static SELECTION: OnceLock<Selection> = OnceLock::new();
    SELECTION.get_or_init(|| select(|kernel| IS_OPTIMISED && kernel.is_available(), Kernel::passes_self_test))
}

/// The first kernel that is available and passes; the crate if none does.
fn select(is_available: impl Fn(Kernel) -> bool, passes: impl Fn(Kernel) -> bool) -> Selection {
    let mut failed = Vec::new();
    for kernel in Kernel::ALL.into_iter().filter(|&kernel| kernel != Kernel::Crate && is_available(kernel)) {
        if passes(kernel) {
            return Selection { kernel, failed };
        }
        failed.push(kernel);
    }
    Selection { kernel: Kernel::Crate, failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_of_this_processor_passes_its_self_test() {
        for kernel in Kernel::ALL {
            assert_eq!(kernel.passes_self_test(), kernel.is_available(), "{kernel:?}");
        }
        assert_eq!(selection().failed, []);
    }

    /// One that once, in the first half pass, takes a block beside the one that it should refer to.
    #[test]
    fn a_broken_kernel_fails_its_self_test_and_another_is_selected() {
        let passes = |kernel, is_broken| {
            Argon2id::with_kernel(kernel, SELF_TEST_COST).is_some_and(|mut argon2id| {
                if is_broken {
                    argon2id.vectors.misplan(SELF_TEST_COST);
                }
                makes_known_hash(&mut argon2id)
            })
        };
        let vectors: Vec<_> = Kernel::ALL.into_iter().filter(|kernel| Vectors::have(*kernel)).collect();
        for &broken in &vectors {
            assert!(passes(broken, false) && !passes(broken, true), "{broken:?}");
            let selected = select(|kernel| vectors.contains(&kernel), |kernel| passes(kernel, kernel == broken));
            assert!(selected.kernel != broken, "{selected:?}");
            assert!(selected.failed == [broken] || broken != vectors[0], "{selected:?}");
        }
        let Selection { kernel, failed } = select(|kernel| vectors.contains(&kernel), |kernel| passes(kernel, true));
        assert_eq!((kernel, failed), (Kernel::Crate, vectors));
    }

    #[test]
    fn the_fastest_kernel_that_passes_is_selected_and_failures_are_told() {
        let select = |available: &[Kernel], sound: &[Kernel]| {
            let Selection { kernel, failed } =
                select(|kernel| available.contains(&kernel), |kernel| sound.contains(&kernel));
            (kernel, failed)
        };
        use Kernel::{Avx2, Avx512, Crate};
        assert_eq!(select(&Kernel::ALL, &Kernel::ALL), (Avx512, vec![]));
        assert_eq!(select(&[Avx2, Crate], &Kernel::ALL), (Avx2, vec![]));
        assert_eq!(select(&[Crate], &Kernel::ALL), (Crate, vec![]));
        assert_eq!(select(&Kernel::ALL, &[Avx2, Crate]), (Avx2, vec![Avx512]));
        assert_eq!(select(&Kernel::ALL, &[Crate]), (Crate, vec![Avx512, Avx2]));
    }
}
