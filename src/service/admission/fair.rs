//! The waiting jobs of one class, in an order that is fair to sources and to domains at once.
//!
//! Jobs of one source for one domain make a *lane*. Time goes in rounds: in each, a source has as
//! many shares as its weight says, and a domain one (all unknown ones together: [`NEWCOMERS`]). A job takes a share when it begins. What it
//! costs is known when it has ended: one of a dear hash, which an imported record may hold, takes as
//! many shares more as it took times longer than usual, and its source and its domain sit out rounds
//! until that is paid for (deficit round robin, with the deficit found afterwards). A lane whose source
//! or domain has had its share is *parked* in that party's line; when no lane is left that may go
//! on, parties with a share left release the next lane of their line, and when there is none of
//! these, the next round begins. So
//!
//! - a source that offers a hundred times its share, for however many domains, gets one share;
//! - a domain that is asked for by a thousand sources gets one share, and among these sources it
//!   is shared lane by lane;
//! - nobody waits while a worker is idle, for rounds are as short as the jobs that are there.
//!
//! Within a lane accounts take turns, and an account whose job is running is passed over: at most
//! one job per account and class runs.
//!
//! Who comes while a round goes on has a share from the next one on.
//!
//! Everything is kept for waiting jobs only, and goes with the last of them; what a party has spent
//! goes when it is paid for. That is for no more parties than have jobs waiting or running: a debt of
//! n rounds is made by one of n jobs, and in these rounds all others have their turns.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::model::Tick;

use super::line::{End, Line, Place};
use super::party::{Comes, Parties};

/// Whose a job is. The numbers stand for an address, a domain's and an account's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) struct Origin {
    pub(in crate::service) source: u64,
    pub(in crate::service) domain: u64,
    pub(in crate::service) account: u64,
    /// The shares of the source, at least 1.
    pub(in crate::service) weight: u32,
}

impl Origin {
    fn lane(self) -> LaneKey {
        (self.source, self.domain)
    }
}

type LaneKey = (u64, u64);

/// Stands for all domains of which nobody knows whether they exist. After a start each is one of
/// them until its first login has been served.
pub(super) const NEWCOMERS: u64 = u64::MAX;

/// Shares of all these in each round: more than one, for most of them do exist in ordinary times.
const NEWCOMERS_WEIGHT: u32 = 4;

/// Shares of a domain in each round.
fn weight_of_domain(domain: u64) -> u32 {
    if domain == NEWCOMERS { NEWCOMERS_WEIGHT } else { 1 }
}

/// A job that waits.
#[derive(Debug)]
pub(super) struct Waiting<J> {
    pub(super) job: J,
    pub(super) arrived: Tick,
    pub(super) origin: Origin,
}

/// What waits for one account, in all lanes.
#[derive(Clone, Copy, Debug, Default)]
struct AccountLoad {
    jobs_count: usize,
    lanes_count: usize,
}

/// The jobs of one account in one lane, the oldest first.
#[derive(Debug)]
struct AccountQueue {
    jobs: VecDeque<u64>,
    place: Place,
}

#[derive(Debug)]
struct Lane {
    jobs_count: usize,
    /// Accounts with jobs in this lane.
    accounts: Line<u64>,
    /// Jobs left in the turn of a source of some weight.
    turn_left: u32,
    has_been_served: bool,
    stands: Stands,
}

impl Lane {
    fn comes(&self) -> Comes {
        match (self.has_been_served, self.turn_left) {
            (false, _) => Comes::Fresh,
            (true, 0) => Comes::Served,
            (true, _) => Comes::InTurn,
        }
    }
}

/// In which line a lane is.
#[derive(Clone, Copy, Debug)]
enum Stands {
    Ready(Place),
    AtSource(Place),
    AtDomain(Place),
    /// All its accounts have jobs running; it waits for this one.
    AtAccount(u64, Place),
}

