//! Every fixed limit of the product, with its unit in its name.

/// Bytes of one command line, its terminator not counted. A longer line is refused and the
/// session closed, because no later line boundary can be trusted.
pub const LINE_BYTES_MAX: usize = 4096;

/// Bytes of one command line of a session that has logged in and may send commands, whose
/// settings can be long.
pub const COMMAND_LINE_BYTES_MAX: usize = 65_536;

/// Bytes of the header by which a proxy says for whom it connects, extensions included: a client's
/// certificate may be among them.
pub const PROXY_HEADER_BYTES_MAX: usize = 4096;

/// Bytes of a login name as a client sends it.
pub const LOGIN_NAME_BYTES_MAX: usize = 320;

/// Bytes of a password. A longer one is refused, never cut.
pub const SECRET_BYTES_MAX: usize = 1024;

/// Bytes of an account's local name (CommuniGate Pro object names).
pub const LOCAL_NAME_BYTES_MAX: usize = 128;

/// Bytes of a domain name (RFC 1035, section 2.3.4, in text form).
pub const DOMAIN_NAME_BYTES_MAX: usize = 253;

/// Passwords of applications that one account may have.
pub const APPLICATION_PASSWORDS_MAX: usize = 32;

/// Bytes of the tag that tells the password of one application from the others.
pub const TAG_BYTES_MAX: usize = 64;

/// Bytes of one reply line, CR LF included. Old clients read lines into 512 bytes.
pub const REPLY_BYTES_MAX: usize = 512;

/// Lines one session may have carried out in one turn of its shard.
pub const LINES_PER_TURN_MAX: usize = 32;

/// KiB of memory one Argon2id hash may take. A record that asks for more accepts no password.
pub const ARGON2ID_M_KIB_MAX: u32 = 1 << 20;

/// KiB that one Argon2id hash may write, all passes together (`m * t`): about half a second of
/// one core. A record that asks for more accepts no password.
pub const ARGON2ID_KIB_WRITTEN_MAX: u64 = 1 << 22;
