//! scrypt (RFC 7914), in two textual forms, and yescrypt.
//!
//! ```text
//! $scrypt$ln=N,r=n,p=n$salt$hash      the PHC string format; salt and hash in Base64
//! $7$Nrrrrrppppp…salt$hash            as libxcrypt writes it; the salt is taken as it stands
//! $y$jNr$salt$hash                    yescrypt, as libxcrypt writes it
//! ```
//!
//! `N` is a logarithm, one digit of crypt(3)'s alphabet in the latter two. Of yescrypt's many
//! flavours the one that libxcrypt makes is read: flags `j`, one lane, no added time.

use base64ct::{Base64ShaCrypt, Base64Unpadded};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::encoding::{decode, decode_array, number};
use super::limits::{MEMORY_KIB_MAX, SCRYPT_WORK_KIB_MAX};
use super::{Cap, ImportFault, Scheme};

/// The alphabet of crypt(3).
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Bytes that a salt or a hash in the PHC format may have.
const PHC_BYTES_MAX: usize = 64;

/// What a computation takes.
struct Cost {
    log_n: u8,
    r: u32,
    p: u32,
}

pub(super) struct Scrypt {
    cost: Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

pub(super) struct Yescrypt {
    cost: Cost,
    salt: Vec<u8>,
    hash: [u8; 32],
}

impl Cost {
    /// Provided that they are no nonsense (RFC 7914, section 6).
    fn new(log_n: u8, r: u32, p: u32) -> Option<Self> {
        let is_sound = (1..64).contains(&log_n) && r > 0 && p > 0 && u64::from(r) * u64::from(p) < 1 << 30;
        is_sound.then_some(Self { log_n, r, p })
    }

    /// Memory: 128 bytes for each of `N * r`, rounded up.
    fn memory_kib(&self) -> u64 {
        u64::try_from((u128::from(self.r) << self.log_n).div_ceil(8)).unwrap_or(u64::MAX)
    }

    fn check(&self) -> Result<(), ImportFault> {
        Cap::check("KiB of memory", self.memory_kib(), MEMORY_KIB_MAX)?;
        Cap::check("KiB in all passes", self.memory_kib().saturating_mul(self.p.into()), SCRYPT_WORK_KIB_MAX)
    }

    fn print(&self) -> String {
        format!("ln={},r={},p={}", self.log_n, self.r, self.p)
    }
}

impl Scrypt {
    /// Reads what follows `$scrypt$`.
    pub(super) fn read_phc(text: &str) -> Option<Self> {
        let mut fields = text.split('$');
        let (parameters, salt, hash) = (fields.next()?, fields.next()?, fields.next()?);
        let mut parameters = parameters.split(',');
        let mut value = |key: &str| number(parameters.next()?.strip_prefix(key)?);
        let cost = Cost::new(value("ln=")?.try_into().ok()?, value("r=")?, value("p=")?)?;
        let is_over = fields.next().is_none() && parameters.next().is_none();
        let (salt, hash) = (decode::<Base64Unpadded>(salt)?, decode::<Base64Unpadded>(hash)?);
        let is_sound = is_over && salt.len() <= PHC_BYTES_MAX && (16..=PHC_BYTES_MAX).contains(&hash.len());
        is_sound.then_some(Self { cost, salt, hash })
    }

    /// Reads what follows `$7$`.
    pub(super) fn read_crypt(text: &str) -> Option<Self> {
        let (parameters, text) = text.split_at_checked(11)?;
        let (log_n, parameters) = parameters.split_at(1);
        let (r, p) = parameters.split_at(5);
        let cost = Cost::new(digits(log_n)?.try_into().ok()?, digits(r)?, digits(p)?)?;
        let (salt, hash) = text.rsplit_once('$')?;
        let hash = decode_array::<Base64ShaCrypt, 32>(hash)?.to_vec();
        Some(Self { cost, salt: salt.into(), hash })
    }
}

impl Scheme for Scrypt {
    fn name(&self) -> &'static str {
        "scrypt"
    }

    fn parameters(&self) -> String {
        self.cost.print()
    }

    fn check_cost(&self) -> Result<(), ImportFault> {
        self.cost.check()
    }

    fn accepts(&self, password: &[u8]) -> Choice {
        let Cost { log_n, r, p } = self.cost;
        let mut output = Zeroizing::new([0; PHC_BYTES_MAX]);
        let output = &mut output[..self.hash.len()];
        let computed =
            scrypt::Params::new(log_n, r, p).map(|params| scrypt::scrypt(password, &self.salt, &params, output));
        Choice::from(u8::from(matches!(computed, Ok(Ok(()))))) & output.ct_eq(&self.hash)
    }
}

impl Yescrypt {
    /// Reads what follows `$y$`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut fields = text.split('$');
        let (parameters, salt, hash) = (fields.next()?, fields.next()?, fields.next()?);
        let (log_n, r) = parameters.strip_prefix('j')?.split_at_checked(1)?;
        // Numbers below 48 have one digit of their own; both begin at 1.
        let small = |text: &str| digits(text).filter(|digit| text.len() == 1 && *digit < 48).map(|digit| digit + 1);
        let (log_n, r) = (u8::try_from(small(log_n)?).ok()?, small(r)?);
        // In this flavour libxcrypt takes no fewer than four blocks.
        let cost = Cost::new(log_n, r, 1).filter(|cost| cost.log_n > 1)?;
        let salt = decode::<Base64ShaCrypt>(salt).filter(|salt| salt.len() <= 64)?;
        let hash = decode_array::<Base64ShaCrypt, 32>(hash)?;
        fields.next().is_none().then_some(Self { cost, salt, hash })
    }
}

impl Scheme for Yescrypt {
    fn name(&self) -> &'static str {
        "yescrypt"
    }

    fn parameters(&self) -> String {
        format!("ln={},r={}", self.cost.log_n, self.cost.r)
    }

    fn check_cost(&self) -> Result<(), ImportFault> {
        self.cost.check()
    }

    fn accepts(&self, password: &[u8]) -> Choice {
        let Cost { log_n, r, p } = self.cost;
        let mut output = Zeroizing::new([0; 32]);
        let params = yescrypt::Params::new(yescrypt::Mode::Rw, 1 << log_n, r, p);
        let computed = params.and_then(|params| yescrypt::yescrypt(password, &self.salt, &params, &mut *output));
        Choice::from(u8::from(computed.is_ok())) & output.ct_eq(&self.hash)
    }
}

/// A number of up to five digits of crypt(3)'s alphabet, the lowest first.
fn digits(text: &str) -> Option<u32> {
    text.bytes().rev().try_fold(0, |number, byte| {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        Some(number << 6 | u32::try_from(digit).ok()?)
    })
}
