use std::hint::black_box;

use subtle::{Choice, ConstantTimeEq};

use super::argon2id::{Argon2id, CostFault, Inputs, Kernel, selection};
use super::{
    Alternative, Credentials, Issuers, PasswordPurpose, Recognizer, Recoverable, ScramVerifier, Verifier, Wanted,
    fill_random,
};
use crate::model::{AccountName, Argon2idCost, Authenticated, DigestProof, Evidence, ScramHash, ScramProof, Secret};

/// A worker's means to hash: one preallocated arena, reused for every hash.
///
/// Each call that hashes blocks its thread for as long as the hash takes, milliseconds at least.
/// What the last hash left in the arena stays there until [`Hasher::wipe`] or the next hash.
#[derive(Debug)]
pub struct Hasher {
    argon2id: Argon2id,
    cost: Argon2idCost,
    recognizer: Recognizer,
    /// What is hashed with when there is no account.
    dummy_salt: [u8; 16],
    /// What proofs are checked against when there is no account, for each hash of SCRAM.
    decoys: [ScramVerifier; ScramHash::ALL.len()],
    /// What digests are checked against when there is no password.
    decoy: Recoverable,
}

impl Hasher {
    /// Hashes new passwords at `cost`, and reserves the memory for that. A record that costs more
    /// makes the arena grow, until the next [`Hasher::wipe`].
    ///
    /// # Panics
    /// When [`super::argon2id::check_cost`] refuses `cost`, or the system has no random source.
    /// Like every allocation, aborts when there is no memory.
    #[must_use]
    pub fn new(cost: Argon2idCost, recognizer: Recognizer) -> Self {
        Self::with_kernel(selection().kernel, cost, recognizer)
    }

    /// As [`Hasher::new`], with a kernel that need not be the fastest.
    ///
    /// # Panics
    /// As [`Hasher::new`], and when this processor cannot run `kernel`.
    #[must_use]
    pub fn with_kernel(kernel: Kernel, cost: Argon2idCost, recognizer: Recognizer) -> Self {
        let argon2id = Argon2id::with_kernel(kernel, cost).expect("the processor can run the kernel");
        let mut dummy_salt = [0; 16];
        fill_random(&mut dummy_salt);
        Self {
            argon2id,
            cost,
            recognizer,
            dummy_salt,
            decoys: ScramHash::ALL.map(ScramVerifier::decoy),
            decoy: Recoverable::decoy(),
        }
    }

