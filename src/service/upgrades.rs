//! The accounts whose records shall be brought up to date, once there is nothing else to do.
//!
//! After a login through a hash of other software, or of another cost than is configured now, the
//! password is known for a moment, and its record can be made anew. Nobody waits for that. An
//! upgrade that finds no room or no idle worker is given up: the next login brings another one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{AccountName, Secret, Tick};

/// Upgrades that may wait, each with a password in memory.
pub(super) const UPGRADES_WAITING_MAX: usize = 256;

/// How long one may wait: no password shall lie in memory for as long as a rush lasts.
pub(super) const UPGRADE_WAIT_MAX: Duration = Duration::from_secs(60);

/// A password that was just found to be right.
#[derive(Debug)]
pub(super) struct Upgrade {
    pub(super) account: AccountName,
    /// Of the password: when the account has another by then, there is nothing to upgrade.
    pub(super) password_revision: u64,
    pub(super) secret: Secret,
    /// When it was offered.
    pub(super) since: Tick,
}

/// The upgrades that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct Upgrades {
    waiting: VecDeque<Upgrade>,
}

impl Upgrades {
    /// Lets `upgrade` wait if there is room; says whether there was.
    pub(super) fn offer(&mut self, upgrade: Upgrade) -> bool {
        let has_room = self.waiting.len() < UPGRADES_WAITING_MAX;
        if has_room {
            self.waiting.push_back(upgrade);
        }
        has_room
    }

    /// Gives up those that have waited for too long; returns how many.
    pub(super) fn give_up(&mut self, now: Tick) -> usize {
        let count = self.waiting.iter().take_while(|upgrade| now.since(upgrade.since) > UPGRADE_WAIT_MAX).count();
        self.waiting.drain(..count);
        count
    }

    /// The one that has waited longest.
    pub(super) fn take(&mut self) -> Option<Upgrade> {
        self.waiting.pop_front()
    }

    /// Gives up all; returns how many.
    pub(super) fn clear(&mut self) -> usize {
        self.waiting.drain(..).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade(number: u64, since_ms: u64) -> Upgrade {
        Upgrade {
            account: AccountName::parse("alice@example.com").unwrap(),
            password_revision: number,
            secret: Secret::new(b"secret").unwrap(),
            since: Tick(since_ms),
        }
    }

    #[test]
    fn as_many_wait_as_may_and_no_more() {
        let mut upgrades = Upgrades::default();
        for number in 0..UPGRADES_WAITING_MAX as u64 {
            assert!(upgrades.offer(upgrade(number, 0)));
        }
        assert!(!upgrades.offer(upgrade(9999, 0)));
        assert_eq!(upgrades.take().unwrap().password_revision, 0);
        assert!(upgrades.offer(upgrade(9999, 0)));
        assert_eq!(upgrades.clear(), UPGRADES_WAITING_MAX);
        assert!(upgrades.take().is_none());
    }

    #[test]
    fn none_waits_for_longer_than_it_may() {
        let mut upgrades = Upgrades::default();
        let wait_max = u64::try_from(UPGRADE_WAIT_MAX.as_millis()).unwrap();
        for (number, since) in [(1, 0), (2, 1), (3, 500)] {
            assert!(upgrades.offer(upgrade(number, since)));
        }
        assert_eq!(upgrades.give_up(Tick(wait_max)), 0);
        assert_eq!(upgrades.give_up(Tick(wait_max + 2)), 2);
        assert_eq!(upgrades.take().unwrap().password_revision, 3);
    }
}
