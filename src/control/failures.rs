use std::net::IpAddr;
use std::time::Duration;

use tracing::event;

use super::Control;
use super::gate::source;
use super::guesses::{Attempt, Finding, Guess, Settled};
use crate::model::{Flow, Tick};
use crate::syslog::MAJOR;

/// Why the password of a login is not looked at, and for how long none will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// Too many logins to the account have failed.
    OfAccount(Duration),
    /// Too many logins from the address have failed, or an administrator has blocked it.
    OfAddress(Duration),
}

impl Control {
    /// Lets the password of a login be looked at, which leads to `address` and comes from `peer`.
    ///
    /// # Errors
    /// Too many have failed.
    pub fn begin_login(&self, address: &str, peer: IpAddr, flow: Flow, mark: Option<u32>) -> Result<Attempt, TooMany> {
        self.begin_login_at(self.clock.now(), address, peer, flow, mark)
    }

    /// As [`Control::begin_login`], at a given time.
    pub(super) fn begin_login_at(
        &self,
        now: Tick,
        address: &str,
        peer: IpAddr,
        flow: Flow,
        mark: Option<u32>,
    ) -> Result<Attempt, TooMany> {
        if let Some(time) = self.gate.blocked_for(peer, now) {
            return Err(TooMany::OfAddress(time));
        }
        let is_front_end = self.gate.is_front_end(peer);
        let guess = Guess { address, place: source(peer), is_front_end, flow, mark };
        self.guesses.begin(&guess, now).map_err(TooMany::OfAccount)
    }

    /// Notes what was found, for the account and for `peer`, which may be blocked for it.
    pub fn settle_login(&self, attempt: Attempt, finding: Finding, peer: IpAddr) {
        self.settle_login_at(self.clock.now(), attempt, finding, peer);
    }

    /// As [`Control::settle_login`], at a given time.
    pub(super) fn settle_login_at(&self, now: Tick, attempt: Attempt, finding: Finding, peer: IpAddr) {
        match self.guesses.settle(attempt, finding, now) {
            Settled::Even => {}
            Settled::Failed => self.note_failure(peer, now),
            Settled::Forgiven(count) => self.gate.forgive(peer, count),
        }
    }

    /// Counts a failed login of `address`, which may be blocked for it.
    pub(super) fn note_failure(&self, address: IpAddr, now: Tick) {
        let (live, _) = self.live();
        if self.gate.note_failure(address, &live, now) {
            let (count, seconds) = (live.address_failures_max, live.address_block.as_secs());
            event!(target: "SYSTEM", MAJOR, "{address} blocked for {seconds} seconds: {count} failed logins");
        }
    }
}
