//! The `argon2` crate: the kernel of every processor and cost that the vector kernels decline,
//! and the oracle they are tested against.

use argon2::{Algorithm, Argon2, AssociatedData, Block, ParamsBuilder, Version};

use super::Inputs;
use crate::model::Argon2idCost;

/// Hashes within `blocks`, of which there must be at least `cost.m_kib`.
///
/// # Panics
/// When the crate refuses something that [`super::Argon2id::hash`] should have refused first.
#[expect(clippy::expect_used, reason = "the caller has checked cost and inputs")]
pub(super) fn hash(cost: Argon2idCost, inputs: &Inputs<'_>, blocks: &mut [Block], tag: &mut [u8]) {
    let data = AssociatedData::new(inputs.associated_data).expect("associated data were checked");
    let params = ParamsBuilder::new().m_cost(cost.m_kib).t_cost(cost.t).p_cost(cost.p).data(data).build();
    let params = params.expect("the cost was checked");
    Argon2::new_with_secret(inputs.secret, Algorithm::Argon2id, Version::V0x13, params)
        .and_then(|argon2| argon2.hash_password_into_with_memory(inputs.password, inputs.salt, tag, blocks))
        .expect("the inputs were checked");
}