    /// What does the hashing on this processor.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.argon2id.kernel()
    }

    /// Checks `evidence` against the credentials of `account`, and tokens with the keys of
    /// `issuers`; as [`Hasher::authenticate`]. Nobody sees that there is no such account, for the
    /// same is done for it.
    pub fn check(
        &mut self,
        account: Option<(AccountName, u64, &Credentials)>,
        evidence: &Evidence,
        issuers: &Issuers,
    ) -> Option<Authenticated> {
        let named = match evidence {
            Evidence::Password(secret) => return self.authenticate(account, secret),
            Evidence::Scram(proof) => return self.check_scram(account, proof),
            Evidence::Digest(proof) => return self.check_digest(account, proof),
            Evidence::Certificate => None,
            Evidence::Token(token) => Some(issuers.account_of(token)),
        };
        let (name, password_revision, _) = account?;
        let is_named = named.is_none_or(|named| named.as_ref() == Some(&name));
        is_named.then(|| Authenticated::attest(name, password_revision, None).without_password())
    }

    /// Checks a proof by SCRAM. No hash is made; the same is computed whether or not there is such
    /// an account, and one that has no verifier is as one that does not exist.
    fn check_scram(
        &self,
        account: Option<(AccountName, u64, &Credentials)>,
        proof: &ScramProof,
    ) -> Option<Authenticated> {
        let verifier = account.as_ref().and_then(|(_, _, credentials)| credentials.scram(proof.hash));
        let (is_right, signature) = verifier.unwrap_or(&self.decoys[proof.hash as usize]).check(proof);
        let (name, password_revision, _) = account?;
        bool::from(is_right).then(|| Authenticated::attest(name, password_revision, None).signed(Some(signature)))
    }

    /// Checks a digest of a password, likewise: an account whose password is not kept is as one that
    /// does not exist. The passwords of applications are not kept, so it is of the account's own one.
    fn check_digest(
        &self,
        account: Option<(AccountName, u64, &Credentials)>,
        proof: &DigestProof,
    ) -> Option<Authenticated> {
        let kept = account.as_ref().and_then(|(_, _, credentials)| credentials.recoverable.as_ref());
        let password = kept.unwrap_or(&self.decoy);
        let (is_right, signature) = password.check(proof);
        let (name, password_revision, _) = account.filter(|_| kept.is_some())?;
        bool::from(is_right).then(|| self.renew(name, password_revision, password.secret()).signed(signature))
    }

    /// A few bits by which `secret` is known when it comes again, under the recognizer's key.
    #[must_use]
    pub fn mark(&self, secret: &Secret) -> u32 {
        let [a, b, c, d, ..] = self.recognizer.fingerprint(secret);
        u32::from_le_bytes([a, b, c, d])
    }

    /// Checks `secret` against the credentials of `account`, and the passwords of its applications. `None` for `account` means that
    /// there is no such account: a hash of the configured cost is made all the same, and the
    /// answer is no. So it is for an account none of whose verifiers can be computed, because
    /// they are missing or cost more than is accepted, and for one that has only legacy hashes:
    /// many cost next to nothing, which would tell that the account exists and is worth attacking.
    ///
    /// The number that comes with the name goes into the proof.
    pub fn authenticate(
        &mut self,
        account: Option<(AccountName, u64, &Credentials)>,
        secret: &Secret,
    ) -> Option<Authenticated> {
        let mut made = None;
        if let Some((name, password_revision, credentials)) = account {
            let own = credentials.verifiers.iter().map(|verifier| (verifier, None));
            let of_application = |it: &Alternative| matches!(it.purpose, PasswordPurpose::Application(_));
            let applications = credentials.alternatives.iter().filter(|it| of_application(it));
            let others = applications.map(|it| (&it.verifier, Some(it.id)));
            for (verifier, application) in own.chain(others) {
                if self.accepts(verifier, secret, &mut made).is_some_and(bool::from) {
                    let proof = self.renew(name, password_revision, secret);
                    return Some(application.into_iter().fold(proof, Authenticated::of_application));
                }
            }
        }
        if made.is_none() {
            let salt = self.dummy_salt;
            black_box(self.tag(self.cost, &salt, secret).ok());
        }
        None
    }

    /// Credentials for a new password, with a fresh salt and change id. `changed_at` is in
    /// seconds since 1970, UTC.
    ///
    /// # Panics
    /// When the system has no random source.
    pub fn make(&mut self, secret: &Secret, changed_at: u64) -> Credentials {
        self.make_as(secret, changed_at, None, Wanted::default())
    }

    /// As [`Hasher::make`], with all that is `wanted`, and with this salt, which other passwords of
    /// the account have: see [`Credentials::salt_of_alternatives`].
    ///
    /// # Panics
    /// When the system has no random source.
    pub fn make_as(&mut self, secret: &Secret, changed_at: u64, salt: Option<[u8; 16]>, wanted: Wanted) -> Credentials {
        let verifier = self.make_verifier(secret, salt);
        let mut credentials = Credentials::new(verifier, changed_at);
        wanted.derive(&mut credentials, secret);
        credentials
    }

    /// Whether `credentials` should be upgraded now that `secret` has been found to be their
    /// password: they are not of the current scheme and cost, or not what is `wanted`, and they know
    /// all of the password. A legacy hash that looks at the first bytes only tells nothing of the
    /// rest, which may be mistyped, and would become part of the password.
    #[must_use]
    pub fn may_upgrade(&self, credentials: &Credentials, secret: &Secret, wanted: Wanted) -> bool {
        let is_certain = credentials.verifiers.iter().all(|verifier| match verifier {
            Verifier::Argon2id { .. } => true,
            Verifier::Legacy(hash) => hash.is_about_all_of(secret.expose()),
        });
        let needs_upgrade = credentials.needs_upgrade(self.cost) || !wanted.is_met_by(credentials, secret);
        is_certain && needs_upgrade && !wanted.leaves(credentials)
    }

    /// What `credentials` shall become now that `secret` has been found to be their password: a
    /// verifier of the current scheme and cost and what is `wanted` beside it, and the change that they
    /// come from unaltered.
    ///
    /// `None` when [`Hasher::may_upgrade`] says no.
    ///
    /// # Panics
    /// When the system has no random source.
    pub fn upgrade(&mut self, credentials: &Credentials, secret: &Secret, wanted: Wanted) -> Option<Credentials> {
        let Credentials { changed_at, change_id, .. } = *credentials;
        self.may_upgrade(credentials, secret, wanted).then(|| Credentials {
            change_id,
            alternatives: credentials.alternatives.clone(),
            ..self.make_as(secret, changed_at, credentials.salt_of_alternatives(), wanted)
        })
    }

    #[expect(clippy::expect_used, reason = "`new` has had the cost checked")]
    fn make_verifier(&mut self, secret: &Secret, salt: Option<[u8; 16]>) -> Verifier {
        let salt = salt.unwrap_or_else(|| {
            let mut salt = [0; 16];
            fill_random(&mut salt);
            salt
        });
        let tag = self.tag(self.cost, &salt, secret).expect("the configured cost is accepted");
        Verifier::Argon2id { cost: self.cost, salt, tag }
    }

    /// The proof that follows a durable change to `secret`.
    #[must_use]
    pub fn renew(&self, account: AccountName, password_revision: u64, secret: &Secret) -> Authenticated {
        Authenticated::attest(account, password_revision, Some(self.recognizer.fingerprint(secret)))
    }

    /// Overwrites what the last hash left in the arena, and gives back what it had grown by.
    pub fn wipe(&mut self) {
        self.argon2id.wipe();
    }

    /// Whether `verifier` accepts `secret`; `None` when that cannot be computed. `made` is the
    /// last tag that was made of `secret`, with its cost and salt: others may have the same.
    fn accepts(&mut self, verifier: &Verifier, secret: &Secret, made: &mut Option<Made>) -> Option<Choice> {
        match verifier {
            Verifier::Argon2id { cost, salt, tag } => {
                let known = made.filter(|made| made.cost == *cost && made.salt == *salt);
                let now = match known {
                    Some(made) => made,
                    None => Made { cost: *cost, salt: *salt, tag: self.tag(*cost, salt, secret).ok()? },
                };
                *made = Some(now);
                Some(now.tag.ct_eq(tag))
            }
            Verifier::Legacy(hash) => hash.accepts(secret.expose()),
        }
    }

    fn tag(&mut self, cost: Argon2idCost, salt: &[u8; 16], secret: &Secret) -> Result<[u8; 32], CostFault> {
        let mut tag = [0; 32];
        let inputs = Inputs { password: secret.expose(), salt, ..Inputs::default() };
        self.argon2id.hash(cost, &inputs, &mut tag)?;
        Ok(tag)
    }
}

