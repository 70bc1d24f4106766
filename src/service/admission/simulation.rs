//! Crowds of clients before a pool of two workers, in virtual time and without hashing. A client
//! logs in and then changes its password; the pool does a hundred such jobs a second, fifty
//! changes. Each story is played with several seeds, which its assertions print.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;
use std::rc::Rc;

use super::*;

const SEEDS: Range<u64> = 1..5;
const WORKERS: usize = 2;
const JOB_MS: Range<u64> = 15..26;
const CHANGES_PER_S: f64 = 50.0;
const WAIT_MAX: Duration = Duration::from_secs(5);
const ROUND_TRIP_MS: u64 = 30;
const LENGTH_MAX: usize = 1024;

/// Of `domains` domains each has as many clients of its own; a hostile crowd asks for as many.
#[derive(Clone, Debug)]
struct Crowd {
    clients_per_s: f64,
    /// When its clients come.
    time_ms: Range<u64>,
    sources: Range<u64>,
    domains: Range<u64>,
    /// How long a login takes; a change, which hashes as configured, takes [`JOB_MS`].
    login_ms: Range<u64>,
    /// After how long a client hangs up.
    patience_ms: Range<u64>,
    knows_password: bool,
    /// Whether there are such domains, or it has invented them.
    are_domains_real: bool,
    tries_again: bool,
    is_operator: bool,
}

impl Crowd {
    /// Clients who wait, know their password and give up when they are turned away.
    fn honest(clients_per_s: f64, source: u64, domain: u64) -> Self {
        Self {
            clients_per_s,
            time_ms: 0..20_000,
            sources: source..source + 1,
            domains: domain..domain + 1,
            login_ms: JOB_MS,
            patience_ms: 60_000..60_001,
            knows_password: true,
            are_domains_real: true,
            tries_again: false,
            is_operator: false,
        }
    }

    /// Guessers.
    fn hostile(clients_per_s: f64, sources: Range<u64>, domains: Range<u64>) -> Self {
        Self { sources, domains, knows_password: false, patience_ms: 2000..2001, ..Self::honest(clients_per_s, 0, 0) }
    }
}

/// What became of a crowd's clients who came within the time looked at.
#[derive(Clone, Debug, Default)]
struct Fate {
    came: u64,
    changed: u64,
    /// Refusals, those of further tries included.
    refused: u64,
    displaced: u64,
    waited_max: Duration,
    /// How long workers were busy with them.
    busy_ms: u64,
}

#[derive(Clone, Debug)]
struct Client {
    crowd: usize,
    came_ms: u64,
    origin: Origin,
    is_proven: bool,
    is_gone: Rc<Cell<bool>>,
}

impl Patient for Client {
    fn is_abandoned(&self) -> bool {
        self.is_gone.get()
    }
}

enum Happens {
    Comes(usize),
    Asks(Client),
    HangsUp(Client),
    Ends(Client, Pass, u64),
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn within(&mut self, range: &Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// The time to the next of events that come independently of each other.
    fn interval_ms(&mut self, per_s: f64) -> f64 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        -(1.0 - unit).ln() * 1000.0 / per_s
    }
}

struct Simulation<'a> {
    random: Random,
    crowds: &'a [Crowd],
    admission: Admission<Client>,
    idle: usize,
    now_ms: u64,
    happens: BTreeMap<u64, Happens>,
    order: BinaryHeap<Reverse<(u64, u64)>>,
    happens_count: u64,
    next_ms: Vec<f64>,
    /// Clients that came, and jobs that ended, in this time are counted.
    looked_at: Range<u64>,
    fates: Vec<Fate>,
    running: BTreeMap<(Class, u64), ()>,
}

