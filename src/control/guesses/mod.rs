//! Which passwords are looked at, while wrong ones come.
//!
//! A wrong password is a *guess*. Each guess at an account is paid for from a budget of as many in as
//! much time as the account's `FailedLoginFlow` says. When that is spent, a password is refused
//! unseen, with the time after which to try again. A *place* is an IPv4 address or an IPv6 network of
//! 64 bits. Who pays:
//!
//! - a place from which the account has been logged in to has a budget of its own for it, and so has
//!   each *front end* (an address of the lists ClientIPs and WhiteHoleIPs: a webmail, a panel);
//! - all other places, the *strangers*, share one for each account. Of that one place alone may spend
//!   half at once, and in an hour no more than all of it once.
//!
//! What this holds to, with a flow of N in a time T, and T at most an hour:
//!
//! 1. *Guesses are few.* Of one account, in any time t, at most N + N t/T passwords of all strangers
//!    together are looked at and found wrong, however many they are; and as many of each front end
//!    and of each of the last [`PLACES_MAX`] places that were logged in from.
//! 2. *Nobody locks an owner out.* Whatever strangers do, they refuse nothing to one who comes from
//!    a place where he has logged in before, or through a front end.
//! 3. *Few strangers do not lock out a newcomer.* m places can keep the strangers' budget spent for
//!    1.5 m T of an hour at most: a minute and a half each, as things are set at first. A newcomer who
//!    meets that is told how long to wait. Against forty places and more that do nothing else he
//!    stands among all of them: no rule can tell him from them and keep the first promise.
//! 4. *Nothing is told.* A name that means nothing is counted and refused as one that means an account
//!    of the same domain. (An account with a flow of its own differs from both; that is for whoever
//!    sets one to weigh.)
//! 5. *Memory ends.* Each table has a fixed number of entries, and forgets what weighs least:
//!    what would be forgiven first.
//!
//! The same wrong password again, from the same place, is no other guess: it is looked at, for it may
//! be right by now, and not counted. It is known by 32 bits of a digest under a key that is drawn at
//! start ([`crate::auth::Recognizer`]); the last [`MARKS_MAX`] are kept. The right password of the account,
//! not that of an application, settles what its place owes.
//!
//! An account is known here by the address that a login leads to before anything is looked for
//! there, so that the table of routes cannot be used to have a fresh budget for each spelling. Each
//! further name of an account has its own budget: to share one, it would have to tell what it means.

mod debt;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use self::debt::Debt;
use super::lock;
use super::table::{Table, Worth};
use crate::model::{Flow, Tick};

/// Accounts whose strangers' budget is known, places that owe something, and accounts of which it is
/// known from where they were logged in to.
const ENTRIES_MAX: usize = 1 << 16;

/// Places that are remembered for one account.
pub const PLACES_MAX: usize = 4;

/// Wrong passwords that are recognised when they come again, for one account and place.
const MARKS_MAX: usize = 4;

/// How long it takes a stranger to have again what of its own share it spent, at least.
const STRANGER_PERIOD_MIN: Duration = Duration::from_secs(3600);

/// A login that asks to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Guess<'a> {
    /// The address that it leads to.
    pub address: &'a str,
    /// The place it comes from.
    pub place: IpAddr,
    /// Whether that is a front end.
    pub is_front_end: bool,
    /// How many may fail: the effective `FailedLoginFlow`.
    pub flow: Flow,
    /// What the same password is known by when it comes again.
    pub mark: Option<u32>,
}

/// The right to look at the password of a login, already paid for. Hand it to
/// [`Guesses::settle`] with what was found.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    account: u64,
    pair: u64,
    place: u32,
    is_front_end: bool,
    is_stranger: bool,
    /// It is not one that was found wrong before.
    is_new: bool,
    flow: Flow,
    mark: Option<u32>,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The account's own password.
    Right,
    /// The password of one of its applications.
    OfApplication,
    /// Anything else, or there is no such account, or it may not log in.
    Wrong,
    /// Nothing: it was not looked at after all.
    Nothing,
}

/// What follows for the place alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing.
    Even,
    /// A guess more.
    Failed,
    /// So many of its guesses were an owner's, who has found the right password now.
    Forgiven(u64),
}

/// What one place owes for one account.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    debt: Debt,
    /// The last wrong passwords; 0 is none.
    marks: [u32; MARKS_MAX],
}

/// From where an account was logged in to.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    /// What the place is known by, and the second in which it was last seen.
    seen: [(u32, u32); PLACES_MAX],
}

impl Places {
    fn has(&self, place: u32) -> bool {
        self.seen.iter().any(|(other, _)| *other == place)
    }

    fn note(&mut self, place: u32, now: Tick) {
        let index = self.seen.iter().position(|(other, _)| *other == place);
        let oldest = || (0..PLACES_MAX).min_by_key(|index| self.seen[*index].1).unwrap_or_default();
        // Later than a place that is none.
        let second = u32::try_from(now.0 / 1000).unwrap_or(u32::MAX).saturating_add(1);
        self.seen[index.unwrap_or_else(oldest)] = (place, second);
    }
}

