//! Who may wait for the pool, for how long, and who is next.
//!
//! Knows neither clocks nor threads: time comes as a parameter. [`Admission::offer`] takes a job
//! or refuses it at once, [`Admission::take`] says which one a free worker begins, and
//! [`Admission::finish`] tells how long it took, from which the waiting time of the next ones is
//! foreseen. Jobs that lose their place while they wait come out of [`Admission::turned_away`].
//!
//! - *Bounded in time.* A job that would not begin within [`Bounds::wait_max`] is refused when it
//!   arrives, with the seconds after which to try again. One whose chance is lost later, because
//!   others came who had a better right, is turned away when the bound is reached; from then on
//!   the newest of its source and its domain come first, for they can still be served in time,
//!   until all that wait there are recent. To wait in vain is worse than to be refused, and a
//!   short queue keeps the workers as busy as a long one: so a forecast has to leave a wide
//!   margin, which narrows as long waits turn out to end well.
//! - *Bounded in number.* Beyond [`Bounds::length_max`] a job is refused, unless somebody has more
//!   waiting than its own source and domain; then that one's newest gives way.
//! - *Fair* within each of three classes, by the time that jobs take: see [`fair`]. Of eight jobs
//!   begun while all classes wait, one is an operator's, six are changes of sessions whose password
//!   has been proven, and one is a login. What a class does not use goes to the others in that order.
//! - *Fair to those who are known.* All domains in which no account has been found yet share the time
//!   of a few: whoever invents a domain for each login, and has a source for each, gets no more.
//! - *No work for nobody.* Jobs whose client has hung up are dropped when their turn comes; and
//!   before somebody is refused, some of those that wait are searched for them.

mod fair;
mod known;
mod line;
mod party;
mod rounds;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::model::Tick;

use self::fair::{FairQueue, NEWCOMERS};
use self::known::Known;

use self::party::COST_MAX;

pub(super) use self::fair::Origin;

/// How many waiting jobs of each class are searched for those whose client has hung up, before a
/// job is refused. Under a flood of refusals that goes through all of them soon; and each costs
/// the refusing thread some nanoseconds.
const SEARCHED_MAX: usize = 64;

/// A refused client is never sent away for a shorter time, nor for a longer one.
const RETRY_AFTER_S: RangeInclusive<u32> = super::RETRY_AFTER_S..=60;

/// The order in which classes are asked for a job, one row after the other.
const TURNS: [[Class; 3]; 8] = {
    use Class::{Change, Login, Operator};
    const CHANGE: [Class; 3] = [Change, Operator, Login];
    [[Operator, Change, Login], CHANGE, CHANGE, CHANGE, [Login, Change, Operator], CHANGE, CHANGE, CHANGE]
};

/// Of the longest wait, the part that a forecast may reach at first, at least and at most; the part
/// that is added to this for each long wait that ends well; and what each wait in vain takes of it.
/// Together they let one in some thousand wait in vain. When a crowd has gone, and half as many
/// come as can be served, what it has left waiting is done in twice its time: with the most, before
/// the longest wait is over.
const TRUSTED_FIRST: u32 = 4;
const TRUSTED_LEAST: u32 = 8;
const TRUSTED_MOST: u32 = 3;
const TRUST_GAINED: u32 = 1 << 14;
const TRUST_LOST: u32 = 8;

/// Parts in which the share of a class among the jobs begun is counted, and how many of them the
/// last job is worth.
const SHARE_ONE: usize = 1 << 16;
const SHARE_STEP: usize = SHARE_ONE >> 7;

/// What a job is, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Anything of an operator's session.
    Operator,
    /// A change by a session whose password has been proven.
    Change,
    /// A login.
    Login,
}

impl Class {
    const ALL: [Self; 3] = [Self::Operator, Self::Change, Self::Login];

    /// Rows of [`TURNS`] that begin with it.
    fn turns(self) -> usize {
        TURNS.iter().filter(|row| row[0] == self).count()
    }
}

/// Something that may wait.
pub(super) trait Patient {
    /// Whether nobody is interested any more.
    fn is_abandoned(&self) -> bool;
}

/// What bounds the waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Jobs that run at the same time.
    pub(super) workers: usize,
    /// How long a job may wait.
    pub(super) wait_max: Duration,
    /// How many may wait.
    pub(super) length_max: usize,
}

/// A job that does not wait any more and will not begin.
#[derive(Debug)]
pub(super) struct TurnedAway<J> {
    pub(super) job: J,
    /// After how many seconds it may be tried again.
    pub(super) retry_after_s: u32,
    pub(super) reason: Reason,
}