/// A tag, and what it was made with.
#[derive(Clone, Copy)]
struct Made {
    cost: Argon2idCost,
    salt: [u8; 16],
    tag: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{prove, prove_by_digest};
    use crate::model::{NewPasswordRefusal, Token};

    const COST: Argon2idCost = Argon2idCost { m_kib: 32, t: 1, p: 1 };

    fn hasher() -> Hasher {
        Hasher::new(COST, Recognizer::new())
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes()).unwrap()
    }

    fn alice() -> AccountName {
        AccountName::parse("alice@example.com").unwrap()
    }

    fn check(hasher: &mut Hasher, credentials: &Credentials, text: &str) -> bool {
        hasher.authenticate(Some((alice(), 7, credentials)), &secret(text)).is_some()
    }

    #[test]
    fn the_right_password_alone_is_accepted() {
        let mut hasher = hasher();
        let credentials = hasher.make(&secret("correct"), 12);
        assert_eq!(credentials.changed_at, 12);
        let proof = hasher.authenticate(Some((alice(), 7, &credentials)), &secret("correct")).unwrap();
        assert_eq!((proof.account(), proof.password_revision()), (&alice(), 7));
        assert!(hasher.recognizer.is_same(&proof, &secret("correct")));
        for wrong in ["", "correc", "Correct", "correct ", "correct\0"] {
            assert!(!check(&mut hasher, &credentials, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn an_unknown_account_is_refused_whatever_the_password() {
        assert!(hasher().authenticate(None, &secret("correct")).is_none());
    }

    #[test]
    fn an_account_is_verified_at_its_own_cost() {
        let dearer = Argon2idCost { m_kib: 8192, t: 2, p: 2 };
        let credentials = Hasher::new(dearer, Recognizer::new()).make(&secret("correct"), 0);
        let mut hasher = hasher();
        assert!(check(&mut hasher, &credentials, "correct"));
        hasher.wipe();
        assert!(check(&mut hasher, &credentials, "correct"));
        assert!(!check(&mut hasher, &credentials, "wrong"));
    }

    #[test]
    fn any_verifier_may_accept() {
        let mut hasher = hasher();
        let mut credentials = hasher.make(&secret("one"), 0);
        credentials.verifiers.extend(hasher.make(&secret("two"), 0).verifiers);
        assert!(check(&mut hasher, &credentials, "one") && check(&mut hasher, &credentials, "two"));
        assert!(!check(&mut hasher, &credentials, "three"));
    }

    #[test]
    fn an_application_has_a_password_of_its_own() {
        let mut hasher = hasher();
        let mut credentials = hasher.make(&secret("own"), 0);
        for (purpose, text) in [
            (PasswordPurpose::Application("phone".into()), "first"),
            (PasswordPurpose::Application("desk".into()), "second"),
            (PasswordPurpose::Sip, "third"),
        ] {
            let made = hasher.make_as(&secret(text), 0, credentials.salt(), Wanted::default());
            credentials.set_alternative(purpose, made.verifiers.into_iter().next());
        }
        let salts = |it: &Verifier| matches!(it, Verifier::Argon2id { salt, .. } if Some(*salt) == credentials.salt());
        assert!(credentials.verifiers.iter().chain(credentials.alternatives.iter().map(|it| &it.verifier)).all(salts));
        let id = |text: &str| {
            self::hasher().authenticate(Some((alice(), 7, &credentials)), &secret(text)).map(|it| it.application())
        };
        assert_eq!(id("own"), Some(None));
        assert_eq!(id("first"), Some(Some(credentials.alternatives[0].id)));
        assert_eq!(id("second"), Some(Some(credentials.alternatives[1].id)));
        assert_eq!((id("third"), id("fourth")), (None, None));
        let changed = hasher.make_as(&secret("new"), 1, credentials.salt_of_alternatives(), Wanted::default());
        credentials.verifiers = changed.verifiers;
        assert!(check(&mut hasher, &credentials, "new") && check(&mut hasher, &credentials, "second"));
        assert!(!check(&mut hasher, &credentials, "own"));
    }

    #[test]
    fn a_proof_by_scram_is_taken_from_who_has_the_password_and_answered_with_a_signature() {
        let mut hasher = hasher();
        for hash in ScramHash::ALL {
            let verifier = ScramVerifier::derive(hash, &secret("correct")).unwrap();
            let credentials = Credentials { scram: vec![verifier.clone()], ..hasher.make(&secret("correct"), 0) };
            let without = Credentials { scram: Vec::new(), ..credentials.clone() };
            let mut check = |credentials: Option<&Credentials>, text: &str| {
                let evidence = Evidence::Scram(Box::new(prove(text, &verifier, b"message")));
                let account = credentials.map(|credentials| (alice(), 7, credentials));
                hasher.check(account, &evidence, &Issuers::default())
            };
            let mut proof = check(Some(&credentials), "correct").unwrap();
            assert_eq!((proof.account(), proof.password_revision()), (&alice(), 7));
            assert_eq!(proof.take_signature().unwrap(), verifier.check(&prove("correct", &verifier, b"message")).1);
            assert!(check(Some(&credentials), "wrong").is_none());
            assert!(check(Some(&without), "correct").is_none() && check(None, "correct").is_none());
        }
    }

    #[test]
    fn a_digest_is_taken_from_who_has_the_password_where_that_is_kept() {
        let mut hasher = hasher();
        let wanted = Wanted { recoverable: true, ..Wanted::default() };
        let mut credentials = hasher.make_as(&secret("correct"), 0, None, wanted);
        let made = hasher.make_as(&secret("other"), 0, credentials.salt(), wanted);
        credentials.set_alternative(PasswordPurpose::Application("phone".into()), made.verifiers.into_iter().next());
        let without = Credentials { recoverable: None, ..credentials.clone() };
        let check = |hasher: &mut Hasher, credentials: Option<&Credentials>, text: &str| {
            let evidence = Evidence::Digest(Box::new(prove_by_digest(text, "<1.2@example.com>")));
            let account = credentials.map(|credentials| (alice(), 7, credentials));
            hasher.check(account, &evidence, &Issuers::default())
        };
        let mut proof = check(&mut hasher, Some(&credentials), "correct").unwrap();
        assert_eq!((proof.account(), proof.password_revision(), proof.bar()), (&alice(), 7, None));
        assert!(hasher.recognizer.is_same(&proof, &secret("correct")) && proof.take_signature().is_none());
        for text in ["wrong", "other", ""] {
            assert!(check(&mut hasher, Some(&credentials), text).is_none(), "{text}");
        }
        assert!(check(&mut hasher, Some(&without), "correct").is_none());
        assert!(check(&mut hasher, None, "correct").is_none());
        // Not even a proof of what digests are checked against where there is no password.
        hasher.decoy = Recoverable::new(&secret("decoy"));
        assert!(check(&mut hasher, Some(&without), "decoy").is_none() && check(&mut hasher, None, "decoy").is_none());
    }

    #[test]
    fn no_other_evidence_than_the_password_itself_or_a_proof_of_it_may_change_it() {
        let mut hasher = hasher();
        let verifier = ScramVerifier::derive(ScramHash::Sha1, &secret("correct")).unwrap();
        let credentials = Credentials { scram: vec![verifier.clone()], ..hasher.make(&secret("correct"), 0) };
        let mut check = |account, evidence: &Evidence| {
            let account = Some(&credentials).filter(|_| account).map(|credentials| (alice(), 7, credentials));
            hasher.check(account, evidence, &Issuers::default())
        };
        let proven = Evidence::Scram(Box::new(prove("correct", &verifier, b"message")));
        for evidence in [Evidence::Password(secret("correct")), proven] {
            assert_eq!(check(true, &evidence).unwrap().bar(), None, "{evidence:?}");
        }
        let bar = check(true, &Evidence::Certificate).unwrap().bar();
        assert_eq!(bar, Some(NewPasswordRefusal::WithoutPassword));
        assert!(check(false, &Evidence::Certificate).is_none(), "there is no such account");
        assert!(check(true, &Evidence::Token(Token::new(b"a.b.c"))).is_none(), "nobody's tokens are taken");
    }

    #[test]
    fn credentials_that_cannot_be_computed_accept_nothing() {
        let mut hasher = hasher();
        let made = hasher.make(&secret("correct"), 0);
        let Verifier::Argon2id { salt, tag, .. } = made.verifiers[0] else { panic!("{made:?}") };
        for (m_kib, t, p) in [(0, 0, 0), (8, 1, 2), (8, 0, 1), (u32::MAX, 1, 1), (8, u32::MAX, 1), (32, 1, u32::MAX)] {
            let verifiers = vec![Verifier::Argon2id { cost: Argon2idCost { m_kib, t, p }, salt, tag }];
            assert!(!check(&mut hasher, &Credentials { verifiers, ..made.clone() }, "correct"));
        }
        assert!(!check(&mut hasher, &Credentials::none(0), ""));
    }

    #[test]
    fn every_change_has_its_own_salt_and_id() {
        let mut hasher = hasher();
        let (one, other) = (hasher.make(&secret("same"), 0), hasher.make(&secret("same"), 0));
        assert_ne!(one.change_id, other.change_id);
        assert_ne!(one.verifiers, other.verifiers);
    }

    #[test]
    fn a_legacy_hash_is_checked_and_upgraded_to_the_same_change() {
        let mut hasher = hasher();
        let verifier = crate::auth::legacy::parse(b"$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80").unwrap();
        let imported = Credentials::new(verifier, 12);
        assert!(check(&mut hasher, &imported, "correct horse") && !check(&mut hasher, &imported, "wrong"));
        let upgraded = hasher.upgrade(&imported, &secret("correct horse"), Wanted::default()).unwrap();
        assert_eq!((upgraded.changed_at, upgraded.change_id), (12, imported.change_id));
        assert!(matches!(upgraded.verifiers[..], [Verifier::Argon2id { cost: COST, .. }]));
        assert!(check(&mut hasher, &upgraded, "correct horse") && !check(&mut hasher, &upgraded, "wrong"));
        assert_eq!(hasher.upgrade(&upgraded, &secret("correct horse"), Wanted::default()), None);
    }

    #[test]
    fn another_cost_is_reason_for_an_upgrade() {
        let made = hasher().make(&secret("correct"), 3);
        let dearer = Argon2idCost { t: 2, ..COST };
        let upgraded =
            Hasher::new(dearer, Recognizer::new()).upgrade(&made, &secret("correct"), Wanted::default()).unwrap();
        assert!(!upgraded.needs_upgrade(dearer) && check(&mut hasher(), &upgraded, "correct"));
    }

    #[test]
    fn a_password_longer_than_bcrypt_sees_is_accepted_and_not_upgraded() {
        let mut hasher = hasher();
        // Of 72 times "x", made by libxcrypt.
        let text = b"$2b$04$CCCCCCCCCCCCCCCCCCCCC.ug0A3dTXhy5U.dFjx/qguZ8I4CB77BC";
        let imported = Credentials::new(crate::auth::legacy::parse(text).unwrap(), 0);
        for (length, is_upgraded) in [(72, true), (73, false), (1024, false)] {
            let password = "x".repeat(length);
            assert!(check(&mut hasher, &imported, &password), "{length}");
            assert_eq!(
                hasher.upgrade(&imported, &secret(&password), Wanted::default()).is_some(),
                is_upgraded,
                "{length}"
            );
        }
    }

    #[test]
    fn a_renewed_proof_knows_the_new_password() {
        let hasher = hasher();
        let proof = hasher.renew(alice(), 8, &secret("new"));
        assert_eq!(proof.password_revision(), 8);
        assert!(hasher.recognizer.is_same(&proof, &secret("new")));
        assert!(!hasher.recognizer.is_same(&proof, &secret("old")));
    }
}
