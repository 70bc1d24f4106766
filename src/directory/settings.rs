//! What settings mean here: inheritance, booleans, access modes.

use std::time::Duration;

use super::encryption::Encryption;
use crate::model::Flow;
use crate::notation::{Dictionary, Value};

/// The access mode of this service.
pub(super) const PWD: &str = "PWD";

/// How many logins may fail in what time.
pub(super) const FAILED_LOGIN_FLOW: &str = "FailedLoginFlow";

/// The class of service of an account.
pub(super) const SERVICE_CLASS: &str = "ServiceClass";

/// What classes of service there are, and the settings of each.
pub(super) const SERVICE_CLASSES: &str = "ServiceClasses";

/// Units of time, in seconds.
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];

/// An account's settings over the defaults it inherits, nearest first: its own, its class of
/// service's, its domain's, and those that its domain inherits: the server's or the cluster's.
#[derive(Clone, Debug)]
pub(super) struct Layers([Dictionary; 4]);

impl Layers {
    /// The class of service is the one that `ServiceClass` names, among the `ServiceClasses` of the
    /// domain's defaults, else of those that it inherits.
    pub(super) fn new(own: Dictionary, domain: Dictionary, inherited: Dictionary) -> Self {
        let named = [&own, &domain, &inherited].into_iter().find_map(|layer| layer.get(SERVICE_CLASS));
        let class_in = |defaults: &Dictionary| match (defaults.get(SERVICE_CLASSES), named) {
            (Some(Value::Dictionary(classes)), Some(Value::String(name))) => classes.get(name).cloned(),
            _ => None,
        };
        let class = match class_in(&domain).or_else(|| class_in(&inherited)) {
            Some(Value::Dictionary(class)) => class,
            _ => Dictionary::new(),
        };
        Self([own, class, domain, inherited])
    }

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
        // Nearest last, so that it prevails.
        for layer in self.0.iter().rev() {
            for (key, value) in layer.iter() {
                merged.insert(key, value.clone());
            }
        }
        merged
    }
}

/// A domain's settings over the defaults it inherits and the program's own.
pub(super) fn effective_of_domain(own: Dictionary, inherited: Dictionary) -> Dictionary {
    let mut merged: Dictionary = [("DomainAccessModes", Value::from("All"))].into_iter().collect();
    for layer in [inherited, own] {
        for (key, value) in layer.iter() {
            merged.insert(key, value.clone());
        }
    }
    merged
}

/// The defaults in force when nobody set anything, for the keys in use here.
fn built_in() -> Dictionary {
    let Flow { count, period } = Flow::FAILED_LOGINS;
    let flow = [count.to_string(), format!("{}m", period.as_secs() / 60)];
    let flow = Value::Array(flow.iter().map(|text| Value::from(text.as_str())).collect());
    let encryption = Encryption::default().as_str();
    let words = [
        ("UseAppPassword", "YES"),
        ("UseCertificateAuth", "NO"),
        ("UseExtPassword", "NO"),
        ("RequireAPOP", "NO"),
        ("PWDAllowed", "YES"),
        ("AccessModes", "All"),
        (Encryption::KEY, encryption),
    ];
    words.map(|(key, word)| (key, Value::from(word))).into_iter().chain([(FAILED_LOGIN_FLOW, flow)]).collect()
}

/// How many logins may fail in what time. What cannot be understood is the default: it must not let
/// anybody guess for ever.
pub(super) fn failed_login_flow(value: Option<&Value>) -> Flow {
    let Some(Value::Array(parts)) = value else { return Flow::FAILED_LOGINS };
    let [count, period] = &parts[..] else { return Flow::FAILED_LOGINS };
    match (amount(count, &[]), amount(period, &UNITS)) {
        (Some(count @ 1..), Some(seconds @ 1..)) => {
            Flow { count: u32::try_from(count).unwrap_or(u32::MAX), period: Duration::from_secs(seconds) }
        }
        _ => Flow::FAILED_LOGINS,
    }
}

/// A number, which may come with one of `units`.
fn amount(value: &Value, units: &[(char, u64)]) -> Option<u64> {
    if let Value::Number(number) = value {
        return u64::try_from(*number).ok();
    }
    let text = value.as_str()?.trim();
    let with_unit = units.iter().find_map(|(unit, times)| Some((text.strip_suffix(*unit)?, *times)));
    let (digits, times) = with_unit.unwrap_or((text, 1));
    digits.parse::<u64>().ok()?.checked_mul(times)
}

/// Whether a setting that defaults to YES is on. Anything but YES turns it off: what cannot be
/// understood must not let anybody in.
pub(super) fn is_on(value: Option<&Value>) -> bool {
    value.is_none_or(|value| is_word(value, "YES"))
}

/// Whether a setting that defaults to NO is on.
pub(super) fn is_yes(value: Option<&Value>) -> bool {
    value.is_some_and(|value| is_word(value, "YES"))
}

/// Whether a setting that defaults to NO, and that asks for something before anybody is let in, is on.
/// Anything but NO turns it on, for the same reason.
pub(super) fn is_required(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !is_word(value, "NO"))
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
pub(super) fn is_word(value: &Value, word: &str) -> bool {
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
    fn another_switch_is_on_by_yes_alone() {
        assert!(!is_yes(None) && is_yes(Some(&value("yes"))) && !is_yes(Some(&value("NO"))));
    }

    #[test]
    fn what_is_required_is_so_by_anything_but_no() {
        for (text, expected) in [("NO", false), ("no", false), ("YES", true), ("#0", true), ("(NO)", true)] {
            assert_eq!(is_required(Some(&value(text))), expected, "{text}");
        }
        assert!(!is_required(None));
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
    fn a_flow_is_a_number_and_a_time() {
        let flow = |text: &str| {
            let Flow { count, period } = failed_login_flow(Some(&value(text)));
            (count, period.as_secs())
        };
        for (text, expected) in [
            ("(10,1m)", (10, 60)),
            ("(#3,#30)", (3, 30)),
            ("(1,2h)", (1, 7200)),
            ("(5,1d)", (5, 86_400)),
            ("(5,90s)", (5, 90)),
            ("(99999999999,1m)", (u32::MAX, 60)),
            ("(3,5)", (3, 5)),
        ] {
            assert_eq!(flow(text), expected, "{text}");
        }
        for text in [
            "10",
            "()",
            "(1)",
            "(0,1m)",
            "(1,0)",
            "(1m,1m)",
            "(-1,1m)",
            "(#-1,1m)",
            "(1,m)",
            "(1,1m,1)",
            "(1,99999999999999999999w)",
        ] {
            assert_eq!(flow(text), (10, 60), "{text}");
        }
        assert_eq!(failed_login_flow(None), Flow::FAILED_LOGINS);
        assert_eq!(failed_login_flow(built_in().get(FAILED_LOGIN_FLOW)), Flow::FAILED_LOGINS);
    }

    #[test]
    fn an_update_replaces_adds_and_removes() {
        let mut settings: Dictionary = [("a", value("1")), ("b", value("2"))].into_iter().collect();
        update(&mut settings, &[("a", value("Default")), ("b", value("3")), ("c", value("()"))].into_iter().collect());
        assert_eq!(settings.to_string(), "{b=3;c=();}");
    }
}
