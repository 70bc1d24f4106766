//! Argon2 in the PHC string format.
//!
//! ```text
//! $argon2id$v=19$m=65536,t=3,p=4$salt$tag      also argon2i and argon2d; v=16 or none: Argon2 1.0
//! ```

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64ct::Base64Unpadded;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::encoding::{decode, number};
use super::limits::MEMORY_KIB_MAX;
use super::{Cap, ImportFault, Scheme};
use crate::auth::Verifier;
use crate::auth::argon2id::{CostFault, SALT_BYTES_MIN, check_cost};
use crate::model::Argon2idCost;
use crate::model::limits::ARGON2ID_KIB_WRITTEN_MAX;

/// Bytes of a tag.
const TAG_BYTES_MAX: usize = 64;

pub(super) struct Phc {
    algorithm: Algorithm,
    version: Version,
    cost: Argon2idCost,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl Phc {
    /// Reads what follows `$argon2id$` and the like.
    pub(super) fn read(algorithm: Algorithm, text: &str) -> Option<Self> {
        let mut fields = text.split('$');
        let mut field = fields.next()?;
        let version = match field.strip_prefix("v=") {
            None => Version::V0x10,
            Some(version) => {
                field = fields.next()?;
                match version {
                    "16" => Version::V0x10,
                    "19" => Version::V0x13,
                    _ => return None,
                }
            }
        };
        let mut parameters = field.split(',');
        let mut value = |key: &str| number(parameters.next()?.strip_prefix(key)?);
        let cost = Argon2idCost { m_kib: value("m=")?, t: value("t=")?, p: value("p=")? };
        let (salt, tag) = (decode::<Base64Unpadded>(fields.next()?)?, decode::<Base64Unpadded>(fields.next()?)?);
        let is_over = fields.next().is_none() && parameters.next().is_none();
        let is_sound = is_over
            && check_cost(cost) != Err(CostFault::TooLittle)
            && salt.len() >= SALT_BYTES_MIN
            && (16..=TAG_BYTES_MAX).contains(&tag.len());
        is_sound.then_some(Self { algorithm, version, cost, salt, tag })
    }

    /// The same as a verifier of the program's own, if it is one.
    pub(super) fn to_native(&self) -> Option<Verifier> {
        let is_native = self.algorithm == Algorithm::Argon2id && self.version == Version::V0x13;
        let (salt, tag) = (self.salt.as_slice().try_into().ok()?, self.tag.as_slice().try_into().ok()?);
        is_native.then_some(Verifier::Argon2id { cost: self.cost, salt, tag })
    }

    fn compute(&self, password: &[u8], tag: &mut [u8]) -> Result<(), argon2::Error> {
        let Argon2idCost { m_kib, t, p } = self.cost;
        let params = Params::new(m_kib, t, p, Some(tag.len()))?;
        let mut blocks = Zeroizing::new(vec![Block::new(); params.block_count()]);
        let argon2 = Argon2::new(self.algorithm, self.version, params);
        argon2.hash_password_into_with_memory(password, &self.salt, tag, &mut **blocks)
    }
}

impl Scheme for Phc {
    fn name(&self) -> &'static str {
        self.algorithm.as_str()
    }

    fn parameters(&self) -> String {
        let Argon2idCost { m_kib, t, p } = self.cost;
        format!("m={m_kib},t={t},p={p}")
    }

    fn check_cost(&self) -> Result<(), ImportFault> {
        let Argon2idCost { m_kib, t, .. } = self.cost;
        Cap::check("KiB of memory", m_kib, MEMORY_KIB_MAX)?;
        Cap::check("KiB in all passes", u64::from(m_kib) * u64::from(t), ARGON2ID_KIB_WRITTEN_MAX)
    }

    fn accepts(&self, password: &[u8]) -> Choice {
        let mut tag = Zeroizing::new([0; TAG_BYTES_MAX]);
        let tag = &mut tag[..self.tag.len()];
        let is_computed = self.compute(password, tag).is_ok();
        Choice::from(u8::from(is_computed)) & tag.ct_eq(&self.tag)
    }
}
