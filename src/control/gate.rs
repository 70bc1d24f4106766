use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::action::Failed;
use super::lock;
use super::table::{Table, Worth};
use crate::config::Live;
use crate::directory::{Directory, Holder};
use crate::model::{IPV6_NETWORK_BITS, NetworkList, Tick, network_of};
use crate::notation::Value;
use crate::store::ReadFault;

/// Addresses that may be blocked for a time. Beyond that one whose time has come must go first.
pub const BLOCKED_MAX: usize = 10_000;

/// Addresses whose failed logins are counted; beyond that, who failed longest ago is forgotten.
const COUNTED_MAX: usize = 1 << 16;

/// A list of addresses that administrators keep and that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// The installation's own clients: channels are kept for them, and their failed logins block
    /// nobody.
    Client,
    /// Gets no connection, unless it is on the next list.
    Blacklisted,
    /// Can be neither blacklisted nor blocked.
    WhiteHole,
    /// Its sessions are logged in full.
    Debug,
    /// Gets no connection and no answer.
    Denied,
}

/// All lists, in the order in which a class is looked for.
pub const LISTS: [List; 5] = [List::Denied, List::WhiteHole, List::Blacklisted, List::Client, List::Debug];

impl List {
    /// The name under which it is kept for the server, and for the cluster.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "ClientIPs",
            Self::Blacklisted => "BlacklistedIPs",
            Self::WhiteHole => "WhiteHoleIPs",
            Self::Debug => "DebugIPs",
            Self::Denied => "DeniedIPs",
        }
    }
}

/// Whose lists there are: what either says holds.
const HOLDERS: [Holder; 2] = [Holder::Server, Holder::Cluster];

/// The lists in force, of each holder.
#[derive(Debug, Default)]
struct Lists([[NetworkList; HOLDERS.len()]; LISTS.len()]);

impl Lists {
    fn has(&self, list: List, address: IpAddr) -> bool {
        let mut lists = LISTS.iter().zip(&self.0).filter(|(other, _)| **other == list);
        lists.any(|(_, of_holders)| of_holders.iter().any(|networks| networks.contains(address)))
    }
}

/// What is known of whoever may connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// What it sends and hears is logged at every level.
    pub is_debugged: bool,
    /// Channels are kept for it.
    pub is_client: bool,
}

/// Why an address gets no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// It is on the list of denied addresses: not a word.
    Denied,
    /// It is on the blacklist.
    Blacklisted,
    /// Too many logins from there have failed, or an administrator has blocked it for a time.
    Blocked,
}

/// Failed logins of an address.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    since: Tick,
    last: Tick,
    count: u32,
}

impl Worth for Failures {
    fn worth(&self) -> u64 {
        self.last.0
    }
}

/// Blocked addresses with the moment until which they are, and failed logins.
#[derive(Debug)]
struct Blocked {
    until: HashMap<IpAddr, Tick>,
    failures: Table<Failures>,
    /// Turns addresses into keys that nobody outside can foresee.
    numbers: RandomState,
}

impl Default for Blocked {
    fn default() -> Self {
        Self { until: HashMap::new(), failures: Table::new(COUNTED_MAX), numbers: RandomState::new() }
    }
}

impl Blocked {
    fn block(&mut self, source: IpAddr, until: Tick, now: Tick) -> Result<(), Failed> {
        if self.until.len() >= BLOCKED_MAX && !self.until.contains_key(&source) {
            self.until.retain(|_, until| *until > now);
            if self.until.len() >= BLOCKED_MAX {
                return Err(Failed("too many addresses are blocked already"));
            }
        }
        self.until.insert(source, until);
        self.failures.remove(self.numbers.hash_one(source));
        Ok(())
    }

    /// Counts a failed login and returns how many there have been within `window`.
    fn count(&mut self, source: IpAddr, window: Duration, now: Tick) -> u32 {
        let failures = self.failures.entry(self.numbers.hash_one(source));
        if failures.count == 0 || now.since(failures.since) >= window {
            *failures = Failures { since: now, last: now, count: 0 };
        }
        failures.last = now;
        failures.count = failures.count.saturating_add(1);
        failures.count
    }

