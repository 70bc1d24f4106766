//! Attacks in virtual time, and the owners who come meanwhile. Each story is played with several
//! seeds, which its assertions print.

use std::collections::HashMap;
use std::ops::Range;

use super::super::gate::{Gate, List};
use super::super::{Control, TooMany};
use super::*;
use crate::config::{Config, Live};
use crate::model::Clock;

const SEEDS: Range<u64> = 1..3;
const FLOW: Flow = Flow::FAILED_LOGINS;
const N: u64 = FLOW.count as u64;
const HOUR: u64 = 3600;

/// The right password of everybody. All others are wrong.
const RIGHT: u32 = 1;

/// As many places as tables have entries, with what a table has beside them, in bytes.
const BYTES_MAX: usize = 8 << 20;

const WEBMAIL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 2));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    In,
    Wrong,
    Refused,
}

struct World {
    control: Control,
    /// Wrong passwords that were looked at, by account.
    verified: HashMap<u32, u64>,
    chance: u64,
    /// A wrong password that nobody has tried.
    fresh: u32,
}

impl World {
    fn new(seed: u64, address_failures_max: u32) -> Self {
        let live = Live { address_failures_max, ..Live::default() };
        let mut control = Control::new(Config { live, ..Config::default() }, false, Clock::new());
        control.gate = Gate::with(&[(List::Client, &WEBMAIL.to_string())]);
        Self { control, verified: HashMap::new(), chance: seed, fresh: RIGHT + 1 }
    }

