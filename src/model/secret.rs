use std::fmt;

use zeroize::Zeroize;

use super::limits::SECRET_BYTES_MAX;

/// A password on its way through the server.
///
/// Invariant: at most [`SECRET_BYTES_MAX`] bytes. Any byte may occur; which ones a *new* password
/// may hold is the grammar's business.
///
/// It has no `Clone`, so a secret exists in one place; no `Debug` of its content, so it cannot
/// reach a log; no `PartialEq`, because secrets are compared in `auth`, in constant time.
/// Dropping it overwrites the bytes.
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Copies `bytes`, or returns `None` when there are more than [`SECRET_BYTES_MAX`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= SECRET_BYTES_MAX).then(|| Self(bytes.into()))
    }

    /// The bytes. Whoever borrows them may hash or compare them, and nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_refused_when_too_long_and_never_printed() {
        assert!(Secret::new(&[b'x'; SECRET_BYTES_MAX]).is_some());
        assert!(Secret::new(&[b'x'; SECRET_BYTES_MAX + 1]).is_none());
        assert_eq!(format!("{:?}", Secret::new(b"hunter2")), "Some(Secret(***))");
    }
}