/// Why a job was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It could not have begun in time, or too many waited.
    Refused,
    /// Its time ran out, or it gave way to somebody with less waiting.
    Displaced,
    /// Its client has hung up.
    Abandoned,
}

/// What must be given back when a job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    class: Class,
    origin: Origin,
}

/// A job whose turn has come.
#[derive(Debug)]
pub(super) struct Admitted<J> {
    pub(super) job: J,
    pub(super) waited: Duration,
    pub(super) pass: Pass,
}

/// See the top of this file.
#[derive(Debug)]
pub(super) struct Admission<J> {
    bounds: Bounds,
    queues: [FairQueue<J>; 3],
    turns_count: usize,
    /// Of the jobs begun lately, how many were of each class. While a class waits, that is how
    /// fast it is served, whatever the others are: each login that is let in is followed by a
    /// change, which then goes before the next login.
    shares: [usize; 3],
    /// The running mean of how long a job takes, in microseconds.
    job_us: u64,
    /// The same of changes alone, each of which makes one hash of the configured cost: what a share
    /// is. A login may meet an imported hash that costs a hundred times as much.
    usual_us: u64,
    /// Only jobs that are foreseen to wait less than this are let in. A forecast does not know who
    /// else will come: each job whose time runs out makes it shorter, each that begins after half
    /// as long or more makes it longer. Calm times teach nothing about crowds.
    trusted: Duration,
    known: Known,
    turned_away: Vec<TurnedAway<J>>,
}

impl<J: Patient> Admission<J> {
    /// `job` is about how long one will take, until the first ones have been measured.
    pub(super) fn new(bounds: Bounds, job: Duration) -> Self {
        let job_us = u64::try_from(job.as_micros()).unwrap_or(u64::MAX);
        Self {
            bounds,
            queues: Default::default(),
            turns_count: 0,
            shares: [SHARE_ONE; 3],
            job_us,
            usual_us: job_us,
            trusted: bounds.wait_max / TRUSTED_FIRST,
            known: Known::default(),
            turned_away: Vec::new(),
        }
    }

    /// An account was found in `domain`, by whatever password.
    pub(super) fn found(&mut self, domain: u64) {
        self.known.add(domain);
    }