/// Plays all that `crowds` do; returns what became of those looked at.
fn play(seed: u64, crowds: &[Crowd], looked_at: Range<u64>) -> Vec<Fate> {
    let bounds = Bounds { workers: WORKERS, wait_max: WAIT_MAX, length_max: LENGTH_MAX };
    let mut simulation = Simulation {
        random: Random(seed),
        crowds,
        admission: Admission::new(bounds, Duration::from_millis(50)),
        idle: WORKERS,
        now_ms: 0,
        happens: BTreeMap::new(),
        order: BinaryHeap::new(),
        happens_count: 0,
        next_ms: crowds.iter().map(|crowd| crowd.time_ms.start as f64).collect(),
        looked_at,
        fates: vec![Fate::default(); crowds.len()],
        running: BTreeMap::new(),
    };
    (0..crowds.len()).for_each(|crowd| simulation.expect(crowd));
    simulation.run();
    simulation.fates
}

impl Simulation<'_> {
    fn run(&mut self) {
        while let Some(Reverse((at_ms, number))) = self.order.pop() {
            self.now_ms = at_ms;
            match self.happens.remove(&number).unwrap() {
                Happens::Comes(crowd) => self.come(crowd),
                Happens::Asks(client) => self.ask(client),
                Happens::HangsUp(client) => client.is_gone.set(true),
                Happens::Ends(client, pass, took_ms) => self.end(client, pass, took_ms),
            }
            self.begin_all();
            assert!(self.admission.len() <= LENGTH_MAX);
            if number % 1024 == 0 {
                let kept: usize = self.admission.queues.iter().map(FairQueue::kept).sum();
                assert!(kept <= 6 * (self.admission.len() + WORKERS), "{kept} for {}", self.admission.len());
            }
        }
        assert_eq!(self.admission.len(), 0, "everybody has been answered");
    }

    fn at(&mut self, at_ms: u64, happens: Happens) {
        self.happens_count += 1;
        self.happens.insert(self.happens_count, happens);
        self.order.push(Reverse((at_ms, self.happens_count)));
    }

    /// The next client of a crowd will come.
    fn expect(&mut self, crowd: usize) {
        let Crowd { clients_per_s, time_ms, .. } = &self.crowds[crowd];
        self.next_ms[crowd] += self.random.interval_ms(*clients_per_s);
        let at_ms = self.next_ms[crowd] as u64;
        if at_ms < time_ms.end {
            self.at(at_ms, Happens::Comes(crowd));
        }
    }

    fn come(&mut self, crowd: usize) {
        self.expect(crowd);
        let Crowd { sources, domains, patience_ms, .. } = self.crowds[crowd].clone();
        let (source, domain) = (self.random.within(&sources), self.random.within(&domains));
        let account = domain * 1000 + self.random.within(&(0..1000));
        let origin = Origin { source, domain, account, weight: 1 };
        let client = Client { crowd, came_ms: self.now_ms, origin, is_proven: false, is_gone: Rc::default() };
        if let Some(fate) = self.fate(&client) {
            fate.came += 1;
        }
        let patience_ms = self.random.within(&patience_ms);
        self.at(self.now_ms + patience_ms, Happens::HangsUp(client.clone()));
        self.ask(client);
    }

    fn ask(&mut self, client: Client) {
        if client.is_gone.get() {
            return;
        }
        let class = match (self.crowds[client.crowd].is_operator, client.is_proven) {
            (true, _) => Class::Operator,
            (false, true) => Class::Change,
            (false, false) => Class::Login,
        };
        let origin = client.origin;
        if let Err(away) = self.admission.offer(client, class, origin, Tick(self.now_ms)) {
            self.turn_away(away);
        }
        self.turn_away_all();
    }

    fn begin_all(&mut self) {
        while self.idle > 0 {
            let admitted = self.admission.take(Tick(self.now_ms));
            self.turn_away_all();
            let Some(Admitted { job: client, waited, pass }) = admitted else { return };
            assert!(waited <= WAIT_MAX, "{waited:?}");
            assert!(!client.is_gone.get(), "work for nobody");
            assert!(self.running.insert((pass.class, pass.origin.account), ()).is_none(), "two of one account");
            if let Some(fate) = self.fate(&client) {
                fate.waited_max = fate.waited_max.max(waited);
            }
            self.idle -= 1;
            let job_ms = if client.is_proven { JOB_MS } else { self.crowds[client.crowd].login_ms.clone() };
            let took_ms = self.random.within(&job_ms);
            if self.looked_at.contains(&self.now_ms) {
                self.fates[client.crowd].busy_ms += took_ms;
            }
            self.at(self.now_ms + took_ms, Happens::Ends(client, pass, took_ms));
        }
    }

    fn end(&mut self, mut client: Client, pass: Pass, took_ms: u64) {
        self.running.remove(&(pass.class, pass.origin.account));
        self.idle += 1;
        self.admission.finish(pass, Duration::from_millis(took_ms));
        if self.crowds[client.crowd].are_domains_real {
            self.admission.found(client.origin.domain);
        }
        if client.is_gone.get() || !self.crowds[client.crowd].knows_password {
            return;
        }
        if !client.is_proven {
            client.is_proven = true;
            self.at(self.now_ms + ROUND_TRIP_MS, Happens::Asks(client));
        } else if self.looked_at.contains(&self.now_ms) {
            self.fates[client.crowd].changed += 1;
        }
    }

    fn turn_away_all(&mut self) {
        self.admission.turned_away().into_iter().for_each(|away| self.turn_away(away));
    }

    fn turn_away(&mut self, away: TurnedAway<Client>) {
        let TurnedAway { job: client, retry_after_s, reason } = away;
        assert!(RETRY_AFTER_S.contains(&retry_after_s));
        if let Some(fate) = self.fate(&client) {
            match reason {
                Reason::Refused => fate.refused += 1,
                Reason::Displaced => fate.displaced += 1,
                Reason::Abandoned => {}
            }
        }
        if self.crowds[client.crowd].tries_again {
            self.at(self.now_ms + ROUND_TRIP_MS, Happens::Asks(client));
        }
    }

    fn fate(&mut self, client: &Client) -> Option<&mut Fate> {
        self.looked_at.contains(&client.came_ms).then(|| &mut self.fates[client.crowd])
    }
}

