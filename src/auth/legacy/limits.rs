//! What an imported hash may cost at most: about half a second of one core for a password of
//! ordinary length, so that no single record can keep a worker from its work. Each is at least
//! what the usual software has ever made by default.

/// Bytes of an imported hash's text. The longest form, PBKDF2 as 389 Directory Server keeps it,
/// has 447.
pub const HASH_BYTES_MAX: usize = 512;

/// Rounds of SHA-crypt; passlib's default is 656,000. A password of 1024 bytes costs fifteen times
/// as much as a short one.
pub const SHA_CRYPT_ROUNDS_MAX: u32 = 700_000;

/// The cost of bcrypt, the logarithm of its rounds; 10 and 12 are usual.
pub const BCRYPT_COST_MAX: u32 = 13;

/// Rounds of PBKDF2 for each block of the key, over all its blocks, with SHA-1 and SHA-256. OWASP
/// asks for 1,300,000 and 600,000; 389 Directory Server makes 8 blocks of 100,000.
pub const PBKDF2_ROUNDS_MAX: u64 = 4_000_000;

/// The same with SHA-512, which takes four times as long on processors that have instructions for
/// the other two. OWASP asks for 210,000.
pub const PBKDF2_SHA512_ROUNDS_MAX: u64 = PBKDF2_ROUNDS_MAX / 4;

/// KiB of memory that scrypt, yescrypt and imported Argon2 hashes may take. For scrypt OWASP asks
/// for 131,072 and for Argon2 at most 47,104. Every worker may need that much at once.
pub const MEMORY_KIB_MAX: u64 = 1 << 18;

/// KiB that scrypt may go through in all its `p` passes.
pub const SCRYPT_WORK_KIB_MAX: u64 = MEMORY_KIB_MAX;