    /// SplitMix64.
    fn below(&mut self, end: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn login(&mut self, account: u32, from: IpAddr, password: u32, ms: u64) -> Heard {
        let (now, address) = (Tick(ms), format!("{account}@example.com"));
        let attempt = match self.control.begin_login_at(now, &address, from, FLOW, Some(password)) {
            Ok(attempt) => attempt,
            Err(TooMany::OfAccount(wait) | TooMany::OfAddress(wait)) => {
                assert!(wait > Duration::ZERO);
                return Heard::Refused;
            }
        };
        let finding = if password == RIGHT { Finding::Right } else { Finding::Wrong };
        self.control.settle_login_at(now, attempt, finding, from);
        if password == RIGHT {
            return Heard::In;
        }
        *self.verified.entry(account).or_default() += 1;
        Heard::Wrong
    }

    /// Whether somebody who comes there now would be refused whatever he knows.
    fn keeps_out(&self, account: u32, from: IpAddr, ms: u64) -> bool {
        let address = format!("{account}@example.com");
        let attempt = self.control.begin_login_at(Tick(ms), &address, from, FLOW, None);
        attempt.map(|attempt| self.control.settle_login_at(Tick(ms), attempt, Finding::Nothing, from)).is_err()
    }

    fn guess(&mut self, account: u32, from: IpAddr, ms: u64) -> Heard {
        self.fresh += 1;
        self.login(account, from, self.fresh, ms)
    }

    /// What all tables take, in bytes.
    fn bytes(&self) -> usize {
        let state = lock(&self.control.guesses.state);
        assert!([state.strangers.len(), state.pairs.len(), state.places.len()].iter().all(|len| *len <= ENTRIES_MAX));
        state.strangers.bytes() + state.pairs.bytes() + state.places.bytes()
    }
}

/// The place `index` of an attacker.
fn place(index: u64) -> IpAddr {
    IpAddr::from((0x0a00_0000 + index as u32).to_be_bytes())
}

#[test]
fn few_places_guess_little_and_hardly_keep_a_newcomer_out() {
    for seed in SEEDS {
        for places in [1, 2, 5, 20] {
            let mut world = World::new(seed, 0);
            assert_eq!(world.login(0, HOME, RIGHT, 0), Heard::In);
            let (mut newcomers, mut refused) = (0, 0);
            for ms in (0..2 * HOUR * 1000).step_by(250) {
                let index = world.below(places);
                world.guess(0, place(index), ms);
                if ms % 1000 == 0 {
                    newcomers += 1;
                    refused += u64::from(world.keeps_out(0, place(1000), ms));
                    assert!(!world.keeps_out(0, HOME, ms) && !world.keeps_out(0, WEBMAIL, ms), "seed {seed}");
                }
                if ms % 300_000 == 0 {
                    // The owner at home mistypes it twice.
                    assert_eq!([(); 2].map(|()| world.guess(0, HOME, ms)), [Heard::Wrong; 2]);
                    assert_eq!(world.login(0, HOME, RIGHT, ms), Heard::In);
                }
            }
            // Half of the budget at once, and all of it each hour, from each place.
            let most = places * (N / 2 + 2 * N);
            let mistyped = 2 * 24;
            assert!(world.verified[&0] <= most + mistyped, "seed {seed}: {} of {places}", world.verified[&0]);
            assert!(refused <= most * 60 / N, "seed {seed}: {refused} of {newcomers} newcomers, {places} places");
        }
    }
}

#[test]
fn a_million_places_guess_as_little_and_take_bounded_memory() {
    for seed in SEEDS {
        let mut world = World::new(seed, 100);
        assert_eq!(world.login(0, HOME, RIGHT, 0), Heard::In);
        let mut refused = 0;
        for index in 0..1_000_000_u64 {
            // 300 a second, for nearly an hour.
            let ms = index * 10 / 3;
            refused += u64::from(world.guess(0, place(index), ms) == Heard::Refused);
            if index % 1000 == 0 {
                for from in [HOME, WEBMAIL] {
                    assert_eq!(world.login(0, from, RIGHT, ms), Heard::In, "seed {seed}");
                }
                let other = 1 + world.below(1000) as u32;
                assert_eq!(world.login(other, place(2_000_000 + index), RIGHT, ms), Heard::In);
            }
        }
        assert!(world.verified[&0] <= N + N * 60, "seed {seed}: {} were looked at", world.verified[&0]);
        assert_eq!(refused + world.verified[&0], 1_000_000);
        assert!(world.bytes() <= BYTES_MAX, "seed {seed}: {} bytes", world.bytes());
    }
}

#[test]
fn spraying_a_million_accounts_hits_the_limit_of_the_address_or_else_each_account_once() {
    const LIMIT: u32 = 100;
    for (seed, limit) in [(1, 0), (2, LIMIT)] {
        let mut world = World::new(seed, limit);
        let sprayer = place(1);
        for index in 0..1_000_000_u64 {
            // 500 a second: more than the largest machines hash.
            let ms = index * 2;
            world.guess(index as u32, sprayer, ms);
            if index % 1000 == 0 {
                let owner = world.below(1_000_000) as u32;
                assert_eq!(world.login(owner, place(2 + index), RIGHT, ms), Heard::In, "seed {seed}");
            }
        }
        let total: u64 = world.verified.values().sum();
        // Two thousand seconds; a block lasts six hundred.
        let most = if limit == 0 { 1_000_000 } else { u64::from(LIMIT) * (2000 / 600 + 1) };
        assert!(total <= most && world.verified.values().all(|count| *count == 1), "seed {seed}: {total}");
        assert!(world.bytes() <= BYTES_MAX, "seed {seed}: {} bytes", world.bytes());
    }
}

#[test]
fn a_million_places_at_a_million_accounts_take_bounded_memory() {
    let mut world = World::new(1, 100);
    for index in 0..1_000_000_u64 {
        let account = world.below(1_000_000) as u32;
        world.guess(account, place(index), index);
        if index % 100 == 0 {
            let (owner, from) = (world.below(1_000_000) as u32, place(1 << 23 | index));
            assert_eq!(world.login(owner, from, RIGHT, index), Heard::In);
        }
    }
    assert!(world.verified.values().all(|count| *count <= 17 * N));
    assert!(world.bytes() <= BYTES_MAX, "{} bytes", world.bytes());
}

/// How often each user of an hour is wrong before being right; one in a hundred gives up.
fn an_hour_of_typos(world: &mut World, users: u32, from: IpAddr) -> u64 {
    let mut refused = 0;
    for user in 0..users {
        let begun = u64::from(user) * HOUR * 1000 / u64::from(users);
        let (typos, gives_up) = match world.below(100) {
            0..20 => (1, false),
            20..25 => (2, false),
            25..27 => (4, false),
            27 => (3, true),
            _ => (0, false),
        };
        let mut heard: Vec<_> = (0..typos).map(|typo| world.guess(user, from, begun + typo * 2000)).collect();
        // The same again, as people do.
        heard.extend((0..typos.min(1)).map(|_| world.login(user, from, world.fresh, begun + typos * 2000)));
        if !gives_up {
            heard.push(world.login(user, from, RIGHT, begun + 10_000));
        }
        refused += heard.iter().filter(|heard| **heard == Heard::Refused).count() as u64;
    }
    refused
}

#[test]
fn an_address_of_many_honest_users_is_not_blocked_for_their_typos() {
    for seed in SEEDS {
        let mut world = World::new(seed, 30);
        assert_eq!(an_hour_of_typos(&mut world, 3000, place(1)), 0, "seed {seed}");
    }
}

#[test]
fn a_webmail_is_never_blocked_and_others_do_not_suffer_from_one_victim() {
    for seed in SEEDS {
        let mut world = World::new(seed, 30);
        for ms in (0..HOUR * 1000).step_by(100) {
            world.guess(1_000_000, WEBMAIL, ms);
        }
        assert!(world.verified[&1_000_000] <= N + 60 * N, "seed {seed}: {}", world.verified[&1_000_000]);
        // The victim himself, who comes directly.
        assert_eq!(world.login(1_000_000, HOME, RIGHT, HOUR * 1000), Heard::In);
        assert_eq!(an_hour_of_typos(&mut world, 20_000, WEBMAIL), 0, "seed {seed}");
    }
}
