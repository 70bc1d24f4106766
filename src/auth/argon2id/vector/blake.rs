//! What of Argon2id is plain BLAKE2b: the prehash and the variable-length hash.

use blake2::digest::block_api::{UpdateCore, VariableOutputCore};
use blake2::digest::block_buffer::LazyBuffer;
use blake2::digest::{FixedOutput, Update};
use blake2::{Blake2b512, Blake2bVarCore};
use zeroize::Zeroizing;

use super::super::Inputs;
use crate::model::Argon2idCost;

/// *v* of RFC 9106, section 3.1.
const VERSION: u32 = 0x13;

/// *y* of RFC 9106, section 3.1: Argon2id.
pub(super) const TYPE: u32 = 2;

/// *H_0* (RFC 9106, section 3.2, step 1).
pub(super) fn prehash(cost: Argon2idCost, inputs: &Inputs<'_>, tag_bytes: usize) -> Zeroizing<[u8; 64]> {
    let mut hash = Blake2b512::default();
    for number in [cost.p, length(tag_bytes), cost.m_kib, cost.t, VERSION, TYPE] {
        hash.update(&number.to_le_bytes());
    }
    for input in [inputs.password, inputs.salt, inputs.secret, inputs.associated_data] {
        hash.update(&length(input.len()).to_le_bytes());
        hash.update(input);
    }
    finish(hash)
}

/// *H'* (RFC 9106, section 3.3) of the concatenated `parts`, as many bytes as `out` has.
pub(super) fn long_hash(parts: &[&[u8]], out: &mut [u8]) {
    let out_bytes = length(out.len()).to_le_bytes();
    let parts = || [&out_bytes[..]].into_iter().chain(parts.iter().copied());
    if out.len() <= 64 {
        return short_hash(parts(), out);
    }
    let mut hash = Blake2b512::default();
    parts().for_each(|part| hash.update(part));
    let mut link = finish(hash);
    let mut rest = out;
    // Half of each link is output; the last link is as long as what is then left, 33 to 64 bytes.
    loop {
        let (half, left) = rest.split_at_mut(32);
        half.copy_from_slice(&link[..32]);
        rest = left;
        if rest.len() <= 64 {
            return short_hash([&link[..]].into_iter(), rest);
        }
        let mut hash = Blake2b512::default();
        hash.update(&link[..]);
        link = finish(hash);
    }
}

/// BLAKE2b of at most 64 bytes.
#[expect(clippy::expect_used, reason = "BLAKE2b has every length from 1 to 64 bytes, and no other is asked for")]
fn short_hash<'a>(parts: impl Iterator<Item = &'a [u8]>, out: &mut [u8]) {
    let mut hash = Blake2bVarCore::new(out.len()).expect("BLAKE2b makes so many bytes");
    let mut buffer = LazyBuffer::default();
    parts.for_each(|part| buffer.digest_blocks(part, |blocks| hash.update_blocks(blocks)));
    let mut digest = Zeroizing::new([0; 64]);
    hash.finalize_variable_core(&mut buffer, (&mut *digest).into());
    out.copy_from_slice(&digest[..out.len()]);
}

fn finish(hash: Blake2b512) -> Zeroizing<[u8; 64]> {
    let mut digest = Zeroizing::new([0; 64]);
    hash.finalize_into((&mut *digest).into());
    digest
}

/// A length as it goes into a hash.
#[expect(clippy::expect_used, reason = "passwords, salts and tags are short")]
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("inputs and tag are shorter than 4 GiB")
}