/// Twenty domains, each with a source of its own, that together ask for `load` times what the pool
/// can do.
fn twenty_domains(load: f64) -> Vec<Crowd> {
    (1..21).map(|number| Crowd::honest(load * CHANGES_PER_S / 20.0, number, number)).collect()
}

/// Once the queue is full, when there is more than the pool can do.
const STEADY: Range<u64> = 6000..20_000;
const STEADY_S: f64 = 14.0;

fn changes_per_s(fates: &[Fate]) -> f64 {
    fates.iter().map(|fate| fate.changed as f64).sum::<f64>() / STEADY_S
}

/// Jain's index of the parts that are served of what each asked for: 1 when all are served alike,
/// 1/n when one alone is served.
fn jain(fates: &[Fate]) -> f64 {
    let shares: Vec<_> = fates.iter().map(|fate| fate.changed as f64 / fate.came as f64).collect();
    let (sum, squares) = (shares.iter().sum::<f64>(), shares.iter().map(|share| share * share).sum::<f64>());
    sum * sum / (shares.len() as f64 * squares)
}

#[test]
fn overload_costs_neither_throughput_nor_fairness() {
    for (seed, load) in SEEDS.flat_map(|seed| [1.0, 2.0, 5.0, 50.0].map(|load| (seed, load))) {
        let fates = play(seed, &twenty_domains(load), STEADY);
        let (rate, jain) = (changes_per_s(&fates), jain(&fates));
        assert!(rate >= 0.95 * CHANGES_PER_S, "seed {seed}, load {load}: {rate} changes per second");
        assert!(jain >= 0.95, "seed {seed}, load {load}: Jain index {jain}");
    }
}

/// Of a hundred who cannot be served, all but one are told so at once; from the beginning, and
/// whether a crowd is many sources of many domains or one of each.
#[test]
fn who_cannot_be_served_is_told_at_once() {
    for (seed, load) in SEEDS.flat_map(|seed| [2.0, 5.0, 10.0].map(|load| (seed, load))) {
        let mixed = Crowd { sources: 0..64, domains: 1..11, ..Crowd::honest(load * CHANGES_PER_S, 0, 0) };
        for crowds in [twenty_domains(load), vec![mixed]] {
            let fates = play(seed, &crowds, 0..20_000);
            let sum = |of: fn(&Fate) -> u64| fates.iter().map(of).sum::<u64>();
            let (refused, late) = (sum(|fate| fate.refused), sum(|fate| fate.displaced));
            assert!(late * 100 < refused, "seed {seed}, load {load}: {late} late, {refused} at once");
        }
    }
}