    /// Takes back some of what was counted.
    fn forgive(&mut self, source: IpAddr, count: u64) {
        if let Some(failures) = self.failures.get_mut(self.numbers.hash_one(source)) {
            failures.count = failures.count.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }
}

/// Which addresses may connect: the lists that administrators keep in the store, and the table of
/// addresses that are blocked for a time, which a restart forgets.
///
/// While no list has an entry and nobody is blocked, asking costs two loads.
#[derive(Debug, Default)]
pub struct Gate {
    lists: Mutex<Arc<Lists>>,
    has_lists: AtomicBool,
    blocked: Mutex<Blocked>,
    has_blocked: AtomicBool,
}

impl Gate {
    /// Puts the lists in force that are kept in the store.
    pub(super) fn read(&self, directory: &Directory) -> Result<(), ReadFault> {
        let mut lists = Lists::default();
        for (list, of_holders) in LISTS.iter().zip(&mut lists.0) {
            for (holder, networks) in HOLDERS.iter().zip(of_holders) {
                let kept = directory.kept(holder, list.name())?;
                // Checked before it was kept.
                *networks = kept.as_ref().and_then(Value::as_str).unwrap_or_default().parse().unwrap_or_default();
            }
        }
        self.has_lists.store(lists.0.iter().flatten().any(|networks| !networks.is_empty()), Ordering::Release);
        *lock(&self.lists) = Arc::new(lists);
        Ok(())
    }

    /// With these lists.
    #[cfg(test)]
    pub(super) fn with(lists: &[(List, &str)]) -> Self {
        let gate = Self::default();
        let networks = |list: List| {
            let text = lists.iter().find(|(other, _)| *other == list).map_or("", |(_, text)| *text);
            // As if half of it were the server's and half the cluster's.
            let mut networks = [NetworkList::default(), NetworkList::default()];
            text.lines().enumerate().for_each(|(index, line)| networks[index % 2] = line.parse().unwrap());
            networks
        };
        *lock(&gate.lists) = Arc::new(Lists(LISTS.map(networks)));
        gate.has_lists.store(true, Ordering::Relaxed);
        gate
    }

    fn lists(&self) -> Arc<Lists> {
        Arc::clone(&lock(&self.lists))
    }

    /// Whether a connection from `address` is welcome.
    ///
    /// # Errors
    /// Why it is not.
    pub fn admit(&self, address: IpAddr, now: Tick) -> Result<Admitted, Barred> {
        let has_blocked = self.has_blocked.load(Ordering::Acquire);
        if !has_blocked && !self.has_lists.load(Ordering::Acquire) {
            return Ok(Admitted::default());
        }
        let lists = self.lists();
        if lists.has(List::Denied, address) {
            return Err(Barred::Denied);
        }
        if !lists.has(List::WhiteHole, address) {
            if lists.has(List::Blacklisted, address) {
                return Err(Barred::Blacklisted);
            }
            if has_blocked && self.is_blocked(address, now) {
                return Err(Barred::Blocked);
            }
        }
        Ok(Admitted { is_debugged: lists.has(List::Debug, address), is_client: lists.has(List::Client, address) })
    }

    /// Whether `address` is blocked for a time.
    #[must_use]
    pub fn is_blocked(&self, address: IpAddr, now: Tick) -> bool {
        lock(&self.blocked).until.get(&source(address)).is_some_and(|until| *until > now)
    }

    /// Whether `address` is blocked for a time, and is not among those that cannot be; for how long
    /// still.
    #[must_use]
    pub fn blocked_for(&self, address: IpAddr, now: Tick) -> Option<Duration> {
        if !self.has_blocked.load(Ordering::Acquire) || self.lists().has(List::WhiteHole, address) {
            return None;
        }
        let until = lock(&self.blocked).until.get(&source(address)).copied();
        until.filter(|until| *until > now).map(|until| until.since(now))
    }

    /// Whether `address` speaks for many: it is on the list of clients, or in the white hole.
    #[must_use]
    pub fn is_front_end(&self, address: IpAddr) -> bool {
        let lists = self.lists();
        lists.has(List::Client, address) || lists.has(List::WhiteHole, address)
    }

    /// The first of the lists that has `address`.
    #[must_use]
    pub fn class(&self, address: IpAddr) -> Option<List> {
        let lists = self.lists();
        LISTS.into_iter().find(|list| lists.has(*list, address))
    }

