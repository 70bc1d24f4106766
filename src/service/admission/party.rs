//! Those among whom the pool's time is shared: the sources, and the domains.

use std::collections::{BTreeSet, HashMap};

use super::line::{End, Line, Place};
use super::rounds::Rounds;

/// Shares that a job is taken to cost at most: about half a second of hashes that take a millisecond.
pub(super) const COST_MAX: u32 = 512;

/// One source or one domain, while it has jobs waiting.
#[derive(Debug)]
struct Party<L> {
    /// Shares it has in each round.
    weight: u32,
    /// The round in which it came: its first is the next one, for a round that newcomers could join
    /// would never end for those who wait for the next.
    came: u64,
    /// Shares that one of its jobs takes, as far as is known.
    cost: u32,
    /// Its waiting jobs, the oldest first.
    jobs: BTreeSet<u64>,
    lanes_count: usize,
    /// Lanes that wait for its next round.
    parked: Line<L>,
    /// Its oldest jobs have no chance any more, so the newest come first.
    is_newest_first: bool,
}

/// What a party has had, whether or not it has jobs waiting. More than it has in a round is paid for
/// in the next ones.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    weight: u32,
    /// The last round counted, and the shares spent by then.
    round: u64,
    shares: u64,
}

/// All parties of one kind. A party without waiting jobs is forgotten, but for what it has spent.
#[derive(Debug)]
pub(super) struct Parties<L> {
    parties: HashMap<u64, Party<L>>,
    /// Of those who have had something in this round, or have something left to pay for.
    spent: HashMap<u64, Spent>,
    /// How many jobs fall to each round from now, if nothing but the weights of these parties
    /// mattered: the n-th job of a party of weight w to the round n / w.
    by_round: Rounds,
    /// Parties by the rounds their jobs will take.
    by_length: BTreeSet<(usize, u64)>,
    /// Those with parked lanes.
    parking: BTreeSet<u64>,
}

/// How a lane comes to a party's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// It has not had its first turn.
    Fresh,
    /// It has had its turn.
    Served,
    /// Its turn is not over.
    InTurn,
}

impl<L> Default for Parties<L> {
    fn default() -> Self {
        Self {
            parties: HashMap::new(),
            spent: HashMap::new(),
            by_round: Rounds::default(),
            by_length: BTreeSet::new(),
            parking: BTreeSet::new(),
        }
    }
}

impl<L> Parties<L> {
    /// The job `number` of `party` begins to wait in `round`.
    pub(super) fn arrive(&mut self, party: u64, weight: u32, number: u64, round: u64) {
        let entry = self.parties.entry(party).or_insert_with(|| Party {
            weight,
            came: round,
            cost: 1,
            jobs: BTreeSet::new(),
            lanes_count: 0,
            parked: Line::default(),
            is_newest_first: false,
        });
        self.by_round.add(entry.jobs.len() / entry.weight as usize);
        self.by_length.remove(&(entry.rounds(), party));
        entry.jobs.insert(number);
        self.by_length.insert((entry.rounds(), party));
    }

    /// The job `number` of `party` does not wait any more. Its last lane must have gone with its
    /// last job.
    pub(super) fn depart(&mut self, party: u64, number: u64) {
        let Some(entry) = self.parties.get_mut(&party) else { return };
        self.by_length.remove(&(entry.rounds(), party));
        entry.jobs.remove(&number);
        self.by_round.remove(entry.jobs.len() / entry.weight as usize);
        if entry.jobs.is_empty() {
            debug_assert!(entry.lanes_count == 0 && entry.parked.is_empty(), "a lane without jobs");
            self.parties.remove(&party);
            if self.parties.is_empty() {
                // Nobody is left to whom anything could be owed.
                self.spent.clear();
                self.by_round = Rounds::default();
            }
        } else {
            self.by_length.insert((entry.rounds(), party));
        }
    }

    /// A lane of `party` was made.
    pub(super) fn open(&mut self, party: u64) {
        self.party(party).lanes_count += 1;
    }

    /// A lane of `party` is no more.
    pub(super) fn close(&mut self, party: u64) {
        self.party(party).lanes_count -= 1;
    }

    /// Whether `party` has had its share of `round`.
    pub(super) fn is_served(&self, party: u64, round: u64) -> bool {
        self.next_round(party, round) > round
    }

    /// The first round from `round` on in which `party` has something left.
    fn next_round(&self, party: u64, round: u64) -> u64 {
        let is_new = self.parties.get(&party).is_some_and(|party| party.came == round);
        self.spent.get(&party).map_or(round, |spent| spent.next_round(round)).max(round + u64::from(is_new))
    }

    /// A job of `party` begins in `round`, and takes a share.
    pub(super) fn begin(&mut self, party: u64, round: u64) {
        let weight = self.party(party).weight;
        self.spend(party, weight, 1, round);
    }

    /// A job of `party` has ended and took `more` shares than the one it was begun for.
    pub(super) fn charge(&mut self, party: u64, weight: u32, more: u32, round: u64) {
        if more > 0 && !self.parties.is_empty() {
            self.spend(party, weight, more, round);
        }
        if let Some(entry) = self.parties.get_mut(&party) {
            // The mean of the last few.
            let cost = (3 * u64::from(entry.cost) + 1 + u64::from(more)) / 4;
            entry.cost = cost.min(COST_MAX.into()) as u32;
        }
    }