/// An account that has a job running, or had one and has lanes waiting for it.
#[derive(Debug, Default)]
struct Occupied {
    is_running: bool,
    lanes: Line<LaneKey>,
}

/// See the top of this file.
#[derive(Debug)]
pub(super) struct FairQueue<J> {
    jobs: BTreeMap<u64, Waiting<J>>,
    arrivals_count: u64,
    /// Where the next search begins.
    searched: u64,
    queues: HashMap<(LaneKey, u64), AccountQueue>,
    accounts: HashMap<u64, AccountLoad>,
    lanes: HashMap<LaneKey, Lane>,
    sources: Parties<LaneKey>,
    domains: Parties<LaneKey>,
    occupied: BTreeMap<u64, Occupied>,
    /// Lanes that may go on, as far as is known.
    ready: Line<LaneKey>,
    round: u64,
}

impl<J> Default for FairQueue<J> {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            arrivals_count: 0,
            searched: 0,
            queues: HashMap::new(),
            accounts: HashMap::new(),
            lanes: HashMap::new(),
            sources: Parties::default(),
            domains: Parties::default(),
            occupied: BTreeMap::new(),
            ready: Line::default(),
            round: 1,
        }
    }
}

impl<J> FairQueue<J> {
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn add(&mut self, job: J, origin: Origin, arrived: Tick) {
        let number = self.arrivals_count;
        self.arrivals_count += 1;
        let key = origin.lane();
        self.sources.arrive(origin.source, origin.weight, number, self.round);
        self.domains.arrive(origin.domain, weight_of_domain(origin.domain), number, self.round);
        let lane = self.lanes.entry(key).or_insert_with(|| {
            self.sources.open(origin.source);
            self.domains.open(origin.domain);
            Lane {
                jobs_count: 0,
                accounts: Line::default(),
                turn_left: 0,
                has_been_served: false,
                stands: Stands::Ready(self.ready.join(key, End::Last)),
            }
        });
        lane.jobs_count += 1;
        let load = self.accounts.entry(origin.account).or_default();
        let queue = self.queues.entry((key, origin.account)).or_insert_with(|| {
            load.lanes_count += 1;
            AccountQueue { jobs: VecDeque::new(), place: lane.accounts.join(origin.account, End::Last) }
        });
        queue.jobs.push_back(number);
        load.jobs_count += 1;
        self.jobs.insert(number, Waiting { job, arrived, origin });
        if let Stands::AtAccount(stalled, place) = lane.stands
            && !is_running(&self.occupied, origin.account)
        {
            leave_account(&mut self.occupied, stalled, place);
            lane.stands = Stands::Ready(self.ready.join(key, End::Last));
        }
    }

    /// The next job to begin. Its account is passed over until [`FairQueue::finish`]. Parties all of
    /// whose jobs came after `recent` return to the oldest first.
    pub(super) fn take(&mut self, recent: Tick) -> Option<Waiting<J>> {
        loop {
            let Some(key) = self.ready.pop(End::First) else {
                if self.go_on() || self.release_stalled() {
                    continue;
                }
                return None;
            };
            if self.park_at_party(key) {
                continue;
            }
            if let Some(account) = self.free_account(key) {
                let begun = self.begin(key, account);
                self.settle(begun.origin, recent);
                return Some(begun);
            }
        }
    }

    /// A job of `origin` has ended; it has cost `more` shares than the one it was begun for.
    pub(super) fn finish(&mut self, origin: Origin, more: u32) {
        let Origin { source, domain, account, weight } = origin;
        self.sources.charge(source, weight, more, self.round);
        self.domains.charge(domain, weight_of_domain(domain), more, self.round);
        if let Some(occupied) = self.occupied.get_mut(&account) {
            occupied.is_running = false;
            self.release_account(account);
        }
    }

    /// The job that has waited longest: its number and since when.
    pub(super) fn oldest(&self) -> Option<(u64, Tick)> {
        self.jobs.first_key_value().map(|(number, waiting)| (*number, waiting.arrived))
    }

