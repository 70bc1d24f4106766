use super::settings::is_word;
use crate::notation::{Dictionary, Value};

/// The mechanisms of AUTH that a domain's setting `AUTHMethods` names: the word All or None, the name
/// of one, or an array of names; All where it is not set. With the name of a mechanism of SCRAM goes
/// its form that ends in -PLUS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthMethods {
    methods: Option<Value>,
    /// For which mechanisms of SCRAM accounts have something to check proofs with.
    scram: Option<Value>,
}

impl AuthMethods {
    /// The domain settings that say so.
    pub const KEYS: [&str; 2] = ["AUTHMethods", "SCRAMMethods"];

    pub(super) fn new(settings: &Dictionary) -> Self {
        let [methods, scram] = Self::KEYS.map(|key| settings.get(key).cloned());
        Self { methods, scram }
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
        self.include(mechanism) && (!mechanism.starts_with("SCRAM-") || has_verifiers())
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
        AuthMethods::new(&settings)
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
}
