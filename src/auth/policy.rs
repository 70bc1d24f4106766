//! Which new passwords may be used.

use super::Recognizer;
use crate::model::{AccountName, Authenticated, NewPasswordRefusal, Secret};

/// Checks what can be said of a new password without knowing the old one: that it has at least
/// `bytes_min` bytes, and is not the account's name (bare or with its domain, in any letter case).
///
/// # Errors
/// The first [`NewPasswordRefusal`] that applies, in that order.
pub fn check_given_password(
    account: &AccountName,
    secret: &Secret,
    bytes_min: usize,
) -> Result<(), NewPasswordRefusal> {
    let bytes = secret.expose();
    if bytes.len() < bytes_min {
        return Err(NewPasswordRefusal::TooShort { bytes_min });
    }
    let is = |name: &str| bytes.eq_ignore_ascii_case(name.as_bytes());
    if is(account.local()) || is(&account.to_string()) {
        return Err(NewPasswordRefusal::SameAsName);
    }
    Ok(())
}

/// Checks everything about a new password that needs neither a hash nor the store: as
/// [`check_given_password`], and that it is not the password that `proof` was given for.
///
/// # Errors
/// The first [`NewPasswordRefusal`] that applies, in that order.
pub fn check_new_password(
    proof: &Authenticated,
    secret: &Secret,
    recognizer: &Recognizer,
    bytes_min: usize,
) -> Result<(), NewPasswordRefusal> {
    check_given_password(proof.account(), secret, bytes_min)?;
    if recognizer.is_same(proof, secret) {
        return Err(NewPasswordRefusal::SameAsOld);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(new: &str, bytes_min: usize) -> Result<(), NewPasswordRefusal> {
        let recognizer = Recognizer::new();
        let account = AccountName::parse("alice.smith@example.com").unwrap();
        let proof = Authenticated::attest(account, 1, recognizer.fingerprint(&Secret::new(b"old secret").unwrap()));
        check_new_password(&proof, &Secret::new(new.as_bytes()).unwrap(), &recognizer, bytes_min)
    }

    #[test]
    fn another_password_is_accepted() {
        assert_eq!(check("Old secret", 8), Ok(()));
        assert_eq!(check("alice", 5), Ok(()));
    }

    #[test]
    fn length_is_counted_in_bytes_and_exactly() {
        assert_eq!(check("äöü", 6), Ok(()));
        assert_eq!(check("äöü", 7), Err(NewPasswordRefusal::TooShort { bytes_min: 7 }));
        assert_eq!(check("", 1), Err(NewPasswordRefusal::TooShort { bytes_min: 1 }));
    }

    #[test]
    fn the_name_is_refused_in_any_letter_case() {
        for name in ["alice.smith", "Alice.SMITH", "alice.smith@example.com", "ALICE.smith@Example.Com"] {
            assert_eq!(check(name, 1), Err(NewPasswordRefusal::SameAsName), "{name}");
        }
    }

    #[test]
    fn the_password_just_proven_is_refused() {
        assert_eq!(check("old secret", 1), Err(NewPasswordRefusal::SameAsOld));
    }
}