    /// Looks at `count_max` jobs from where it stopped the last time, in a circle; the numbers of
    /// those that `is_wanted` chooses.
    pub(super) fn search(&mut self, count_max: usize, is_wanted: impl Fn(&J) -> bool) -> Vec<u64> {
        let circle = self.jobs.range(self.searched..).chain(self.jobs.range(..self.searched));
        let seen: Vec<_> = circle.take(count_max).collect();
        let found = seen.iter().filter(|(_, waiting)| is_wanted(&waiting.job)).map(|(number, _)| **number).collect();
        self.searched = seen.last().map_or(0, |(number, _)| **number + 1);
        found
    }

    /// Takes out the job `number`, out of turn.
    pub(super) fn remove(&mut self, number: u64) -> Option<Waiting<J>> {
        let waiting = self.jobs.remove(&number)?;
        let key = waiting.origin.lane();
        let lane = self.lanes.get_mut(&key)?;
        let queue = self.queues.get_mut(&(key, waiting.origin.account))?;
        queue.jobs.retain(|job| *job != number);
        let is_last = queue.jobs.is_empty();
        if is_last {
            lane.accounts.leave(queue.place);
            self.queues.remove(&(key, waiting.origin.account));
        }
        lane.jobs_count -= 1;
        if lane.jobs_count == 0 {
            match lane.stands {
                Stands::Ready(place) => self.ready.leave(place),
                Stands::AtSource(place) => self.sources.unpark(key.0, place),
                Stands::AtDomain(place) => self.domains.unpark(key.1, place),
                Stands::AtAccount(account, place) => leave_account(&mut self.occupied, account, place),
            }
            self.close(key);
        }
        self.depart(waiting.origin, number, is_last);
        Some(waiting)
    }

    /// The oldest jobs of `origin`'s source and domain have no chance: from now on their newest
    /// come first.
    pub(super) fn turn_to_newest(&mut self, origin: Origin) {
        self.sources.set_newest_first(origin.source, true);
        self.domains.set_newest_first(origin.domain, true);
    }

    fn settle(&mut self, origin: Origin, recent: Tick) {
        let is_recent = |number: Option<u64>| {
            number.and_then(|number| self.jobs.get(&number)).is_some_and(|waiting| waiting.arrived > recent)
        };
        if is_recent(self.sources.oldest(origin.source)) {
            self.sources.set_newest_first(origin.source, false);
        }
        if is_recent(self.domains.oldest(origin.domain)) {
            self.domains.set_newest_first(origin.domain, false);
        }
    }

    /// About how many jobs would begin before one of `origin` that came now.
    pub(super) fn ahead_of(&self, origin: Origin) -> usize {
        let of_account = self.in_queue(origin);
        let in_lane = self.lanes.get(&origin.lane()).map_or(0, |lane| {
            let accounts = lane.accounts.len() + usize::from(of_account == 0);
            lane.jobs_count.min((of_account + 1).saturating_mul(accounts) - 1)
        });
        let is_new = !self.lanes.contains_key(&origin.lane());
        let rounds = self.sources.rounds_before(origin.source, in_lane, is_new, self.round);
        let rounds = rounds.max(self.domains.rounds_before(origin.domain, in_lane, is_new, self.round));
        self.sources.jobs_until(rounds).min(self.domains.jobs_until(rounds))
    }

    /// About how many jobs of the same account would run before one of `origin` that came now; they
    /// run one by one, the lanes taking turns.
    pub(super) fn of_account(&self, origin: Origin) -> usize {
        let load = self.accounts.get(&origin.account).copied().unwrap_or_default();
        let in_queue = self.in_queue(origin);
        let lanes_count = load.lanes_count + usize::from(in_queue == 0);
        load.jobs_count.min((in_queue + 1).saturating_mul(lanes_count) - 1)
    }

