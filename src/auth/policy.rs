//! Which new passwords may be used.

use std::str;

use super::Recognizer;
use crate::model::{AccountName, Authenticated, NewPasswordRefusal, Secret};

/// Checks what can be said of a new password without knowing the old one: that it has at least
/// `characters_min` characters, and is not the account's name (bare or with its domain, in any letter
/// case).
///
/// # Errors
/// The first [`NewPasswordRefusal`] that applies, in that order.
pub fn check_given_password(
    account: &AccountName,
    secret: &Secret,
    characters_min: usize,
) -> Result<(), NewPasswordRefusal> {
    let bytes = secret.expose();
    if characters(bytes) < characters_min {
        return Err(NewPasswordRefusal::TooShort { characters_min });
    }
    let is = |name: &str| bytes.eq_ignore_ascii_case(name.as_bytes());
    if is(account.local()) || is(&account.to_string()) {
        return Err(NewPasswordRefusal::SameAsName);
    }
    Ok(())
}

/// How many characters a password has: Unicode scalar values where it is UTF-8, else bytes, for then
/// its client writes each character in one of them.
fn characters(password: &[u8]) -> usize {
    str::from_utf8(password).map_or(password.len(), |text| text.chars().count())
}

/// Whether a new password has the kinds of characters that `complexity`, the value of the setting
/// `PasswordComplexity`, names, in any letter case: `MixedCase` capital and small letters, `Alpha`
/// letters, `Digit` digits, `Symbol` something else; `MixedCaseDigit` names two. A value that names
/// none of them asks for nothing.
#[must_use]
pub fn is_complex_enough(complexity: &str, secret: &Secret) -> bool {
    let complexity = complexity.to_ascii_lowercase();
    let has = |kind: fn(&u8) -> bool| secret.expose().iter().any(kind);
    let needs = |word: &str| complexity.contains(word);
    (!needs("mixedcase") || has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
        && (!needs("alpha") || has(u8::is_ascii_alphabetic))
        && (!needs("digit") || has(u8::is_ascii_digit))
        && (!needs("symbol") || has(|byte| !byte.is_ascii_alphanumeric()))
}

/// Checks everything about a new password that needs neither a hash nor the store: as
/// [`check_given_password`], and that it is not the password that `proof` was given for, which
/// must be the account's own one.
///
/// # Errors
/// The first [`NewPasswordRefusal`] that applies, in that order.
pub fn check_new_password(
    proof: &Authenticated,
    secret: &Secret,
    recognizer: &Recognizer,
    characters_min: usize,
) -> Result<(), NewPasswordRefusal> {
    if let Some(bar) = proof.bar() {
        return Err(bar);
    }
    check_given_password(proof.account(), secret, characters_min)?;
    if recognizer.is_same(proof, secret) {
        return Err(NewPasswordRefusal::SameAsOld);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(new: &str, characters_min: usize) -> Result<(), NewPasswordRefusal> {
        let recognizer = Recognizer::new();
        let account = AccountName::parse("alice.smith@example.com").unwrap();
        let proof =
            Authenticated::attest(account, 1, Some(recognizer.fingerprint(&Secret::new(b"old secret").unwrap())));
        check_new_password(&proof, &Secret::new(new.as_bytes()).unwrap(), &recognizer, characters_min)
    }

    #[test]
    fn another_password_is_accepted() {
        assert_eq!(check("Old secret", 8), Ok(()));
        assert_eq!(check("alice", 5), Ok(()));
    }

    #[test]
    fn length_is_counted_in_characters_and_exactly() {
        let too_short = |characters_min| Err(NewPasswordRefusal::TooShort { characters_min });
        for (password, count) in [("äöü", 3), ("鍵を回す", 4), ("e\u{301}", 2), ("", 0)] {
            assert_eq!(check(password, count), Ok(()), "{password}");
            assert_eq!(check(password, count + 1), too_short(count + 1), "{password}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_counted_in_bytes() {
        // "Schlüssel" in ISO 8859-1, and UTF-8 that ends within a character.
        assert_eq!((characters(b"Schl\xfcssel"), characters(b"key\xc3")), (9, 4));
    }

    #[test]
    fn the_name_is_refused_in_any_letter_case() {
        for name in ["alice.smith", "Alice.SMITH", "alice.smith@example.com", "ALICE.smith@Example.Com"] {
            assert_eq!(check(name, 1), Err(NewPasswordRefusal::SameAsName), "{name}");
        }
    }

    #[test]
    fn complexity_names_the_kinds_of_characters() {
        let all = "aA1!";
        for (complexity, lacking) in [
            ("MixedCaseDigit", &["aa1!", "AA1!", "aA!!"][..]),
            ("mixedcase", &["a1!", "A1!"]),
            ("AlphaDigit", &["11!", "aA!"]),
            ("MixedCaseDigitSymbol", &["aA1", "aA!"]),
            ("", &[]),
            ("Whatever", &[]),
        ] {
            let is_enough = |text: &str| is_complex_enough(complexity, &Secret::new(text.as_bytes()).unwrap());
            assert!(is_enough(all), "{complexity}");
            assert_eq!(lacking.iter().find(|text| is_enough(text)), None, "{complexity}");
        }
        assert!(is_complex_enough("any", &Secret::new(b"a").unwrap()));
    }

    #[test]
    fn the_password_of_an_application_changes_no_other() {
        let recognizer = Recognizer::new();
        let account = AccountName::parse("alice@example.com").unwrap();
        let proof = Authenticated::attest(account, 1, None).of_application(7);
        let refused = check_new_password(&proof, &Secret::new(b"long enough").unwrap(), &recognizer, 1);
        assert_eq!(refused, Err(NewPasswordRefusal::OfApplication));
    }

    #[test]
    fn the_password_just_proven_is_refused() {
        assert_eq!(check("old secret", 1), Err(NewPasswordRefusal::SameAsOld));
    }
}
