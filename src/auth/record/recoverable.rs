use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::model::Secret;

/// A password itself, kept for mechanisms whose proofs cannot be checked without it: APOP, CRAM-MD5
/// and DIGEST-MD5. Whoever has it has the password, so it is in sealed records only. Copies share
/// one [`Secret`].
#[derive(Clone)]
pub struct Recoverable(Arc<Secret>);

impl Recoverable {
    /// Keeps a copy of `secret`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a secret is as long as a secret may be")]
    pub fn new(secret: &Secret) -> Self {
        Self(Arc::new(Secret::new(secret.expose()).expect("it is one already")))
    }

    /// The bytes. Whoever borrows them may hash or compare them, and nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl PartialEq for Recoverable {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Recoverable {}

impl fmt::Debug for Recoverable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recoverable(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_shown() {
        assert_eq!(format!("{:?}", Recoverable::new(&Secret::new(b"hunter2").unwrap())), "Recoverable(***)");
    }
}