    /// How many jobs of the account wait in the lane of `origin`.
    fn in_queue(&self, origin: Origin) -> usize {
        self.queues.get(&(origin.lane(), origin.account)).map_or(0, |queue| queue.jobs.len())
    }

    /// The newest job of whoever has most waiting, when that is more than `origin` would have.
    pub(super) fn displaceable_for(&self, origin: Origin) -> Option<u64> {
        let rounds = self.sources.rounds_with_another(origin.source);
        let rounds = rounds.max(self.domains.rounds_with_another(origin.domain));
        self.longest().filter(|(longest, _)| *longest > rounds).map(|(_, number)| number)
    }

    /// The party that has most waiting: how many rounds, and its newest job.
    pub(super) fn longest(&self) -> Option<(usize, u64)> {
        self.sources.longest().max(self.domains.longest())
    }

    /// Puts the lane in its source's or domain's line if that has had its share of the round; if
    /// both have, in the longer line, where more others take turns with it.
    fn park_at_party(&mut self, key: LaneKey) -> bool {
        let Some(lane) = self.lanes.get_mut(&key) else { return true };
        let (source, domain) = key;
        let (by_source, by_domain) =
            (self.sources.is_served(source, self.round), self.domains.is_served(domain, self.round));
        if !by_source && !by_domain {
            return false;
        }
        let at_domain =
            !by_source || (by_domain && self.domains.parked_count(domain) >= self.sources.parked_count(source));
        let comes = lane.comes();
        lane.stands = if at_domain {
            Stands::AtDomain(self.domains.park(domain, key, comes))
        } else {
            Stands::AtSource(self.sources.park(source, key, comes))
        };
        true
    }

    /// The next account of the lane that has no job running. If there is none, the lane waits for
    /// the first one. At most as many are passed over as jobs run.
    fn free_account(&mut self, key: LaneKey) -> Option<u64> {
        let end = self.sources.next_end(key.0);
        let lane = self.lanes.get_mut(&key)?;
        let mut accounts = lane.accounts.walk(end).copied();
        let free = accounts.find(|account| !is_running(&self.occupied, *account));
        if free.is_none() {
            let first = *lane.accounts.walk(end).next()?;
            let occupied = self.occupied.entry(first).or_default();
            lane.stands = Stands::AtAccount(first, occupied.lanes.join(key, End::Last));
        }
        free
    }

    /// Begins the next job of `account` in the lane, which is in no line.
    fn begin(&mut self, key: LaneKey, account: u64) -> Waiting<J> {
        const KEPT: &str = "a lane, a queue and a number stand for waiting jobs";
        let lane = self.lanes.get_mut(&key).expect(KEPT);
        let queue = self.queues.get_mut(&(key, account)).expect(KEPT);
        let (number, served_last) = match self.sources.next_end(key.0) {
            End::First => (queue.jobs.pop_front(), End::Last),
            End::Last => (queue.jobs.pop_back(), End::First),
        };
        let number = number.expect(KEPT);
        lane.accounts.leave(queue.place);
        let is_last = queue.jobs.is_empty();
        if is_last {
            self.queues.remove(&(key, account));
        } else {
            queue.place = lane.accounts.join(account, served_last);
        }
        let waiting = self.jobs.remove(&number).expect(KEPT);
        self.occupied.entry(account).or_default().is_running = true;
        self.sources.begin(key.0, self.round);
        self.domains.begin(key.1, self.round);
        lane.has_been_served = true;
        lane.turn_left = if lane.turn_left == 0 { waiting.origin.weight } else { lane.turn_left } - 1;
        lane.jobs_count -= 1;
        if lane.jobs_count == 0 {
            self.close(key);
        } else {
            lane.stands = Stands::Ready(self.ready.join(key, End::Last));
        }
        self.depart(waiting.origin, number, is_last);
        waiting
    }

    /// Forgets a lane that has no jobs and is in no line.
    fn close(&mut self, key: LaneKey) {
        self.lanes.remove(&key);
        self.sources.close(key.0);
        self.domains.close(key.1);
    }

