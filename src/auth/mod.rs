//! Password records: making them, checking passwords against them, and deciding which new
//! passwords may be used.
//!
//! Knows neither sockets nor stores nor who is asking.

pub mod argon2id;
pub mod policy;
mod record;
mod verify;

pub use record::{Credentials, RecordFault, Verifier};
pub use verify::{Hasher, Recognizer};
