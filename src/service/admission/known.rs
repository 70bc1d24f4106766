//! The domains that exist, as far as logins have shown.

use std::collections::HashSet;

/// Numbers that are kept for certain; up to twice as many are.
const KEPT_MIN: usize = 1 << 16;

/// Numbers of domains in which accounts were found: the last ones, however many there are.
#[derive(Debug, Default)]
pub(super) struct Known {
    recent: HashSet<u64>,
    earlier: HashSet<u64>,
}

impl Known {
    pub(super) fn has(&self, domain: u64) -> bool {
        self.recent.contains(&domain) || self.earlier.contains(&domain)
    }

    /// An account was found in `domain`.
    pub(super) fn add(&mut self, domain: u64) {
        if self.recent.insert(domain) && self.recent.len() >= KEPT_MIN {
            self.earlier = std::mem::take(&mut self.recent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_no_more_than_twice_as_many_as_promised() {
        let mut known = Known::default();
        let last = 5 * KEPT_MIN as u64 + 7;
        for domain in 0..=last {
            known.add(domain);
            known.add(0);
            assert!(known.has(domain) && known.has(0));
            assert!(known.recent.len() + known.earlier.len() <= 2 * KEPT_MIN);
        }
        assert!((last + 1 - KEPT_MIN as u64 / 2..=last).all(|domain| known.has(domain)));
        assert!(!known.has(1) && !known.has(last + 1));
    }
}