    /// Strikes a job from all accounts; `is_last` of its account in its lane.
    fn depart(&mut self, origin: Origin, number: u64, is_last: bool) {
        if let Some(load) = self.accounts.get_mut(&origin.account) {
            load.jobs_count -= 1;
            load.lanes_count -= usize::from(is_last);
            if load.jobs_count == 0 {
                self.accounts.remove(&origin.account);
            }
        }
        self.sources.depart(origin.source, number);
        self.domains.depart(origin.domain, number);
    }

    /// Nothing is ready: lets those go on who have a share left, and if there are none, begins the
    /// next round in which somebody has. False when that helps nobody.
    fn go_on(&mut self) -> bool {
        if self.release() {
            return true;
        }
        let next = |parties: &Parties<LaneKey>| parties.next_release(self.round);
        let Some(round) = [next(&self.sources), next(&self.domains)].into_iter().flatten().min() else { return false };
        self.round = round;
        self.sources.forget_paid(round);
        self.domains.forget_paid(round);
        self.release()
    }

    /// The two kinds of parties take turns in going first: a lane that one of them lets go on may
    /// find that the other has just given its share away.
    fn release(&mut self) -> bool {
        let (sources, domains) = (self.sources.release(self.round), self.domains.release(self.round));
        let (first, then) = if self.round.is_multiple_of(2) { (sources, domains) } else { (domains, sources) };
        let has_released = !first.is_empty() || !then.is_empty();
        first.into_iter().chain(then).for_each(|key| self.make_ready(key));
        let idle: Vec<_> = self.occupied.iter().filter(|(_, occupied)| !occupied.is_running).map(|(a, _)| *a).collect();
        let has_freed = !idle.is_empty();
        idle.into_iter().for_each(|account| self.release_account(account));
        has_released || has_freed
    }

    /// Lets one lane go on that waits for `account`, which has no job running.
    fn release_account(&mut self, account: u64) {
        let Some(occupied) = self.occupied.get_mut(&account) else { return };
        let next = occupied.lanes.pop(End::First);
        if occupied.lanes.is_empty() && !occupied.is_running {
            self.occupied.remove(&account);
        }
        if let Some(key) = next {
            self.make_ready(key);
        }
    }

    /// Lets those lanes go on that wait for an account while another of theirs has become free.
    /// Foreseen waiting times bound how many wait for one account.
    fn release_stalled(&mut self) -> bool {
        let mut freed = Vec::new();
        for (account, occupied) in &self.occupied {
            for key in occupied.lanes.walk(End::First) {
                let Some(lane) = self.lanes.get(key) else { continue };
                if lane.accounts.walk(End::First).any(|account| !is_running(&self.occupied, *account))
                    && let Stands::AtAccount(_, place) = lane.stands
                {
                    freed.push((*account, place, *key));
                }
            }
        }
        for (account, place, key) in &freed {
            leave_account(&mut self.occupied, *account, *place);
            self.make_ready(*key);
        }
        !freed.is_empty()
    }

    fn make_ready(&mut self, key: LaneKey) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.stands = Stands::Ready(self.ready.join(key, End::Last));
        }
    }

    /// How many things are kept beside the jobs, of whatever kind.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let accounts = self.accounts.len() + self.queues.len();
        accounts + self.lanes.len() + self.sources.len() + self.domains.len() + self.occupied.len()
    }
}

fn is_running(occupied: &BTreeMap<u64, Occupied>, account: u64) -> bool {
    occupied.get(&account).is_some_and(|occupied| occupied.is_running)
}

/// Takes a lane out of the line for `account`, and forgets the account with the last of them.
fn leave_account(occupied: &mut BTreeMap<u64, Occupied>, account: u64, place: Place) {
    if let Some(entry) = occupied.get_mut(&account) {
        entry.lanes.leave(place);
        if entry.lanes.is_empty() && !entry.is_running {
            occupied.remove(&account);
        }
    }
}