    fn spend(&mut self, party: u64, weight: u32, shares: u32, round: u64) {
        let spent = self.spent.entry(party).or_default();
        *spent = Spent { weight, round, shares: spent.left_in(round) + u64::from(shares) };
    }

    /// The round after `round` in which the first of those with parked lanes has something left.
    pub(super) fn next_release(&self, round: u64) -> Option<u64> {
        self.parking.iter().map(|party| self.next_round(*party, round)).min()
    }

    /// `round` begins: whoever has nothing left to pay for is forgotten.
    pub(super) fn forget_paid(&mut self, round: u64) {
        self.spent.retain(|_, spent| spent.left_in(round) > 0);
    }

    /// Puts `lane` in the line of `party`.
    pub(super) fn park(&mut self, party: u64, lane: L, comes: Comes) -> Place {
        self.parking.insert(party);
        let entry = self.party(party);
        let served_next = entry.next_end();
        let end = match (comes, served_next) {
            (Comes::Fresh, _) => End::Last,
            (Comes::InTurn, end) => end,
            (Comes::Served, End::First) => End::Last,
            (Comes::Served, End::Last) => End::First,
        };
        entry.parked.join(lane, end)
    }

    /// Takes a lane out of the line of `party`.
    pub(super) fn unpark(&mut self, party: u64, place: Place) {
        let entry = self.party(party);
        entry.parked.leave(place);
        if entry.parked.is_empty() {
            self.parking.remove(&party);
        }
    }

    /// The next lane of each party that has a share left in `round`.
    pub(super) fn release(&mut self, round: u64) -> Vec<L> {
        let due: Vec<_> = self.parking.iter().copied().filter(|party| !self.is_served(*party, round)).collect();
        due.into_iter().filter_map(|party| self.release_one(party)).collect()
    }

    fn release_one(&mut self, party: u64) -> Option<L> {
        let entry = self.party(party);
        let lane = entry.parked.pop(entry.next_end());
        if entry.parked.is_empty() {
            self.parking.remove(&party);
        }
        lane
    }

    /// How many lanes are in the line of `party`.
    pub(super) fn parked_count(&self, party: u64) -> usize {
        self.parties.get(&party).map_or(0, |party| party.parked.len())
    }

    /// Which jobs of `party` come first from now on.
    pub(super) fn set_newest_first(&mut self, party: u64, is_newest_first: bool) {
        if let Some(party) = self.parties.get_mut(&party) {
            party.is_newest_first = is_newest_first;
        }
    }

    /// From which end the jobs of `party` are served.
    pub(super) fn next_end(&self, party: u64) -> End {
        self.parties.get(&party).map_or(End::First, Party::next_end)
    }

    /// The oldest job of `party`.
    pub(super) fn oldest(&self, party: u64) -> Option<u64> {
        self.parties.get(&party)?.jobs.first().copied()
    }

    /// How many of `party`'s jobs come before one that is the first after `in_lane` others of its
    /// lane, which `is_new` when it has no others; and the rounds that takes.
    pub(super) fn rounds_before(&self, party: u64, in_lane: usize, is_new: bool, round: u64) -> usize {
        let owed = self.spent.get(&party).map_or(0, |spent| spent.next_round(round) - round) as usize;
        owed + self.parties.get(&party).map_or(0, |party| {
            let lanes_count = party.lanes_count + usize::from(is_new);
            let turns = (in_lane + 1).saturating_mul(lanes_count) - 1;
            party.jobs.len().min(turns) * party.cost as usize / party.weight as usize
        })
    }

    /// How many jobs these parties have in the rounds up to and with `round`.
    pub(super) fn jobs_until(&self, round: usize) -> usize {
        self.by_round.until(round)
    }

    /// The party with most waiting for its weight: how many rounds, and its newest job.
    pub(super) fn longest(&self) -> Option<(usize, u64)> {
        let (rounds, party) = self.by_length.last()?;
        Some((*rounds, *self.parties.get(party)?.jobs.last()?))
    }

    /// The rounds that the jobs of `party` will take when one more comes.
    pub(super) fn rounds_with_another(&self, party: u64) -> usize {
        self.parties.get(&party).map_or(1, |party| (party.jobs.len() + 1).div_ceil(party.weight as usize))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.parties.len() + self.spent.len()
    }

    fn party(&mut self, party: u64) -> &mut Party<L> {
        self.parties.get_mut(&party).expect("a party with a lane has jobs waiting")
    }
}

impl Spent {
    /// Shares that are not yet paid for when `round` begins.
    fn left_in(self, round: u64) -> u64 {
        self.shares.saturating_sub(u64::from(self.weight).saturating_mul(round.saturating_sub(self.round)))
    }

    /// The first round from `round` on in which a share is left.
    fn next_round(self, round: u64) -> u64 {
        round + self.left_in(round) / u64::from(self.weight)
    }
}

impl<L> Party<L> {
    fn rounds(&self) -> usize {
        self.jobs.len().div_ceil(self.weight as usize)
    }

    fn next_end(&self) -> End {
        if self.is_newest_first { End::Last } else { End::First }
    }
}
