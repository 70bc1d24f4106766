//! Whose tokens are taken in tests, with a key that transcripts know.

use keyturn::auth::{Issuer, Issuers};

/// What the tokens in transcripts are signed with, by HMAC of SHA-256.
const KEYS: &str = r#"{"keys": [{"kty": "oct", "k": "d2hhdCB0aGUgaXNzdWVyIG9mIGV2ZXJ5IHdvcmxkIHNpZ25zIHdpdGg"}]}"#;

/// One that names Alice, until the year 2100.
pub(crate) const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\
    .eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoia2V5dHVybiIsImV4cCI6NDEwMjQ0NDgwMCwiZW1haWwiOiJhbGljZUBleGFtcGxlLmNvbSJ9\
    .bhq6Wo7M6-l_Ad7vBQnxGIhUgKKlwqx5mbbYi2HF16M";

/// The table of a configuration file that names him. The keys are given to servers past it.
pub(super) const TABLE: &str =
    "[[oauth]]\nissuer = \"https://login.example.com\"\naudience = \"keyturn\"\nkeys = \"keys.json\"\n";

pub(super) fn issuers() -> Issuers {
    Issuers(vec![Issuer::new("https://login.example.com", "keyturn", "email", KEYS.as_bytes()).unwrap()])
}