    /// The blocked addresses in order, with the time that each will still be blocked; `None` is for
    /// ever.
    #[must_use]
    pub fn blocked(&self, now: Tick) -> Vec<(IpAddr, Option<Duration>)> {
        let mut blocked = lock(&self.blocked);
        blocked.until.retain(|_, until| *until > now);
        let left = |until: Tick| (until != Tick::NEVER).then(|| until.since(now));
        let mut all: Vec<_> = blocked.until.iter().map(|(address, until)| (*address, left(*until))).collect();
        all.sort_unstable_by_key(|(address, _)| *address);
        all
    }

    /// Blocks `address`, for ever if no time is given. One of IPv6 stands for its network of 64
    /// bits.
    pub(super) fn block(&self, address: IpAddr, time: Option<Duration>, now: Tick) -> Result<(), Failed> {
        let until = time.map_or(Tick::NEVER, |time| now + time);
        let mut blocked = lock(&self.blocked);
        blocked.block(source(address), until, now)?;
        self.has_blocked.store(true, Ordering::Release);
        Ok(())
    }

    pub(super) fn unblock(&self, address: IpAddr) {
        let mut blocked = lock(&self.blocked);
        blocked.until.remove(&source(address));
        self.has_blocked.store(!blocked.until.is_empty(), Ordering::Release);
    }

    /// Notes that a login from `address` has failed. True: it was one too many, and the address is
    /// blocked now.
    pub fn note_failure(&self, address: IpAddr, live: &Live, now: Tick) -> bool {
        if live.address_failures_max == 0 || self.is_front_end(address) {
            return false;
        }
        let source = source(address);
        let mut blocked = lock(&self.blocked);
        if blocked.count(source, live.address_failures, now) < live.address_failures_max {
            return false;
        }
        let is_blocked = blocked.block(source, now + live.address_block, now).is_ok();
        self.has_blocked.store(true, Ordering::Release);
        is_blocked
    }