/// Checks that `hostile`, beside honest domains that ask for half of what the pool can do, is
/// hardly noticed by these.
fn check_hostile(honest: &[Crowd], hostile: &[Crowd]) {
    check_hostile_in(STEADY, honest, hostile);
}

fn check_hostile_in(looked_at: Range<u64>, honest: &[Crowd], hostile: &[Crowd]) {
    for seed in SEEDS {
        let fates = play(seed, &[honest, hostile].concat(), looked_at.clone());
        let fates = &fates[..honest.len()];
        let (came, changed) =
            fates.iter().fold((0, 0), |(came, changed), fate| (came + fate.came, changed + fate.changed));
        assert!(changed * 100 >= came * 97, "seed {seed}: {changed} of {came} were served");
        let jain = jain(fates);
        assert!(jain >= 0.95, "seed {seed}: Jain index {jain}");
        let waited = fates.iter().map(|fate| fate.waited_max).max().unwrap();
        assert!(waited <= Duration::from_secs(2), "seed {seed}: somebody waited {waited:?}");
    }
}

/// A hundred times the share of one of twenty-one.
const HUNDREDFOLD: f64 = 100.0 * 2.0 * CHANGES_PER_S / 21.0;

#[test]
fn a_hostile_source_with_a_thousand_domains_leaves_the_others_whole() {
    check_hostile(&twenty_domains(0.5), &[Crowd::hostile(HUNDREDFOLD, 99..100, 100..1100)]);
}

#[test]
fn a_hostile_source_asking_for_everybodys_domain_leaves_the_others_whole() {
    check_hostile(&twenty_domains(0.5), &[Crowd::hostile(HUNDREDFOLD, 99..100, 1..21)]);
}

#[test]
fn a_hostile_domain_with_a_thousand_sources_leaves_the_others_whole() {
    check_hostile(&twenty_domains(0.5), &[Crowd::hostile(HUNDREDFOLD, 100..1100, 99..100)]);
}

/// Each login is from a source of its own, and for a domain that is invented for it. The honest
/// domains are known by then.
#[test]
fn a_flood_of_sources_and_of_invented_domains_leaves_the_others_whole() {
    let mut honest = twenty_domains(0.5);
    honest.iter_mut().for_each(|crowd| crowd.time_ms = 0..40_000);
    let invented = Crowd {
        time_ms: 8000..40_000,
        are_domains_real: false,
        ..Crowd::hostile(HUNDREDFOLD, 1000..1 << 40, 1000..1 << 40)
    };
    check_hostile_in(9000..40_000, &honest, &[invented]);
}

#[test]
fn both_at_once_leave_the_others_whole() {
    let source = Crowd::hostile(HUNDREDFOLD, 99..100, 100..1100);
    let domain = Crowd::hostile(HUNDREDFOLD, 2000..3000, 99..100);
    check_hostile(&twenty_domains(0.5), &[source, domain]);
}

#[test]
fn a_hostile_source_leaves_the_others_of_its_only_domain_whole() {
    let honest: Vec<_> = (1..21).map(|source| Crowd::honest(0.5 * CHANGES_PER_S / 20.0, source, 1)).collect();
    check_hostile(&honest, &[Crowd::hostile(HUNDREDFOLD, 99..100, 1..2)]);
}

/// As dear as the limits of imported hashes allow: half a second, against 20 ms.
const DEAR_MS: Range<u64> = 400..600;

#[test]
fn a_hostile_domain_of_dear_hashes_leaves_the_others_whole() {
    let dear = Crowd { login_ms: DEAR_MS, ..Crowd::hostile(HUNDREDFOLD, 100..1100, 99..100) };
    check_hostile(&twenty_domains(0.5), &[dear]);
}

