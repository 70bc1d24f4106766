use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, OnceLock};

use super::action::Failed;
use super::lock;

/// What the names of the elements begin with that administrators make.
const CUSTOM: &str = "custom";

/// Elements that administrators may make, and the bytes of a name.
const CUSTOM_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 64;

/// The name of an element and its value.
pub type Count = (&'static str, u64);

type Source = Box<dyn Fn() -> Vec<Count> + Send + Sync>;

/// Numbers for whoever watches the server: its own counts, and the ones that administrators keep
/// here under names that begin with `custom`.
#[derive(Default)]
pub struct Statistics {
    source: OnceLock<Source>,
    custom: Mutex<BTreeMap<Box<str>, i64>>,
}

impl Statistics {
    /// Lets more of the server's counts come from `source`, in the order in which they are shown.
    ///
    /// # Panics
    /// When there is a source already.
    pub fn count_by(&self, source: impl Fn() -> Vec<Count> + Send + Sync + 'static) {
        assert!(self.source.set(Box::new(source)).is_ok(), "one source counts");
    }

    /// What the source has counted.
    pub(super) fn counts(&self) -> Vec<Count> {
        self.source.get().map(|source| source()).unwrap_or_default()
    }

    /// The element `name`, in any letter case: of `own`, the server's, or a custom one.
    pub(super) fn get(&self, name: &str, own: &[Count]) -> Option<i64> {
        let count = own.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        let count = count.map(|(_, count)| i64::try_from(*count).unwrap_or(i64::MAX));
        count.or_else(|| lock(&self.custom).get(&*name.to_ascii_lowercase()).copied())
    }

    /// The name of the element that follows `name`, or of the first one when it is empty: first
    /// those of `own`, then the custom ones.
    pub(super) fn next(&self, name: &str, own: &[Count]) -> Option<String> {
        let name = name.to_ascii_lowercase();
        let custom = lock(&self.custom);
        let place = own.iter().position(|(own, _)| *own == name).map(|index| index + 1);
        let place = if name.is_empty() { Some(0) } else { place };
        match place.map(|index| own.get(index)) {
            Some(Some((name, _))) => Some((*name).to_owned()),
            Some(None) => custom.keys().next().map(|name| name.to_string()),
            None => {
                custom.get(&*name)?;
                custom.keys().find(|other| ***other > *name).map(|name| name.to_string())
            }
        }
    }

    /// Makes a custom element of its old value.
    pub(super) fn set(&self, name: &str, make: impl FnOnce(i64) -> i64) -> Result<(), Failed> {
        let name = name.to_ascii_lowercase();
        if !name.starts_with(CUSTOM) || name.len() > NAME_BYTES_MAX {
            return Err(Failed("only elements whose name begins with custom can be changed"));
        }
        let mut custom = lock(&self.custom);
        if custom.len() >= CUSTOM_MAX && !custom.contains_key(&*name) {
            return Err(Failed("there are too many custom elements"));
        }
        let value = custom.entry(name.into()).or_default();
        *value = make(*value);
        Ok(())
    }
}

impl fmt::Debug for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.counts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_follows_another_one() {
        let statistics = Statistics::default();
        assert_eq!(statistics.next("", &[]), None);
        let own = [("sessions", 3), ("hashes", u64::MAX)];
        for name in ["customB", "CustomA"] {
            statistics.set(name, |old| old + 5).unwrap();
        }
        let next = |name: &str| statistics.next(name, &own);
        let names: Vec<String> = std::iter::successors(next(""), |name| next(name)).collect();
        assert_eq!(names, ["sessions", "hashes", "customa", "customb"]);
        let values: Vec<_> = names.iter().map(|name| statistics.get(name, &own).unwrap()).collect();
        assert_eq!(values, [3, i64::MAX, 5, 5]);
        assert_eq!((next("nothing"), statistics.get("nothing", &own)), (None, None));
    }

    #[test]
    fn custom_elements_are_bounded_and_others_are_not_changed() {
        let statistics = Statistics::default();
        for name in ["sessions", "", &"custom".repeat(20)] {
            assert!(statistics.set(name, |_| 1).is_err(), "{name}");
        }
        (0..CUSTOM_MAX).for_each(|index| statistics.set(&format!("custom{index}"), |_| 1).unwrap());
        assert!(statistics.set("customX", |_| 1).is_err());
        assert!(statistics.set("custom0", |old| old + 1).is_ok());
        assert_eq!(statistics.get("custom0", &[]), Some(2));
    }
}
