//! What settings mean here: inheritance, booleans, access modes.

use crate::notation::{Dictionary, Value};

/// The access mode of this service.
pub(super) const PWD: &str = "PWD";

/// An account's settings over the defaults it inherits, nearest first: its own, its domain's, the
/// server's.
#[derive(Clone, Debug)]
pub(super) struct Layers(pub(super) [Dictionary; 3]);

impl Layers {
    /// The explicit settings.
    pub(super) fn own(&self) -> &Dictionary {
        &self.0[0]
    }

    /// The effective value, unless only the program's own default is left.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find_map(|layer| layer.get(key))
    }

    /// Every effective value, the program's own defaults included.
    pub(super) fn merged(&self) -> Dictionary {
        let mut merged = built_in();
        for layer in self.0.iter().rev() {
            for (key, value) in layer.iter() {
                merged.insert(key, value.clone());
            }
        }
        merged
    }
}

/// The defaults in force when nobody set anything, for the keys in use here.
fn built_in() -> Dictionary {
    [("UseAppPassword", "YES"), ("PWDAllowed", "YES"), ("AccessModes", "All")]
        .into_iter()
        .map(|(key, value)| (key, Value::from(value)))
        .collect()
}

/// Whether a setting that defaults to YES is on. Anything but YES turns it off: what cannot be
/// understood must not let anybody in.
pub(super) fn is_on(value: Option<&Value>) -> bool {
    value.is_none_or(|value| is_word(value, "YES"))
}

/// Whether a set of access modes, which defaults to All, includes `mode`. The set is the word All
/// or None, or an array of a number, which tells how many modes there were when it was saved, and
/// the modes' names.
pub(super) fn includes_mode(modes: Option<&Value>, mode: &str) -> bool {
    match modes {
        None => true,
        Some(Value::Array(names)) => names.iter().skip(1).any(|name| is_word(name, mode)),
        Some(word) => is_word(word, "All"),
    }
}

/// Carries `changes` over to `settings`; the word `default` removes what is under its key.
pub(super) fn update(settings: &mut Dictionary, changes: &Dictionary) {
    for (key, value) in changes.iter() {
        if is_word(value, "default") {
            settings.remove(key);
        } else {
            settings.insert(key, value.clone());
        }
    }
}

/// Whether `value` is the string `word`, in any case.
fn is_word(value: &Value, word: &str) -> bool {
    value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::Form;

    fn value(text: &str) -> Value {
        Value::parse(text.as_bytes(), Form::Line).unwrap()
    }

    #[test]
    fn a_switch_is_on_by_default_and_by_yes_alone() {
        assert!(is_on(None));
        for (text, on) in
            [("YES", true), ("yes", true), ("NO", false), ("#1", false), ("\"\"", false), ("(YES)", false)]
        {
            assert_eq!(is_on(Some(&value(text))), on, "{text}");
        }
    }

    #[test]
    fn a_set_of_modes_is_a_word_or_an_array_behind_a_number() {
        assert!(includes_mode(None, PWD));
        let cases = [
            ("All", true),
            ("all", true),
            ("None", false),
            ("PWD", false),
            ("(26,Mail,PWD)", true),
            ("(#26,pwd)", true),
            ("(26,Mail)", false),
            ("(26)", false),
            ("()", false),
            ("(PWD,Mail)", false),
        ];
        for (text, included) in cases {
            assert_eq!(includes_mode(Some(&value(text)), PWD), included, "{text}");
        }
    }

    #[test]
    fn an_update_replaces_adds_and_removes() {
        let mut settings: Dictionary = [("a", value("1")), ("b", value("2"))].into_iter().collect();
        update(&mut settings, &[("a", value("Default")), ("b", value("3")), ("c", value("()"))].into_iter().collect());
        assert_eq!(settings.to_string(), "{b=3;c=();}");
    }
}
