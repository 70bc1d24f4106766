use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use keyturn::model::Clock;
use keyturn::store::Outcome;

use crate::program::data::Data;
use crate::program::failure::Failure;

/// Accounts that are sealed anew with one sync.
const PAGE_COUNT: usize = 128;

/// How far the work has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Accounts that were looked at.
    pub(super) seen: u64,
    /// Those of them that were sealed anew.
    pub(super) sealed: u64,
}

impl Tally {
    /// The two numbers in `text`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (seen, sealed) = text.split_once(' ')?;
        Some(Self { seen: seen.parse().ok()?, sealed: sealed.parse().ok()? })
    }

    /// The inverse of [`Tally::parse`].
    pub(super) fn print(self) -> String {
        format!("{} {}", self.seen, self.sealed)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} accounts, {} of them sealed anew", self.seen, self.sealed)
    }
}

/// Brings every account of `data` under the key that seals now, page by page, and lets the store name no
/// other one then. After each page it leaves the store to others for as long as the page took it.
///
/// One pass is enough: whoever writes an account meanwhile writes it under that key, for what was put
/// together under another one conflicts since the store names the new one.
///
/// # Errors
/// There is no key; the work was to be `over`; or as the store tells. What was done stays.
pub(super) fn reseal(data: &Data, over: &AtomicBool, mut tell: impl FnMut(Tally)) -> Result<Tally, Failure> {
    if !data.directory.seals() {
        return Err(Failure::failed("there is no master_key in the configuration: nothing is sealed"));
    }
    let clock = Clock::new();
    let mut tally = Tally::default();
    let mut last = None;
    loop {
        let page = data.directory.reseal(last.as_ref(), PAGE_COUNT)?;
        if page.seen == 0 {
            break;
        }
        if over.load(Ordering::Acquire) {
            return Err(Failure::failed("the server is stopping: call this again to go on"));
        }
        if !page.transactions.is_empty() {
            let begun = clock.now();
            let outcomes = data.store.commit(&page.transactions)?;
            tally.sealed += outcomes.iter().map(|it| u64::from(matches!(it, Outcome::Committed(_)))).sum::<u64>();
            thread::park_timeout(clock.now().since(begun));
        }
        tally.seen += u64::try_from(page.seen).unwrap_or(u64::MAX);
        last = page.last;
        tell(tally);
    }
    data.directory.forget_other_keys(|naming| data.commit(naming))?;
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_read_as_it_was_written() {
        let tally = Tally { seen: 12, sealed: 3 };
        assert_eq!(Tally::parse(&tally.print()), Some(tally));
        for text in ["", "12", "12 x", "12 3 4", "-1 3"] {
            assert_eq!(Tally::parse(text), None, "{text}");
        }
    }
}
