use super::{Credentials, Recoverable, ScramVerifier, Verifier};
use crate::model::{ScramHash, Secret};

/// What is kept of a password beside the Argon2id hash that is always made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// For which mechanisms of SCRAM there is a verifier, in the order of [`ScramHash::ALL`].
    pub scram: [bool; ScramHash::ALL.len()],
    /// Whether the password itself is kept, under seal.
    pub recoverable: bool,
    /// Whether a hash of other software stays as it is when somebody has logged in with it.
    pub keeps_imported: bool,
}

impl Wanted {
    /// Puts into `credentials` all that is wanted of `secret`, and takes away all that is not.
    ///
    /// # Panics
    /// When the system has no random source.
    pub(super) fn derive(self, credentials: &mut Credentials, secret: &Secret) {
        credentials.scram = self.hashes().filter_map(|hash| ScramVerifier::derive(hash, secret)).collect();
        credentials.recoverable = self.recoverable.then(|| Recoverable::new(secret));
    }

    /// Whether `credentials` of the password `secret` have all that is wanted and no more. No
    /// verifier for SCRAM can be made of some passwords.
    pub(super) fn is_met_by(self, credentials: &Credentials, secret: &Secret) -> bool {
        let scram = self.hashes().filter(|_| ScramVerifier::may_be_made_of(secret));
        scram.eq(credentials.scram.iter().map(ScramVerifier::hash))
            && credentials.recoverable.is_some() == self.recoverable
    }

    /// Whether `credentials` are to be left alone.
    pub(super) fn leaves(self, credentials: &Credentials) -> bool {
        self.keeps_imported && credentials.verifiers.iter().any(|it| matches!(it, Verifier::Legacy(_)))
    }

    fn hashes(self) -> impl Iterator<Item = ScramHash> {
        ScramHash::ALL.into_iter().zip(self.scram).filter_map(|(hash, is_wanted)| is_wanted.then_some(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Hasher, Recognizer, legacy};
    use crate::model::Argon2idCost;

    const COST: Argon2idCost = Argon2idCost { m_kib: 32, t: 1, p: 1 };
    const ALL: Wanted = Wanted { scram: [true; 2], recoverable: true, keeps_imported: false };

    fn secret(bytes: &[u8]) -> Secret {
        Secret::new(bytes).unwrap()
    }

    #[test]
    fn what_has_been_made_needs_no_upgrade_and_what_has_not_does() {
        let mut hasher = Hasher::new(COST, Recognizer::new());
        // Of the second no verifier for SCRAM can be made.
        for password in [&b"correct horse"[..], b"\xff\xfe not UTF-8"] {
            let secret = secret(password);
            let full = hasher.make_as(&secret, 0, None, ALL);
            assert!(!hasher.may_upgrade(&full, &secret, ALL));
            let some = hasher.make(&secret, 0);
            let upgraded = hasher.upgrade(&some, &secret, ALL).unwrap();
            assert_eq!((upgraded.scram.len(), upgraded.change_id), (full.scram.len(), some.change_id));
            let reduced = hasher.upgrade(&upgraded, &secret, Wanted::default()).unwrap();
            assert!(reduced.scram.is_empty() && reduced.recoverable.is_none());
        }
    }

    #[test]
    fn an_imported_hash_stays_where_it_is_to_be_kept() {
        let mut hasher = Hasher::new(COST, Recognizer::new());
        let verifier = legacy::parse(b"$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80").unwrap();
        let (imported, secret) = (Credentials::new(verifier, 12), secret(b"correct horse"));
        let kept = Wanted { keeps_imported: true, ..ALL };
        assert_eq!(hasher.upgrade(&imported, &secret, kept), None);
        let made = hasher.make(&secret, 0);
        assert!(hasher.may_upgrade(&made, &secret, kept), "what is no import follows the settings");
        assert!(hasher.upgrade(&imported, &secret, ALL).is_some());
    }
}
