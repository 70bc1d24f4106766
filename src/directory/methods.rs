use super::encryption::{Encryption, SCRAM_METHODS};
use super::settings::{SERVICE_CLASS, SERVICE_CLASSES, is_word};
use crate::notation::{Dictionary, Value};

/// The domain's setting that names mechanisms.
const AUTH_METHODS: &str = "AUTHMethods";

/// The mechanisms of AUTH, and APOP, that a domain's setting `AUTHMethods` names: the word All or None, the name
/// of one, or an array of names; All where it is not set. With the name of a mechanism of SCRAM goes
/// its form that ends in -PLUS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthMethods {
    methods: Option<Value>,
    /// For which mechanisms of SCRAM accounts have something to check proofs with.
    scram: Option<Value>,
    /// Whether accounts, where nothing else is set for them, have the password itself for that.
    is_recoverable: bool,
}

/// Mechanisms whose proofs are checked with the password itself.
const BY_PASSWORD: [&str; 2] = ["CRAM-MD5", "DIGEST-MD5"];

impl AuthMethods {
    /// What follows from the settings of a domain, and from what its accounts keep of their passwords.
    pub(super) fn new(settings: &Dictionary, is_recoverable: bool) -> Self {
        let [methods, scram] = [AUTH_METHODS, SCRAM_METHODS].map(|key| settings.get(key).cloned());
        Self { methods, scram, is_recoverable }
    }

    /// Whether `settings`, of a domain or its accounts, may have to do with it.
    #[must_use]
    pub fn depend_on(settings: &Dictionary) -> bool {
        let keys = [AUTH_METHODS, SCRAM_METHODS, Encryption::KEY, SERVICE_CLASS, SERVICE_CLASSES];
        keys.iter().any(|key| settings.get(key).is_some())
    }

    /// Whether clients may log in by `mechanism`.
    #[must_use]
    pub fn include(&self, mechanism: &str) -> bool {
        self.methods.as_ref().is_none_or(|methods| names(methods, mechanism))
    }

    /// Whether clients are told of it, too: who takes the best that he is told of must not fail for
    /// lack of what his proof could be checked with.
    #[must_use]
    pub fn show(&self, mechanism: &str) -> bool {
        let has_verifiers = || self.scram.as_ref().is_some_and(|scram| names(scram, mechanism));
        self.include(mechanism)
            && (!mechanism.starts_with("SCRAM-") || has_verifiers())
            && (!BY_PASSWORD.contains(&mechanism) || self.is_recoverable)
    }
}

/// Whether a set of names includes that of `mechanism`.
fn names(set: &Value, mechanism: &str) -> bool {
    let base = mechanism.strip_suffix("-PLUS").unwrap_or(mechanism);
    let is_it = |value: &Value| is_word(value, mechanism) || is_word(value, base);
    if let Value::Array(names) = set { names.iter().any(is_it) } else { is_word(set, "All") || is_it(set) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::Form;

    fn methods(settings: &str) -> AuthMethods {
        let Ok(Value::Dictionary(settings)) = Value::parse(settings.as_bytes(), Form::Line) else {
            panic!("{settings}")
        };
        AuthMethods::new(&settings, false)
    }

    #[test]
    fn a_set_of_methods_is_a_word_or_an_array() {
        for (text, included) in [
            ("{}", "PLAIN SCRAM-SHA-1 SCRAM-SHA-1-PLUS"),
            ("{AUTHMethods=All;}", "PLAIN SCRAM-SHA-1 SCRAM-SHA-1-PLUS"),
            ("{AUTHMethods=None;}", ""),
            ("{AUTHMethods=plain;}", "PLAIN"),
            ("{AUTHMethods=(3,LOGIN,SCRAM-SHA-1);}", "SCRAM-SHA-1 SCRAM-SHA-1-PLUS"),
            ("{AUTHMethods=(SCRAM-SHA-1-PLUS);}", "SCRAM-SHA-1-PLUS"),
            ("{AUTHMethods=(NTLM);}", ""),
            ("{AUTHMethods={};}", ""),
        ] {
            let methods = methods(text);
            let all = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"].into_iter();
            assert_eq!(all.filter(|it| methods.include(it)).collect::<Vec<_>>().join(" "), included, "{text}");
        }
    }

    #[test]
    fn scram_is_shown_where_proofs_can_be_checked() {
        let of_one = methods("{SCRAMMethods=(SCRAM-SHA-256);}");
        assert!(of_one.show("SCRAM-SHA-256") && of_one.show("SCRAM-SHA-256-PLUS") && of_one.show("PLAIN"));
        assert!(!of_one.show("SCRAM-SHA-1") && of_one.include("SCRAM-SHA-1"));
        assert!(!methods("{}").show("SCRAM-SHA-256") && methods("{SCRAMMethods=All;}").show("SCRAM-SHA-1"));
        assert!(!methods("{SCRAMMethods=All;AUTHMethods=PLAIN;}").show("SCRAM-SHA-1"));
    }

    #[test]
    fn what_needs_the_password_itself_is_shown_where_that_is_kept() {
        for mechanism in BY_PASSWORD {
            let without = methods("{}");
            assert!(without.include(mechanism) && !without.show(mechanism));
            assert!(AuthMethods { is_recoverable: true, ..without }.show(mechanism));
            let excluded = methods("{AUTHMethods=PLAIN;}");
            assert!(!AuthMethods { is_recoverable: true, ..excluded }.show(mechanism));
        }
    }
}
