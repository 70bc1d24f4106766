//! Those among whom the pool's time is shared: the sources, and the domains.

use std::collections::{BTreeSet, HashMap};

use super::line::{End, Line, Place};
use super::rounds::Rounds;

/// One source or one domain, while it has jobs waiting.
#[derive(Debug)]
struct Party<L> {
    /// Jobs it may have begun in each round.
    weight: u32,
    /// Its waiting jobs, the oldest first.
    jobs: BTreeSet<u64>,
    lanes_count: usize,
    /// The round it last had a job begun in, and how many in that one.
    round: u64,
    begun: u32,
    /// Lanes that wait for its next round.
    parked: Line<L>,
    /// Its oldest jobs have no chance any more, so the newest come first.
    is_newest_first: bool,
}

/// All parties of one kind. A party without waiting jobs is forgotten.
#[derive(Debug)]
pub(super) struct Parties<L> {
    parties: HashMap<u64, Party<L>>,
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
            by_round: Rounds::default(),
            by_length: BTreeSet::new(),
            parking: BTreeSet::new(),
        }
    }
}

impl<L> Parties<L> {
    /// The job `number` of `party` begins to wait.
    pub(super) fn arrive(&mut self, party: u64, weight: u32, number: u64) {
        let entry = self.parties.entry(party).or_insert_with(|| Party {
            weight,
            jobs: BTreeSet::new(),
            lanes_count: 0,
            round: 0,
            begun: 0,
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
        self.parties.get(&party).is_some_and(|party| party.round == round && party.begun >= party.weight)
    }

    /// A job of `party` begins in `round`.
    pub(super) fn begin(&mut self, party: u64, round: u64) {
        let entry = self.party(party);
        if entry.round != round {
            (entry.round, entry.begun) = (round, 0);
        }
        entry.begun += 1;
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

    pub(super) fn has_parked(&self) -> bool {
        !self.parking.is_empty()
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
    pub(super) fn rounds_before(&self, party: u64, in_lane: usize, is_new: bool) -> usize {
        self.parties.get(&party).map_or(0, |party| {
            let lanes_count = party.lanes_count + usize::from(is_new);
            let turns = (in_lane + 1).saturating_mul(lanes_count) - 1;
            party.jobs.len().min(turns) / party.weight as usize
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
        self.parties.len()
    }

    fn party(&mut self, party: u64) -> &mut Party<L> {
        self.parties.get_mut(&party).expect("a party with a lane has jobs waiting")
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
