use std::time::Duration;

use crate::control::table::Worth;
use crate::model::{Flow, Tick};

/// What of a budget is spent: the moment when all of it will have come back, in microseconds of the
/// clock. It comes back evenly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Debt {
    paid_us: u64,
}

impl Debt {
    /// How many of `flow` are spent; a begun one counts.
    pub(super) fn spent(self, flow: Flow, now: Tick) -> u64 {
        self.left_us(now).div_ceil(share_us(flow))
    }

    pub(super) fn spend(&mut self, flow: Flow, now: Tick) {
        self.paid_us = self.paid_us.max(now_us(now)).saturating_add(share_us(flow));
    }

    /// What was spent last was not.
    pub(super) fn take_back(&mut self, flow: Flow) {
        self.paid_us = self.paid_us.saturating_sub(share_us(flow));
    }

    /// How long until fewer than `limit` of `flow` are spent, which is at least 1.
    pub(super) fn wait(self, limit: u64, flow: Flow, now: Tick) -> Duration {
        let may_be_left = (limit - 1).saturating_mul(share_us(flow));
        Duration::from_micros(self.left_us(now).saturating_sub(may_be_left))
    }

    fn left_us(self, now: Tick) -> u64 {
        self.paid_us.saturating_sub(now_us(now))
    }
}

impl Worth for Debt {
    fn worth(&self) -> u64 {
        self.paid_us
    }
}

fn now_us(now: Tick) -> u64 {
    now.0.saturating_mul(1000)
}

/// How soon one of `flow` comes back.
fn share_us(flow: Flow) -> u64 {
    let period_us = u64::try_from(flow.period.as_micros()).unwrap_or(u64::MAX);
    (period_us / u64::from(flow.count)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: Flow = Flow { count: 3, period: Duration::from_secs(60) };

    #[test]
    fn a_budget_comes_back_evenly() {
        let mut debt = Debt::default();
        for count in 1..=3 {
            debt.spend(FLOW, Tick(5_000));
            assert_eq!(debt.spent(FLOW, Tick(5_000)), count);
        }
        let at = |second: u64| Tick(second * 1000);
        assert_eq!([24, 25, 26, 45, 65].map(|second| debt.spent(FLOW, at(second))), [3, 2, 2, 1, 0]);
        assert_eq!(debt.wait(3, FLOW, at(10)), Duration::from_secs(15));
        assert_eq!(debt.wait(1, FLOW, at(10)), Duration::from_secs(55));
        assert_eq!(debt.wait(1, FLOW, at(99)), Duration::ZERO);
        debt.take_back(FLOW);
        assert_eq!(debt.spent(FLOW, at(5)), 2);
        debt.spend(FLOW, at(1000));
        assert_eq!(debt.spent(FLOW, at(1000)), 1);
    }

    #[test]
    fn no_flow_is_beyond_reckoning() {
        for (count, period) in [(1, Duration::MAX), (u32::MAX, Duration::from_nanos(1))] {
            let (flow, mut debt) = (Flow { count, period }, Debt::default());
            debt.spend(flow, Tick(7));
            assert_eq!(debt.spent(flow, Tick(7)), 1);
            debt.spend(flow, Tick::NEVER);
            debt.take_back(flow);
        }
    }
}