    /// Changes how long and how many jobs may wait.
    pub(super) fn set_bounds(&mut self, wait_max: Duration, length_max: usize) {
        self.bounds.wait_max = wait_max;
        self.bounds.length_max = length_max;
    }

    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.queues.iter().map(FairQueue::len).sum()
    }

    /// For how long the jobs that wait keep the pool busy.
    pub(super) fn backlog(&self) -> Duration {
        self.time_for(self.len())
    }

    /// Lets `job` wait.
    ///
    /// # Errors
    /// The job, refused.
    pub(super) fn offer(&mut self, job: J, class: Class, origin: Origin, now: Tick) -> Result<(), TurnedAway<J>> {
        self.expire(now);
        // Whoever has logged in is of a domain that exists.
        let is_newcomer = class == Class::Login && !self.known.has(origin.domain);
        let origin = if is_newcomer { Origin { domain: NEWCOMERS, ..origin } } else { origin };
        let mut wait = self.foresee(class, origin);
        if (wait.is_none() || self.len() >= self.bounds.length_max) && self.drop_abandoned() {
            wait = self.foresee(class, origin);
        }
        if wait.is_some() && (self.len() < self.bounds.length_max || self.displace_for(class, origin)) {
            self.queues[class as usize].add(job, origin, now);
            return Ok(());
        }
        Err(TurnedAway { job, retry_after_s: self.retry_after_s(), reason: Reason::Refused })
    }

    /// The job that a free worker shall begin now.
    pub(super) fn take(&mut self, now: Tick) -> Option<Admitted<J>> {
        self.expire(now);
        loop {
            let (class, waiting) = self.next_of_any(now)?;
            let pass = Pass { class, origin: waiting.origin };
            if waiting.job.is_abandoned() {
                self.queues[class as usize].finish(pass.origin, 0);
                self.turn_away(waiting.job, Reason::Abandoned);
                continue;
            }
            let waited = now.since(waiting.arrived);
            if waited >= self.trusted / 2 {
                self.trusted =
                    (self.trusted + self.bounds.wait_max / TRUST_GAINED).min(self.bounds.wait_max / TRUSTED_MOST);
            }
            return Some(Admitted { job: waiting.job, waited, pass });
        }
    }

    /// A job that began with `pass` has ended after `took`.
    pub(super) fn finish(&mut self, pass: Pass, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.job_us = self.job_us - self.job_us / 16 + took_us / 16;
        if pass.class == Class::Change {
            self.usual_us = self.usual_us - self.usual_us / 16 + took_us / 16;
        }
        let more = (took_us / self.usual_us.max(1)).saturating_sub(1);
        self.queues[pass.class as usize].finish(pass.origin, u32::try_from(more).unwrap_or(u32::MAX).min(COST_MAX));
    }

    /// Those that have been turned away since the last call.
    pub(super) fn turned_away(&mut self) -> Vec<TurnedAway<J>> {
        std::mem::take(&mut self.turned_away)
    }

    fn next_of_any(&mut self, now: Tick) -> Option<(Class, fair::Waiting<J>)> {
        let recent = Tick(now.0.saturating_sub(as_ms(self.bounds.wait_max / 2)));
        let row = TURNS[self.turns_count % TURNS.len()];
        let next = row.into_iter().find_map(|class| Some((class, self.queues[class as usize].take(recent)?)));
        if let Some((class, _)) = next {
            self.turns_count += 1;
            for other in Class::ALL {
                let share = &mut self.shares[other as usize];
                *share -= *share * SHARE_STEP / SHARE_ONE;
                *share += if other == class { SHARE_STEP } else { 0 };
            }
        }
        next
    }

    /// How long a job would wait; `None` if too long.
    fn foresee(&self, class: Class, origin: Origin) -> Option<Duration> {
        let queue = &self.queues[class as usize];
        let ahead = queue.ahead_of(origin);
        let others = self.len() - queue.len();
        let least_share = class.turns() * SHARE_ONE / TURNS.len();
        let at_share = |share: usize| ahead.saturating_mul(SHARE_ONE) / share;
        let ahead = (ahead + others).max(at_share(self.shares[class as usize].max(1))).min(at_share(least_share));
        // Jobs of one account run one after the other, however many workers there are.
        let wait = self.time_for(ahead).max(self.job_time().saturating_mul(count(queue.of_account(origin))));
        (wait <= self.trusted).then_some(wait)
    }

    /// How long a job takes, as far as is known.
    pub(super) fn job_time(&self) -> Duration {
        Duration::from_micros(self.job_us)
    }

    /// How long the pool takes to begin so many jobs and one more.
    fn time_for(&self, jobs: usize) -> Duration {
        self.job_time().saturating_mul(count(jobs)) / count(self.bounds.workers).max(1)
    }

    fn retry_after_s(&self) -> u32 {
        let wait = self.backlog();
        u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX).clamp(*RETRY_AFTER_S.start(), *RETRY_AFTER_S.end())
    }

    fn turn_away(&mut self, job: J, reason: Reason) {
        let retry_after_s = self.retry_after_s();
        self.turned_away.push(TurnedAway { job, retry_after_s, reason });
    }

    /// Turns away those whose time has run out.
    fn expire(&mut self, now: Tick) {
        for class in Class::ALL {
            loop {
                let queue = &mut self.queues[class as usize];
                let late = queue.oldest().filter(|(_, arrived)| now.since(*arrived) > self.bounds.wait_max);
                let Some(waiting) = late.and_then(|(number, _)| queue.remove(number)) else { break };
                queue.turn_to_newest(waiting.origin);
                self.trusted = (self.trusted - self.trusted / TRUST_LOST).max(self.bounds.wait_max / TRUSTED_LEAST);
                self.turn_away(waiting.job, Reason::Displaced);
            }
        }
    }

    /// Drops jobs whose client has hung up, of some that wait; whether there was any.
    fn drop_abandoned(&mut self) -> bool {
        let before = self.len();
        for class in Class::ALL {
            for number in self.queues[class as usize].search(SEARCHED_MAX, J::is_abandoned) {
                if let Some(waiting) = self.queues[class as usize].remove(number) {
                    self.turn_away(waiting.job, Reason::Abandoned);
                }
            }
        }
        self.len() < before
    }

    /// Makes room for a job of `class` and `origin`: of the lower classes whoever has most waiting
    /// gives way, of its own class only somebody with more than it.
    fn displace_for(&mut self, class: Class, origin: Origin) -> bool {
        for lower in Class::ALL.into_iter().rev().take_while(|lower| *lower >= class) {
            let queue = &mut self.queues[lower as usize];
            let number =
                if lower == class { queue.displaceable_for(origin) } else { queue.longest().map(|(_, number)| number) };
            if let Some(waiting) = number.and_then(|number| queue.remove(number)) {
                self.turn_away(waiting.job, Reason::Displaced);
                return true;
            }
        }
        false
    }
}

fn as_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn count(jobs: usize) -> u32 {
    u32::try_from(jobs).unwrap_or(u32::MAX)
}