impl Worth for Pair {
    fn worth(&self) -> u64 {
        self.debt.worth()
    }
}

impl Worth for Places {
    fn worth(&self) -> u64 {
        self.seen.iter().map(|(_, second)| u64::from(*second)).max().unwrap_or_default()
    }
}

#[derive(Debug)]
struct State {
    /// What strangers owe for each account.
    strangers: Table<Debt>,
    pairs: Table<Pair>,
    places: Table<Places>,
}

/// See the top of this file.
#[derive(Debug)]
pub struct Guesses {
    numbers: RandomState,
    state: Mutex<State>,
}

impl Default for Guesses {
    fn default() -> Self {
        let state = State {
            strangers: Table::new(ENTRIES_MAX),
            pairs: Table::new(ENTRIES_MAX),
            places: Table::new(ENTRIES_MAX),
        };
        Self { numbers: RandomState::new(), state: Mutex::new(state) }
    }
}

impl Guesses {
    /// Lets a password be looked at. Until it is settled it counts as a guess, so that many at once
    /// are no more than one after the other.
    ///
    /// # Errors
    /// How long none of this place will be, for this account.
    pub fn begin(&self, guess: &Guess<'_>, now: Tick) -> Result<Attempt, Duration> {
        let Guess { is_front_end, flow, mark, .. } = *guess;
        let account = self.numbers.hash_one(guess.address);
        let pair = self.numbers.hash_one((account, guess.place));
        // Not 0, which is none.
        let place = self.numbers.hash_one(guess.place) as u32 | 1;
        let mark = mark.map(|mark| mark.max(1));
        let mut state = lock(&self.state);
        let owes = state.pairs.get(pair).copied().unwrap_or_default();
        let is_new = !mark.is_some_and(|mark| owes.marks.contains(&mark));
        let is_known = || state.places.get(account).is_some_and(|places| places.has(place));
        let is_stranger = !is_front_end && !is_known();
        if is_new {
            let of_all = state.strangers.get(account).copied().filter(|_| is_stranger).unwrap_or_default();
            let (own, share) = if is_stranger { (stretched(flow), half(flow)) } else { (flow, flow.count.into()) };
            let is_spent = owes.debt.spent(own, now) >= share || of_all.spent(flow, now) >= flow.count.into();
            if is_spent {
                return Err(owes.debt.wait(share, own, now).max(of_all.wait(flow.count.into(), flow, now)));
            }
            state.pairs.entry(pair).debt.spend(own, now);
            if is_stranger {
                state.strangers.entry(account).spend(flow, now);
            }
        }
        Ok(Attempt { account, pair, place, is_front_end, is_stranger, is_new, flow, mark })
    }

    /// Notes what was found.
    pub fn settle(&self, attempt: Attempt, finding: Finding, now: Tick) -> Settled {
        let mut state = lock(&self.state);
        if finding == Finding::Wrong {
            return state.note(&attempt);
        }
        let owes = state.pairs.get(attempt.pair).copied().unwrap_or_default();
        state.take_back(&attempt);
        if finding != Finding::Right {
            return Settled::Even;
        }
        state.pairs.remove(attempt.pair);
        if !attempt.is_front_end {
            state.places.entry(attempt.account).note(attempt.place, now);
        }
        let spent = owes.debt.spent(attempt.own_flow(), now);
        Settled::Forgiven(spent.saturating_sub(attempt.is_new.into()))
    }
}

impl State {
    fn note(&mut self, attempt: &Attempt) -> Settled {
        if !attempt.is_new {
            return Settled::Even;
        }
        if let (Some(pair), Some(mark)) = (self.pairs.get_mut(attempt.pair), attempt.mark) {
            pair.marks.rotate_right(1);
            pair.marks[0] = mark;
        }
        Settled::Failed
    }

    /// It was no guess.
    fn take_back(&mut self, attempt: &Attempt) {
        if !attempt.is_new {
            return;
        }
        if let Some(pair) = self.pairs.get_mut(attempt.pair) {
            pair.debt.take_back(attempt.own_flow());
        }
        if attempt.is_stranger
            && let Some(debt) = self.strangers.get_mut(attempt.account)
        {
            debt.take_back(attempt.flow);
        }
    }
}

impl Attempt {
    /// The flow of the place's own budget.
    fn own_flow(&self) -> Flow {
        if self.is_stranger { stretched(self.flow) } else { self.flow }
    }
}

/// What one stranger may spend at once.
fn half(flow: Flow) -> u64 {
    flow.count.div_ceil(2).into()
}

/// In what time what one stranger spent comes back.
fn stretched(flow: Flow) -> Flow {
    Flow { period: flow.period.max(STRANGER_PERIOD_MIN), ..flow }
}