#[test]
fn a_hostile_source_that_knows_a_thousand_dear_hashes_leaves_the_others_whole() {
    let dear = Crowd { login_ms: DEAR_MS, ..Crowd::hostile(HUNDREDFOLD, 99..100, 100..1100) };
    check_hostile(&twenty_domains(0.5), &[dear]);
}

/// One of twenty domains was imported with hashes that take twenty-five times as long as the others.
#[test]
fn dear_hashes_cost_their_own_domain_and_no_other() {
    for seed in SEEDS {
        let mut crowds = twenty_domains(2.0);
        crowds[0].login_ms = DEAR_MS;
        let fates = play(seed, &crowds, STEADY);
        let busy_ms: Vec<_> = fates.iter().map(|fate| fate.busy_ms).collect();
        let share = busy_ms[0] as f64 / busy_ms.iter().sum::<u64>() as f64;
        assert!(share <= 2.0 / 20.0, "seed {seed}: {share} of the time went to dear hashes");
        let jain = jain(&fates[1..]);
        assert!(jain >= 0.95, "seed {seed}: Jain index {jain}");
        let (rate, late) = (changes_per_s(&fates), fates.iter().map(|fate| fate.displaced).sum::<u64>());
        let came: u64 = fates.iter().map(|fate| fate.came).sum();
        assert!(rate >= 0.9 * CHANGES_PER_S, "seed {seed}: {rate} changes per second");
        assert!(late * 20 <= came, "seed {seed}: {late} of {came} were turned away late");
    }
}

#[test]
fn operators_are_served_in_any_overload() {
    for seed in SEEDS {
        let mut crowds = twenty_domains(50.0);
        crowds.push(Crowd { is_operator: true, ..Crowd::honest(2.0, 50, 50) });
        let fates = play(seed, &crowds, STEADY);
        let operators = &fates[20];
        assert_eq!((operators.refused, operators.displaced), (0, 0), "seed {seed}");
        assert!(operators.waited_max <= Duration::from_secs(1), "seed {seed}: {:?}", operators.waited_max);
        assert!(changes_per_s(&fates) >= 0.95 * CHANGES_PER_S, "seed {seed}");
    }
}

#[test]
fn who_hangs_up_costs_the_others_little() {
    for seed in SEEDS {
        let mut crowds = twenty_domains(5.0);
        crowds.iter_mut().for_each(|crowd| crowd.patience_ms = 200..4000);
        let rate = changes_per_s(&play(seed, &crowds, STEADY));
        assert!(rate >= 0.9 * CHANGES_PER_S, "seed {seed}: {rate} changes per second");
    }
}

/// For ten seconds ten times as many come as can be served, and whoever is turned away comes back
/// at once until it has lost patience. The last of them hang up three seconds after the last came.
#[test]
fn a_storm_of_retries_is_survived_and_forgotten_within_five_seconds() {
    for seed in SEEDS {
        let mut crowds = twenty_domains(0.5);
        crowds.iter_mut().for_each(|crowd| crowd.time_ms = 0..40_000);
        for number in 1..21 {
            crowds.push(Crowd {
                time_ms: 5000..15_000,
                tries_again: true,
                patience_ms: 1000..3000,
                ..Crowd::honest(10.0 * CHANGES_PER_S / 20.0, number, number)
            });
        }
        let during = play(seed, &crowds, 6000..15_000);
        let rate = during.iter().map(|fate| fate.changed as f64).sum::<f64>() / 9.0;
        assert!(rate >= 0.9 * CHANGES_PER_S, "seed {seed}: {rate} changes per second in the storm");
        let after = &play(seed, &crowds, 20_000..40_000)[..20];
        let waited = after.iter().map(|fate| fate.waited_max).max().unwrap();
        assert!(waited <= Duration::from_millis(500), "seed {seed}: somebody waited {waited:?} after the storm");
        assert!(after.iter().all(|fate| fate.refused + fate.displaced == 0), "seed {seed}: {after:?}");
        let (came, changed) =
            after.iter().fold((0, 0), |(came, changed), fate| (came + fate.came, changed + fate.changed));
        assert!(came > 0 && changed * 100 >= came * 97, "seed {seed}: {changed} of {came} were served");
    }
}
