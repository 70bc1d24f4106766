use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::{RecordFault, SCHEME_RECOVERABLE, part, take};
use crate::model::Secret;

/// What a body is filled up to a multiple of, in bytes, so that the length of a sealed record does
/// not tell that of a password.
const BUCKET_BYTES: usize = 64;

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

    /// The password.
    pub(in crate::auth) fn secret(&self) -> &Secret {
        &self.0
    }

    /// The bytes. Whoever borrows them may hash or compare them, and nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// Appends its part of a record.
    pub(in crate::auth) fn encode_part(&self, out: &mut Vec<u8>) {
        part(SCHEME_RECOVERABLE, out, |body| self.encode(body));
    }

    /// Appends the body of that: a length of two bytes, the password, and zeros.
    fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        let length = u16::try_from(self.expose().len()).expect("a password is short");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(self.expose());
        out.resize(begin + filled(out.len() - begin), 0);
    }

    /// The inverse: takes all of `body`.
    pub(super) fn decode(mut body: &[u8]) -> Result<Self, RecordFault> {
        let body_bytes = body.len();
        let length = usize::from(u16::from_le_bytes(take(&mut body)?));
        let (secret, rest) = body.split_at_checked(length).ok_or(RecordFault::Malformed)?;
        if body_bytes != filled(size_of::<u16>() + length) || rest.iter().any(|&byte| byte != 0) {
            return Err(RecordFault::Malformed);
        }
        Secret::new(secret).map(|secret| Self(Arc::new(secret))).ok_or(RecordFault::Malformed)
    }
}

/// The length of a body that must hold so many bytes.
fn filled(bytes: usize) -> usize {
    bytes.next_multiple_of(BUCKET_BYTES)
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

    fn body(text: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        Recoverable::new(&Secret::new(text).unwrap()).encode(&mut body);
        body
    }

    #[test]
    fn lengths_are_told_in_steps() {
        for (length, bytes) in [(0, 64), (1, 64), (62, 64), (63, 128), (1024, 1088)] {
            let body = body(&vec![b'x'; length]);
            assert_eq!(body.len(), bytes, "{length}");
            assert_eq!(Recoverable::decode(&body).unwrap().expose().len(), length);
        }
    }

    #[test]
    fn a_body_has_one_form() {
        let good = body(b"hunter2");
        for (at, byte) in [(0, 8), (1, 1), (9, 1), (63, 1)] {
            let mut damaged = good.clone();
            damaged[at] = byte;
            let is_other = Recoverable::decode(&damaged).is_ok_and(|it| it.expose() == b"hunter2");
            assert!(!is_other, "{at}: {byte}");
        }
        assert_eq!(Recoverable::decode(&[&good[..], &[0; 64]].concat()), Err(RecordFault::Malformed));
        assert_eq!(Recoverable::decode(&good[..63]), Err(RecordFault::Malformed));
        assert_eq!(Recoverable::decode(&good[..1]), Err(RecordFault::Malformed));
    }

    #[test]
    fn it_is_not_shown() {
        assert_eq!(format!("{:?}", Recoverable::new(&Secret::new(b"hunter2").unwrap())), "Recoverable(***)");
    }
}
