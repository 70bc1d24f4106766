//! The vector kernels of a processor that has none.

use super::arena::Arena;
use super::{Inputs, Kernel};
use crate::model::Argon2idCost;

#[derive(Debug, Default)]
pub(super) struct Vectors;

impl Vectors {
    pub(super) fn have(_kernel: Kernel) -> bool {
        false
    }

    #[cfg(test)]
    pub(super) fn misplan(&mut self, _cost: Argon2idCost) {}

    pub(super) fn hash(
        &mut self,
        kernel: Kernel,
        _cost: Argon2idCost,
        _inputs: &Inputs<'_>,
        _arena: &mut Arena,
        _tag: &mut [u8],
    ) {
        unreachable!("this processor has no kernel {kernel:?}")
    }
}