    /// Of the failed logins from `address`, so many were an owner's, who has found the right
    /// password now.
    pub fn forgive(&self, address: IpAddr, count: u64) {
        if count > 0 {
            lock(&self.blocked).forgive(source(address), count);
        }
    }
}

/// What one customer of a network provider has: an IPv4 address, or an IPv6 network.
pub(super) fn source(address: IpAddr) -> IpAddr {
    network_of(address, IPV6_NETWORK_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: fn() -> Live = || Live { address_failures_max: 3, ..Live::default() };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_list_has_its_effect_and_the_white_hole_cannot_be_blacklisted() {
        let gate = Gate::with(&[
            (List::Denied, "192.0.2.1"),
            (List::Blacklisted, "192.0.2.0/24"),
            (List::WhiteHole, "192.0.2.1-192.0.2.2"),
            (List::Debug, "192.0.2.2\n198.51.100.1"),
            (List::Client, "192.0.2.2"),
        ]);
        let now = Tick(1);
        for address in ["192.0.2.2", "192.0.2.3"] {
            gate.block(ip(address), None, now).unwrap();
        }
        for (address, expected) in [
            ("192.0.2.1", Err(Barred::Denied)),
            ("192.0.2.2", Ok(Admitted { is_debugged: true, is_client: true })),
            ("::ffff:192.0.2.4", Err(Barred::Blacklisted)),
            ("198.51.100.1", Ok(Admitted { is_debugged: true, is_client: false })),
            ("198.51.100.2", Ok(Admitted::default())),
        ] {
            assert_eq!(gate.admit(ip(address), now), expected, "{address}");
        }
        assert_eq!(gate.class(ip("192.0.2.1")), Some(List::Denied));
        assert_eq!(gate.class(ip("198.51.100.2")), None);
    }

    #[test]
    fn a_blocked_address_is_let_in_when_its_time_has_passed() {
        let gate = Gate::default();
        gate.block(ip("192.0.2.1"), Some(Duration::from_secs(60)), Tick(0)).unwrap();
        gate.block(ip("192.0.2.2"), None, Tick(0)).unwrap();
        assert_eq!(gate.admit(ip("192.0.2.1"), Tick(59_999)), Err(Barred::Blocked));
        assert_eq!(gate.admit(ip("192.0.2.1"), Tick(60_000)), Ok(Admitted::default()));
        assert_eq!(gate.admit(ip("192.0.2.2"), Tick(u64::MAX - 1)), Err(Barred::Blocked));
        let left = [(ip("192.0.2.1"), Some(Duration::from_secs(59))), (ip("192.0.2.2"), None)];
        assert_eq!(gate.blocked(Tick(1000)), left);
        gate.unblock(ip("192.0.2.2"));
        assert_eq!(gate.admit(ip("192.0.2.2"), Tick(0)), Ok(Admitted::default()));
    }

    #[test]
    fn failed_logins_within_their_time_block_an_address() {
        let (gate, live) = (Gate::with(&[(List::Client, "192.0.2.9"), (List::WhiteHole, "192.0.2.8")]), LIVE());
        let fail = |address: &str, second: u64| gate.note_failure(ip(address), &live, Tick(second * 1000));
        assert_eq!([0, 1, 2].map(|second| fail("192.0.2.1", second)), [false, false, true]);
        assert_eq!(gate.admit(ip("192.0.2.1"), Tick(3000)), Err(Barred::Blocked));
        assert_eq!([0, 30, 61, 62].map(|second| fail("192.0.2.2", second)), [false; 4], "their time was over");
        for spared in ["192.0.2.8", "192.0.2.9"] {
            assert_eq!([0; 5].map(|second| fail(spared, second)), [false; 5]);
        }
        let off = Live::default();
        assert!((0..1000).all(|_| !gate.note_failure(ip("192.0.2.3"), &off, Tick(0))));
    }

    #[test]
    fn an_ipv6_address_stands_for_its_network() {
        let (gate, live) = (Gate::default(), LIVE());
        for host in 1..=3 {
            gate.note_failure(ip(&format!("2001:db8::{host}")), &live, Tick(0));
        }
        assert_eq!(gate.admit(ip("2001:db8::ffff"), Tick(0)), Err(Barred::Blocked));
        assert_eq!(gate.admit(ip("2001:db8:0:1::1"), Tick(0)), Ok(Admitted::default()));
        assert_eq!(gate.blocked(Tick(0))[0].0, ip("2001:db8::"));
    }

    #[test]
    fn both_tables_are_bounded() {
        let address = |index: usize| IpAddr::from(u32::try_from(index).unwrap().to_be_bytes());
        let gate = Gate::default();
        let minute = Some(Duration::from_secs(60));
        (0..BLOCKED_MAX).for_each(|index| gate.block(address(index), minute, Tick(0)).unwrap());
        assert!(gate.block(address(BLOCKED_MAX), minute, Tick(0)).is_err());
        assert!(gate.block(address(5), None, Tick(0)).is_ok(), "it is there already");
        assert!(gate.block(address(BLOCKED_MAX), minute, Tick(60_000)).is_ok(), "others are there no longer");
    }

    #[test]
    fn failures_of_a_million_addresses_take_bounded_memory_and_hide_nobody() {
        let (gate, live) = (Gate::default(), LIVE());
        let guesser = ip("198.51.100.1");
        let mut blocked = 0;
        for index in 0..1_000_000_u32 {
            gate.note_failure(IpAddr::from(index.to_be_bytes()), &live, Tick(u64::from(index) / 10));
            if index % 10_000 == 0 {
                blocked += u32::from(gate.note_failure(guesser, &live, Tick(u64::from(index) / 10)));
            }
        }
        // A hundred failures in as many seconds, three of which are enough.
        assert_eq!(blocked, 100 / live.address_failures_max);
        let blocked = lock(&gate.blocked);
        assert!(blocked.failures.len() <= COUNTED_MAX && blocked.failures.bytes() <= 3 << 20);
    }

    #[test]
    fn what_is_forgiven_does_not_block() {
        let (gate, live) = (Gate::default(), LIVE());
        for _ in 0..10 {
            assert!(!gate.note_failure(ip("192.0.2.1"), &live, Tick(0)));
            assert!(!gate.note_failure(ip("192.0.2.1"), &live, Tick(0)));
            gate.forgive(ip("192.0.2.1"), 2);
        }
        gate.forgive(ip("192.0.2.2"), 7);
        assert_eq!([(); 3].map(|()| gate.note_failure(ip("192.0.2.1"), &live, Tick(0))), [false, false, true]);
        assert_eq!(gate.blocked_for(ip("192.0.2.1"), Tick(1000)), Some(live.address_block - Duration::from_secs(1)));
        assert_eq!(gate.blocked_for(ip("192.0.2.2"), Tick(1000)), None);
    }
}
